"""Section 2.4: C++ in the sandbox: every unit is a namespace of one program."""

from __future__ import annotations

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

DRIVER = (RUNTIME_FOLDER / "driver.h").read_text(encoding="utf-8")
_INCLUDE = re.compile(r"^#include <\w+>\n", re.MULTILINE)
_MAIN = "int main() {"


class CppRunner(Runner):
    """Candidate calls run where undefined behavior traps; what is chosen of them runs as everybody compiles it."""

    sandbox_language: ClassVar[str] = "cpp"
    units_per_program: ClassVar[int] = 256

    def assemble(self, units: Sequence[Unit], max_steps: int, max_chars: int) -> Assembly:
        """Return the program; headers are the toolchain's precompiled ones."""
        lines = DRIVER.split("\n")
        places: dict[tuple[str, int], Place] = {}
        for number, unit in enumerate(units):
            code = unit.sample.code
            if unit.is_counted:
                code = instrumented("C++", code, "__step({number});")
            block = [(f"namespace unit{number} {{", -1)]
            block += [(line, -1) for line in _INCLUDE.sub("", code).split("\n")]
            block += [("static std::string __call(int number) { switch (number) {", -1)]
            block += [
                (f"case {index}: return observing::literal({call});", index)
                for index, call in enumerate(unit.calls)
                if call
            ]
            block += [('} throw observing::NoLiteral{"no call"}; }', -1)]
            if unit.check:
                body = unit.check.split(_MAIN, 1)[1].rsplit("}", 1)[0]
                block += [("static void __check() {", -1), *((line, -1) for line in body.split("\n")), ("}", -1)]
            block += [("}", -1)]
            for line, call in block:
                lines.append(line)
                places["main.cpp", len(lines)] = Place(number, call)
        rows = ", ".join(
            f"{{{len(unit.calls)}, unit{number}::__call, {f'unit{number}::__check' if unit.check else 'nullptr'}}}"
            for number, unit in enumerate(units)
        )
        lines.append(f"int main() {{ return observing::observe_all({{{rows}}}, {max_steps}LL, {max_chars}); }}")
        is_first_look = any(unit.is_counted and unit.variant_of is None for unit in units)
        language = "cpp_trapping" if is_first_look else "cpp"
        return Assembly(Program("\n".join(lines), language), places)

    def blamed(self, message: str, assembly: Assembly) -> set[Place]:
        """Return what the compiler finds fault with: `main.cpp:12:3: error: ...`, or where a template is used."""
        found = re.findall(r"^main\.cpp:(\d+):\d+:\s+(?:error|required from here)", message, re.MULTILINE)
        places = (assembly.places.get(("main.cpp", int(line))) for line in found)
        return {place for place in places if place is not None}
