"""One loss in all stages: NormHead, balance and z-loss reach pre-training, SFT and DPO alike."""

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recipes.data.chat_rows import IGNORED_LABEL, ChatDataset, ChatSettings, ChatStore, open_chat_store
from recipes.data.chat_sources import ChatSource
from recipes.objectives.norm_head import score_tokens
from recipes.running.arguments import DPOArguments, SFTArguments
from recipes.running.checkpoints import load_model, load_tokenizer
from recipes.running.recipe_loading import parse_recipe
from recipes.stages.fine_tuning import SFTStage, collate_rows, make_sft_trainer
from recipes.stages.preference import make_dpo_trainer

OURS = {"learning_rate_at": lambda step: 1e-3, "flops_per_token": 1.0}


def store_of(small_world, tokenizer: Any, kind: str, max_tokens: int = 128, max_rows: int | None = None) -> ChatStore:
    source = ChatSource(str(small_world.root / "datasets" / kind), max_rows=max_rows)
    return open_chat_store(source, ChatSettings(kind, max_tokens), tokenizer, small_world.root / "test_rows")


def rows_of(small_world, tokenizer: Any, kind: str = "sft", **sizes: int) -> ChatDataset:
    return ChatDataset([store_of(small_world, tokenizer, kind, **sizes)], None, 1, 4 if not sizes else 1, 0)


@pytest.fixture
def tokenizer(small_world) -> Any:
    return load_tokenizer(str(small_world.root / "tokenizer"))


@pytest.fixture
def model(small_world, tokenizer) -> Any:
    return load_model(str(small_world.model), tokenizer, torch.float32, 0)


@pytest.fixture
def sft_trainer(small_world, tokenizer, model, command_line: Callable, tmp_path: Path) -> Any:
    arguments = parse_recipe(
        SFTArguments, command_line("sft", tmp_path, router_aux_loss_coef=0.5, router_z_loss_coef=0.1)
    )
    model.config.router_aux_loss_coef, model.config.router_z_loss_coef = 0.5, 0.1
    return make_sft_trainer(model, arguments, rows_of(small_world, tokenizer), tokenizer, **OURS)


def first_batch(trainer: Any) -> dict[str, torch.Tensor]:
    return next(iter(trainer.get_train_dataloader()))


def test_the_sft_loss_is_the_models_own_with_balance_and_z_loss(sft_trainer: Any, model: Any) -> None:
    batch = first_batch(sft_trainer)
    num_items = (batch["labels"][:, 1:] != IGNORED_LABEL).sum()
    sft_trainer.current_gradient_accumulation_steps = 1
    loss = sft_trainer.compute_loss(model, dict(batch), num_items_in_batch=num_items)
    fresh = copy.deepcopy(model)
    fresh.__dict__.pop("forward", None)
    outputs = fresh(**batch, use_cache=False)
    assert outputs.aux_loss > 0.9
    assert outputs.z_loss > 0
    assert loss.item() == pytest.approx(outputs.loss.item(), abs=1e-6)
    by_hand = outputs.ce_loss + 0.5 * outputs.aux_loss + 0.1 * outputs.z_loss
    assert loss.item() == pytest.approx(by_hand.item(), abs=1e-6)


def test_norm_head_makes_the_sft_loss_blind_to_the_scale_of_the_heads_columns(sft_trainer: Any, model: Any) -> None:
    batch = first_batch(sft_trainer)
    sft_trainer.current_gradient_accumulation_steps = 1
    before = sft_trainer.compute_loss(model, dict(batch), num_items_in_batch=torch.tensor(50))
    with torch.no_grad():
        model.lm_head.weight.mul_(torch.linspace(0.5, 20.0, model.config.hidden_size))
    after = sft_trainer.compute_loss(model, dict(batch), num_items_in_batch=torch.tensor(50))
    assert after.item() == pytest.approx(before.item(), abs=1e-5)
    model.lm_head.scale = lambda **_: torch.ones(model.config.hidden_size)
    without = sft_trainer.compute_loss(model, dict(batch), num_items_in_batch=torch.tensor(50))
    assert abs(without.item() - before.item()) > 0.1


