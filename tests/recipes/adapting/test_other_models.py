"""Causal models of other makers: their own markers and ends, plain cross-entropy, the same course."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, BertConfig, BertLMHeadModel

from datasets_builders.tokenized.token_files import write_token_store
from datasets_builders.tokenized.tokenization import encode_document, tokenizer_fingerprint
from modeling_ling.fill_in_the_middle import family_of, known_family, middle_end_id, start_ids
from recipes.data.packing import pack_documents
from recipes.data.token_store import TokenStore
from recipes.objectives.fim import LAYOUTS, FimConfig
from recipes.objectives.fim_ids import prompt_ids
from recipes.pretrain import main
from recipes.reporting.plan_command import plan_recipe, whole_plan
from recipes.running.causal_models import check_packing
from recipes.running.recipe_loading import RecipeError
from tests.recipes.adapting.conftest import CONFIGS

pytestmark = pytest.mark.slow

ADAPT = Path(__file__).resolve().parents[3] / "recipes" / "configs" / "adapt"
Families = pytest.mark.parametrize("family", sorted(CONFIGS))
TEXT = "def add(a, b):\n    total = a + b\n    return total\n\n\ndef sub(a, b):\n    return a - b\n" * 3


@pytest.fixture
def data_root(tmp_path: Path, source_texts: list[str]) -> Callable[[Path], Path]:
    """Writes token files with a model's tokenizer, as the tokenized builder does."""

    def write(model: Path) -> Path:
        tokenizer = AutoTokenizer.from_pretrained(model)
        tokenizer.save_pretrained(tmp_path / "tokenizer")
        write_token_store(
            tmp_path / "datasets" / "tokenized" / "data" / "code.ds",
            (encode_document(tokenizer, text[:2000]) for text in source_texts[:12]),
            {"tokenizer_fingerprint": tokenizer_fingerprint(tokenizer)},
        )
        return tmp_path

    return write


def small_run(recipe: str, root: Path, model: Path, **fields: object) -> list[str]:
    values = {
        "data_root": root,
        "init_from": model,
        "train_tokens": 2048,
        "global_batch_tokens": 512,
        "sequence_length": 128,
        "per_device_train_batch_size": 2,
        "max_epochs": 100,
        "warmup_steps": 1,
        "learning_rate": 1e-2,
        "use_cpu": "true",
        "bf16": "false",
        **fields,
    }
    flags = [part for name, value in values.items() for part in (f"--{name}", str(value))]
    return ["--config", str(ADAPT / f"{recipe}.yaml"), *flags]


