"""Section 2.4: JavaScript and TypeScript in the sandbox: one process of Node, a context for every unit."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import ClassVar

from datasets_builders.synthesis.program_analysis.other_languages.instrumentation import instrumented
from datasets_builders.synthesis.program_analysis.other_languages.running import (
    RUNTIME_FOLDER,
    Assembly,
    Place,
    Runner,
    Unit,
)
from evals.execution import Program

DRIVER = (RUNTIME_FOLDER / "driver.js").read_text(encoding="utf-8")
TYPESCRIPT_MAIN = 'declare const require: any;\nrequire("./driver.js");\n'
TYPESCRIPT_REQUIRE = "declare var require: any;\n"
# Makes a module of a program and its check, whose names may then be those of the libraries (Omit, name).
TYPESCRIPT_MODULE = "\nexport {};"


class JavaScriptRunner(Runner):
    """Runs the text as it is."""

    sandbox_language: ClassVar[str] = "javascript"
    units_per_program: ClassVar[int] = 256
    max_candidates: ClassVar[int] = 64
    max_mutants: ClassVar[int] = 16

    def assemble(self, units: Sequence[Unit], max_steps: int, max_chars: int) -> Assembly:
        """Return the driver with the units beside it."""
        rows = [_row(unit, max_steps, max_chars, code=_code(unit)) for unit in units]
        return Assembly(Program(DRIVER, "javascript", files={"units.json": json.dumps(rows).encode()}))


class TypeScriptRunner(Runner):
    """Has the compiler check and strip the types of each unit, and of the calls on it, as a module of its own."""

    sandbox_language: ClassVar[str] = "typescript"
    units_per_program: ClassVar[int] = 96

    def assemble(self, units: Sequence[Unit], max_steps: int, max_chars: int) -> Assembly:
        """Return a program that refers to all units, so that they are compiled, and then runs the driver."""
        files = {"driver.js": DRIVER.encode()}
        references, rows, places = [], [], {}
        for number, unit in enumerate(units):
            code = _code(unit)
            first = code.count("\n") + 3
            calls = "\n".join(f"({call});" if call else "" for call in unit.calls)
            text = f"{code}\nexport {{}}; function __calls() {{\n{calls}\n}}\n"
            if unit.is_counted:
                text += "declare function __step(number: number): void;\n"
            name = f"unit{number}.ts"
            files[name] = text.encode()
            references.append(f'/// <reference path="./{name}" />\n')
            rows.append(_row(unit, max_steps, max_chars, file=f"unit{number}.js"))
            for line in range(1, first):
                places[name, line] = Place(number)
            for call in range(len(unit.calls)):
                places[name, first + call] = Place(number, call)
        files["units.json"] = json.dumps(rows).encode()
        return Assembly(Program("".join(references) + TYPESCRIPT_MAIN, "typescript", files=files), places)

    def blamed(self, message: str, assembly: Assembly) -> set[Place]:
        """Return what the compiler finds fault with: `unit3.ts(4,5): error ...`."""
        found = re.findall(r"^(unit\d+\.ts)\((\d+),\d+\): error", message, re.MULTILINE)
        places = (assembly.places.get((name, int(line))) for name, line in found)
        return {place for place in places if place is not None}


def _code(unit: Unit) -> str:
    code = unit.sample.code
    return instrumented(unit.sample.language, code) if unit.is_counted else code


def _row(unit: Unit, max_steps: int, max_chars: int, **where: str) -> dict[str, object]:
    check = unit.check.removeprefix(TYPESCRIPT_REQUIRE).removesuffix(TYPESCRIPT_MODULE)
    return {
        "calls": unit.calls,
        "check": check,
        "maxSteps": max_steps,
        "maxChars": max_chars,
        "scopeOf": unit.variant_of,
        **where,
    }