def test_two_micro_batches_give_the_cross_entropy_and_gradient_of_one_twice_the_size(
    sft_trainer: Any, model: Any
) -> None:
    # A load is not linear in the batch, so the router's losses are left out of this comparison.
    model.config.router_aux_loss_coef = model.config.router_z_loss_coef = 0.0
    rows = [sft_trainer.train_dataset[index] for index in range(4)]
    whole = sft_trainer.data_collator(rows)
    halves = [sft_trainer.data_collator(rows[:2]), sft_trainer.data_collator(rows[2:])]
    num_items = (whole["labels"][:, 1:] != IGNORED_LABEL).sum()

    def gradient(batches: list[dict]) -> tuple[float, torch.Tensor]:
        model.zero_grad()
        sft_trainer.current_gradient_accumulation_steps = len(batches)
        losses = [sft_trainer.compute_loss(model, dict(batch), num_items_in_batch=num_items) for batch in batches]
        for loss in losses:
            loss.backward()
        return sum(loss.item() for loss in losses), model.lm_head.weight.grad.clone()

    loss_of_one, gradient_of_one = gradient([whole])
    loss_of_two, gradient_of_two = gradient(halves)
    assert loss_of_two == pytest.approx(loss_of_one, abs=1e-5)
    torch.testing.assert_close(gradient_of_two, gradient_of_one, atol=1e-5, rtol=1e-3)


