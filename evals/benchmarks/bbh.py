"""Section 4.3.3: BIG-Bench Hard (Suzgun et al. 2022): 27 tasks, each with three worked examples."""

from __future__ import annotations

import json
from pathlib import Path

from evals.benchmarks.rows import BenchmarkDataError, Row, content_hash
from evals.benchmarks.source import BenchmarkSource, data_folder

# The prompts are in the authors' repository only, so the rows are taken from there too.
BBH = BenchmarkSource(
    name="bbh",
    file_names=("*.json", "cot-prompts/*.txt"),
    hub_id="github.com/suzgunmirac/BIG-Bench-Hard",
    columns=("task_id", "input", "target", "prompt"),
    num_rows=6511,
    license="MIT",
    sha256="7ceb095bd01f48a83c248f2b29039718991a1aa71b5ae040aa2e74f8122a594e",
)
NUM_TASKS = 27


def load_bbh(data_dir: Path | None = None) -> tuple[list[Row], str]:
    """Load all tasks: `DIR/bbh/TASK.json` with their prompts in `DIR/bbh/cot-prompts/TASK.txt`.

    Returns:
        (rows with task_id, input, target and the prompt's examples; where they came from).

    Raises:
        BenchmarkDataError: no folder, a missing task or prompt, or other content.

    Source: the authors' repository; its prompts begin after a line of dashes.
    """
    folder = data_folder(data_dir)
    how = (
        f"copy the folders bbh and cot-prompts of {BBH.hub_id} to DIR/bbh and DIR/bbh/cot-prompts, and give --data-dir"
    )
    if folder is None:
        raise BenchmarkDataError(f"BIG-Bench Hard is read from a folder only; {how} DIR")
    rows = []
    tasks = sorted((folder / "bbh").glob("*.json"))
    if len(tasks) != NUM_TASKS:
        raise BenchmarkDataError(f"{folder / 'bbh'} has {len(tasks)} tasks, BIG-Bench Hard has {NUM_TASKS}; {how} DIR")
    for path in tasks:
        try:
            prompt = (folder / "bbh" / "cot-prompts" / f"{path.stem}.txt").read_text(encoding="utf-8")
            examples = json.loads(path.read_text(encoding="utf-8"))["examples"]
            for number, example in enumerate(examples):
                row = {"task_id": f"{path.stem}/{number}", "input": example["input"], "target": example["target"]}
                rows.append({**row, "prompt": prompt.partition("-----\n")[2]})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BenchmarkDataError(f"{path} or its prompt cannot be read ({error}); {how} DIR") from error
    if len(rows) != BBH.num_rows or content_hash(rows, BBH.columns) != BBH.sha256:
        raise BenchmarkDataError(
            f"{folder / 'bbh'}: {len(rows)} rows, but not those of BIG-Bench Hard as known; {how} DIR"
        )
    return rows, str(folder / "bbh")
