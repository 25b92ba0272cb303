"""Section 2.4: the languages beside Python that functions are cut out of, run and asked about."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from datasets_builders.synthesis.program_analysis.other_languages.calls import ValueSyntax
from datasets_builders.synthesis.program_analysis.other_languages.cpp import Cpp
from datasets_builders.synthesis.program_analysis.other_languages.cpp_running import CppRunner
from datasets_builders.synthesis.program_analysis.other_languages.cpp_values import CppValues
from datasets_builders.synthesis.program_analysis.other_languages.extraction import Dialect
from datasets_builders.synthesis.program_analysis.other_languages.go import PURE_PACKAGES, Go
from datasets_builders.synthesis.program_analysis.other_languages.go_running import GoRunner
from datasets_builders.synthesis.program_analysis.other_languages.go_values import GoValues
from datasets_builders.synthesis.program_analysis.other_languages.java import Java
from datasets_builders.synthesis.program_analysis.other_languages.java_running import JavaRunner
from datasets_builders.synthesis.program_analysis.other_languages.java_values import JavaValues
from datasets_builders.synthesis.program_analysis.other_languages.javascript import JavaScript, TypeScript
from datasets_builders.synthesis.program_analysis.other_languages.javascript_running import (
    TYPESCRIPT_MODULE,
    TYPESCRIPT_REQUIRE,
    JavaScriptRunner,
    TypeScriptRunner,
)
from datasets_builders.synthesis.program_analysis.other_languages.javascript_values import JavaScriptValues
from datasets_builders.synthesis.program_analysis.other_languages.running import Runner
from datasets_builders.synthesis.program_analysis.other_languages.sample import ProgramSample


class CallWithAnswer(Protocol):
    """A call and the literal that it returns."""

    @property
    def call(self) -> str:
        """The expression."""

    @property
    def answer(self) -> str:
        """The literal."""


@dataclass(frozen=True)
class ProgramLanguage:
    """All that is particular to a language.

    Args:
        dialect (`Dialect`): its definitions and programs.
        values (`ValueSyntax`): its types and literals.
        runner (`Runner`): how programs are run in the sandbox.
        check: states observed results in the language.
    """

    dialect: Dialect
    values: ValueSyntax
    runner: Runner
    check: Callable[[ProgramSample, Sequence[CallWithAnswer]], str]

    @property
    def name(self) -> str:
        """Linguist's name."""
        return self.dialect.language


def javascript_check(sample: ProgramSample, calls: Sequence[CallWithAnswer]) -> str:
    """Return asserts of Node's, which tell 0 from -0 and know NaN."""
    lines = ['const assert = require("node:assert");']
    lines += [f"assert.deepStrictEqual({call.call}, {call.answer});" for call in calls]
    return "\n".join(lines)


def typescript_check(sample: ProgramSample, calls: Sequence[CallWithAnswer]) -> str:
    """Return the same asserts in a module; the compiler need not know Node."""
    return TYPESCRIPT_REQUIRE + javascript_check(sample, calls) + TYPESCRIPT_MODULE


JAVA_PRIMITIVES = ("int", "long", "short", "byte", "char", "boolean", "double", "float")


def java_check(sample: ProgramSample, calls: Sequence[CallWithAnswer]) -> str:
    """Return asserts, as they stand in a method of a program that is run with -ea."""
    return "\n".join(f"assert {_java_condition(sample, call.call, call.answer)};" for call in calls)


def _java_condition(sample: ProgramSample, call: str, answer: str) -> str:
    if answer.startswith("new ") and "BigInteger" not in answer:
        return f"Arrays.{'deepEquals' if '[][]' in answer else 'equals'}({call}, {answer})"
    if answer in ("Double.NaN", "Float.NaN") and sample.result in JAVA_PRIMITIVES:
        return f"{answer.partition('.')[0]}.isNaN({call})"
    if sample.result in JAVA_PRIMITIVES or answer == "null":
        return f"{call} == {answer}"
    return f"Objects.equals({call}, {answer})"


_GO_PACKAGES = ("errors", "fmt", "math", "reflect", *sorted(PURE_PACKAGES - {"errors", "fmt", "math"}))


