"""Section 4: every task of this folder in one table: `lighteval ... --custom-tasks evals/tasks/all_tasks.py`."""

from evals.tasks import held_out_execution, humaneval

TASKS_TABLE = [*humaneval.TASKS_TABLE, *held_out_execution.TASKS_TABLE]
