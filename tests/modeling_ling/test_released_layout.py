"""Repositories laid out as the released ones are: their config.json files, tensors, shards, and their remote code."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig

from modeling_ling import BailingMoeConfig, BailingMoeForCausalLM
from modeling_ling.accounting import count_parameters
from modeling_ling.checkpoint_layout import released_shapes, released_tensors
from modeling_ling.export import REMOTE_CODE_FILES
from tests import warm_python
from tests.modeling_ling.reference_model import Reference
from tests.modeling_ling.released_layout import RELEASED_CONFIGS, released_names_and_shapes, write_released_folder

pytestmark = pytest.mark.slow

MODELING_FOLDER = Path(__file__).parents[2] / "modeling_ling"

FRESH_PROCESS = """
import sys, torch
from transformers import AutoModelForCausalLM
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], trust_remote_code=True, dtype=torch.float32).eval()
assert "modeling_ling" not in sys.modules
with torch.no_grad():
    torch.save(model(torch.load(sys.argv[2])).logits, sys.argv[3])
"""


@pytest.mark.parametrize("name", RELEASED_CONFIGS)
def test_a_released_config_describes_the_released_model(name, tmp_path):
    released = RELEASED_CONFIGS[name]
    (tmp_path / "config.json").write_text(json.dumps(released))
    config = AutoConfig.from_pretrained(tmp_path)
    assert type(config) is BailingMoeConfig
    assert config.head_dim == 128
    assert config.rope_parameters == {"rope_type": "default", "rope_theta": 600000}
    assert config.dtype == torch.bfloat16
    for key in ("rms_norm_eps", "norm_head", "max_position_embeddings", "eos_token_id", "embedding_dropout"):
        assert getattr(config, key) == released[key], key
    assert count_parameters(config).total == 16_801_974_272

    config.save_pretrained(tmp_path / "again")
    saved = json.loads((tmp_path / "again" / "config.json").read_text())
    renamed = {"torch_dtype", "transformers_version", "auto_map", "head_dim"}
    assert {key: saved.get(key) for key in released.keys() - renamed} == {
        key: value for key, value in released.items() if key not in renamed
    }


def test_the_full_size_model_has_the_5603_released_tensors():
    config = BailingMoeConfig(**RELEASED_CONFIGS["Ling-lite"])
    with torch.device("meta"):
        model = BailingMoeForCausalLM(config)
    found = {name: list(tensor.shape) for name, tensor in released_tensors(model.state_dict().items())}
    assert len(found) == 5603
    assert found == released_names_and_shapes(config)
    assert {name: list(shape) for name, shape in released_shapes(config).items()} == found
    assert sum(parameter.numel() for parameter in model.parameters()) == 16_801_974_272


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
@pytest.mark.parametrize("name", RELEASED_CONFIGS)
def test_a_released_folder_loads_and_is_saved_back_bit_exactly(name, kind, tmp_path):
    tensors = write_released_folder(tmp_path / "released", RELEASED_CONFIGS[name], kind)
    model = BailingMoeForCausalLM.from_pretrained(tmp_path / "released", dtype="auto")
    model.save_pretrained(tmp_path / "saved")
    saved = load_file(tmp_path / "saved" / "model.safetensors")
    assert saved.keys() == tensors.keys()
    for key, tensor in tensors.items():
        assert saved[key].dtype == torch.bfloat16 and torch.equal(saved[key], tensor), key


def test_running_and_evaluating_leave_the_weights_as_they_were(tmp_path, ids):
    tensors = write_released_folder(tmp_path / "released", RELEASED_CONFIGS["Ling-lite"], "safetensors")
    model = BailingMoeForCausalLM.from_pretrained(tmp_path / "released", dtype="auto").eval()
    model.generate(ids % 300, max_new_tokens=3, do_sample=False)
    model.train()
    model(ids % 300, labels=ids % 300).loss.backward()
    model.eval()(ids % 300)
    for name, tensor in released_tensors(model.state_dict().items()):
        assert torch.equal(tensor, tensors[name]), name


@pytest.mark.parametrize("name", ["Ling-lite-base", "Ling-lite-1.5"])
def test_our_files_dropped_over_the_released_ones_run_the_folder_in_a_fresh_process(name, tmp_path, ids):
    folder = tmp_path / "released"
    write_released_folder(folder, RELEASED_CONFIGS[name], "safetensors")
    (folder / "modeling_bailing_moe.py").write_text(
        "from transformers.utils.import_utils import is_torch_fx_available  # removed in transformers 5\n"
        "class BailingMoeForCausalLM: ...\n"
    )
    (folder / "configuration_bailing_moe.py").write_text(
        "from transformers import PretrainedConfig\n\n\nclass BailingMoeConfig(PretrainedConfig):\n"
        "    model_type = 'bailing_moe'\n"
    )
    torch.save(ids % 320, tmp_path / "ids.pt")

    before = run_fresh(tmp_path, "before")
    assert before.returncode != 0 and "is_torch_fx_available" in before.stderr

    for file in REMOTE_CODE_FILES:
        shutil.copy(MODELING_FOLDER / file, folder / file)
    after = run_fresh(tmp_path, "after")
    assert after.returncode == 0, after.stderr
    logits = torch.load(tmp_path / "logits.pt")
    merged = {}
    for file in folder.glob("*.safetensors"):
        merged |= load_file(file)
    reference = Reference(merged, BailingMoeConfig.from_pretrained(folder))
    with torch.no_grad():
        expected = torch.stack([reference.sequence(row)[0] for row in ids % 320])
    torch.testing.assert_close(logits.double(), expected, atol=1e-5, rtol=0)


def run_fresh(folder: Path, cache: str) -> subprocess.CompletedProcess:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment |= {"HF_MODULES_CACHE": str(folder / cache), "OMP_NUM_THREADS": "1"}
    arguments = [str(folder / name) for name in ("released", "ids.pt", "logits.pt")]
    return warm_python.run(
        [sys.executable, "-c", FRESH_PROCESS, *arguments],
        libraries="clients",
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        timeout=120,
    )
