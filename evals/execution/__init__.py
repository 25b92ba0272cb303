"""Section 4.1: the sandbox: the one place of the project where generated code runs. Standard library only."""

from evals.execution.executor import Executor, probe_isolation
from evals.execution.packages import MissingPackageError
from evals.execution.program import ExecutionResult, IsolationUnavailableError, Limits, Program, Verdict, encoded
from evals.execution.toolchains import MissingToolchainError, toolchain

__all__ = [
    "ExecutionResult",
    "Executor",
    "IsolationUnavailableError",
    "Limits",
    "MissingPackageError",
    "MissingToolchainError",
    "Program",
    "Verdict",
    "encoded",
    "probe_isolation",
    "toolchain",
]
