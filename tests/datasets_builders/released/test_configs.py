"""The example configs and those of the guide are configs of their builders."""

import re
from pathlib import Path

import pytest

import datasets_builders.released
from datasets_builders.building.config import load_config
from datasets_builders.released.answers import AnswersConfig
from datasets_builders.released.dpo import DPOConfig
from datasets_builders.released.sft import SFTConfig
from datasets_builders.released.synthetic_qa import SyntheticQAConfig

FOLDER = Path(datasets_builders.released.__file__).parent
CONFIGS = {"sft": SFTConfig, "dpo": DPOConfig, "answers": AnswersConfig, "synthetic_qa": SyntheticQAConfig}
BLOCKS = re.findall(r"```yaml\n(.*?)```", (FOLDER / "README.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("name", CONFIGS)
def test_an_example_config_is_one(name: str) -> None:
    assert load_config(CONFIGS[name], FOLDER / "configs" / f"{name}.yaml").output_dir == f"outputs/{name}"


@pytest.mark.parametrize("block", BLOCKS)
def test_a_config_of_the_guide_is_one(block: str, tmp_path: Path) -> None:
    (found,) = re.findall(r"python -m datasets_builders (\w+) --config", block)
    (tmp_path / "config.yaml").write_text(block, encoding="utf-8")
    assert load_config(CONFIGS[found], tmp_path / "config.yaml").output_dir == f"outputs/{found}"
