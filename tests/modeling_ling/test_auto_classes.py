"""`import modeling_ling` costs nothing, and the Auto classes know the model all the same, in whatever order."""

import subprocess
import sys
from pathlib import Path

import pytest

from modeling_ling import BailingMoeForCausalLM
from tests import warm_python

pytestmark = pytest.mark.slow

HEAVY = {"torch", "transformers", "lighteval", "datasets", "accelerate", "trl"}
ORDERS = {
    "ours first": "import modeling_ling; modeling_ling.register(); import transformers",
    "auto classes first": "from transformers import AutoModelForCausalLM; import modeling_ling",
    "configurations first": "from transformers import AutoTokenizer; import modeling_ling.accounting",
    # Its import reaches the Auto classes halfway through modules that our model needs.
    "another model between": "import modeling_ling; from transformers import LlamaForCausalLM",
}
NOTHING_YET = "import sys; assert not sys.modules.keys() & {'transformers', 'huggingface_hub', 'modeling_ling'}"
USE = """
import sys
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification
folder = sys.argv[1]
assert type(AutoConfig.from_pretrained(folder)).__module__ == "modeling_ling.configuration_bailing_moe"
for auto_class in (AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification):
    model = auto_class.from_pretrained(folder)
    assert type(model).__module__ == "modeling_ling.modeling_bailing_moe", type(model)
assert type(AutoModelForCausalLM.from_config(model.config)).__name__ == "BailingMoeForCausalLM"
assert type(AutoConfig.for_model("bailing_moe", num_hidden_layers=1)).__name__ == "BailingMoeConfig"
"""


def run_python(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def run_with_torch(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a script in a process that has imported torch, and nothing that the Auto classes have to do with."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return warm_python.run(command, libraries="clients", capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def plain_folder(build_config, tmp_path_factory) -> Path:
    """Return a folder without remote code: nothing but registration can load it."""
    folder = tmp_path_factory.mktemp("plain")
    BailingMoeForCausalLM(build_config()).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("order", ORDERS)
def test_the_auto_classes_know_the_model(order: str, plain_folder: Path) -> None:
    done = run_with_torch(f"{NOTHING_YET}; {ORDERS[order]}{USE}", plain_folder)
    assert done.returncode == 0, done.stderr


def test_without_our_package_the_folder_is_refused(plain_folder: Path) -> None:
    done = run_with_torch(f"{NOTHING_YET}; from transformers import AutoConfig{USE}", plain_folder)
    assert done.returncode == 1 and "trust_remote_code=True" in done.stderr


@pytest.mark.parametrize(
    "statement",
    [
        "import modeling_ling",
        "from modeling_ling.command_line import run_program",
        "from modeling_ling.__main__ import main; main(['--help'])",
        "from modeling_ling.__main__ import main; main(['describe', '--help'])",
        "from modeling_ling.__main__ import main; assert main(['describe', '--preset', 'lite']) == 0",
        "import modeling_ling.publishing",
    ],
)
def test_nothing_heavy_is_imported_before_it_is_used(statement: str) -> None:
    done = run_python(f"{statement}\nimport sys\nprint('loaded:', *({HEAVY} & sys.modules.keys()))")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].strip() == "loaded:"


def test_sources_can_be_read_behind_the_hook() -> None:
    script = (
        "import modeling_ling, inspect, linecache\n"
        "from transformers.models.auto import modeling_auto\n"
        "assert 'MODEL_MAPPING_NAMES' in inspect.getsource(modeling_auto)\n"
        "assert modeling_auto.__spec__.origin.endswith('modeling_auto.py')\n"
    )
    done = run_with_torch(script)
    assert done.returncode == 0, done.stderr
