"""What was pushed is what the real clients get back: datasets, streaming, models with remote code, over bad lines too.

Each client is a fresh process with caches of its own that knows nothing but the Hub's address and a token.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from modeling_ling.publishing import publish_folder
from tests.hub_server import HubServer

# huggingface_hub hands file objects to httpx under an argument that httpx renames.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")]

RunClient = Callable[..., Any]

ROWS = "{name: [list(row.values()) for row in split] for name, split in %s.items()}"

CONFIGURATION = """
from transformers import PretrainedConfig

class ScaleConfig(PretrainedConfig):
    model_type = "hub_test_scale"

    def __init__(self, width=3, **kwargs):
        self.width = width
        super().__init__(**kwargs)
"""

MODELING = """
import torch
from transformers import PreTrainedModel
from .configuration_scale import ScaleConfig

class ScaleModel(PreTrainedModel):
    config_class = ScaleConfig

    def __init__(self, config):
        super().__init__(config)
        self.scale = torch.nn.Parameter(torch.ones(config.width))
        self.post_init()

    def _init_weights(self, module):
        pass

    def forward(self, values):
        return values * self.scale
"""

CONFIG = """{"model_type": "hub_test_scale", "width": 3, "dtype": "float32", "architectures": ["ScaleModel"],
 "auto_map": {"AutoConfig": "configuration_scale.ScaleConfig", "AutoModel": "modeling_scale.ScaleModel"}}"""


def rows_of_folder(folder: Path, cache: Path) -> dict[str, list[list[str]]]:
    from datasets import load_dataset

    loaded = load_dataset(str(folder), cache_dir=str(cache))
    return {name: [list(row.values()) for row in split] for name, split in loaded.items()}


@pytest.fixture
def pushed(dataset_folder: Path, online: HubServer) -> HubServer:
    publish_folder(dataset_folder, "acme/numbers", endpoint=online.url)
    return online


def test_the_hub_gives_the_rows_of_the_folder_loaded_and_streamed(
    dataset_folder: Path, pushed: HubServer, run_client: RunClient, tmp_path: Path
) -> None:
    answer = run_client(
        "from datasets import load_dataset\n"
        "loaded = load_dataset('acme/numbers')\n"
        "streamed = load_dataset('acme/numbers', streaming=True)\n"
        f"answer = [{ROWS % 'loaded'}, {ROWS % 'streamed'}]"
    )
    expected = rows_of_folder(dataset_folder, tmp_path / "cache")
    assert {name: len(rows) for name, rows in expected.items()} == {"train": 120, "validation": 40}
    assert answer == [expected, expected]


def test_bad_lines_on_the_way_down_change_no_row(
    dataset_folder: Path, pushed: HubServer, run_client: RunClient, tmp_path: Path
) -> None:
    pushed.faults.add("/resolve/.*train_00000", "HEAD", "500")
    pushed.faults.add("/lfs/", "GET", "429")
    pushed.faults.add("/lfs/", "GET", "cut", times=2)
    loaded = run_client(
        f"from datasets import load_dataset\nloaded = load_dataset('acme/numbers')\nanswer = {ROWS % 'loaded'}"
    )
    assert sorted(kind for _, _, kind in pushed.faults.injected) == ["429", "500", "cut", "cut"]
    assert loaded == rows_of_folder(dataset_folder, tmp_path / "cache")


def test_bad_lines_under_a_stream_change_no_row(
    dataset_folder: Path, pushed: HubServer, run_client: RunClient, tmp_path: Path
) -> None:
    # In this order the client's own growing pauses stay short.
    pushed.faults.add("/lfs/", "GET", "cut")
    pushed.faults.add("/lfs/", "GET", "500")
    pushed.faults.add("/lfs/", "GET", "429")
    streamed = run_client(
        "from datasets import config, load_dataset\n"
        "config.STREAMING_READ_RETRY_INTERVAL = 0.1\n"
        "streamed = load_dataset('acme/numbers', streaming=True)\n"
        f"answer = {ROWS % 'streamed'}"
    )
    assert sorted(kind for _, _, kind in pushed.faults.injected) == ["429", "500", "cut"]
    assert streamed == rows_of_folder(dataset_folder, tmp_path / "cache")


def test_a_revision_gives_its_own_rows(dataset_folder: Path, pushed: HubServer, run_client: RunClient) -> None:
    for shard in (dataset_folder / "data").glob("train_0000[12]*"):
        shard.unlink()
    publish_folder(dataset_folder, "acme/numbers", revision="one-shard", endpoint=pushed.url)
    answer = run_client(
        "from datasets import load_dataset\n"
        "answer = [load_dataset('acme/numbers', revision=r, split='train').num_rows for r in ('main', 'one-shard')]"
    )
    assert answer == [120, 40]


def test_push_to_hub_of_the_datasets_library_works_here_too(hub: HubServer, run_client: RunClient) -> None:
    answer = run_client(
        "from datasets import Dataset, load_dataset\n"
        "made = Dataset.from_dict({'id': list(range(30)), 'text': [f'row {n}' for n in range(30)]})\n"
        "made.push_to_hub('acme/pushed', private=True, num_shards=3)\n"
        "answer = load_dataset('acme/pushed', split='train').to_dict() == made.to_dict()"
    )
    assert answer is True
    assert hub.count("PUT", "/lfs/") == 3


def test_without_a_token_a_private_dataset_does_not_exist(pushed: HubServer, run_client: RunClient) -> None:
    answer = run_client(
        "from datasets import load_dataset\n"
        "try:\n    answer = load_dataset('acme/numbers').num_rows\n"
        "except Exception as error:\n    answer = type(error).__name__",
        token=None,
    )
    assert answer == "DatasetNotFoundError"


def test_a_model_with_its_own_code_loads_from_a_revision_over_a_bad_line(
    online: HubServer, run_client: RunClient, tmp_path: Path
) -> None:
    folder = tmp_path / "scale"
    folder.mkdir()
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Scale\n", encoding="utf-8")
    (folder / "configuration_scale.py").write_text(CONFIGURATION, encoding="utf-8")
    (folder / "modeling_scale.py").write_text(MODELING, encoding="utf-8")
    (folder / "config.json").write_text(CONFIG, encoding="utf-8")
    for revision, scale in ((None, 1.0), ("step-000012000", 2.0)):
        weights = {"scale": np.array([scale, 10.0, 100.0], dtype=np.float32)}
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        publish_folder(folder, "acme/scale", kind="model", revision=revision, endpoint=online.url)
    online.faults.add("/lfs/", "GET", "cut")
    online.faults.add("/resolve/.*modeling_scale", "GET", "429")
    answer = run_client(
        "import torch\n"
        "from transformers import AutoModel\n"
        "def scale(**options):\n"
        "    model = AutoModel.from_pretrained('acme/scale', trust_remote_code=True, **options)\n"
        "    return model(torch.ones(3)).tolist()\n"
        "answer = [scale(), scale(revision='step-000012000')]"
    )
    assert answer == [[1.0, 10.0, 100.0], [2.0, 10.0, 100.0]]
    assert len(online.faults.injected) == 2


def test_the_ling_model_comes_back_from_the_hub_with_its_code_tokenizer_and_logits(
    online: HubServer, run_client: RunClient, tmp_path: Path
) -> None:
    import torch

    from modeling_ling import BailingMoeForCausalLM, load_preset
    from modeling_ling.export import export_model
    from modeling_ling.tokenizer import train_tokenizer

    tokenizer = train_tokenizer(["def add(a, b):\n    return a + b\n"] * 20, vocab_size=400)
    torch.manual_seed(0)
    model = BailingMoeForCausalLM(load_preset("tiny", vocab_size=len(tokenizer))).eval()
    folder = export_model(model, tokenizer, tmp_path / "ling")
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Ling, tiny\n", encoding="utf-8")
    publish_folder(folder, "acme/ling", kind="model", revision="step-000012000", endpoint=online.url)
    answer = run_client(
        "import sys, torch\n"
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
        "where = {'revision': 'step-000012000', 'trust_remote_code': True}\n"
        "tokenizer = AutoTokenizer.from_pretrained('acme/ling', **where)\n"
        "model = AutoModelForCausalLM.from_pretrained('acme/ling', **where).eval()\n"
        "ids = tokenizer('def add(a, b):', return_tensors='pt').input_ids\n"
        "with torch.no_grad():\n    logits = model(ids).logits[0, -1]\n"
        "answer = [ids[0].tolist(), logits.tolist(), 'modeling_ling' in sys.modules]"
    )
    ids = tokenizer("def add(a, b):", return_tensors="pt").input_ids
    with torch.no_grad():
        expected = model(ids).logits[0, -1]
    assert answer[0] == ids[0].tolist()
    torch.testing.assert_close(torch.tensor(answer[1]), expected)
    assert answer[2] is False, "the model's code must come from the Hub, not from this repository"
