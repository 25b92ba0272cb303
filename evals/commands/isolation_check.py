"""Section 4.1: whether the sandbox holds on this machine: hostile programs, and what each of them got.

Exit code 0: all are held; 1: one is not; 2: no isolation works here.
"""

from __future__ import annotations

import argparse

from evals.errors import UsageError
from evals.execution.hostile_programs import PROGRAMS

HELP = "run hostile programs and show whether any gets out of the sandbox"
EXAMPLE = "python -m evals isolation-check --languages python,cpp"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--isolation",
        default="all",
        metavar="NAME",
        help="check this rung: bubblewrap, namespaces, rlimits (which hides neither files nor network), or all that "
        "`auto` may take and that work here",
    )
    parser.add_argument(
        "--languages",
        default=",".join(PROGRAMS),
        metavar="NAMES",
        help="run the programs of these languages, parted by commas, as far as their tools are there",
    )


def run(options: argparse.Namespace) -> int:
    """Print a line per rung and language, and one for each program that was not held."""
    from evals.execution import Executor, MissingToolchainError, probe_isolation, toolchain
    from evals.execution.executor import LADDER, choose_sandbox
    from evals.execution.isolation_check import check_language

    languages = [name for name in options.languages.split(",") if name]
    unknown = [name for name in languages if name not in PROGRAMS]
    if unknown or not languages:
        raise UsageError(f"--languages: unknown {', '.join(unknown)}; known: {', '.join(PROGRAMS)}")
    if options.isolation == "all":
        choose_sandbox("auto")  # says what to install where nothing works
        rungs = []
        for name in LADDER:
            sandbox, reason = probe_isolation(name)
            if sandbox:
                rungs.append(name)
            else:
                print(f"{name}: not to be had here: {reason}")
    elif options.isolation in (*LADDER, "rlimits"):
        rungs = [options.isolation]
    else:
        raise UsageError(f"--isolation: unknown {options.isolation}; known: all, {', '.join(LADDER)}, rlimits")
    print(f"{'rung':12s} {'language':12s} {'programs':>8s} {'held':>6s}")
    num_out = 0
    for rung in rungs:
        with Executor(isolation=rung) as executor:
            for language in languages:
                try:
                    if language != "python":
                        toolchain(language)
                except MissingToolchainError as error:
                    print(f"{rung:12s} {language:12s} not checked: {error}")
                    continue
                findings = check_language(executor, language)
                faults = [finding for finding in findings if finding.fault]
                num_out += len(faults)
                print(f"{rung:12s} {language:12s} {len(findings):8d} {len(findings) - len(faults):6d}", flush=True)
                for finding in faults:
                    print(f"  {finding.name}: {finding.fault}{f' ({finding.report})' if finding.report else ''}")
    print("All are held." if not num_out else f"{num_out} are not held: SECURITY.md says where to report it.")
    return int(num_out > 0)
