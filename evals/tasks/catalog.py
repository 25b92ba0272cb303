"""Section 4.2: every benchmark of this folder in one table. Importing it needs neither lighteval nor torch."""

from __future__ import annotations

from evals.tasks.bbh import Bbh
from evals.tasks.bigcodebench import BIGCODEBENCH
from evals.tasks.choices import CEval, Cmmlu, Mmlu
from evals.tasks.cruxeval import CruxEvalInput, CruxEvalOutput
from evals.tasks.ds1000 import Ds1000
from evals.tasks.gsm8k import Gsm8k
from evals.tasks.hendrycks_math import Math
from evals.tasks.humaneval import HumanEval, HumanEvalPlus
from evals.tasks.humanevalfix import HUMANEVALFIX
from evals.tasks.infilling import HumanEvalInfilling
from evals.tasks.livecodebench import LiveCodeBench
from evals.tasks.mbpp import Mbpp, MbppPlus
from evals.tasks.mbxp_plus import MBXP_PLUS
from evals.tasks.multipl_e import MULTIPL_E
from evals.tasks.spider import SPIDERS

BENCHMARKS = {
    benchmark.name: benchmark
    for benchmark in (
        HumanEval(),
        HumanEvalPlus(),
        HumanEvalInfilling(),
        Mbpp(),
        MbppPlus(),
        CruxEvalInput(),
        CruxEvalOutput(),
        LiveCodeBench(),
        *BIGCODEBENCH,
        *MULTIPL_E,
        *MBXP_PLUS,
        *HUMANEVALFIX,
        Ds1000(),
        *SPIDERS,
        CEval(),
        Cmmlu(),
        Mmlu(),
        Bbh(),
        Gsm8k(),
        Math(),
    )
}
