"""Section 4.1: the file of custom tasks that lighteval is given.

Their rows are those that `evals run` laid out: checked, and with the few-shot examples that prompts need. lighteval
runs this file each time it is named, and the modules that it imports only once.
"""

from evals.tasks.all_tasks import BENCHMARKS
from evals.tasks.lighteval_tasks import held_out_task, tasks_of

TASKS_TABLE = [*(task for benchmark in BENCHMARKS.values() for task in tasks_of(benchmark)), held_out_task()]
