"""`python -m modeling_ling`: describe, init, train-tokenizer, export."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

from modeling_ling import BailingMoeForCausalLM
from modeling_ling.__main__ import COMMANDS, main
from modeling_ling.export import export_model
from modeling_ling.tokenizer import encode_text

pytestmark = pytest.mark.slow

PEAK_OF_INIT = """
import resource, sys, torch
from modeling_ling import BailingMoeConfig
from modeling_ling.accounting import count_parameters
from modeling_ling.random_model import write_random_model
config = BailingMoeConfig(vocab_size=512, hidden_size=512, num_hidden_layers=5, num_attention_heads=8,
                          num_key_value_heads=2, moe_intermediate_size=256)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
write_random_model(config, None, sys.argv[1], dtype=torch.float32, max_shard_size="50MB")
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print((after - before) / (4 * count_parameters(config).total))
"""


def test_describe_prints_the_counts_of_the_paper(capsys):
    assert main(["describe", "--preset", "lite"]) == 0
    printed = capsys.readouterr().out
    for figure in ("16,801,974,272", "2,753,153,024", "2,494,154,752", "2,235,156,480", "5,603", "57,344 bytes"):
        assert figure in printed
    assert "the paper's count: 2.75B" in printed


def test_describe_gives_json_for_a_folder_and_takes_flags_with_underscores(build_model, tmp_path, capsys):
    model = build_model(first_k_dense_replace=1)
    model.save_pretrained(tmp_path)
    assert main(["describe", "--model", str(tmp_path), "--context_tokens", "64", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["parameters"]["total"] == sum(parameter.numel() for parameter in model.parameters())
    assert sum(part["total"] for part in figures["components"].values()) == figures["parameters"]["total"]
    assert sum(part["active"] for part in figures["components"].values()) == figures["parameters"]["active"]
    assert figures["context_tokens"] == 64


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command, capsys):
    assert main([command, "--help"]) == 0
    assert f"python -m modeling_ling {command}" in capsys.readouterr().out.split("example:")[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["export", "--from", "no/such/folder", "--to", "x"], "no such folder, and no name on the Hub"),
        (["init", "--preset", "tiny", "--to", "x", "--max-shard-size", "much"], "'much' is no size: write 5GB"),
        (["describe", "--preset", "tiny", "--context-tokens", "0"], "--context-tokens=0 must be at least 1"),
        (["train-tokenizer", "nowhere:text", "--to", "x"], "nowhere:text: expected a text file, or FOLDER:COLUMN"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


# ---- init


def test_init_writes_a_model_that_loads_strictly_and_can_be_repeated(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    arguments = ["init", "--preset", "tiny", "--tokenizer", str(tmp_path / "tokenizer"), "--seed", "3"]
    for name in ("first", "second"):
        extra = ["--max-shard-size", "2MB"] if name == "second" else []
        assert main([*arguments, "--to", str(tmp_path / name), "--final-norm-gain", "4", *extra]) == 0
    first, second = (BailingMoeForCausalLM.from_pretrained(tmp_path / name) for name in ("first", "second"))
    assert len(list((tmp_path / "second").glob("model-*.safetensors"))) > 3
    assert not list(tmp_path.glob("*/*.partial"))
    for (name, parameter), (_, other) in zip(first.named_parameters(), second.named_parameters(), strict=True):
        assert torch.equal(parameter, other), name
    assert first.model.norm.weight.tolist() == [4.0] * first.config.hidden_size
    assert first.model.layers[2].mlp.experts.gate_up_proj.std().item() == pytest.approx(
        first.config.initializer_range, rel=0.02
    )
    gate = first.model.layers[1].mlp.gate.weight
    limit = first.config.hidden_size**-0.5
    assert 0.9 * limit < gate.abs().max() <= limit
    assert first.config.vocab_size == 448 and first.config.eos_token_id == tokenizer.eos_token_id
    loaded = AutoTokenizer.from_pretrained(tmp_path / "first", trust_remote_code=True)
    assert loaded.chat_template == tokenizer.chat_template


def test_init_never_holds_the_whole_model(tmp_path):
    command = [sys.executable, "-c", PEAK_OF_INIT, str(tmp_path / "model")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 0.75, "share of the model's bytes: one layer of five and one file"


# ---- export


def test_export_of_a_folder_generates_the_same_tokens_and_has_a_card(build_model, tokenizer, ids, tmp_path, capsys):
    model = build_model().eval()
    model.generation_config.update(do_sample=True, temperature=0.7)
    export_model(model, tokenizer, tmp_path / "source")
    assert main(["export", "--from", str(tmp_path / "source"), "--to", str(tmp_path / "out")]) == 0
    exported = BailingMoeForCausalLM.from_pretrained(tmp_path / "out").eval()
    assert exported.generation_config.temperature == 0.7
    expected = model.generate(ids, max_new_tokens=8, do_sample=False)
    assert torch.equal(exported.generate(ids, max_new_tokens=8, do_sample=False), expected)
    weights = [load_file(tmp_path / name / "model.safetensors") for name in ("source", "out")]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    card = (tmp_path / "out" / "README.md").read_text()
    assert f"{sum(p.numel() for p in model.parameters()):,} parameters" in card
    assert str(tmp_path) not in card
    again = AutoTokenizer.from_pretrained(tmp_path / "out", trust_remote_code=True)
    assert encode_text(again, "def f(x):") == encode_text(tokenizer, "def f(x):")


def test_export_keeps_a_card_that_somebody_wrote(build_model, tokenizer, tmp_path):
    export_model(build_model(), tokenizer, tmp_path / "source")
    (tmp_path / "source" / "README.md").write_text("The run's own card.")
    arguments = ["export", "--from", str(tmp_path / "source"), "--to", str(tmp_path / "out")]
    assert main(arguments) == 0
    assert (tmp_path / "out" / "README.md").read_text() == "The run's own card."
    assert main([*arguments, "--overwrite", "--overwrite-card"]) == 0
    assert "mixture-of-experts" in (tmp_path / "out" / "README.md").read_text()


def test_export_can_change_the_dtype_and_say_what_it_would_do(build_model, tokenizer, tmp_path, capsys):
    export_model(build_model(), tokenizer, tmp_path / "source")
    arguments = ["export", "--from", str(tmp_path / "source"), "--to", str(tmp_path / "out")]
    assert main([*arguments, "--dry-run"]) == 0
    assert "would write weights" in capsys.readouterr().out and not (tmp_path / "out").exists()
    assert main([*arguments, "--dtype", "bfloat16"]) == 0
    assert {t.dtype for t in load_file(tmp_path / "out" / "model.safetensors").values()} == {torch.bfloat16}
    assert json.loads((tmp_path / "out" / "config.json").read_text())["dtype"] == "bfloat16"


def test_export_onto_the_source_is_refused(build_model, tmp_path, capsys):
    export_model(build_model(), None, tmp_path / "source")
    assert main(["export", "--from", str(tmp_path / "source"), "--to", str(tmp_path / "source")]) == 2
    assert "is the source itself" in capsys.readouterr().err


def test_a_smaller_checkpoint_leaves_no_file_of_the_larger_one_behind(build_model, tmp_path):
    export_model(build_model(), None, tmp_path, max_shard_size="100KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    export_model(build_model(), None, tmp_path)
    assert [path.name for path in tmp_path.glob("*.safetensors*")] == ["model.safetensors"]


# ---- train-tokenizer


def test_train_tokenizer_reports_bytes_per_token_for_every_language(tmp_path, capsys):
    rows = {
        "content": ["def f(x):\n    return x + 1\n", "fn f(x: i32) -> i32 { x + 1 }\n"] * 20,
        "language": ["Python", "Rust"] * 20,
    }
    (tmp_path / "code" / "data").mkdir(parents=True)
    parquet.write_table(pa.table(rows), tmp_path / "code" / "data" / "train_00000_of_00001.parquet")
    (tmp_path / "notes.txt").write_text("Notes on f.\n" * 10)
    inputs = [f"{tmp_path / 'code'}:content:language", str(tmp_path / "notes.txt")]
    assert main(["train-tokenizer", *inputs, "--to", str(tmp_path / "tokenizer"), "--vocab_size", "400"]) == 0
    report = json.loads((tmp_path / "tokenizer" / "tokenizer_report.json").read_text())
    assert list(report) == ["code, Python", "code, Rust", "notes.txt", "all"]
    assert report["code, Rust"]["bytes"] == len(rows["content"][1]) * 20
    assert 1 < report["code, Python"]["bytes_per_token"] <= 30
    assert report["all"]["tokens"] == sum(part["tokens"] for name, part in report.items() if name != "all")
    assert "code, Rust" in capsys.readouterr().out
    decomposed = "cafe\u0301"
    loaded = AutoTokenizer.from_pretrained(tmp_path / "tokenizer")
    assert loaded.decode(encode_text(loaded, decomposed)) == decomposed


def test_train_tokenizer_names_the_columns_that_there_are(tmp_path, capsys):
    (tmp_path / "code" / "data").mkdir(parents=True)
    parquet.write_table(pa.table({"content": ["x"]}), tmp_path / "code" / "data" / "train_00000_of_00001.parquet")
    assert main(["train-tokenizer", f"{tmp_path / 'code'}:text", "--to", str(tmp_path / "tokenizer")]) == 2
    assert "no column 'text'" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["init", "export"])
def test_a_model_is_replaced_on_request_only(tmp_path, capsys, command):
    assert main(["init", "--preset", "tiny", "--seed", "1", "--to", str(tmp_path / "source")]) == 0
    first = ["--preset", "tiny"] if command == "init" else ["--from", str(tmp_path / "source")]
    arguments = [command, *first, "--to", str(tmp_path / "model")]
    assert main(arguments) == 0
    before = (tmp_path / "model" / "model.safetensors").read_bytes()
    other = [*arguments, "--seed", "5"] if command == "init" else [*arguments, "--dtype", "bfloat16"]
    assert main(other) == 2
    assert "holds a model already" in capsys.readouterr().err
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == before
    assert main([*other, "--overwrite"]) == 0
    assert (tmp_path / "model" / "model.safetensors").read_bytes() != before
