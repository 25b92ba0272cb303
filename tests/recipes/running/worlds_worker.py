"""Runs recipes one after the other in this process group: `worlds_worker.py JOBS.json`, a list of [kind, arguments]."""

import json
import sys
from pathlib import Path

from recipes.stages.course import run_recipe
from recipes.stages.kinds import STAGES

if __name__ == "__main__":
    for kind, arguments in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        run_recipe(STAGES[kind], arguments)
