"""Section 2.4: which arguments give a result (input_prediction), which tell two functions apart?

That they differ is known (counterexample) or asked too (equivalence). Many answers may be right, so each question has a
check to run with the answer in it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from datasets_builders.synthesis.program_analysis.extraction import FunctionSample
from datasets_builders.synthesis.program_analysis.observation import FailingMutant, Observation, ObservedCall
from datasets_builders.synthesis.program_analysis.questions.execution import asked_calls
from datasets_builders.synthesis.program_analysis.questions.question import (
    PLACEHOLDER,
    Question,
    QuestionLimits,
    render,
    same_value,
    stands_in_call,
)
from datasets_builders.synthesis.program_analysis.rewriting.variants import Variants

# The answer where no call tells two versions apart.
EQUAL = "equal"
_MUTATORS = frozenset(
    (
        *(
            "append",
            "appendleft",
            "extend",
            "insert",
            "pop",
            "popleft",
            "popitem",
            "remove",
            "clear",
            "sort",
            "reverse",
        ),
        *("add", "discard", "update", "setdefault", "subtract", "rotate", "intersection_update", "difference_update"),
    )
)
# Results that nearly any arguments give.
_COMMON = frozenset({"None", "True", "False"})


def input_predictions(sample: FunctionSample, observation: Observation, limits: QuestionLimits) -> Iterator[Question]:
    """Yield results, to which arguments are to be found."""
    seen: set[str] = set()
    for _, call in asked_calls(sample, observation):
        if len(seen) == limits.max_inputs:
            return
        if call.answer in seen or call.answer in _COMMON or stands_in_call(call.answer, call.call):
            continue
        seen.add(call.answer)
        wrong = [other.call for other in observation.calls if not same_value(other.answer, call.answer)]
        yield Question(
            kind="input_prediction",
            prompt=render("input_prediction", sample, code=sample.code, answer=call.answer, shape=_shape(call.call)),
            content=call.call,
            code=sample.code,
            call=call.call,
            answer=call.call,
            check=f"assert {PLACEHOLDER} == {call.answer}",
            wrong_answers=wrong[: limits.max_wrong_answers],
            call_from=call.origin,
        )


def _shape(call: str) -> str:
    """Return a call with dots for its arguments."""
    tree = ast.parse(call, mode="eval").body
    inner = tree.args[0] if isinstance(tree, ast.Call) and ast.unparse(tree.func) == "list" and tree.args else tree
    node = inner
    while isinstance(node, ast.Call | ast.Attribute):
        if isinstance(node, ast.Call):
            if node.args or node.keywords:
                node.args, node.keywords = [ast.Constant(...)], []
            node = node.func
        else:
            node = node.value
    return ast.unparse(tree)


def counterexamples(sample: FunctionSample, observation: Observation, limits: QuestionLimits) -> Iterator[Question]:
    """Yield faulty versions, to which a call is to be found that shows the fault."""
    yield from list(_differing_versions(sample, observation, limits, "counterexample"))[: limits.max_counterexamples]


def equivalences(
    sample: FunctionSample, observation: Observation, variants: Variants, limits: QuestionLimits
) -> Iterator[Question]:
    """Yield pairs of versions that may be equal: some are, to others a call is to be found.

    Args:
        sample (`FunctionSample`): the function.
        observation (`Observation`): what running it and its mutants showed.
        variants (`Variants`): rewrites that did the same on all calls that were tried.
        limits (`QuestionLimits`): how many of either.
    """
    # The mutants that `counterexamples` shows are known to differ.
    differing = list(_differing_versions(sample, observation, limits, "equivalence"))[limits.max_counterexamples :]
    yield from differing[: limits.max_equivalences]
    for rewrite in variants.rewrites[: limits.max_equivalences]:
        code = _with_version(sample, rewrite.function)
        if code is not None:
            yield Question(
                kind="equivalence",
                prompt=render("equivalence", sample, code=code, changed=_changed_name(sample)),
                content=EQUAL,
                code=code,
                answer=EQUAL,
                wrong_answers=[call.call for call in observation.calls][: limits.max_wrong_answers],
                num_compared_calls=rewrite.num_calls,
            )


def _differing_versions(
    sample: FunctionSample, observation: Observation, limits: QuestionLimits, kind: str
) -> Iterator[Question]:
    for failing in observation.mutants:
        telling = _telling_calls(observation, failing)
        code = _with_version(sample, failing.mutant.function)
        if not telling or code is None:
            continue
        call = telling[0]
        wrong = [
            other.call
            for number, other in enumerate(observation.calls)
            if failing.values[number] == other.answer  # as the check compares: 0, -0.0 and False are three
        ]
        wrong = [EQUAL, *wrong] if kind == "equivalence" else wrong
        name, changed = sample.name, _changed_name(sample)
        yield Question(
            kind=kind,
            prompt=render(kind, sample, code=code, changed=changed),
            content=call.call,
            code=code,
            call=call.call,
            answer=call.call,
            check=(
                f"def value_of({name}):\n    return repr({PLACEHOLDER})\n\n\n"
                f"assert value_of({name}) != value_of({changed})"
            ),
            wrong_answers=wrong[: limits.max_wrong_answers],
            call_from=call.origin,
        )


def _changed_name(sample: FunctionSample) -> str:
    return f"{sample.name}_rewritten"


def _with_version(sample: FunctionSample, function: str) -> str | None:
    """Return the program with another version of its function behind it.

    None if that cannot be named, or if one version would find what the other left, such as a filled cache.
    """
    if _changes_its_module(sample.code):
        return None
    rewritten = _renamed(function, sample.name, _changed_name(sample))
    if rewritten is None or _changed_name(sample) in sample.code:
        return None
    return f"{sample.code}\n\n\n{rewritten}"


def _changes_its_module(code: str) -> bool:
    """Return whether functions of a program change the values at its top: by `global`, methods, or their places."""
    tree = ast.parse(code)
    names = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            return True
        held: ast.expr | None = None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _MUTATORS:
            held = node.func.value
        elif isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load):
            held = node.value
        while isinstance(held, ast.Subscript | ast.Attribute):
            held = held.value
        if isinstance(held, ast.Name) and held.id in names:
            return True
    return False


def _telling_calls(observation: Observation, failing: FailingMutant) -> list[ObservedCall]:
    pairs = zip(observation.calls, failing.values, strict=True)
    return [call for call, value in pairs if value and not same_value(value, call.answer)]


def _renamed(function: str, name: str, new: str) -> str | None:
    """Return a function under another name, its calls of itself included; None if that cannot be told."""
    node = ast.parse(function).body[0]
    if not isinstance(node, ast.FunctionDef) or node.name != name:
        return None
    lines = function.encode().split(b"\n")
    places = [
        (part.lineno, part.col_offset) for part in ast.walk(node) if isinstance(part, ast.Name) and part.id == name
    ]
    places.append((node.lineno, lines[node.lineno - 1].find(b"def ") + len("def ")))
    for line, column in sorted(places, reverse=True):
        text = lines[line - 1]
        if text[column : column + len(name.encode())] != name.encode():
            return None
        lines[line - 1] = text[:column] + new.encode() + text[column + len(name.encode()) :]
    return b"\n".join(lines).decode()
