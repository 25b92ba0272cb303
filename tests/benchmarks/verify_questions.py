"""Answer questions again with a program that shares no code with the one that made them; count what is false.

`python tests/benchmarks/verify_questions.py FOLDER [--rows N] [--seed S] [--language NAME ...]`: of a `synthetic_qa`
dataset. Every program starts in a sandbox of its own; those of other languages than Python are compiled one by one, so
that a row of theirs takes a second or two.

- values, arguments, inputs, counterexamples, exceptions, repairs, functions: run, and compared; wrong answers too;
- branches: the program is rewritten so that its conditions report themselves;
- faults: the faulty program fails `fail_to_pass` and passes `pass_to_pass`; diffs are applied by git;
- tests: run on the function and on every mutant; refactorings: compared with the function on the calls of the check;
- variables, rationales and traces: `bdb` stops at every line, and what is claimed is compared with what is seen there.

Exit status 1 if a row is false.
"""

import argparse
import ast
import json
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import pyarrow.parquet as pq

from evals.execution import Executor, Program, Verdict
from tests.datasets_builders.synthesis.other_languages.row_verification import LIMITS, checks_nothing, claims

Row = dict[str, Any]
MARK = "\x01answer "
JUDGED = frozenset(
    {
        *("execution_prediction", "execution_rationale", "argument_afterwards", "local_value", "branch_prediction"),
        *("input_prediction", "counterexample", "equivalence", "exception_prediction", "code_repair"),
        *("docstring_to_code", "repair_as_diff", "faulty_line", "test_writing", "refactoring"),
    }
)

# What every program below ends with.
ANSWER = "\nimport sys as _sys\n_sys.__stdout__.write('\\n' + {mark!r} + {what} + '\\n')\n"

RUN_TESTS = """
import unittest as _unittest
for _name, _case in list(globals().items()):
    if isinstance(_case, type) and issubclass(_case, _unittest.TestCase):
        _result = _unittest.TestResult()
        _unittest.defaultTestLoader.loadTestsFromTestCase(_case).run(_result)
        assert _result.wasSuccessful()
    elif _name.startswith("test_"):
        _case()
"""
RUN_EXAMPLES = """
import doctest as _doctest
_test = _doctest.DocTestParser().get_doctest(_text, globals(), "examples", None, None)
assert not _doctest.DocTestRunner().run(_test, out=len).failed
"""

STOPPER = '''
import bdb as _bdb, json as _json

class _Stopper(_bdb.Bdb):
    """Notes the variables before every line and at every return, of the program's own frames."""

    def __init__(self):
        super().__init__()
        self.seen, self.values = [], []

    def note(self, frame, kind, value=None):
        if frame.f_code.co_filename == "<asked>" and not frame.f_code.co_name.startswith("<"):
            names = {}
            for name, value_of in frame.f_locals.items():
                names[name] = _text(value_of)
                if type(value_of).__module__ == "asked" and "__dict__" in dir(type(value_of)):
                    for inner, held in object.__getattribute__(value_of, "__dict__").items():
                        names[name + "." + inner] = _text(held)
            self.seen.append([kind, frame.f_code.co_name, frame.f_lineno, id(frame), names])

    def user_call(self, frame, arguments):
        self.note(frame, "call")
        self.set_step()

    def user_line(self, frame):
        self.note(frame, "line")
        self.set_step()

    def user_return(self, frame, value):
        self.note(frame, "return")
        self.set_step()

    def user_exception(self, frame, info):
        self.set_step()


def _text(value):
    try:
        if type(value) is set and value:
            return "{" + ", ".join(sorted(map(_text, value))) + "}"
        return repr(value)[:400]
    except Exception:
        return "?"
'''


def read_rows(folder: str, languages: Collection[str]) -> list[Row]:
    """Return the rows of a dataset folder; of some languages, if any are named."""
    paths = sorted(Path(folder, "data").glob("*.parquet"))
    rows = [row for path in paths for row in pq.read_table(path).to_pylist()]
    return [row for row in rows if not languages or row["languages"][0] in languages]


# The words before the values of a step, then the values, which end the line.
CLAIMS = re.compile(r".*(?: gives | takes | with | start |: | -> )((?:`[A-Za-z_][\w.]* = .*`)+)\.?$")


def claims_of(line: str) -> list[tuple[str, str]]:
    """Return the variables and values that a line of a rationale claims."""
    found = CLAIMS.fullmatch(line)
    parts = re.split(r"`, `(?=[A-Za-z_][\w.]* = )", found[1][1:-1]) if found else []
    return [(name, value) for name, _, value in (part.partition(" = ") for part in parts)]


