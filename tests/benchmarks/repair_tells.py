"""How many faults a text rule finds, and whether it finds marks of the mutation or only the places of faults.

`python tests/benchmarks/repair_tells.py` mutates the functions of the standard library. Rules are chosen on half of the
functions and judged on the other half: once on the faulty text, once on the right text at the same lines. What the
first finds more than the second are marks that mutation leaves.
"""

import argparse
import sysconfig
from collections import Counter
from pathlib import Path

from datasets_builders.synthesis.program_analysis.extraction import FunctionSample, extract_functions
from datasets_builders.synthesis.program_analysis.mutation import mutate
from datasets_builders.synthesis.program_analysis.mutation.mutate import changed_lines
from datasets_builders.synthesis.program_analysis.mutation.tells import surface_tells


def samples_of(folder: Path) -> list[FunctionSample]:
    """Return the functions of a folder of Python files."""
    samples: list[FunctionSample] = []
    for path in sorted(folder.rglob("*.py")):
        if {"site-packages", "test", "tests"}.intersection(path.parts):
            continue
        try:
            found = list(extract_functions(path.read_text(encoding="utf-8"), str(path.relative_to(folder))))
        except ValueError:  # no Python of this version, or not UTF-8
            continue
        samples += [sample for sample in found if isinstance(sample, FunctionSample) and not sample.is_class]
    return samples


def main() -> None:
    """Print the measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", default=sysconfig.get_path("stdlib"), help="folder of Python files")
    parser.add_argument("--num-mutants", type=int, default=12, help="mutants of a function")
    options = parser.parse_args()
    faulty, right, operators = [], [], Counter[str]()
    for sample in samples_of(Path(options.folder)):
        name = f"{sample.path}:{sample.name}"
        for mutant in mutate(sample.function, options.num_mutants):
            before, after = set(), set()
            for _, old, old_end, new, new_end in changed_lines(sample.function, mutant.function):
                before |= set(range(old + 1, max(old_end, old + 1) + 1))
                after |= set(range(new + 1, max(new_end, new + 1) + 1))
            faulty.append((name, mutant.function, after))
            right.append((name, sample.function, before))
            operators[mutant.operator] += 1
    for title, faults in (("faulty text", faulty), ("right text, the same places", right)):
        report = surface_tells(faults)
        print(
            f"{title}: {report.num_faults:,} faults judged, {report.found_fraction:.1%} found by a rule "
            f"(right in {report.precision:.0%}), a random line {report.chance:.1%}; {', '.join(report.rules[:5])}"
        )
    print(", ".join(f"{operator} {count:,}" for operator, count in operators.most_common()))


if __name__ == "__main__":
    main()