def go_check(sample: ProgramSample, calls: Sequence[CallWithAnswer]) -> str:
    """Return a test in a file of its own, beside that of the program."""
    lines = [line for call in calls for line in _go_condition(call.call, call.answer)]
    text = "\n".join(lines)
    # What an answer names, such as regexp.MustCompile, is imported here too: a test is a file of its own.
    used = set(re.findall(r"(?<![\w.])([a-z]\w*)\.[A-Z]", _unquoted(text)))
    imports = ["testing", *(path for path in _GO_PACKAGES if path.rpartition("/")[2] in used)]
    head = ["package main", "", "import (", *(f'\t"{name}"' for name in sorted(imports)), ")", ""]
    name = sample.name[0].upper() + sample.name[1:]
    return "\n".join([*head, f"func Test{name}(t *testing.T) {{", *lines, "}"])


def _unquoted(text: str) -> str:
    return re.sub(r'"(?:[^"\\\n]|\\.)*"', "", text)


def _go_condition(call: str, answer: str) -> list[str]:
    parts = _go_parts(answer)
    names = ["got"] if len(parts) == 1 else [f"got{index}" for index in range(len(parts))]
    conditions = []
    for name, part in zip(names, parts, strict=True):
        if part.startswith("errors.New("):
            conditions.append(f"fmt.Sprint({name}) != fmt.Sprint({part})")
        elif part == "math.NaN()":
            conditions.append(f"!math.IsNaN(float64({name}))")
        elif re.match(r"[\[&]|map\[|[A-Za-z_]\w*\{", part):
            conditions.append(f"!reflect.DeepEqual({name}, {part})")
        else:
            conditions.append(f"{name} != {part}")
    # Braces around it: a composite literal may not stand bare between `if` and its block.
    condition = " || ".join(conditions)
    said = f't.Errorf("got %v", {names[0]})' if len(names) == 1 else f't.Errorf("got %v", []any{{{", ".join(names)}}})'
    return ["\t{", f"\t\t{', '.join(names)} := {call}", f"\t\tif {condition} {{", f"\t\t\t{said}", "\t\t}", "\t}"]


def _go_parts(answer: str) -> list[str]:
    """Return the values of a call that returns several."""
    parts, depth, at, quote = [], 0, 0, False
    index = 0
    while index < len(answer):
        char = answer[index]
        if quote:
            if char == "\\":
                index += 1
            elif char == '"':
                quote = False
        elif char == '"':
            quote = True
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif char == "," and depth == 0:
            parts.append(answer[at:index].strip())
            at = index + 1
        index += 1
    return [*parts, answer[at:].strip()]


def cpp_check(sample: ProgramSample, calls: Sequence[CallWithAnswer]) -> str:
    """Return a main function of asserts."""
    lines = []
    for call in calls:
        if call.answer in ("NAN", "-NAN"):
            condition = f"std::isnan({call.call})"
        elif call.answer.startswith("{"):
            condition = f"{call.call} == decltype({call.call}){call.answer}"
        elif call.answer.startswith('"'):
            condition = f"std::string({call.call}) == {_cpp_string(call.answer)}"
        else:
            condition = f"{call.call} == {call.answer}"
        lines.append(f"    assert(({condition}));" if "," in condition else f"    assert({condition});")
    head = ["#include <cassert>", "#include <cmath>", "#include <string>", "", "int main() {"]
    return "\n".join([*head, *lines, "}"])


def _cpp_string(answer: str) -> str:
    """Return a text that may hold a zero character, behind which a plain literal would end."""
    return f"std::string({answer}, sizeof({answer}) - 1)" if "\\000" in answer else answer


PROGRAM_LANGUAGES = {
    language.name: language
    for language in (
        ProgramLanguage(JavaScript(), JavaScriptValues(), JavaScriptRunner(), javascript_check),
        ProgramLanguage(TypeScript(), JavaScriptValues(), TypeScriptRunner(), typescript_check),
        ProgramLanguage(Java(), JavaValues(), JavaRunner(), java_check),
        ProgramLanguage(Go(), GoValues(), GoRunner(), go_check),
        ProgramLanguage(Cpp(), CppValues(), CppRunner(), cpp_check),
    )
}