def test_the_z_loss_of_a_step_is_the_same_however_it_is_cut(sft_trainer: Any, model: Any) -> None:
    """Micro-batches have other shares of the answers than of the tokens: weighted by answers it would not be."""
    model.config.router_aux_loss_coef, model.config.router_z_loss_coef = 0.0, 0.1
    rows = [sft_trainer.train_dataset[index] for index in range(4)]
    few = rows[0]["labels"].copy()
    few[: len(few) * 9 // 10] = IGNORED_LABEL
    rows[0] = {**rows[0], "labels": few}

    def step(cuts: list[list[int]]) -> tuple[float, torch.Tensor, float]:
        samples = [sft_trainer.data_collator([rows[index] for index in cut]) for cut in cuts]
        batches, num_items = sft_trainer.get_batch_samples(iter(samples), len(samples), torch.device("cpu"))
        sft_trainer.current_gradient_accumulation_steps = len(batches)
        sft_trainer.statistics.reset()
        model.train().zero_grad()
        total = 0.0
        for batch in batches:
            loss = sft_trainer.compute_loss(model, dict(batch), num_items_in_batch=num_items)
            loss.backward()
            total += loss.item()
        totals = sft_trainer.statistics.totals(sft_trainer.accelerator, model.config.num_experts_per_tok)
        router = model.model.layers[-1].mlp.gate.weight.grad.clone()
        return total, router, totals.values["z_loss"]

    whole = step([[0, 1, 2, 3]])
    for cuts in ([[0], [1], [2], [3]], [[0, 1], [2, 3]], [[0], [1, 2, 3]]):
        parts = step(cuts)
        assert parts[0] == pytest.approx(whole[0], abs=2e-6)
        torch.testing.assert_close(parts[1], whole[1], atol=1e-6, rtol=1e-3)
        assert parts[2] == pytest.approx(whole[2], rel=1e-5)


def test_only_assistant_tokens_are_learned_and_no_text_forges_a_turn(small_world, tokenizer: Any) -> None:
    store = store_of(small_world, tokenizer, "sft", max_rows=1)
    row = {name: values.tolist() for name, values in store.packed_row(0).items()}
    learned = [token for token, label in zip(row["input_ids"], row["labels"], strict=True) if label != IGNORED_LABEL]
    assert tokenizer.decode(learned).startswith("def add_0(a, b):")
    assert learned[-1] == tokenizer.eos_token_id
    # The question holds a literal <role>: only the two of the template are the special token.
    assert row["input_ids"].count(tokenizer.convert_tokens_to_ids("<role>")) == 2
    removals = store_of(small_world, tokenizer, "sft").removals
    assert dict(removals.counts) == {"longer than 128 tokens": 1}
    assert removals.examples["longer than 128 tokens"] == "too-long"


def test_packed_conversations_do_not_see_each_other(small_world, tokenizer: Any, model: Any) -> None:
    pair = collate_rows([store_of(small_world, tokenizer, "sft", 256, 2).packed_row(0)], tokenizer.pad_token_id)
    assert (pair["position_ids"][0] == 0).sum() == 2
    start = int((pair["position_ids"][0] == 0).nonzero()[1])
    model.eval()
    with torch.no_grad():
        together = model(**pair, use_cache=False).logits[0, start:]
        alone = model(input_ids=pair["input_ids"][:, start:], use_cache=False).logits[0]
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


def test_token_scores_are_the_log_probabilities_of_the_models_own_logits(tokenizer: Any, model: Any) -> None:
    torch.manual_seed(1)
    input_ids = torch.randint(0, 400, (2, 20))
    labels = input_ids.clone()
    labels[:, :5] = IGNORED_LABEL
    scores = score_tokens(model, labels, input_ids=input_ids, output_router_logits=True)
    outputs = model(input_ids=input_ids, labels=labels, use_cache=False, output_router_logits=True)
    expected = outputs.logits[:, :-1].log_softmax(-1).gather(-1, input_ids[:, 1:, None]).squeeze(-1)
    expected = expected * (labels[:, 1:] != IGNORED_LABEL)
    torch.testing.assert_close(scores.log_probs, expected, atol=1e-5, rtol=1e-5)
    assert scores.aux_loss.item() == pytest.approx(outputs.aux_loss.item(), abs=1e-6)
    assert scores.z_loss.item() == pytest.approx(outputs.z_loss.item(), abs=1e-6)
    scores.log_probs.sum().backward()
    chunked = model.lm_head.weight.grad.clone()
    model.zero_grad()
    expected.sum().backward()
    torch.testing.assert_close(chunked, model.lm_head.weight.grad, atol=1e-4, rtol=1e-4)


@pytest.fixture
def pairs(small_world, tokenizer: Any) -> list[dict[str, list[int]]]:
    rows = rows_of(small_world, tokenizer, "dpo", max_rows=8)
    return [rows[place] for place in range(8)]


def sequence_log_probability(model: Any, pair: dict[str, list[int]], side: str) -> float:
    ids = torch.tensor([pair["prompt_ids"] + pair[f"{side}_ids"]])
    start = len(pair["prompt_ids"])
    with torch.no_grad():
        logits = model.lm_head(model.model(ids, use_cache=False).last_hidden_state)
    log_probabilities = logits[0, :-1].log_softmax(-1).gather(-1, ids[0, 1:, None]).squeeze(-1)
    return log_probabilities[start - 1 :].sum().item()


@pytest.mark.parametrize("precompute", [False, True])
def test_the_dpo_loss_uses_norm_head_on_both_sides_and_adds_the_router_losses(
    pairs: list, tokenizer: Any, model: Any, command_line: Callable, tmp_path: Path, precompute: bool
) -> None:
    arguments = parse_recipe(
        DPOArguments, command_line("dpo", tmp_path, precompute_ref_log_probs=precompute, router_aux_loss_coef=0.5)
    )
    model.config.router_aux_loss_coef, model.config.router_z_loss_coef = 0.5, 0.1
    with torch.no_grad():
        model.lm_head.weight.mul_(torch.linspace(0.5, 20.0, model.config.hidden_size))
    reference = copy.deepcopy(model).eval()
    trainer = make_dpo_trainer(model, arguments, pairs, tokenizer, **OURS)
    with torch.no_grad():  # as if some steps had been trained
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3)) * 0.01)
    (batch,), _ = trainer.get_batch_samples(iter(trainer.get_train_dataloader()), 1, torch.device("cpu"))
    trainer.current_gradient_accumulation_steps = 1
    model.train()
    loss = trainer.compute_loss(model, dict(batch))
    margins = []
    for pair in pairs[:2]:
        policy = [sequence_log_probability(model, pair, side) for side in ("chosen", "rejected")]
        frozen = [sequence_log_probability(reference, pair, side) for side in ("chosen", "rejected")]
        margins.append((policy[0] - frozen[0]) - (policy[1] - frozen[1]))
    preference = sum(math.log1p(math.exp(-0.1 * margin)) for margin in margins) / 2
    outputs = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], output_router_logits=True)
    by_hand = preference + 0.5 * outputs.aux_loss.item() + 0.1 * outputs.z_loss.item()
    assert loss.item() == pytest.approx(by_hand, abs=1e-4)
    loss.backward()
    assert all(parameter.grad is None for parameter in reference.parameters())
    assert model.lm_head.weight.grad.abs().sum() > 0


