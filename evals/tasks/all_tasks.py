"""Section 4: every task of this folder in one table, which lighteval loads as custom tasks.

Their rows are those that `evals run` laid out: checked, and with the few-shot examples that prompts need.
"""

from evals.tasks import held_out_execution
from evals.tasks.bbh import Bbh
from evals.tasks.cruxeval import CruxEvalInput, CruxEvalOutput
from evals.tasks.gsm8k import Gsm8k
from evals.tasks.humaneval import HumanEval, HumanEvalPlus
from evals.tasks.humanevalfix import HUMANEVALFIX
from evals.tasks.mbpp import Mbpp, MbppPlus
from evals.tasks.multipl_e import MULTIPL_E

BENCHMARKS = {
    benchmark.name: benchmark
    for benchmark in (
        HumanEval(),
        HumanEvalPlus(),
        Mbpp(),
        MbppPlus(),
        CruxEvalInput(),
        CruxEvalOutput(),
        *HUMANEVALFIX,
        *MULTIPL_E,
        Gsm8k(),
        Bbh(),
    )
}

# Asked for anew: lighteval runs this file each time it is named, the modules above only once.
TASKS_TABLE = [
    *(task for benchmark in BENCHMARKS.values() for task in benchmark.tasks()),
    *held_out_execution.tasks_table(),
]
