"""Questions about runs, each answer held against Python itself."""

import ast

import pytest

from datasets_builders.synthesis.program_analysis.jobs import ObservationSettings
from datasets_builders.synthesis.program_analysis.observation import observe
from datasets_builders.synthesis.program_analysis.questions import Question, questions_about
from datasets_builders.synthesis.program_analysis.questions.question import filled_check
from datasets_builders.synthesis.program_analysis.traces import parse_trace
from evals.execution import Executor, Program, Verdict
from tests.datasets_builders.synthesis.conftest import sample_from

SOURCES = {
    "climb": """
STEP = 2


def climb(n: int, start: int = 0):
    heights = []
    for i in range(n):
        if i % 2:
            continue
        heights.append(start + i * STEP)  # up
    return heights
""",
    "drop": """
def drop(items: list, limit: int):
    position = 0
    while position < len(items):
        if items[position] is not None and str(items[position]) > str(limit):
            del items[position]
        else:
            position += 1
""",
    "half": """
def _checked(n):
    if n < 0:
        raise ValueError(f"{n} is negative")
    return n


def half(n: int):
    n = _checked(
        n
    )
    return 12 // n
""",
    "Pot": """
class Pot:
    def __init__(self, size: int):
        self.size = size
        self.used = 0

    def fill(self, amount: int):
        if amount > self.size:
            amount = self.size
        self.used += amount
        return self.size - self.used
""",
    "pairs": """
def pairs(n: int):
    for i in range(n):
        square = i * i
        yield i, square
""",
}


@pytest.fixture(scope="module")
def asked(executor: Executor) -> dict[str, list[Question]]:
    samples = [sample_from(source, name) for name, source in SOURCES.items()]
    observations = observe(executor, samples, ObservationSettings(num_candidates=64))
    return {
        sample.name: list(questions_about(sample, observation))
        for sample, observation in zip(samples, observations, strict=True)
    }


def of_kind(asked: dict[str, list[Question]], kind: str) -> list[Question]:
    found = [question for questions in asked.values() for question in questions if question.kind == kind]
    assert found, f"no question of kind {kind}"
    return found


@pytest.mark.parametrize("kind", ["execution_prediction", "execution_rationale", "argument_afterwards"])
def test_values_come_out_again(asked: dict[str, list[Question]], kind: str) -> None:
    for question in of_kind(asked, kind):
        namespace: dict[str, object] = {"__name__": "program"}
        exec(question.code, namespace)
        assert repr(eval(question.call, namespace)) == question.answer
        assert question.call in question.prompt and question.code in question.prompt
        assert all(ast.literal_eval(wrong) != ast.literal_eval(question.answer) for wrong in question.wrong_answers)


def test_what_a_changed_argument_was_before_is_a_wrong_answer(asked: dict[str, list[Question]]) -> None:
    for question in of_kind(asked, "argument_afterwards"):
        given = next(line for line in question.code.splitlines() if line.startswith(f"{question.call} = "))
        assert given.removeprefix(f"{question.call} = ") == question.wrong_answers[0] != question.answer


@pytest.mark.parametrize("kind", ["input_prediction", "counterexample", "exception_prediction"])
def test_checks_pass_with_the_answer_and_fail_with_wrong_ones(
    asked: dict[str, list[Question]], kind: str, executor: Executor
) -> None:
    for question in of_kind(asked, kind):
        if kind == "exception_prediction":
            answers = (question.answer, *question.wrong_answers)
            checks = [question.check.replace(question.answer, answer) for answer in answers]
        else:
            checks = [filled_check(question.check, answer) for answer in (question.answer, *question.wrong_answers)]
        verdicts = [executor.run(Program(f"{question.code}\n\n\n{check}\n")).verdict for check in checks]
        assert verdicts[0] is Verdict.PASS and Verdict.PASS not in verdicts[1:]


def test_messages_are_asked_for_where_the_program_raises_only(asked: dict[str, list[Question]]) -> None:
    answers = {question.answer for question in of_kind(asked, "exception_prediction")}
    assert "ZeroDivisionError" in answers
    assert any(answer.startswith("ValueError: -") and answer.endswith(" is negative") for answer in answers)


