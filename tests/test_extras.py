"""Each extra of setup.py alone is enough for its programs, and what is missing is said in one sentence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.evals.conftest import held_out  # noqa: F401 - a fixture
from tests.hub_server import HubServer
from tests.recipes.conftest import SmallWorld, small_world  # noqa: F401 - a fixture

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]


def run(extra: str, *command: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.only_extra", extra, *map(str, command)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("extra", "command", "package", "wanted"),
    [
        ("core", "-m datasets_builders arithmetic output_dir=out", "datatrove", "'.[build]'"),
        ("core", "-m evals list", "tree_sitter", "'.[eval]'"),
        ("core", "recipes/pretrain.py --config recipes/configs/tiny/stage1.yaml", "trl", "'.[train]'"),
        ("core", "-m recipes.console data arithmetic output_dir=out", "datatrove", "'.[build]'"),
        ("core", "-m recipes.quickstart", "psutil", "'.[all]'"),
    ],
)
def test_a_missing_package_is_named_with_the_extra_that_brings_it(extra, command, package, wanted):
    ended = run(extra, *command.split())
    assert ended.returncode == 2
    assert f"the package {package!r} is not installed for" in ended.stderr
    assert wanted in ended.stderr or "bin/activate" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_core_describes_and_makes_a_tokenizer(tmp_path):
    assert run("core", "-m", "modeling_ling", "describe", "--preset", "tiny").returncode == 0
    made = ("--vocab-size", 400, "--to", tmp_path / "made")
    ended = run("core", "-m", "modeling_ling", "train-tokenizer", "README.md", *made)
    assert ended.returncode == 0, ended.stderr


def test_builders_need_their_extra_alone(tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text("def double(number):\n    return number * 2\n\n\nprint(double(4))\n")
    out = tmp_path / "out"
    fields = (f"input_dir={tmp_path / 'app'}", f"output_dir={out}", "decontaminate=[]", "license_types=[no_license]")
    ended = run("build", "-m", "datasets_builders", "source_code", *fields)
    assert ended.returncode == 0, ended.stderr
    ended = run("build", "-m", "datasets_builders", "inspect", out)
    assert ended.returncode == 0, ended.stderr


def test_evaluation_needs_its_extra_alone(held_out: Path):  # noqa: F811
    assert run("eval", "-m", "evals", "list").returncode == 0
    ended = run("eval", "-m", "evals", "selfcheck", "--tasks", "held_out_execution", "--held-out", held_out)
    assert ended.returncode == 0, ended.stderr
    # Grammars, and a reply of a server.
    program = "from evals.tasks import python_text, script_text; from evals.models import endpoint; import openai"
    (held_out / "program.py").write_text(program)
    assert run("eval", held_out / "program.py").returncode == 0


def test_adapting_needs_its_extra_alone(tmp_path: Path):
    # Its steps: curated by a builder, trained with adapters, scored by lighteval's tasks.
    program = "import datatrove, trl, peft, lighteval; from datasets_builders.source_code import builder; "
    program += "from recipes.adapting import infilling; from recipes import pretrain; from evals.tasks import all_tasks"
    (tmp_path / "program.py").write_text(program)
    ended = run("adapt", tmp_path / "program.py")
    assert ended.returncode == 0, ended.stderr[-2000:]


def test_training_needs_its_extra_alone(small_world: SmallWorld, tmp_path: Path):  # noqa: F811
    recipe = ROOT / "recipes" / "configs" / "tiny" / "stage1.yaml"
    with HubServer(tmp_path / "hub") as hub:
        ended = run(
            "train",
            *(ROOT / "recipes" / "pretrain.py", "--config", recipe, "--data_root", small_world.root),
            *("--init_from", small_world.model, "--output_dir", tmp_path / "run", "--train_tokens", 2048),
            *("--global_batch_tokens", 512, "--sequence_length", 128, "--per_device_train_batch_size", 2),
            *("--warmup_steps", 1, "--max_epochs", 1000, "--milestones_tokens", 1024),
            *("--push_to_hub_repo", "acme/trained"),
            **hub.env() | {"HF_HUB_DISABLE_XET": "1"},
        )
        assert ended.returncode == 0, ended.stderr[-3000:]
        assert hub.count("POST", "models/acme/trained/commit")
