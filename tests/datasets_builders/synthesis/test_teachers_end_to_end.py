"""Datasets that teachers write, from the command to the Hub and back, and after a kill in the middle."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from datasets_builders.__main__ import main
from tests.datasets_builders.released.conftest import code_row, write_rows
from tests.datasets_builders.released.test_answers import Rule
from tests.datasets_builders.synthesis.teachers import (
    BottomUpTeacher,
    MagpieTeacher,
    evolution_teacher,
    top_down_teacher,
    write_seeds,
    write_tokenizer,
)
from tests.hub_server import HubServer
from tests.openai_server import MODEL, RuleServer

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
# Builds each dataset, pushes it, and loads it from the Hub as anybody would; the SFT and DPO builders take them from
# there too.
PUSH_AND_PULL = """
import json, sys
from datasets import load_dataset
from datasets_builders.__main__ import main
for builder, fields in json.loads(sys.argv[1]).items():
    assert main([builder, *fields, "--push-to", f"acme/{builder}"]) == 0
    rows = load_dataset(f"acme/{builder}", split="train")
    rows.to_parquet(f"{sys.argv[2]}/{builder}.parquet")
builders = [builder for builder in json.loads(sys.argv[1]) if builder != "answers"]
sources = ", ".join(f"{{dataset: acme/{builder}, category: code}}" for builder in builders)
fields = ["decontaminate=[]", "ratio={}", f"output_dir={sys.argv[2]}/sft"]
assert main(["sft", f"sources=[{sources}]", *fields]) == 0
fields = ["decontaminate=[]", "candidates=[{dataset: acme/answers}]", f"output_dir={sys.argv[2]}/dpo"]
assert main(["dpo", "reward={kind: given}", "own_models=[me]", *fields]) == 0
"""
CONCURRENCY = 4


def fields_of(folder: Path, url: str, **fields: Any) -> list[str]:
    teacher = f"{{model: {MODEL}, base_url: '{url}', concurrency: {CONCURRENCY}}}"
    common = {"output_dir": folder, "teachers": f"[{teacher}]", "natural_languages": "{en: 1}", "num_tasks": 2}
    common |= {"decontaminate": "[]", "min_neighbor_distance": 0}
    return [f"{name}={value}" for name, value in (common | fields).items()]


def answers_fields(folder: Path, url: str) -> list[str]:
    code = write_rows(folder / "code", [code_row(f"{n}.py", f"number_{n} = {n}\n" * 3) for n in range(12)])
    teachers = ", ".join(f"{{model: rule, name: {name}, base_url: '{url}'}}" for name in ("teacher", "me", "judge"))
    fields = {"output_dir": folder / "answers", "input": code, "teachers": f"[{teachers}]", "decontaminate": "[]"}
    fields |= {"judge_teacher": "judge", "question_teachers": "[teacher]", "answers_per_teacher": 2}
    return [f"{name}={value}" for name, value in fields.items()]


def small(seeds: Path) -> dict[str, Any]:
    return {"input": seeds, "num_variations": 2, "num_unique_problems": 3}


def test_each_builder_is_pushed_and_pulled_and_read_by_a_stranger(tmp_path: Path) -> None:
    seeds, tokenizer = write_seeds(tmp_path / "seeds"), write_tokenizer(tmp_path / "tokenizer")
    with (
        HubServer(tmp_path / "hub") as hub,
        RuleServer(MagpieTeacher()) as magpie,
        RuleServer(BottomUpTeacher()) as bottom_up,
        RuleServer(top_down_teacher) as top_down,
        RuleServer(evolution_teacher) as evolution,
        RuleServer(Rule()) as answers,
    ):
        tokenizers = f"{{{MODEL}: '{tokenizer}'}}"
        builders = {
            "magpie": fields_of(tmp_path / "magpie", magpie.url, num_samples=20, tokenizers=tokenizers),
            "bottom_up": fields_of(tmp_path / "bottom_up", bottom_up.url, **small(seeds)),
            "top_down": fields_of(tmp_path / "top_down", top_down.url, max_titles=1, num_problems=2),
            "evolution": fields_of(tmp_path / "evolution", evolution.url, code=f"[{seeds}]", num_fragments=6),
            "answers": answers_fields(tmp_path, answers.url),
        }
        done = subprocess.run(
            [sys.executable, "-c", PUSH_AND_PULL, json.dumps(builders), str(tmp_path)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **hub.env(home=tmp_path / "home")},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-3000:]
    for builder in builders:
        pulled = pq.read_table(tmp_path / f"{builder}.parquet")
        built = pq.read_table(next((tmp_path / builder / "data").glob("*.parquet")))
        assert pulled.to_pylist() == built.to_pylist()
        if builder != "answers":
            assert pulled.column_names[:4] == ["mid", "messages", "tags", "languages"]
        assert pulled.num_rows >= 10
    tuned = [row for path in (tmp_path / "sft" / "data").glob("*.parquet") for row in pq.read_table(path).to_pylist()]
    assert {row["source"] for row in tuned} == {f"acme/{builder}" for builder in builders if builder != "answers"}
    pairs = [row for path in (tmp_path / "dpo" / "data").glob("*.parquet") for row in pq.read_table(path).to_pylist()]
    assert pairs and {row["source"] for row in pairs} == {"acme/answers"}
    assert all("as was asked" in row["chosen"] and "no idea" in row["rejected"] for row in pairs)
    paths = {path.name for path in (tmp_path / "hub").rglob("*") if path.is_file()}
    assert not {name for name in paths if "report" in name or name.endswith(".jsonl")}


class Killed:
    """Answers by another rule, and kills who asks when it was asked `at` questions."""

    def __init__(self, rule: BottomUpTeacher, at: int) -> None:
        self.rule, self.at, self.count = rule, at, 0
        self.process: subprocess.Popen[bytes] | None = None

    def __call__(self, messages: list[dict[str, str]]) -> str | int:
        self.count += 1
        if self.count == self.at and self.process:
            self.process.send_signal(signal.SIGKILL)
        return self.rule(messages)


def build(folder: Path, url: str, seeds: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "datasets_builders", "bottom_up", *fields_of(folder, url, **small(seeds))]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL)


def test_a_killed_build_goes_on_and_ends_in_the_same_bytes(tmp_path: Path) -> None:
    seeds = write_seeds(tmp_path / "seeds")
    rule = Killed(BottomUpTeacher(), 60)
    with RuleServer(rule) as server:
        rule.process = build(tmp_path / "killed", server.url, seeds)
        assert rule.process.wait(60) == -signal.SIGKILL
        assert build(tmp_path / "killed", server.url, seeds).wait(60) == 0
        asked = Counter(json.dumps(body, sort_keys=True) for body in server.asked)
        # Only what was out when the kill came may be asked again.
        assert sum(asked.values()) - len(asked) <= 2 * CONCURRENCY
        assert main(["bottom_up", *fields_of(tmp_path / "unbroken", server.url, **small(seeds))]) == 0
    shards = [next((tmp_path / name / "data").glob("*.parquet")).read_bytes() for name in ("killed", "unbroken")]
    assert shards[0] == shards[1]
