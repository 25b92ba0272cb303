"""The held-out loss in the course of a run: exact, the same however it is computed, and without a trace in training."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from datasets_builders.tokenized.token_files import write_token_store
from datasets_builders.tokenized.tokenization import encode_document, tokenizer_fingerprint
from modeling_ling.tokenizer import encode_text
from recipes import dpo, pretrain, sft
from recipes.data.held_out import spread
from recipes.reporting.run_card import render_card
from recipes.running.checkpoints import load_tokenizer
from recipes.running.plan_settings import settings_for_plan
from recipes.running.recipe_loading import RecipeError
from recipes.running.run_folder import DROPS_FILE, EVALUATION_KIND, METRICS_FILE, RUN_FILE, read_events, read_metrics
from recipes.running.trainer import TIMING_KEYS
from tests.recipes.conftest import CODE, PROSE, RECIPES
from tests.recipes.running.processes import SHARDED_WORKER, WORLDS_WORKER, launch_jobs

SCRIPTS = {"stage1": pretrain, "sft": sft, "dpo": dpo}


@pytest.fixture(scope="module")
def held_out(small_world, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Held-out data of each kind: by recipe, the value of eval_data."""
    folder = tmp_path_factory.mktemp("held_out")
    tokenizer = load_tokenizer(str(small_world.root / "tokenizer"))
    texts = {
        # Ten of the training data, and thirty that are not.
        "code": [CODE.format(number) * (1 + number % 3) for number in range(50, 90)],
        "prose": [PROSE.format(number, number + 3) for number in range(100, 130)],
    }
    for name, documents in texts.items():
        write_token_store(
            folder / f"{name}.ds",
            [[*encode_text(tokenizer, text), tokenizer.eos_token_id] for text in documents],
            {"source": name, "tokenizer_fingerprint": tokenizer_fingerprint(tokenizer)},
        )
    conversations = [
        {"messages": [{"role": "user", "content": "?" * n}, {"role": "assistant", "content": CODE.format(n)}]}
        for n in range(1, 8)
    ]
    pairs = [{"prompt": f"{n} + 2?", "chosen": f"{n + 2}", "rejected": f"It is {n} * 2."} for n in range(1, 8)]
    for name, rows in (("sft", conversations), ("dpo", pairs)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return {
        "stage1": json.dumps({"code": str(folder / "code.ds"), "prose": str(folder / "prose.ds")}),
        "sft": json.dumps({"talk": str(folder / "sft.jsonl")}),
        "dpo": json.dumps({"pairs": str(folder / "dpo.jsonl")}),
    }


@pytest.fixture(scope="module")
def train(
    command_line: Callable, small_world, held_out: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """Trains four steps; once for each set of fields."""
    done: dict[str, Path] = {}

    def run(stage: str, folder: Path | None = None, evaluates: bool = True, **fields: Any) -> Path:
        values = {"logging_steps": 1, "save_steps": 2, "save_total_limit": 9}
        values |= {"train_tokens": 2048} if stage == "stage1" else {"max_samples": 12, "init_from": small_world.model}
        if evaluates:
            values |= {"eval_every_steps": 2, "eval_data": held_out[stage]}
        values |= fields
        key = json.dumps([stage, values], sort_keys=True, default=str)
        if folder is not None or key not in done:
            target = folder or tmp_path_factory.mktemp("run") / "run"
            SCRIPTS[stage].main(command_line(stage, target, **values))
            if folder is not None:
                return target
            done[key] = target
        return done[key]

    return run


def without_timing(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in record.items() if key not in TIMING_KEYS} for record in records]


def evaluations(folder: Path) -> list[dict[str, Any]]:
    return without_timing(read_metrics(folder, EVALUATION_KIND))


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["stage1", "sft", "dpo"])
def test_training_is_the_same_with_and_without_and_a_resumed_run_has_the_same_lines(
    stage: str, train: Callable[..., Path], tmp_path: Path
) -> None:
    warm = {"router_warmup_steps": 3, "eval_every_steps": 3}
    with_it, without = train(stage, **warm), train(stage, evaluates=False, router_warmup_steps=3)
    assert without_timing(read_metrics(with_it)) == without_timing(read_metrics(without))
    records = evaluations(with_it)
    steps = [record["step"] for record in records]
    last = read_metrics(with_it)[-1]["step"]
    assert steps == sorted({*range(0, last + 1, 3), last})
    # Killed after step 3, beside log lines that go further.
    cut = tmp_path / "cut"
    cut.mkdir()
    shutil.copytree(with_it / "checkpoint-2", cut / "checkpoint-2")
    lines = (with_it / METRICS_FILE).read_text(encoding="utf-8").splitlines()
    (cut / METRICS_FILE).write_text("\n".join(lines[:5]) + '\n{"step": 4, "ki', encoding="utf-8")
    train(stage, cut, resume_from="auto", **warm)
    for kind in (None, EVALUATION_KIND):
        assert without_timing(read_metrics(cut, kind)) == without_timing(read_metrics(with_it, kind))


