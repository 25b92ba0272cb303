"""Section 2.4: Java in the sandbox: every unit is a class nested in one program."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from datasets_builders.synthesis.program_analysis.other_languages.instrumentation import instrumented
from datasets_builders.synthesis.program_analysis.other_languages.java_values import owner_of
from datasets_builders.synthesis.program_analysis.other_languages.running import (
    RUNTIME_FOLDER,
    Assembly,
    Place,
    Runner,
    Unit,
)
from evals.execution import Program

DRIVER = (RUNTIME_FOLDER / "Main.java").read_text(encoding="utf-8")
_IMPORT = re.compile(r"^import ([\w.*]+);\n", re.MULTILINE)
_IMPORTS = ("java.util.*", "java.util.stream.*")


class JavaRunner(Runner):
    """Units share a program; what they import is imported for all of them."""

    sandbox_language: ClassVar[str] = "java"
    units_per_program: ClassVar[int] = 100  # the compiler that stays gives 256 classes at most

    def assemble(self, units: Sequence[Unit], max_steps: int, max_chars: int) -> Assembly:
        """Return the program, whose calls are the cases of a switch."""
        imports = dict.fromkeys(_IMPORTS)
        lines: list[str] = []
        places: dict[tuple[str, int], Place] = {}
        for number, unit in enumerate(units):
            code = unit.sample.code
            if unit.is_counted:
                code = instrumented("Java", code, "Main.__step({number});")
            imports.update(dict.fromkeys(_IMPORT.findall(code)))
            inside = _IMPORT.sub("", code).replace(f"\nclass {_owner(unit)} {{", f"\nstatic class {_owner(unit)} {{", 1)
            # Lines are counted by "\n" alone, as javac counts them.
            block = [(f"static class U{number} {{", -1), *((line, -1) for line in inside.split("\n"))]
            block += [("static Object call(int number) throws Throwable { switch (number) {", -1)]
            block += [(f"case {index}: return {call};", index) for index, call in enumerate(unit.calls) if call]
            block += [("default: throw new IllegalStateException(); } }", -1)]
            if unit.check:
                block += [("static void check() throws Throwable {", -1)]
                block += [(line, -1) for line in unit.check.split("\n")] + [("}", -1)]
            for line, call in [*block, ("}", -1)]:
                lines.append(line)
                places["Main.java", len(lines)] = Place(number, call)
        head = [*(f"import {name};" for name in imports), "public class Main {"]
        places = {(name, line + len(head)): place for (name, line), place in places.items()}
        counts = ", ".join(str(len(unit.calls)) for unit in units)
        checks = ", ".join("true" if unit.check else "false" for unit in units)
        main = (
            "public static void main(String[] arguments) throws Throwable { observeAll("
            f"new int[] {{{counts}}}, new boolean[] {{{checks}}}, {max_steps}L, {max_chars}, arguments); }}"
        )
        return Assembly(Program("\n".join([*head, *lines, main, DRIVER]), "java"), places)

    def blamed(self, message: str, assembly: Assembly) -> set[Place]:
        """Return what javac finds fault with: `Main.java:12: error: ...`."""
        found = re.findall(r"^(Main\.java):(\d+): error", message, re.MULTILINE)
        places = (assembly.places.get((name, int(line))) for name, line in found)
        return {place for place in places if place is not None}


def _owner(unit: Unit) -> str:
    return owner_of(unit.sample.called)
