"""Section 2.4: the languages beside Python that functions are cut out of, run and asked about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from datasets_builders.synthesis.program_analysis.other_languages.calls import ValueSyntax
from datasets_builders.synthesis.program_analysis.other_languages.extraction import Dialect
from datasets_builders.synthesis.program_analysis.other_languages.javascript import JavaScript, TypeScript
from datasets_builders.synthesis.program_analysis.other_languages.javascript_running import (
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
    """Return the same asserts; the compiler need not know Node."""
    return TYPESCRIPT_REQUIRE + javascript_check(sample, calls)


PROGRAM_LANGUAGES = {
    language.name: language
    for language in (
        ProgramLanguage(JavaScript(), JavaScriptValues(), JavaScriptRunner(), javascript_check),
        ProgramLanguage(TypeScript(), JavaScriptValues(), TypeScriptRunner(), typescript_check),
    )
}
