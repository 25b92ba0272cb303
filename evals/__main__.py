"""Section 4: `python -m evals run ...` and what belongs to it, and section 5: `python -m evals efficiency ...`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from modeling_ling.command_line import explain_missing, run_program
from modeling_ling.hub_calls import PublishError

with explain_missing("eval", "python -m evals"):
    from evals.benchmarks.rows import BenchmarkDataError
    from evals.efficiency.engines import EngineError
    from evals.errors import UsageError
    from evals.execution import IsolationUnavailableError
    from evals.models.openai_server import EndpointError, NoAnswerError
    from evals.tasks.records import TooManyInfraErrorsError, UnansweredError

DESCRIPTION = """Measure a model: the paper's benchmarks, with intervals, paired tests and the paper's own numbers.

python -m evals list
python -m evals run --model PATH_OR_ID --tasks humaneval,mbpp"""

SCORING = {
    "list": "evals.commands.list_tasks",
    "selfcheck": "evals.commands.selfcheck",
    "isolation-check": "evals.commands.isolation_check",
    "stability": "evals.commands.stability",
    "run": "evals.commands.run",
    "lighteval": "evals.commands.lighteval",
    "rescore": "evals.commands.rescore",
    "report": "evals.commands.report",
    "samples": "evals.commands.samples",
    "compare": "evals.commands.compare",
    "judge": "evals.commands.judge",
    "loss": "evals.commands.loss",
    "choice": "evals.commands.choice",
    "pool": "evals.commands.pool",
}
EFFICIENCY = {
    "efficiency flops": "evals.commands.flops",
    "efficiency floor": "evals.commands.floor",
    "efficiency latency": "evals.commands.latency",
    "efficiency capacity": "evals.commands.capacity",
}
STOPPED = "Stopped. The same command starts again, and asks for no answer that it has."


def main(arguments: Sequence[str] | None = None, program: str = "") -> int:
    """Run one command and return its exit code."""
    return run_program(
        "evals",
        DESCRIPTION,
        {"scores (section 4)": SCORING, "efficiency (section 5)": EFFICIENCY},
        arguments,
        program=program,
        extra="eval",
        user_errors=(UsageError, BenchmarkDataError, EndpointError, IsolationUnavailableError, OSError),
        failures=(NoAnswerError, TooManyInfraErrorsError, UnansweredError, PublishError, EngineError),
        interrupted=STOPPED,
    )


if __name__ == "__main__":
    sys.exit(main())
