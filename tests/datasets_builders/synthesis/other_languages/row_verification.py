"""Whether a row about another language is true, found out by a program of its own: nothing of the builder runs here.

Each row becomes one ordinary program of its language: the code, then the row's check; it passes or it does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from evals.execution import Executor, Limits, Program, Verdict

PLACE = "/* the function stands here */"
LIMITS = Limits(wall_seconds=20.0, compile_seconds=120.0, cpu_seconds=20.0, memory_bytes=1 << 30, num_processes=128)
FAILED = (Verdict.FAIL, Verdict.COMPILE_ERROR, Verdict.TIMEOUT, Verdict.OOM)


def program_of(language: str, code: str, check: str) -> Program:
    """Return code with a check behind it as one runs it in the language."""
    if language == "Go":
        return Program(check, "go", files={"code.go": code.encode()})
    if language == "Java":
        main = f"\npublic class Main {{\n    public static void main(String[] arguments) {{\n{check}\n    }}\n}}\n"
        return Program(code + main, "java")
    if language == "C++":
        return Program(f"{code}\n\n{check}\n", "cpp")
    return Program(f"{code}\n\n{check}\n", language.lower())


def with_function(context: str, function: str) -> str:
    """Return a program: the function at its place in the context, or behind it."""
    return context.replace(PLACE, function) if PLACE in context else f"{context}\n\n{function}"


def claims(row: dict[str, Any]) -> Iterator[tuple[str, Program, bool]]:
    """Yield what a row claims: in words, a program, and whether it passes."""
    language, check = row["languages"][0], row["check"].replace("???", row["call"])
    if row["kind"] in ("execution_prediction", "input_prediction"):
        yield "the answer is right", program_of(language, row["code"], check), True
        if row["kind"] == "execution_prediction":
            for wrong in row["wrong_answers"][:1]:
                changed = swapped(check, row["answer"], wrong)
                if changed is not None:
                    yield f"{wrong} is wrong", program_of(language, row["code"], changed), False
        else:
            for wrong in row["wrong_answers"][:1]:
                changed = row["check"].replace("???", wrong)
                yield f"{wrong} is wrong", program_of(language, row["code"], changed), False
    else:
        function = re.fullmatch(r"```\w+\n(.*)\n```", row["messages"][1]["content"], re.DOTALL)
        assert function, row["messages"][1]["content"]
        yield "the answer passes", program_of(language, with_function(row["context"], function[1]), check), True
        for alone in row.get("pass_to_pass", [])[:1]:
            faulty = with_function(row["context"], row["wrong_answers"][0])
            yield "the faulty one passes some", program_of(language, faulty, alone), True
        for wrong in row["wrong_answers"][:1]:
            yield "the faulty one fails", program_of(language, with_function(row["context"], wrong), check), False


def checks_nothing(row: dict[str, Any]) -> bool:
    """Return whether a function is to be written whose check never calls it."""
    is_written = row["kind"] in ("docstring_to_code", "code_repair")
    return is_written and not re.search(rf"\b{re.escape(row['function'])}\b", row["check"])


def swapped(check: str, answer: str, wrong: str) -> str | None:
    """Return a check with another expected value; None where it states the value in another form."""
    at = check.rfind(answer)
    return check[:at] + wrong + check[at + len(answer) :] if at >= 0 else None


def false_claims(executor: Executor, rows: list[dict[str, Any]]) -> list[str]:
    """Run what rows claim and return, in words, what is not so."""
    told = [(row, *claim) for row in rows for claim in claims(row)]
    results = executor.run_batch([program for _, _, program, _ in told], LIMITS)
    wrong = [f"{row['languages'][0]} {row['kind']} {row['function']}: no check" for row in rows if checks_nothing(row)]
    for (row, words, program, passes), result in zip(told, results, strict=True):
        assert result.verdict is not Verdict.INFRA_ERROR, result.message
        if (result.verdict is Verdict.PASS) is not passes:
            said = (result.stdout + result.stderr).strip()[-400:]
            wrong.append(f"{row['languages'][0]} {row['kind']} {row['function']}: {words}: {said}\n{program.source}")
    return wrong
