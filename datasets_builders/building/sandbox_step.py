"""Section 2.4: steps that run code: each rank has a sandbox of its own, open while its documents pass."""

from datasets_builders.building.steps import Step
from evals.execution import Executor


class SandboxStep(Step):
    """Base of the steps that run code in the sandbox, which is open between `begin` and `end`.

    Args:
        isolation (`str`): as `Executor` takes it.
    """

    def __init__(self, isolation: str = "auto") -> None:
        super().__init__()
        self.isolation = isolation
        self._sandbox: Executor | None = None

    def begin(self, rank: int, world_size: int) -> None:
        """Open the sandbox."""
        self._sandbox = Executor(isolation=self.isolation, workers=1)
        self._sandbox.__enter__()

    def end(self) -> None:
        """Close the sandbox."""
        if self._sandbox is not None:
            self._sandbox.__exit__(None, None, None)
            self._sandbox = None

    @property
    def sandbox(self) -> Executor:
        """The open sandbox.

        Raises:
            RuntimeError: outside of `begin` and `end`.
        """
        if self._sandbox is None:
            raise RuntimeError(f"step {self.name}: begin() opens the sandbox that it uses")
        return self._sandbox