@Families
def test_what_is_trained_before_a_middle_is_what_the_model_is_asked_with(
    family: str, make_model: Callable[[str], Path], tmp_path: Path
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(make_model(family))
    found = family_of(tokenizer)
    assert found.name == family
    write_token_store(
        tmp_path / "data" / "code.ds",
        [encode_document(tokenizer, TEXT)],
        {"tokenizer_fingerprint": tokenizer_fingerprint(tokenizer)},
    )
    store, middle_id = TokenStore(tmp_path / "data" / "code.ds"), tokenizer.convert_tokens_to_ids(found.middle)
    for layout in LAYOUTS:
        for seed in range(4):
            fim = FimConfig(rate=1.0, layouts={layout: 1.0})
            windows = pack_documents(store, tokenizer, 512, fim, seed, tmp_path / "packed")
            assert windows.statistics["fim_rearranged"] == 1
            ids = windows.ids(0)[: windows.boundaries(0)[-1]].tolist()
            assert ids[-1] == middle_end_id(tokenizer), "the middle ends with what the family ends it with"
            assert ids[: len(start_ids(tokenizer))] == start_ids(tokenizer)
            assert ids.count(middle_id) == 1
            text = tokenizer.decode(ids, skip_special_tokens=True)
            assert sorted(text.replace(" ", "")) == sorted(TEXT.replace(" ", ""))


@Families
def test_a_prompt_is_a_prefix_of_a_training_row(family: str, make_model: Callable[[str], Path]) -> None:
    from recipes.objectives.fim import draw_cut, resolve_markers
    from recipes.objectives.fim_ids import FimEncoder

    tokenizer = AutoTokenizer.from_pretrained(make_model(family))
    for layout in LAYOUTS:
        config = resolve_markers(FimConfig(rate=1.0, layouts={layout: 1.0}), tokenizer)
        encoder = FimEncoder(tokenizer, config, seed=0)
        ids = torch.tensor(encode_document(tokenizer, TEXT)[:-1]).numpy()
        for key in map(str, range(20)):
            _, start, end = draw_cut(len(TEXT), key, config, 0)
            row = [*start_ids(tokenizer), *encoder.rearrange(ids, key)]
            prompt = prompt_ids(tokenizer, TEXT[:start], TEXT[end:], layout)
            assert row[: len(prompt)] == prompt
            middle = tokenizer.decode(row[len(prompt) :], skip_special_tokens=True)
            assert middle == TEXT[start:end] or family == "Code Llama"
            # A middle that begins with spaces loses none of them beside what the decoder strips.
            assert middle.lstrip() == TEXT[start:end].lstrip()


@Families
def test_a_model_of_another_maker_trains_and_loads(
    family: str, make_model: Callable[[str], Path], data_root: Callable[[Path], Path]
) -> None:
    root = data_root(make_model(family))
    folder = main(small_run("full", root, make_model(family)))
    assert folder is not None
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["loss"] < lines[0]["loss"] - 0.1
    assert "dead_experts" not in lines[0]
    before = AutoModelForCausalLM.from_pretrained(make_model(family))
    after, found = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not found["missing_keys"]
    assert type(after) is type(before)
    assert (
        AutoTokenizer.from_pretrained(folder).get_vocab()
        == AutoTokenizer.from_pretrained(make_model(family)).get_vocab()
    )
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "bailing_moe" not in card
    assert before.config.model_type in card


@pytest.mark.parametrize("family", ["Qwen2.5-Coder", "Ling"])
def test_adapters_are_merged_and_a_cut_run_goes_on_with_the_same_losses(
    family: str, make_model: Callable[[str], Path], data_root: Callable[[Path], Path], small_world, tmp_path: Path
) -> None:
    model = small_world.model if family == "Ling" else make_model(family)
    root = data_root(model)
    whole = main(small_run("lora", root, model, output_dir=tmp_path / "whole", lora_rank=4))
    main(small_run("lora", root, model, output_dir=tmp_path / "cut", lora_rank=4, save_steps=2))
    for later in (tmp_path / "cut").glob("checkpoint-4"):
        later.rename(tmp_path / "later")
    again = main(
        small_run("lora", root, model, output_dir=tmp_path / "cut", lora_rank=4, save_steps=2, resume_from="auto")
    )
    assert whole is not None and again is not None
    losses = [
        [json.loads(line)["loss"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
        for folder in (whole, again)
    ]
    assert losses[0] == losses[1]
    models = [AutoModelForCausalLM.from_pretrained(folder).state_dict() for folder in (whole, again, model)]
    assert models[0].keys() == models[2].keys(), "merged: no adapter is left"
    assert all(torch.equal(models[0][name], models[1][name]) for name in models[0])
    assert any(not torch.equal(models[0][name], models[2][name]) for name in models[0])


def test_a_model_that_reads_across_documents_is_refused() -> None:
    config = BertConfig(
        vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, is_decoder=True
    )
    torch.manual_seed(0)
    with pytest.raises(RecipeError, match="does not keep documents"):
        check_packing(BertLMHeadModel(config), "a-model")


def test_a_plan_counts_a_model_of_another_maker(
    make_model: Callable[[str], Path], data_root: Callable[[Path], Path]
) -> None:
    model = make_model("StarCoder")
    root = data_root(model)
    text = plan_recipe(str(ADAPT / "full.yaml"), small_run("full", root, model)[2:])
    num_parameters = sum(value.numel() for value in AutoModelForCausalLM.from_pretrained(model).parameters())
    assert f"parameters        {num_parameters:,}" in text
    assert "starcoder2" in text


def test_an_instruction_model_ends_a_middle_with_its_familys_end_and_not_a_turns(
    make_model: Callable[[str], Path],
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(make_model("Qwen2.5-Coder"))
    tokenizer.add_special_tokens({"eos_token": "<|im_end|>"})
    assert tokenizer.convert_ids_to_tokens(middle_end_id(tokenizer)) == "<|endoftext|>"


@pytest.mark.parametrize(
    ("tokens", "name"),
    [
        (("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_separator|>"), "CodeGemma"),
        (("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|endoftext|>"), "Qwen2.5-Coder"),
        (("<fim_prefix>", "<fim_suffix>", "<fim_middle>"), "StarCoder"),
        (("<fim-prefix>", "<fim-suffix>", "<fim-middle>", "<|endoftext|>"), "SantaCoder"),
        (("\u2581<PRE>", "\u2581<SUF>", "\u2581<MID>", "\u2581<EOT>"), "Code Llama"),
        (("<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>"), "Seed-Coder"),
        (("<fim_prefix>", "<fim_suffix>"), None),
    ],
)
def test_a_family_is_told_by_its_vocabulary(tokens: tuple[str, ...], name: str | None) -> None:
    found = known_family(set(tokens))
    assert (found and found.name) == name


def test_a_plan_of_adapters_needs_less(tmp_path: Path) -> None:
    plans = {
        rank: whole_plan(
            str(ADAPT / "full.yaml"), ["--data_root", str(tmp_path), "--init_from", "preset:lite", "--lora_rank", rank]
        )[0]
        for rank in ("0", "16")
    }
    assert plans["16"].training_state_bytes * 3 < plans["0"].training_state_bytes
    assert plans["16"].flops_per_token == pytest.approx(plans["0"].flops_per_token * 2 / 3)
