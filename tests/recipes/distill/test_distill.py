"""Judges: trained small, measured on what they have not seen, and loaded by a builder."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    RobertaConfig,
    RobertaModel,
)

from datasets_builders.curation.quality.scorer_models import load_scorer
from datasets_builders.curation.quality.scorers import Scorer, ScorerFields
from modeling_ling.tokenizer import train_tokenizer
from recipes.distill.__main__ import main
from recipes.distill.examples import ExampleReader
from recipes.distill.figures import macro_f1, reward_figures
from recipes.distill.trainer import judge_losses
from recipes.reporting.plan_command import plan_recipe
from recipes.running.library_fields import library_fields
from recipes.running.library_keys import NOT_KNOWN, refused_keys
from recipes.running.recipe_keys import KEY_CLASSES
from recipes.running.recipe_loading import RecipeError

pytestmark = pytest.mark.slow

CONFIGS = Path(__file__).resolve().parents[3] / "recipes" / "configs" / "distill"
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 130,
}
WORDS = ["alpha", "beta", "gamma", "delta", "value", "total", "index", "result", "number", "count"]


def rows(number: int = 160) -> list[dict[str, Any]]:
    """Texts that are good where they say `return`, and the more so the more often."""
    generator = random.Random(0)
    found = []
    for index in range(number):
        score = index % 4
        words = [generator.choice(WORDS) for _ in range(12)] + ["return"] * (3 * score)
        generator.shuffle(words)
        found.append({"content": " ".join(words), "label": int(score > 1), "score": float(score)})
    return found


def pairs(number: int = 120) -> list[dict[str, str]]:
    generator = random.Random(1)
    return [
        {
            "prompt": f"question {index} {generator.choice(WORDS)}",
            "chosen": " ".join(["return"] * 4 + [generator.choice(WORDS)]),
            "rejected": " ".join(generator.choice(WORDS) for _ in range(5)),
        }
        for index in range(number)
    ]


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives the folder of a tiny random model without a head."""
    made: dict[str, Path] = {}

    def make(kind: str) -> Path:
        if kind not in made:
            folder = tmp_path_factory.mktemp(kind)
            tokenizer = train_tokenizer([row["content"] for row in rows()], 400)
            size = len(tokenizer)
            torch.manual_seed(0)
            if kind != "llama":
                cls = tokenizer.cls_token_id
                tokenizer.backend_tokenizer.post_processor = TemplateProcessing("[CLS] $A", None, [("[CLS]", cls)])
            # RoBERTa counts positions from its pad id, which is 1 in the wild.
            tokenizer.pad_token = tokenizer.convert_ids_to_tokens(1) if kind == "roberta" else tokenizer.eos_token
            models: dict[str, Callable[[], Any]] = {
                "bert": lambda: BertModel(BertConfig(vocab_size=size, **SIZES)),
                "roberta": lambda: RobertaModel(
                    RobertaConfig(vocab_size=size, pad_token_id=tokenizer.pad_token_id, **SIZES)
                ),
                "llama": lambda: LlamaForCausalLM(LlamaConfig(vocab_size=size, num_key_value_heads=1, **SIZES)),
            }
            models[kind]().save_pretrained(folder)
            tokenizer.save_pretrained(folder)
            made[kind] = folder
        return made[kind]

    return make


def run(recipe: str, model: Path, data: list[dict[str, Any]], to: Path, **values: object) -> Path:
    to.mkdir(parents=True, exist_ok=True)
    dataset = to.parent / f"{recipe}.jsonl"
    dataset.write_text("".join(json.dumps(row) + "\n" for row in data), encoding="utf-8")
    given = {
        "dataset": dataset,
        "init_from": model,
        "output_dir": to,
        "sequence_length": 64,
        "global_batch_rows": 8,
        "per_device_train_batch_size": 4,
        "num_train_epochs": 4,
        "learning_rate": 3e-3,
        "warmup_steps": 1,
        "held_out_share": 0.25,
        "logging_steps": 1,
        "use_cpu": "true",
        **values,
    }
    folder = main(
        [
            "--config",
            str(CONFIGS / f"{recipe}.yaml"),
            *(part for key, value in given.items() for part in (f"--{key}", str(value))),
        ]
    )
    assert folder is not None
    return folder