@pytest.mark.slow
def test_the_figures_are_the_model_s_own_over_all_real_tokens(
    train: Callable[..., Path], held_out, small_world
) -> None:
    from modeling_ling import BailingMoeForCausalLM
    from recipes.data.token_store import TokenStore

    folder = train("stage1", eval_rows=1000)
    last = evaluations(folder)[-1]
    model = BailingMoeForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    for name, path in json.loads(held_out["stage1"]).items():
        store, losses, count = TokenStore(path), [], 0
        for number in range(len(store)):
            ids = torch.from_numpy(store.document(number).astype("int64"))
            # Documents of more than a row are cut into parts; these are not.
            assert len(ids) <= 128
            with torch.no_grad():
                logits = model(ids[None]).logits[0, :-1]
            losses.append(float(torch.nn.functional.cross_entropy(logits.double(), ids[1:], reduction="sum")))
            count += len(ids) - 1
        figures = last["sources"][name]
        assert figures["count"] == count
        assert figures["loss"] == pytest.approx(math.fsum(losses) / count, rel=1e-5)
    total = sum(figures["count"] for figures in last["sources"].values())
    mean = sum(figures["loss"] * figures["count"] for figures in last["sources"].values()) / total
    assert last["loss"] == pytest.approx(mean, rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["stage1", "sft", "dpo"])
def test_the_figure_does_not_depend_on_batches(stage: str, train: Callable[..., Path]) -> None:
    whole = evaluations(train(stage))[0]
    assert evaluations(train(stage, per_device_train_batch_size=1))[0] == whole, "the same bits for any micro-batch"
    # Five rows at once leave a smaller last batch.
    other = evaluations(train(stage, eval_batch_rows=5))[0]
    for name, figures in whole["sources"].items():
        assert other["sources"][name] == pytest.approx(figures, rel=1e-4, abs=1e-6)


@pytest.mark.slow
def test_pairs_begin_without_a_preference(train: Callable[..., Path]) -> None:
    first, *_, last = evaluations(train("dpo"))
    assert first["sources"]["pairs"] == {"loss": pytest.approx(math.log(2)), "accuracy": 0, "margin": 0, "count": 7}
    assert last["sources"]["pairs"]["loss"] != first["loss"]
    assert 0 <= last["sources"]["pairs"]["accuracy"] <= 1