def instrumented(code: str, function: str) -> ast.Module:
    """Return a program whose function reports the outcome of every condition, and its variables behind a statement."""
    tree = ast.parse(code)

    class Report(ast.NodeTransformer):
        def visit_test(self, node: ast.If | ast.While) -> ast.AST:
            self.generic_visit(node)
            call = ast.parse(f"_tested({node.lineno}, 0)", mode="eval").body
            assert isinstance(call, ast.Call)
            call.args[1] = node.test
            node.test = call
            return node

        visit_If = visit_While = visit_test

        def generic_visit(self, node: ast.AST) -> ast.AST:
            super().generic_visit(node)
            body = getattr(node, "body", None)
            if isinstance(body, list):
                node.body = [
                    part
                    for statement in body
                    for part in (
                        (statement, *ast.parse(f"_seen({statement.lineno}, dict(locals()))").body)
                        if isinstance(statement, ast.Assign | ast.AugAssign | ast.Expr)
                        else (statement,)
                    )
                ]
            return node

    target = next(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == function)
    Report().generic_visit(target)
    return ast.fix_missing_locations(tree)


def test_branches_are_those_of_an_instrumented_program(asked: dict[str, list[Question]]) -> None:
    for question in of_kind(asked, "branch_prediction"):
        outcomes: list[tuple[int, bool]] = []

        def tested(line: int, value: object, outcomes: list[tuple[int, bool]] = outcomes) -> object:
            outcomes.append((line, bool(value)))
            return value

        function = question.call.removeprefix("list(").split("(")[0]
        name = "fill" if function == "Pot" else function
        namespace: dict[str, object] = {"_tested": tested, "_seen": lambda line, names: None}
        exec(compile(instrumented(question.code, name), "program", "exec"), namespace)
        eval(question.call, namespace)
        lines = {line for line, _ in outcomes if f"on line {line}" in question.prompt}
        assert str([value for line, value in outcomes if not lines or line in lines]) == question.answer
        assert question.verified_by == "replay"


def test_of_an_object_the_asked_method_is_meant_and_recursion_is_left_out(executor: Executor) -> None:
    sources = {
        "Pot": "class Pot:\n    def __init__(self, n: int):\n        if n > 2:\n            n = 2\n        if n > 1:\n"
        "            n = 1\n        self.n = n\n\n    def fill(self, m: int):\n        if m > 3:\n            m = 3\n"
        "        if m > 2:\n            m = 2\n        return self.n * m\n",
        "f": "def f(n: int):\n    if n > 2:\n        n = f(n // 2)\n    if n > 1:\n        n = 9\n    return n\n",
    }
    samples = [sample_from(source, name) for name, source in sources.items()]
    pot, recursive = observe(executor, samples, ObservationSettings(num_candidates=24))
    asked = [q for q in questions_about(samples[0], pot) if q.kind in ("branch_prediction", "local_value")]
    assert asked and all("`fill`" in question.prompt for question in asked)
    for question in questions_about(samples[1], recursive):
        if question.kind in ("branch_prediction", "local_value"):
            assert ast.literal_eval(question.call[2:-1]) <= 2


def test_messages_that_were_cut_or_have_lines_are_not_asked_for(executor: Executor) -> None:
    for message in ("'long ' * 50", "'two\\nlines'"):
        sample = sample_from(
            f"def f(n: int, m: int):\n    if n + m > -99:\n        raise ValueError({message})\n    return n\n"
        )
        (observation,) = observe(executor, [sample], ObservationSettings(num_candidates=24))
        asked = [q for q in questions_about(sample, observation) if q.kind == "exception_prediction"]
        assert asked and {question.answer for question in asked} == {"ValueError"}


def test_versions_that_share_a_cache_are_not_compared_in_one_program(executor: Executor) -> None:
    source = (
        "KNOWN = [1]\n\ndef f(n: int, m: int):\n    if n >= len(KNOWN):\n        for i in range(len(KNOWN), n + 1):\n"
        "            KNOWN.append(KNOWN[i - 1] * 2)\n    return KNOWN[:max(n, 0) + 1] + [m]\n"
    )
    kept, lost = sample_from(source.replace("KNOWN.append", "len").replace("KNOWN[i - 1]", "str")), sample_from(source)
    for sample, is_asked in ((kept, True), (lost, False)):
        (observation,) = observe(executor, [sample], ObservationSettings(num_candidates=24))
        asked = {question.kind for question in questions_about(sample, observation)}
        assert observation.calls and not observation.impurity
        assert ("counterexample" in asked) == is_asked


