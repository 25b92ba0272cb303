"""Runs recipes one after the other in this process group: `worlds_worker.py JOBS.json`, a list of [kind, arguments].

With `STOP_RANK=R` in the environment, process R gets a SIGTERM after its second step, and the others do not.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from recipes.running import trainer
from recipes.stages.course import run_door, run_recipe
from recipes.stages.kinds import STAGES
from tests.recipes.running.processes import import_once

if "STOP_RANK" not in os.environ:  # that is one stage, whose process need not know of the others
    import_once()


class _StopHere(TrainerCallback):
    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == 2:
            os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Run the jobs of the file that is named."""
    jobs = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    if "STOP_RANK" in os.environ:
        ((kind, arguments),) = jobs
        if os.environ["STOP_RANK"] == os.environ["RANK"]:
            add_guard = trainer.LingTrainerMixin.add_guard
            trainer.LingTrainerMixin.add_guard = lambda self: (add_guard(self), self.add_callback(_StopHere()))
        sys.exit(run_door(STAGES[kind], arguments))
    for kind, arguments in jobs:
        run_recipe(STAGES[kind], arguments)


if __name__ == "__main__":
    main()