class _SortSets(ast.NodeTransformer):
    """Write the elements of sets in one order: which one Python shows is no part of a value."""

    def visit_Set(self, node: ast.Set) -> ast.Set:
        self.generic_visit(node)
        node.elts.sort(key=ast.unparse)
        return node


def canonical(value: str) -> str:
    """Return the text of a value with sets in one order, within others too; a text that is no expression as it is."""
    try:
        return ast.unparse(_SortSets().visit(ast.parse(value, mode="eval")))
    except (SyntaxError, ValueError, RecursionError):
        return value


def without_fence(answer: str) -> str:
    """Return the text inside an answer's code fence."""
    return answer.partition("\n")[2].removesuffix("\n```")


def asked_call(text: str) -> ast.expr:
    """Return the left side of an assert."""
    (statement,) = ast.parse(text).body
    assert isinstance(statement, ast.Assert)
    assert isinstance(statement.test, ast.Compare)
    return statement.test.left


def is_judged(row: Row) -> bool:
    """Return whether there is something to hold a row against."""
    return row["languages"] != ["Python"] or (
        row["kind"] in JUDGED and (row["kind"] != "docstring_to_code" or bool(row["check"]))
    )


class Judge:
    """Runs programs and says what is false about rows.

    Args:
        executor (`Executor`): the sandbox.
    """

    def __init__(self, executor: Executor) -> None:
        self.executor = executor

    def passes(self, program: str) -> bool:
        """Return whether a program ends without an error."""
        return self.executor.run(Program(program, hash_seed=4711)).verdict is Verdict.PASS

    def printed(self, program: str, what: str) -> str:
        """Return an expression's text after a program has run, empty where it failed."""
        result = self.executor.run(Program(program + ANSWER.format(mark=MARK, what=what), hash_seed=4711))
        return result.stdout.rpartition(MARK)[2].removesuffix("\n") if MARK in result.stdout else ""

    def fault(self, row: Row) -> str:
        """Return what is false about a row, or an empty text."""
        kind = row["kind"]
        if row["languages"] != ["Python"]:
            return self.claimed_fault(row)
        if kind in ("execution_prediction", "argument_afterwards"):
            return self.value_fault(row)
        if kind == "execution_rationale":
            return self.value_fault(row) or self.told_fault(row)
        if kind == "local_value":
            return self.variable_fault(row)
        if kind == "branch_prediction":
            return self.branch_fault(row)
        if kind in ("input_prediction", "counterexample") or (kind == "equivalence" and row["check"]):
            return self.placed_fault(row)
        if kind == "equivalence":
            return self.equality_fault(row)
        if kind == "exception_prediction":
            return "" if self.passes(f"{row['code']}\n\n\n{row['check']}\n") else "another exception"
        if kind == "code_repair":
            return self.code_fault(row) or self.repair_fault(row)
        if kind in ("repair_as_diff", "faulty_line"):
            return self.repair_fault(row)
        if kind == "test_writing":
            return self.test_fault(row)
        if kind == "refactoring":
            return self.code_fault(row) or self.difference_fault(row)
        if kind == "docstring_to_code" and row["check"]:
            return self.code_fault(row)
        return ""

    def claimed_fault(self, row: Row) -> str:
        """Run each claim of a row about another language as a program of its own."""
        if checks_nothing(row):
            return "its check does not call the function"
        for words, program, passes in claims(row):
            result = self.executor.run(program, LIMITS)
            if (result.verdict is Verdict.PASS) is not passes:
                return f"not so: {words}: {result.verdict.name} {(result.stdout + result.stderr).strip()[-200:]}"
        return ""

    def repair_fault(self, row: Row) -> str:
        """Run the asserts on the faulty program and, where it is told, on the mended one."""
        faulty, answer = row["code"], row["messages"][1]["content"]
        failing, passing = row["fail_to_pass"], row["pass_to_pass"]
        every = (
            f"for _text in {failing!r}:\n    try:\n        exec(_text, globals())\n    except Exception:\n"
            "        continue\n    raise SystemExit(1)\n"
        )
        if not failing or not self.passes(f"{faulty}\n{every}"):
            return "the faulty program passes what it should fail"
        if not self.passes("\n".join([faulty, *passing])):
            return "the faulty program fails what it should pass"
        if row["kind"] == "faulty_line":
            num_lines = sum(line.strip() == answer for line in faulty.splitlines())
            return "" if num_lines == 1 else f"{num_lines} lines read like the answer"
        mended = f"{row['context']}\n\n\n{without_fence(answer)}"
        if row["kind"] == "repair_as_diff":
            with tempfile.TemporaryDirectory() as folder:
                Path(folder, "program.py").write_text(faulty + "\n")
                git = subprocess.run(["git", "apply", "-"], cwd=folder, input=without_fence(answer) + "\n", text=True)
                mended = Path(folder, "program.py").read_text()
            if git.returncode:
                return "git does not apply the diff"
        return "" if self.passes("\n".join([mended, row["check"], *failing, *passing])) else "the mended program fails"

    def test_fault(self, row: Row) -> str:
        """Run the tests on the function and on every mutant."""
        text = without_fence(row["messages"][1]["content"])
        tests = f"{text}\n{RUN_TESTS}"
        if text.startswith(">>>"):
            tests = f"_text = {text!r}\n{RUN_EXAMPLES}"
        if not self.passes(f"{row['code']}\n\n\n{tests}"):
            return "the tests fail"
        mutants = [f"{row['context']}\n\n\n{mutant}\n\n\n{tests}" for mutant in row["mutants"]]
        killed = sum(not self.passes(mutant) for mutant in mutants)
        return "" if killed == row["num_killed"] else f"{killed} mutants are found, not {row['num_killed']}"

    def difference_fault(self, row: Row) -> str:
        """Compare both versions on the calls of the check."""
        calls = [ast.unparse(asked_call(line)) for line in row["check"].splitlines()]
        values = f"repr([{', '.join(calls)}])"
        rewritten = f"{row['context']}\n\n\n{without_fence(row['messages'][1]['content'])}"
        found = [self.printed(program, values) for program in (row["code"], rewritten)]
        return "" if found[0] and found[0] == found[1] else f"{found[0]} became {found[1]}"

    def value_fault(self, row: Row) -> str:
        """Compare a value; and the value when it is computed again in the same process."""
        found = self.printed(row["code"], f"repr({row['call']})")
        again = self.printed(f"{row['code']}\n{row['call']}", f"repr({row['call']})")
        if found != row["answer"] or again != row["answer"]:
            return f"{row['call']} is {found}, again {again}, not {row['answer']}"
        if any(ast.literal_eval(wrong) == ast.literal_eval(found) for wrong in row["wrong_answers"]):
            return "a wrong answer is right"
        last = row["messages"][1]["content"].splitlines()[-1]
        return "" if last.removeprefix("Answer: ") == found else f"the text ends with {last}"

    def placed_fault(self, row: Row) -> str:
        """Run the check with the answer, then with the wrong ones."""
        checks = [row["check"].replace("???", answer) for answer in (row["answer"], *row["wrong_answers"])]
        verdicts = [self.passes(f"{row['code']}\n\n\n{check}\n") for check in checks]
        return "the answer fails" if not verdicts[0] else "a wrong answer passes" if any(verdicts[1:]) else ""

    def equality_fault(self, row: Row) -> str:
        """Compare two versions on the calls that do not tell them apart."""
        name, changed = re.findall(r"^def\s+(\w+)\s*\(", row["code"], flags=re.MULTILINE)[-2:]
        if changed != f"{name}_rewritten":
            return f"{changed} is no version of {name}"
        for call in row["wrong_answers"]:
            check = f"def value_of({name}):\n    return repr({call})\nassert value_of({name}) == value_of({changed})\n"
            if not self.passes(f"{row['code']}\n\n\n{check}"):
                return f"{call} tells them apart"
        return ""

    def code_fault(self, row: Row) -> str:
        """Run the check on the answer, then on wrong ones."""
        right = row["messages"][1]["content"].removeprefix("```python\n").removesuffix("\n```")
        programs = [f"{row['context']}\n\n\n{code}\n\n\n{row['check']}\n" for code in (right, *row["wrong_answers"])]
        verdicts = [self.passes(program) for program in programs]
        return "the answer fails" if not verdicts[0] else "a wrong answer passes" if any(verdicts[1:]) else ""

    def stops(self, row: Row) -> list[list[Any]]:
        """Return what a debugger sees: kind, function, line, frame and variables."""
        program = (
            f"{STOPPER}\n_names = {{'__name__': 'asked'}}\nexec(compile({row['code']!r}, '<asked>', 'exec'), _names)\n"
            f"_stopper = _Stopper()\n_call = compile({row['call']!r}, '<call>', 'eval')\n"
            "_stopper.runeval(_call, _names, _names)\n"
        )
        printed = self.printed(program, "_json.dumps(_stopper.seen)")
        return json.loads(printed) if printed else []

    def variable_fault(self, row: Row) -> str:
        """Find a value among those of the wanted statement's stops."""
        prompt = row["messages"][0]["content"]
        line = int(re.findall(r"line (\d+)", prompt)[0])
        stops = [stop for stop in self.stops(row) if stop[0] in ("line", "return", "call")]
        tree = ast.parse(row["code"])
        # The innermost statement that begins there; of a loop, its head.
        node = next(node for node in ast.walk(tree) if isinstance(node, ast.stmt) and node.lineno == line)
        for place, (_, _, where, frame, names) in enumerate(stops):
            if where != line:
                continue
            after = [stop for stop in stops[place + 1 :] if stop[3] == frame]
            if after and any(after[0][4].get(name) == row["answer"] for name in after[0][4]):
                return ""
            inside = range(line, (node.end_lineno or line) + 1)
            if any(stop[2] not in inside and row["answer"] in stop[4].values() for stop in after[:20]):
                return ""
            _ = names
        return f"no stop behind line {line} shows {row['answer']}"

    def branch_fault(self, row: Row) -> str:
        """Let the conditions of the function report themselves."""
        prompt = re.sub(r"(?s)```.*?```", "", row["messages"][0]["content"])
        lines = [int(found) for found in re.findall(r"on line (\d+) (?:of|in)", prompt)]
        function = re.findall(r"(?:of|in) `(\w+)`", prompt)[0]
        tree = ast.parse(row["code"])
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name == function:
                for part in ast.walk(node):
                    if isinstance(part, ast.If | ast.While):
                        test = ast.parse(f"_report({part.lineno}, None)", mode="eval").body
                        assert isinstance(test, ast.Call)
                        test.args[1] = part.test
                        part.test = test
        report = "_told = []\ndef _report(line, value):\n    _told.append((line, bool(value)))\n    return value\n"
        text = ast.unparse(ast.fix_missing_locations(tree))
        future = [line for line in text.splitlines() if line.startswith("from __future__")]
        text = "\n".join(line for line in text.splitlines() if not line.startswith("from __future__"))
        program = "\n".join([*future, report, text, row["call"]])
        told = self.printed(program, "repr(_told)")
        wanted = [value for line, value in ast.literal_eval(told or "[]") if not lines or line in lines]
        return "" if str(wanted) == row["answer"] else f"the conditions say {wanted}"

    def told_fault(self, row: Row) -> str:
        """Find every value of a rationale, in order, among those that a debugger sees."""
        text = row["messages"][1]["content"]
        claims = [claim for line in text.splitlines() for claim in claims_of(line)]
        states = [stop[4] for stop in self.stops(row)]
        if not states:
            return "nothing was seen"
        place = 0
        for name, value in claims:
            if value.startswith("<"):
                continue
            wanted = canonical(value)
            found = next(
                (at for at in range(place, len(states)) if canonical(states[at].get(name, "")) == wanted), None
            )
            if found is None:
                return f"{name} = {value} was not seen in this order"
            place = max(place, found - 1)
        return ""


