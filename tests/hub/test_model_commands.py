"""`python -m modeling_ling export --push-to` and `check-released` over the Hub's protocol, with the real client."""

import json
from pathlib import Path

import pytest
import torch
from huggingface_hub import HfApi
from safetensors.torch import load_file, save_file
from transformers import PreTrainedTokenizerFast

from modeling_ling import BailingMoeConfig, BailingMoeForCausalLM
from modeling_ling.export import export_model
from modeling_ling.tokenizer import train_tokenizer
from tests.hub_server import HubServer
from tests.modeling_ling.released_layout import RELEASED_CONFIGS

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")]

# The released chat model's config.json, with small sizes.
RELEASED_CONFIG = RELEASED_CONFIGS["Ling-lite"] | {
    "hidden_size": 64,
    "intermediate_size": 96,
    "max_position_embeddings": 128,
    "moe_intermediate_size": 24,
    "num_attention_heads": 4,
    "num_experts": 8,
    "num_experts_per_tok": 2,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "vocab_size": 448,
    "head_dim": 16,
    "eos_token_id": None,
    "pad_token_id": None,
    # Known to the released class, never used by its model.
    "use_sliding_window": False,
    "sliding_window": 4096,
    "max_window_layers": 28,
}


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """A folder as the released repositories are: their keys, names, shapes and template; no code that runs today."""
    folder = tmp_path / "released"
    tokenizer = train_tokenizer(["def f(x):\n    return x\n"] * 30, 420)
    torch.manual_seed(0)
    model = BailingMoeForCausalLM(BailingMoeConfig.from_dict(RELEASED_CONFIG)).to(torch.bfloat16)
    export_model(model, tokenizer, folder)
    ids = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.eos_token_id}
    (folder / "config.json").write_text(json.dumps(RELEASED_CONFIG | ids))
    (folder / "modeling_bailing_moe.py").write_text("from transformers.utils.import_utils import gone\n")
    for name in ("losses.py", "configuration_bailing_moe.py", "generation_config.json"):
        (folder / name).unlink()
    return folder


@pytest.fixture
def command(run_client, released):
    """Run `python -m modeling_ling` in a fresh process; returns exit code, stdout and stderr."""
    # The released vocabulary cannot be had here: the ids of the small one stand for it.
    tokenizer = PreTrainedTokenizerFast.from_pretrained(released)
    known = {token: tokenizer.convert_tokens_to_ids(token) for token in ("<|endoftext|>", "<role>", "</role>")}

    def run(*arguments: str, token_ids: dict[str, int] = known, token: str = "hf_test") -> tuple[int, str, str]:
        code = f"""
import contextlib, io, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from modeling_ling.commands import check_released
from modeling_ling.__main__ import main
check_released.RELEASED_TOKEN_IDS = {token_ids!r}
out, error = io.StringIO(), io.StringIO()
with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
    code = main({list(arguments)!r})
answer = [code, out.getvalue(), error.getvalue()]
"""
        return tuple(run_client(code, token=token))

    return run


def push(hub: HubServer, folder: Path, repo_id: str) -> None:
    api = HfApi(endpoint=hub.url)
    api.create_repo(repo_id)
    api.upload_folder(repo_id=repo_id, folder_path=folder)


def test_a_repository_in_the_released_layout_passes_every_check(online, released, command):
    push(online, released, "acme/released")
    code, printed, _ = command("check-released", "--model", "acme/released", "--weights")
    assert code == 0, printed
    assert printed.count("ok ") == 5 and "all checks passed" in printed


def test_without_weights_only_their_headers_are_fetched(online, released, command):
    push(online, released, "acme/released")
    assert command("check-released", "--model", "acme/released")[0] == 0
    fetched = [status for method, path, status in online.calls if method == "GET" and "model.safetensors" in path]
    assert fetched and 200 not in fetched, "every answer is a part of the file"


def test_differences_are_named_and_fail_the_check(online, released, command):
    weights = load_file(released / "model.safetensors")
    del weights["model.layers.1.mlp.gate.weight"]
    weights["lm_head.weight"] = weights["lm_head.weight"][:440].clone()
    weights["model.layers.0.attention.query_norm.weight"] = torch.ones(16)
    save_file(weights, released / "model.safetensors", metadata={"format": "pt"})
    changed = RELEASED_CONFIG | {"moe_router_enable_expert_bias": True}
    (released / "config.json").write_text(json.dumps(changed))
    push(online, released, "acme/broken")
    code, printed, _ = command("check-released", "--model", "acme/broken", token_ids={"<|endoftext|>": 126081})
    assert code == 1
    assert "missing: model.layers.1.mlp.gate.weight (8, 64)" in printed
    assert "unknown: model.layers.0.attention.query_norm.weight (16,)" in printed
    assert "shape of lm_head.weight: (440, 64) there, (448, 64) here" in printed
    assert "unknown key moe_router_enable_expert_bias=True" in printed
    assert "<|endoftext|>: " in printed and "expected 126081" in printed
    assert "3 checks failed" in printed


def test_another_chat_template_is_noticed(online, released, command):
    tokenizer = PreTrainedTokenizerFast.from_pretrained(released)
    tokenizer.chat_template = tokenizer.chat_template.replace("ASSISTANT</role>", "ASSISTANT</role>\n")
    tokenizer.save_pretrained(released)
    push(online, released, "acme/template")
    code, printed, _ = command("check-released", "--model", "acme/template")
    assert code == 1 and "FAILED tokenizer: prompts equal" in printed


def test_a_released_checkpoint_is_exported_pushed_and_pulled_with_the_same_tokens(
    online, released, command, run_client, tmp_path
):
    push(online, released, "acme/released")
    source = BailingMoeForCausalLM.from_pretrained(released, dtype="auto").eval()
    assert source.generation_config.eos_token_id == source.config.eos_token_id
    expected = source.generate(torch.arange(20)[None], max_new_tokens=8, do_sample=False)[0].tolist()
    out = str(tmp_path / "out")
    code, printed, error = command("export", "--from", "acme/released", "--to", out, "--push-to", "acme/ours")
    assert code == 0, error
    assert "pushed: " in printed
    assert "base_model: acme/released" in (tmp_path / "out" / "README.md").read_text()
    api = HfApi(endpoint=online.url)
    assert api.repo_info("acme/ours").private
    assert len(api.list_repo_commits("acme/ours")) == 2, "the creation and one upload"
    answer = run_client(
        "import torch\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n"
        "model = AutoModelForCausalLM.from_pretrained('acme/ours', trust_remote_code=True, dtype='auto').eval()\n"
        "tokenizer = AutoTokenizer.from_pretrained('acme/ours', trust_remote_code=True)\n"
        "generated = model.generate(torch.arange(20)[None], max_new_tokens=8, do_sample=False)[0].tolist()\n"
        "answer = [type(model).__name__, generated, str(model.dtype), tokenizer.eos_token]"
    )
    assert answer == ["BailingMoeForCausalLM", expected, "torch.bfloat16", "<|endoftext|>"]


def test_pushing_without_the_right_to_is_one_clear_line(online, released, command, tmp_path):
    arguments = ("export", "--from", str(released), "--to", str(tmp_path / "out"), "--push-to", "acme/ours")
    code, _, error = command(*arguments, token="hf_nobody")
    assert code == 2
    last = error.strip().splitlines()[-1]
    assert "export: error:" in last and "hf auth login" in last
    assert "hf_nobody" not in error