def test_conditions_of_inner_functions_are_not_asked_about_as_if_they_were_the_outer_one_s(executor: Executor) -> None:
    source = (
        "def f(n: int, m: int):\n    def low(k):\n        if k > 3:\n            return 3\n        return k\n"
        "    if n > 2:\n        n = low(n)\n    if m > 1:\n        m = low(m)\n    return n + m\n"
    )
    sample = sample_from(source)
    (observation,) = observe(executor, [sample], ObservationSettings(num_candidates=24))
    asked = [q for q in questions_about(sample, observation) if q.kind == "branch_prediction"]
    assert observation.calls and not [q for q in asked if "each condition" in q.prompt]


def test_intermediate_values_are_those_of_an_instrumented_program(asked: dict[str, list[Question]]) -> None:
    times = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
    num_compared = 0
    for question in of_kind(asked, "local_value"):
        states: list[tuple[int, dict[str, object]]] = []
        function = question.call.removeprefix("list(").split("(")[0]
        if function == "Pot":
            continue
        namespace: dict[str, object] = {
            "_tested": lambda line, value: value,
            "_seen": lambda line, names, states=states: states.append((line, {k: repr(v) for k, v in names.items()})),
        }
        exec(compile(instrumented(question.code, function), "program", "exec"), namespace)
        eval(question.call, namespace)
        words = question.prompt.replace("`", " ").replace(",", " ").split()
        line = int(words[words.index("line") + 1])
        number = next(place for place, word in enumerate(times) if word in words)
        at_line = [names for where, names in states if where == line]
        if at_line:  # the heads of loops are not instrumented
            assert question.answer in at_line[number].values()
            num_compared += 1
    assert num_compared


def test_rationales_say_what_happens_and_end_with_the_answer(asked: dict[str, list[Question]]) -> None:
    questions = of_kind(asked, "execution_rationale")
    for question in questions:
        *steps, blank, last = question.content.splitlines()
        assert blank == "" and last == f"Answer: {question.answer}"
        assert question.call in steps[0] and steps[1:]
        assert "# up" not in question.content and "<" not in question.content.replace(" < ", "")
    climbing = next(question for question in questions if question.call.startswith("climb("))
    heights = [line for line in climbing.content.splitlines() if "`heights = [" in line]
    assert heights or climbing.answer == "[]"


def test_helpers_and_generators_and_methods_are_told_in_order(asked: dict[str, list[Question]]) -> None:
    by_name = {
        name: next(question for question in asked[name] if question.kind == "execution_rationale")
        for name in ("half", "Pot", "pairs")
    }
    lines = by_name["half"].content.splitlines()
    assert any(line.startswith("  - ") and "_checked" in line for line in lines)
    assert any("`self.used = " in line for line in by_name["Pot"].content.splitlines())
    assert "yields" in by_name["pairs"].content or "hands out" in by_name["pairs"].content


def test_traces_read_back(asked: dict[str, list[Question]]) -> None:
    for question in of_kind(asked, "execution_rationale"):
        events = list(parse_trace(question.trace))
        assert events[0] == ("trace", 0, question.call, {})
        assert {kind for kind, *_ in events[1:]} <= {"call", "line", "return", "yield", "resume", "raise", "leave"}
        lines = {line.strip() for line in question.code.splitlines()}
        assert all(source in lines for _, _, source, _ in events[1:])
        returned = [facts["value"] for kind, depth, _, facts in events if kind == "return" and depth == 1]
        assert question.answer in returned or question.call.startswith("list(")


def test_a_line_that_is_no_event_is_named() -> None:
    with pytest.raises(ValueError, match="line 2 of the trace has 1 fields"):
        list(parse_trace("trace\t0\tf(1)\t{}\nnonsense"))


def test_names_of_a_program_are_not_bound_anew(executor: Executor) -> None:
    sample = sample_from("items = 3\n\ndef f(items: list, n: int):\n    for _ in range(2):\n        items.append(n)\n")
    (observation,) = observe(executor, [sample], ObservationSettings(num_candidates=16))
    for question in questions_about(sample, observation):
        namespace: dict[str, object] = {}
        exec(question.code, namespace)
        assert repr(eval(question.call, namespace)) == question.answer