def held_out(folder: Path) -> dict[str, str]:
    data = json.loads((folder / "run.json").read_text(encoding="utf-8"))["data"]
    return {name: value for name, value in data.items() if name.startswith("held-out")}


def test_a_classifier_beats_the_majority_and_a_builder_scores_with_it(
    base: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = run("quality", base("bert"), rows(), tmp_path / "out")
    figure = held_out(folder)["held-out macro F1"]
    assert float(figure.split()[0]) > 0.9, figure
    assert "the commonest label always: 0.3" in figure
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "pipeline_tag: text-classification" in card
    assert figure in card
    fields_of_scorer = ScorerFields(kind="classifier", model=str(folder), label="1", device="cpu")
    scorer = load_scorer(Scorer.found(fields_of_scorer), rank=0)
    good, bad = scorer.scores([rows()[3]["content"], rows()[0]["content"]])
    scorer.close()
    assert good[0] is not None and bad[0] is not None
    assert good[0] > 0.5 > bad[0]


def test_a_scorer_ranks_and_the_builder_gives_its_value(base: Callable[[str], Path], tmp_path: Path) -> None:
    folder = run("scorer", base("roberta"), rows(), tmp_path / "out", text_column="content", num_train_epochs=8)
    figure = held_out(folder)["held-out Spearman"]
    assert float(figure.split()[0]) > 0.7, figure
    scorer = load_scorer(Scorer.found(ScorerFields(kind="classifier", model=str(folder), device="cpu")), rank=0)
    text = rows()[3]["content"]
    value = scorer.scores([text])[0][0]
    scorer.close()
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        ids = torch.tensor([scorer.tokenizer(text)["input_ids"]])
        assert float(model(input_ids=ids).logits[0, 0]) == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize("kind", ["llama", "ling"])
def test_a_reward_model_tells_the_chosen_answer_and_a_cut_run_goes_on(
    kind: str, base: Callable[[str], Path], small_world, tmp_path: Path
) -> None:
    model = small_world.model if kind == "ling" else base(kind)
    folder = run("reward", model, pairs(), tmp_path / "out", num_train_epochs=2, save_steps=8)
    figure = held_out(folder)["held-out pairwise accuracy"]
    assert float(figure.split("%")[0]) > 80, figure
    assert "a coin: 50.0%" in figure
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8")
    last = max(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    last.rename(tmp_path / "later")
    run("reward", model, pairs(), folder, num_train_epochs=2, save_steps=8, resume_from="auto")
    again = (folder / "metrics.jsonl").read_text(encoding="utf-8")
    assert [json.loads(line)["loss"] for line in again.splitlines()] == [
        json.loads(line)["loss"] for line in lines.splitlines()
    ]


def test_rewards_do_not_depend_on_the_padding_beside_them(base: Callable[[str], Path], tmp_path: Path) -> None:
    folder = run("reward", base("llama"), pairs(40), tmp_path / "out", num_train_epochs=1)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    pad = model.config.pad_token_id
    assert pad is not None
    ids = torch.tensor([[5, 6, 7, 8]])
    padded = torch.tensor([[5, 6, 7, 8, pad, pad]])
    with torch.no_grad():
        alone = model(input_ids=ids).logits
        beside = model(input_ids=padded, attention_mask=(padded != pad).long()).logits
    torch.testing.assert_close(alone, beside)


@pytest.mark.parametrize(
    ("recipe", "data", "words"),
    [
        ("quality", [{"content": "a", "other": 1}], "no column 'label'"),
        ("quality", [{"content": f"text {n}", "label": 1} for n in range(40)], "1 labels"),
        ("quality", [{"content": f"text {n}", "label": n} for n in range(200)], "task: regression"),
        ("quality", [{"content": "same", "label": n % 2} for n in range(40)], "both are needed"),
    ],
)
def test_data_that_cannot_be_learned_from_is_said_to_be(
    recipe: str, data: list[dict[str, Any]], words: str, base: Callable[[str], Path], tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=words):
        run(recipe, base("bert"), data, tmp_path / "out")


@pytest.mark.parametrize(("recipe", "kind"), [("quality", "bert"), ("scorer", "roberta"), ("reward", "llama")])
def test_a_plan_counts_the_model_with_its_head(
    recipe: str, kind: str, base: Callable[[str], Path], tmp_path: Path
) -> None:
    flags = ["--init_from", str(base(kind)), "--dataset", str(tmp_path / "none.jsonl")]
    text = plan_recipe(str(CONFIGS / f"{recipe}.yaml"), flags)
    assert "with a head of" in text
    assert "is not here yet" in text
    assert "GB on one device" in text


# Changed, each gives another plan, of rows that have every column under two names; the recipe is the first word.
KEYS: dict[str, tuple[str, object]] = {
    "task": ("quality", "regression"),
    "text_column": ("quality", "content_2"),
    "label_column": ("quality", "label_2"),
    "held_out_share": ("quality", 0.5),
    "max_samples": ("quality", 40),
    "num_train_epochs": ("quality", 1),
    "global_batch_rows": ("quality", 16),
    "prompt_column": ("reward", "prompt_2"),
    "chosen_column": ("reward", "chosen_2"),
    "rejected_column": ("reward", "rejected_2"),
}


@pytest.mark.parametrize("key", KEYS)
def test_each_key_gives_another_plan(key: str, base: Callable[[str], Path], tmp_path: Path) -> None:
    recipe, changed = KEYS[key]
    data = [
        row | {f"{name}_2": f"{value} as ever" for name, value in row.items()}
        for row in (rows(64) if recipe == "quality" else pairs(64))
    ]
    dataset = tmp_path / "rows.jsonl"
    dataset.write_text("".join(json.dumps(row) + "\n" for row in data), encoding="utf-8")
    flags = ["--dataset", str(dataset), "--init_from", str(base("bert")), "--warmup_steps", "0"]
    plans = [plan_recipe(str(CONFIGS / f"{recipe}.yaml"), [*flags, *more]) for more in ([], [f"--{key}", str(changed)])]
    assert plans[0] != plans[1]


def test_rows_are_told_apart_and_copies_stay_on_one_side(base: Callable[[str], Path]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base("bert"))
    reader = ExampleReader(tokenizer, "classification", ("content", "label"), 16, 0.3, seed=0)
    data = [{"content": f"text number {n % 50}", "label": ("no", "yes", None)[n % 3]} for n in range(300)]
    found = reader.read([*data, {"content": "<|endoftext|> word", "label": "yes"}, {"content": " ", "label": "no"}])
    assert found.labels == ["no", "yes"]
    assert found.removed["no label"] == 100
    assert found.removed["no text"] == 1
    assert found.removed["equal"] == 200 - 50
    special = set(tokenizer.all_special_ids)
    assert all(not special & set(example.rows[0][1:]) for example in found.train + found.held_out)


def test_losses_are_those_of_the_books() -> None:
    logits = torch.tensor([[2.0], [0.5], [1.0], [0.5]])
    expected = torch.nn.functional.softplus(torch.tensor([-1.0, 0.0]))
    torch.testing.assert_close(judge_losses(logits, torch.zeros(2), "reward"), expected)
    torch.testing.assert_close(
        judge_losses(logits, torch.tensor([0.0, 0.5, 1.0, 1.5]), "regression"), torch.tensor([4.0, 0.0, 0.0, 1.0])
    )
    two = torch.tensor([[0.0, 0.0]])
    torch.testing.assert_close(judge_losses(two, torch.tensor([1.0]), "classification"), torch.tensor([2.0]).log())
    assert macro_f1([0, 0, 1, 1], [0, 1, 1, 1], 2) == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert "75.0%" in reward_figures([1.0, 2.0, 3.0, -1.0], [True] * 4)["held-out pairwise accuracy"]


def test_each_key_of_the_library_is_accepted_or_refused_with_a_reason() -> None:
    own = {item.name for item in fields(KEY_CLASSES["distill"])}
    assert NOT_KNOWN not in refused_keys("distill", library_fields("distill"), own).values()


def test_a_head_of_other_labels_is_made_anew(base: Callable[[str], Path], tmp_path: Path) -> None:
    config = BertConfig.from_pretrained(base("bert"), num_labels=5)
    torch.manual_seed(0)
    folder = tmp_path / "five"
    BertForSequenceClassification(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(base("bert")).save_pretrained(folder)
    trained = run("quality", folder, rows(60), tmp_path / "out", num_train_epochs=1)
    model = AutoModelForSequenceClassification.from_pretrained(trained)
    assert model.config.id2label == {0: "0", 1: "1"}
    assert model.classifier.out_features == 2
