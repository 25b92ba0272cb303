"""Section 4.1: the file of custom tasks that lighteval is given: `--custom-tasks evals/tasks/all_tasks.py`."""

from __future__ import annotations

from evals.tasks.lighteval_tasks import tasks_table

TASKS_TABLE = tasks_table()

__all__ = ["TASKS_TABLE"]