@pytest.mark.slow
def test_overlap_with_the_training_data_is_told_and_the_card_has_the_figures(
    train: Callable[..., Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = train("stage1", tmp_path / "told")
    assert "warning: eval_data: 10 of 40 documents of code are trained on" in capsys.readouterr().out
    run = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
    card = render_card(run)
    assert "- 10 of 40 documents of code are trained on" in card
    assert "- 0 of 30 documents of prose are trained on" in card
    assert "<h2>Held-out data</h2>" in (folder / "curves.html").read_text(encoding="utf-8")
    record = run["held_out"][-1]
    assert f"| {record['sources']['code']['loss']:.4f} | {record['sources']['code']['count']:,} tokens |" in card


@pytest.mark.slow
def test_a_validation_loss_that_stays_drops_the_learning_rate_and_does_so_again_when_resumed(
    train: Callable[..., Path], tmp_path: Path
) -> None:
    # Improvements of less than 90 % count as none.
    fields = {"drop_on": "validation_loss", "plateau_patience": 1, "plateau_min_improvement": 0.9}
    fields |= {"train_tokens": 5120, "save_steps": 3, "schedule": "multi_step_constant"}
    whole = train("stage1", **fields)
    events = [event for event in read_events(whole) if event["event"] == "learning_rate_drop"]
    # A low at step 2, none at step 4: the rate of the step after the next.
    assert [event["step"] for event in events] == [5]
    rates = [line["learning_rate"] for line in read_metrics(whole)]
    assert rates[4:6] == [3e-3, 1.5e-3]
    assert events[0]["loss"] == next(line["loss"] for line in evaluations(whole) if line["step"] == 4)
    for step in (3, 6):
        cut = tmp_path / f"cut{step}"
        cut.mkdir()
        shutil.copytree(whole / f"checkpoint-{step}", cut / f"checkpoint-{step}")
        shutil.copy(whole / METRICS_FILE, cut)
        train("stage1", cut, resume_from="auto", **fields)
        for kind in (None, EVALUATION_KIND):
            assert without_timing(read_metrics(cut, kind)) == without_timing(read_metrics(whole, kind))
        assert (cut / DROPS_FILE).read_text() == (whole / DROPS_FILE).read_text()


@pytest.mark.slow
def test_two_processes_measure_the_same_bits_as_one(
    train: Callable[..., Path], command_line: Callable, held_out: dict[str, str], tmp_path: Path
) -> None:
    # Seven rows at once two: an uneven number of batches, the last of one row.
    fields = {"eval_every_steps": 4, "eval_rows": 7, "eval_batch_rows": 2, "train_tokens": 2048, "logging_steps": 1}
    alone = evaluations(train("stage1", tmp_path / "one", **fields))
    arguments = command_line("stage1", tmp_path / "two", eval_data=held_out["stage1"], **fields)
    launch_jobs(WORLDS_WORKER, [("pretrain", arguments)], tmp_path)
    paired = evaluations(tmp_path / "two")
    assert paired[0] == alone[0], "of equal weights"
    # Gradients of two processes are added in another order.
    assert paired[-1]["loss"] == pytest.approx(alone[-1]["loss"], rel=1e-4)
    assert [record["step"] for record in paired] == [record["step"] for record in alone] == [0, 4]


@pytest.mark.slow
def test_two_sharded_processes_measure_what_one_does(
    train: Callable[..., Path], command_line: Callable, small_world, held_out: dict[str, str], tmp_path: Path
) -> None:
    stage1 = {"eval_every_steps": 4, "eval_rows": 7, "eval_batch_rows": 2, "train_tokens": 2048}
    pairs = {"eval_every_steps": 2, "max_samples": 8, "warmup_steps": 0, "init_from": small_world.model}
    jobs = [
        ("pretrain", command_line("stage1", tmp_path / "stage1", eval_data=held_out["stage1"], **stage1)),
        ("dpo", command_line("dpo", tmp_path / "dpo", eval_data=held_out["dpo"], **pairs)),
    ]
    launch_jobs(SHARDED_WORKER, jobs, tmp_path)
    for stage, fields in (("stage1", stage1), ("dpo", pairs)):
        alone, sharded = evaluations(train(stage, **fields)), evaluations(tmp_path / stage)
        assert len(alone) == len(sharded) > 1
        for one_process, two_processes in zip(alone, sharded, strict=True):
            assert two_processes["step"] == one_process["step"]
            for name, figures in one_process["sources"].items():
                assert two_processes["sources"][name] == pytest.approx(figures, rel=1e-3, abs=1e-4)


@pytest.mark.slow
def test_a_folder_of_token_files_stands_for_the_sources_of_the_mixture(
    train: Callable[..., Path], small_world, tmp_path: Path
) -> None:
    tokenizer = load_tokenizer(str(small_world.root / "tokenizer"))
    shares = {"code.raw": 0.658, "code.related": 0.035, "code.synthetic": 0.007, "natural_language": 0.2, "math": 0.1}
    for name in shares:
        write_token_store(
            tmp_path / "held" / "data" / f"{name.replace('.', '_')}.ds",
            [encode_document(tokenizer, f"{name} {number} is new.") for number in range(400, 420)],
            {"source": name, "tokenizer_fingerprint": tokenizer_fingerprint(tokenizer)},
        )
    record = evaluations(train("stage1", eval_data=tmp_path / "held"))[-1]
    assert record["sources"].keys() == shares.keys()
    weighted = sum(share * record["sources"][name]["loss"] for name, share in shares.items())
    assert record["loss"] == pytest.approx(weighted, rel=1e-9)
    trained_on = small_world.root / "datasets" / "tokenized"
    with pytest.raises(RecipeError, match="is trained on: a loss"):
        train("stage1", tmp_path / "refused", eval_data=trained_on)
    (tmp_path / "held" / "data" / "math.ds").unlink()
    with pytest.raises(RecipeError, match=r"math\.ds is missing"):
        train("stage1", tmp_path / "refused", eval_data=tmp_path / "held")


@pytest.mark.slow
def test_a_checkpoint_that_was_not_measured_is_measured_when_the_run_goes_on(
    train: Callable[..., Path], tmp_path: Path
) -> None:
    # As after a signal, which saves and stops first; here evaluation is only asked for in the second run.
    whole = train("stage1", evaluates=False)
    cut = tmp_path / "cut"
    cut.mkdir()
    shutil.copytree(whole / "checkpoint-2", cut / "checkpoint-2")
    train("stage1", cut, resume_from="auto")
    assert evaluations(cut) == [record for record in evaluations(train("stage1")) if record["step"] >= 2]


@pytest.mark.slow
def test_rows_without_a_prediction_count_nothing_and_a_source_of_them_has_no_loss(
    train: Callable[..., Path], small_world, tmp_path: Path
) -> None:
    tokenizer = load_tokenizer(str(small_world.root / "tokenizer"))
    end, facts = tokenizer.eos_token_id, {"tokenizer_fingerprint": tokenizer_fingerprint(tokenizer)}
    text = encode_document(tokenizer, PROSE.format(7, 9))
    write_token_store(tmp_path / "empty.ds", [[end]] * 5, facts)
    write_token_store(tmp_path / "some.ds", [text, *[[end]] * 300], facts)
    places = {name: str(tmp_path / f"{name}.ds") for name in ("empty", "some")}
    record = evaluations(train("stage1", eval_data=json.dumps(places)))[-1]
    assert record["sources"]["empty"] == {"loss": None, "count": 0}
    assert record["sources"]["some"]["count"] == len(text) - 1
    assert record["loss"] == record["sources"]["some"]["loss"]


@pytest.mark.slow
def test_texts_are_encoded_and_the_datasets_own_split_is_taken(
    train: Callable[..., Path], small_world, tmp_path: Path
) -> None:
    folder = tmp_path / "prose"
    folder.mkdir()
    rows = [{"content": PROSE.format(number, number)} for number in range(40)]
    (folder / "validation.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert evaluations(train("stage1", eval_data=folder))[0]["sources"]["prose"]["count"] > 500
    with pytest.raises(RecipeError, match="has no data/test"):
        train("stage1", tmp_path / "refused", eval_data=folder, eval_split="test")
    talk = tmp_path / "talk"
    talk.mkdir()
    answers = {"train": "yes", "validation": "no"}
    for split, answer in answers.items():
        talks = [{"prompt": f"Is it {number}?", "completion": answer} for number in range(8)]
        (talk / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in talks), encoding="utf-8")
    folder = train("sft", evaluates=False, dataset=talk, eval_every_steps=1, warmup_steps=0)
    assert evaluations(folder)[0]["sources"].keys() == {"talk"}
    twin = tmp_path / "twin" / "talk"
    shutil.copytree(talk, twin)
    both = json.dumps({str(talk): 3, str(twin): 1})
    record = evaluations(train("sft", evaluates=False, datasets=both, eval_every_steps=1, warmup_steps=0))[0]
    assert record["sources"].keys() == {str(talk), str(twin)}, "datasets of one name stay apart"
    run = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
    assert run["overlaps"] == [{"name": "talk", "num_documents": 8, "num_in_training": 0, "is_partial": False}]


@pytest.mark.parametrize("flags", [[], ["--eval_split", "train"]], ids=str)
def test_rows_that_are_trained_on_are_not_called_held_out(
    flags: list[str], command_line: Callable, small_world, tmp_path: Path
) -> None:
    data = small_world.root / "datasets" / "sft"
    if not flags:  # one file: it has no other split
        data = tmp_path / "talk.jsonl"
        data.write_text('{"prompt": "p", "completion": "c"}\n' * 4, encoding="utf-8")
    settings = {"init_from": small_world.model, "dataset": data, "eval_every_steps": 2, "warmup_steps": 0}
    with pytest.raises(RecipeError, match="is trained on whole"):
        sft.main([*command_line("sft", tmp_path / "run", **settings), *flags])


@pytest.mark.parametrize(
    ("recipe", "flags", "reason"),
    [
        ("stage1", ["--eval_every_steps", "5"], "eval_every_steps is set"),
        ("stage1", ["--eval_rows", "5"], "it does nothing without eval_every_steps"),
        ("sft", ["--eval_split", "test"], "it does nothing without eval_every_steps"),
        ("sft", ["--eval_every_steps", "-1"], "it counts optimizer steps"),
        ("sft", ["--eval_every_steps", "5", "--eval_batch_rows", "0"], "at least 1"),
        ("sft", ["--eval_every_steps", "5", "--eval_data", '{"a": 3}'], "no name with a place"),
        ("sft", ["--eval_every_steps", "5", "--eval_data", "{}"], "at least one source"),
        ("sft", ["--eval_tasks", "humaneval"], "it does nothing without eval_tasks_every_steps"),
        ("sft", ["--eval_tasks_every_steps", "5"], "Name some"),
        ("dpo", ["--eval_every_steps", "5", "--precompute_ref_log_probs", "true"], "no reference model"),
        ("stage1", ["--drop_on", "validation_loss"], "has to be measured"),
        ("../distill/scorer", ["--eval_every_steps", "5"], "measured at the end"),
        ("../distill/scorer", ["--eval_tasks", "mbpp", "--eval_tasks_every_steps", "5"], "measured at the end"),
    ],
)
def test_keys_that_contradict_each_other_are_refused(recipe: str, flags: list[str], reason: str) -> None:
    with pytest.raises(RecipeError, match=reason):
        settings_for_plan(str(RECIPES / f"{recipe}.yaml"), flags)


def test_rows_are_spread_over_all_that_there_are() -> None:
    assert spread(10, 4) == [0, 2, 5, 7]
    assert spread(3, 8) == spread(3, None) == [0, 1, 2]
    assert spread(0, 5) == []