def main() -> int:
    """Judge rows and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="of a synthetic_qa dataset")
    parser.add_argument("--rows", type=int, default=500, help="judge so many, chosen at random; 0: all")
    parser.add_argument("--seed", type=int, default=0, help="of the choice")
    parser.add_argument("--language", action="append", default=[], help="judge rows of this one alone; may be repeated")
    options = parser.parse_args()
    rows = read_rows(options.folder, options.language)
    if options.rows:
        rows = random.Random(options.seed).sample(rows, min(options.rows, len(rows)))
    others = [row for row in rows if not is_judged(row)]
    rows = [row for row in rows if is_judged(row)]
    counts: Counter[tuple[str, str, bool]] = Counter()
    with Executor(workers=2) as executor, ThreadPoolExecutor(2) as threads:
        judge = Judge(executor)
        for row, fault in zip(rows, threads.map(judge.fault, rows), strict=True):
            counts[row["languages"][0], row["kind"], bool(fault)] += 1
            if fault:
                print(f"{row['mid']} {row['languages'][0]} {row['kind']} {row['call'][:80]}: {fault[:300]}", flush=True)
    for language, kind in sorted({(language, kind) for language, kind, _ in counts}):
        num_rows = counts[language, kind, False] + counts[language, kind, True]
        print(f"| {language} | {kind} | {num_rows} | {counts[language, kind, True]} false |")
    num_false = sum(count for (*_, is_false), count in counts.items() if is_false)
    print(f"{len(rows)} rows judged, {num_false} false; {len(others)} of kinds that nothing here judges")
    return int(num_false > 0)


if __name__ == "__main__":
    sys.exit(main())