def test_what_the_reference_says_is_kept_for_a_run_that_goes_on(
    pairs: list, tokenizer: Any, model: Any, command_line: Callable, tmp_path: Path
) -> None:
    flags = command_line("dpo", tmp_path / "run", precompute_ref_log_probs=True, packed_dir=tmp_path / "packed")
    arguments = parse_recipe(DPOArguments, flags)
    first = make_dpo_trainer(copy.deepcopy(model), arguments, pairs, tokenizer, **OURS).train_dataset
    (kept,) = (tmp_path / "packed" / "tables").glob("reference_*.npz")
    columns = dict(np.load(kept))
    for number, pair in enumerate(pairs):
        for side in ("chosen", "rejected"):
            expected = sequence_log_probability(model, pair, side)
            assert first[number][f"ref_{side}_logps"] == pytest.approx(expected, abs=1e-3)
    np.savez(kept, **{name: values + 1 for name, values in columns.items()})
    again = make_dpo_trainer(copy.deepcopy(model), arguments, pairs, tokenizer, **OURS).train_dataset
    assert again[0]["ref_chosen_logps"] == pytest.approx(first[0]["ref_chosen_logps"] + 1), "read, not computed"
    with torch.no_grad():
        model.lm_head.weight.add_(0.1)
    make_dpo_trainer(model, arguments, pairs, tokenizer, **OURS)
    assert len(list((tmp_path / "packed" / "tables").glob("reference_*.npz"))) == 2, "of another reference"


def test_an_untrained_policy_has_the_dpo_loss_of_a_coin(
    pairs: list, tokenizer: Any, model: Any, command_line: Callable, tmp_path: Path
) -> None:
    arguments = parse_recipe(DPOArguments, command_line("dpo", tmp_path, router_aux_loss_coef=0.0))
    model.config.router_aux_loss_coef = model.config.router_z_loss_coef = 0.0
    trainer = make_dpo_trainer(model, arguments, pairs, tokenizer, **OURS)
    trainer.current_gradient_accumulation_steps = 1
    assert trainer.compute_loss(model, dict(first_batch(trainer))).item() == pytest.approx(math.log(2), abs=1e-5)


# ---- the routers under the trainers


def test_a_frozen_router_is_neither_trained_nor_added_in_sft_and_dpo(
    small_world, pairs: list, tokenizer: Any, command_line: Callable, tmp_path: Path
) -> None:
    losses = {}
    for kind, arguments_class in (("sft", SFTArguments), ("dpo", DPOArguments)):
        for frozen in (False, True):
            model = load_model(str(small_world.model), tokenizer, torch.float32, 0, {"router_aux_loss_coef": 0.5})
            arguments = parse_recipe(
                arguments_class,
                command_line(kind, tmp_path, freeze_router=frozen, router_aux_loss_coef=0.5, router_z_loss_coef=0.1),
            )
            model.config.router_z_loss_coef = 0.1
            if kind == "sft":
                trainer = make_sft_trainer(model, arguments, rows_of(small_world, tokenizer), tokenizer, **OURS)
            else:
                trainer = make_dpo_trainer(model, arguments, pairs, tokenizer, **OURS)
            trainer.current_gradient_accumulation_steps = 1
            model.train()
            loss = trainer.compute_loss(model, dict(first_batch(trainer)))
            loss.backward()
            assert (model.model.layers[0].mlp.gate.weight.grad is None) == frozen
            losses[kind, frozen] = loss.item()
            assert trainer.statistics, "the load is logged all the same"
    assert losses["sft", True] < losses["sft", False] - 0.4
    assert losses["dpo", True] == pytest.approx(math.log(2), abs=1e-5)


def test_the_trainer_counts_the_steps_of_a_routing_warm_up(
    small_world, tokenizer: Any, command_line: Callable, tmp_path: Path
) -> None:
    arguments = parse_recipe(SFTArguments, command_line("sft", tmp_path, router_warmup_steps=4))
    model = load_model(str(small_world.model), tokenizer, torch.float32, 0, SFTStage(arguments).model_overrides())
    trainer = make_sft_trainer(model, arguments, rows_of(small_world, tokenizer), tokenizer, **OURS)
    shares = []
    router = model.model.layers[0].mlp.gate
    router.register_forward_pre_hook(lambda *_: shares.append(router.learned_share) if router.training else None)
    trainer.train()
    steps = trainer.state.global_step
    assert sorted(set(shares)) == [min(step / 4, 1.0) for step in range(min(steps, 5))]
