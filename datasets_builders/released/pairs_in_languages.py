"""Section 3.2.4: pairs about functions in other languages than Python: types of values; both sides run once more."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from datasets_builders.synthesis.program_analysis.other_languages.languages import JAVA_PRIMITIVES, PROGRAM_LANGUAGES
from datasets_builders.synthesis.program_analysis.other_languages.observation import (
    FAILED_CHECK,
    ObservationSettings,
    ObservedCall,
)
from datasets_builders.synthesis.program_analysis.other_languages.running import Unit, UnitResult, run_units
from datasets_builders.synthesis.program_analysis.other_languages.sample import PLACE, ProgramSample
from datasets_builders.synthesis.program_analysis.other_languages.syntax import field_text, nodes_of, tree_of

if TYPE_CHECKING:
    from tree_sitter import Node

    from evals.execution import Executor

ANSWER = "???"  # in a check of answers of which several are right

_KINDS = (
    ("boolean", r"true|false"),
    ("bigint", r"-?\d+n"),
    ("number", r"[-+]?(?:\d|\.\d|NaN|Infinity|NAN|INFINITY|math\.|Double\.|Float\.)[^\"]*"),
    ("string", r"[\"'`].*"),
    ("nothing", r"null|undefined|nil|nullptr|void 0"),
    ("array", r"\[.*"),
    ("object", r"\{.*"),
    ("new", r"new \w+.*"),
)
_COMPARED = frozenset(("==", "===", "!=", "!==", "<", ">", "<=", ">=", "in", "instanceof"))
_EXPRESSIONS = {"string": "string", "template_string": "string", "true": "boolean", "false": "boolean"}
_EXPRESSIONS |= {"array": "array", "object": "object", "number": "number"}
_FUNCTIONS = frozenset(("arrow_function", "function_expression", "function_declaration", "method_definition"))


def literal_kind(text: str) -> str:
    """Return what a literal of any of the languages is: boolean, number, string, ..., or its type's name."""
    for kind, pattern in _KINDS:
        if re.fullmatch(pattern, text, re.DOTALL):
            return text.split("(")[0].split("{")[0] if kind == "new" else kind
    return re.split(r"[({]", text, maxsplit=1)[0].strip()


def has_plain_type(language: str, code: str, function: str, kind: str) -> bool:
    """Return whether who reads a function knows its value to be of a kind.

    Compilers hold changed versions to the declared type, so that this is asked about JavaScript alone: each `return`
    is an expression of that kind.
    """
    if language != "JavaScript":
        return False
    for node in nodes_of(tree_of(language, code)):
        if node.type in ("function_declaration", "variable_declarator") and field_text(node, "name") == function:
            kinds = {_expression_kind(returned) for returned in _returned(node)}
            return kinds == {kind}
    return False


def _returned(function: Node) -> Iterator[Node | None]:
    """Yield the expressions that a function returns, not those of the functions in it."""
    value = function.child_by_field_name("value")
    body = (value if value is not None else function).child_by_field_name("body")
    waiting = [body] if body is not None else []
    if body is not None and body.type != "statement_block":
        yield body
        return
    while waiting:
        node = waiting.pop()
        if node.type == "return_statement":
            yield node.named_children[0] if node.named_children else None
        elif node.type not in _FUNCTIONS:
            waiting.extend(node.named_children)


def _expression_kind(node: Node | None) -> str:
    if node is None:
        return "nothing"
    while node.type == "parenthesized_expression" and node.named_child_count == 1:
        node = node.named_children[0]
    operator = field_text(node, "operator")
    if (node.type == "binary_expression" and operator in _COMPARED) or (
        node.type == "unary_expression" and operator == "!"
    ):
        return "boolean"
    return _EXPRESSIONS.get(node.type, "")


def check_with(row: Mapping[str, Any], answer: str) -> str:
    """Return the check of a question about a value with an answer in it."""
    check: str = row["check"]
    if ANSWER in check:
        return check.replace(ANSWER, answer)
    language = row["language"]
    # Which comparison Java needs hangs on whether the method returns a primitive.
    primitive = re.search(rf"\b({'|'.join(JAVA_PRIMITIVES)})\s+{re.escape(row['function'])}\(", row["code"])
    sample = _sample(language, row, "", row["call"], primitive[1] if primitive else "")
    return PROGRAM_LANGUAGES[language].check(sample, [ObservedCall(row["call"], answer, 0)])


def unit_of(language: str, row: Mapping[str, Any], program: str, check: str) -> Unit:
    """Return a program with a check, as it is run together with others."""
    return Unit(_sample(language, row, program, check), (), check, is_counted=False)


def _sample(language: str, row: Mapping[str, Any], program: str, calls: str, result: str = "") -> ProgramSample:
    name: str = row["function"]
    found = re.search(rf"(?<![\w.])((?:new \w+\(\)\.|(?:\w+\.)*){re.escape(name)})\(", calls)
    called = found[1] if found else name
    return ProgramSample(
        language=language, name=name, called=called, module="", path="", function=program, result=result
    )


def with_function(context: str, function: str) -> str:
    """Return a program: the function at its place in the context, or behind it."""
    if PLACE in context:
        return context.replace(PLACE, function)
    return f"{context}\n\n{function}" if context else function


def run_sides(
    executor: Executor, language: str, units: Sequence[tuple[Unit, Unit]], settings: ObservationSettings
) -> list[tuple[bool, bool]]:
    """Run the chosen and the rejected side of pairs.

    Args:
        executor (`Executor`): the sandbox.
        language (`str`): of all of them.
        units: of both sides, as `unit_of` makes them.
        settings (`ObservationSettings`): bounds.

    Returns:
        Whether the chosen side passes, and whether the rejected side fails its check rather than the compiler, both in
        two processes each.
    """
    runner = PROGRAM_LANGUAGES[language].runner
    flat = [unit for pair in units for unit in pair]
    results = run_units(executor, runner, flat, settings.max_steps, settings.max_answer_chars)
    return [
        (all(result.check == "passed" for result in chosen), _fails(rejected))
        for chosen, rejected in zip(results[::2], results[1::2], strict=True)
    ]


def _fails(pair: tuple[UnitResult, UnitResult]) -> bool:
    return all(not result.broken and result.check in FAILED_CHECK for result in pair)


def quoted_code(language: str, code: str) -> str:
    """Return code in a Markdown fence of its language."""
    return f"```{PROGRAM_LANGUAGES[language].dialect.fence}\n{code}\n```"
