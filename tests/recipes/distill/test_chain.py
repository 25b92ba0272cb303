"""A judge that reasons: what of a teacher's rows is learned, what the judge concludes, and how pairs are labelled."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from string import Template
from typing import Any

import pyarrow.parquet
import pytest
import torch
from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

from modeling_ling.tokenizer import train_tokenizer
from recipes.__main__ import main as recipes_main
from recipes.distill.__main__ import main
from recipes.distill.chain_figures import best_threshold, chain_figures, f1, precision, recall
from recipes.distill.chain_judge import ChainJudge, Judgement
from recipes.distill.chain_rows import ChainReader, read_prompt_file, split_answer, verdict_of
from recipes.reporting.plan_command import plan_recipe
from recipes.running.recipe_loading import RecipeError
from recipes.stages.fine_tuning import collate_rows

CONFIG = Path(__file__).resolve().parents[3] / "recipes" / "configs" / "distill" / "consistency.yaml"
WORDS = ["alpha", "beta", "gamma", "delta", "value", "total", "index", "result"]
PROMPT = "Code: $code\nComment: $comment\nReasoning:\n"


def judged(number: int) -> list[dict[str, Any]]:
    """Pairs of which the comment names what the code returns, or something else; chains say which."""
    generator, rows = random.Random(0), []
    for index in range(number):
        word, is_consistent = generator.choice(WORDS), bool(index % 2)
        rows.append(
            {
                "code": f"def f{index}(): return {word}",
                "comment": f"agrees {word}" if is_consistent else f"differs {word}",
                "chain": f"The comment {'agrees' if is_consistent else 'differs'}.",
                "verdict": is_consistent,
            }
        )
    return rows


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    texts = [" ".join(str(value) for value in row.values()) for row in judged(60)]
    train_tokenizer([PROMPT + "\n\nConsistent: true false " + text for text in texts], 330).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def base(tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny causal model of another maker."""
    folder = tmp_path_factory.mktemp("qwen2")
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = Qwen2Config(vocab_size=len(tokenizer), num_key_value_heads=2, max_position_embeddings=256, **sizes)
    Qwen2ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def train(model: Path, rows: list[dict[str, Any]], to: Path, **values: object) -> Path:
    to.parent.mkdir(parents=True, exist_ok=True)
    (to.parent / "prompt.txt").write_text(PROMPT, encoding="utf-8")
    given = {
        "dataset": write(to.parent / "judged.jsonl", rows),
        "init_from": model,
        "output_dir": to,
        "prompt_file": to.parent / "prompt.txt",
        "sequence_length": 128,
        "max_new_tokens": 24,
        "global_batch_rows": 16,
        "per_device_train_batch_size": 16,
        "num_train_epochs": 5,
        "learning_rate": 3e-3,
        "warmup_steps": 4,
        "use_cpu": "true",
        **values,
    }
    flags = [part for key, value in given.items() for part in (f"--{key}", str(value))]
    folder = main(["--config", str(CONFIG), *flags])
    assert folder is not None
    return folder


@pytest.fixture(scope="module")
def trained(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(base, judged(256), tmp_path_factory.mktemp("trained") / "out")


def test_the_judge_concludes_rightly_and_the_card_says_so_beside_the_paper(trained: Path) -> None:
    run = json.loads((trained / "run.json").read_text(encoding="utf-8"))
    figures = run["data"]
    assert "192 to train on, 32 to choose the threshold by, 32 held out" in figures["rows"]
    assert float(figures["held-out F1"].split()[0]) > 0.9, figures
    assert "always true: 0." in figures["held-out F1"]
    assert figures["held-out F1"].endswith("the paper's, on pairs of its own: 0.9109")
    assert figures["held-out chains without a verdict of their own"] == "0 of 32"
    card = (trained / "README.md").read_text(encoding="utf-8")
    assert figures["held-out precision"] in card
    assert "python -m recipes label --model THIS_FOLDER" in card
    settings = json.loads((trained / "judge.json").read_text(encoding="utf-8"))
    assert (settings["prompt"], settings["prompt_columns"]) == (PROMPT, ["code", "comment"])


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_pairs_are_labelled_and_a_killed_run_goes_on(
    ending: str, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"id": number, **row} for number, row in enumerate(judged(300)[260:])]
    pairs = [{key: row[key] for key in ("id", "code", "comment")} for row in rows]
    pairs += [{"id": 40, "code": "", "comment": "agrees"}, {"id": 41, "code": "x " * 200, "comment": "agrees"}]
    data, to = write(tmp_path / "pairs.jsonl", pairs), tmp_path / f"labelled.{ending}"
    monkeypatch.setattr("recipes.distill.label_command.ROWS_AT_ONCE", 16)
    words = ["label", "--model", str(trained), "--data", str(data), "--to", str(to), "--batch-size", "8"]

    judge, asked = ChainJudge.judge, []

    def killed(self: ChainJudge, prompts: list[list[int]], batch_size: int = 16) -> list[Judgement]:
        asked.append(len(prompts))
        if len(asked) == 2:
            raise KeyboardInterrupt
        return judge(self, prompts, batch_size)

    monkeypatch.setattr(ChainJudge, "judge", killed)
    assert recipes_main(words) == 130
    assert not to.exists()
    assert recipes_main(words) == 0
    assert asked == [16, 16, 16, 8], "what was labelled is not asked again"
    read = pyarrow.parquet.read_table(to).to_pylist() if ending == "parquet" else None
    labelled = read or [json.loads(line) for line in to.read_text(encoding="utf-8").splitlines()]
    assert [row["id"] for row in labelled] == list(range(42))
    assert sum(row["verdict"] == wanted["verdict"] for row, wanted in zip(labelled, rows, strict=False)) >= 36
    assert all((row["verdict_probability"] > 0.5) == row["verdict"] for row in labelled[:40])
    assert {row["verdict_chain"] for row in labelled[:40]} <= {"The comment agrees.", "The comment differs."}
    assert [row["verdict_fault"] for row in labelled[-2:]] == ["no text", "longer than the model's context"]
    assert "2 without a verdict" in capsys.readouterr().out
    assert not list(tmp_path.glob(".*"))


def test_the_readmes_commands_run(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command of the section on judges, with a tiny model in the place of MODEL, and the recipe's own prompt."""
    section = (CONFIG.parents[2] / "README.md").read_text(encoding="utf-8").split("## Judges")[1].split("\n## ")[0]
    commands = [line for block in re.findall(r"```bash\n(.*?)```", section, re.DOTALL) for line in block.splitlines()]
    assert len(commands) == 3
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes").symlink_to(CONFIG.parents[2])
    write(tmp_path / "judged.jsonl", judged(40))
    write(tmp_path / "graded.jsonl", [{"content": row["code"], "label": int(row["verdict"])} for row in judged(40)])
    write(tmp_path / "pairs.jsonl", [{"code": row["code"], "comment": row["comment"]} for row in judged(4)])
    small = ["--warmup_steps", "0", "--global_batch_rows", "8", "--per_device_train_batch_size", "8"]
    small += ["--num_train_epochs", "1", "--use_cpu", "true"]
    of_chains = ["--sequence_length", "250", "--max_new_tokens", "8"]
    for command in commands:
        words = command.replace("MODEL", str(base)).split()[2:]
        if words[0] == "recipes.distill":
            more = of_chains if "consistency" in command else ["--init_from", str(base)]
            main([*words[1:], *small, *more])
        else:
            assert recipes_main(words[1:]) == 0
    assert pyarrow.parquet.read_table(tmp_path / "labelled.parquet").num_rows == 4


def test_a_dry_run_prints_what_is_asked(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write(tmp_path / "pairs.jsonl", [{"code": "f()\n", "comment": "costs $5"}])
    words = ["label", "--model", str(trained), "--data", str(data), "--to", str(tmp_path / "to.jsonl"), "--dry-run"]
    assert recipes_main(words) == 0
    assert "Code: f()\nComment: costs $5\nReasoning:\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--to", "a.csv"], ".jsonl or .parquet"),
        (["--threshold", "2"], "between 0 and 1"),
        (["--model", "."], "is no judge that reasons"),
        (["--data", "labelled.jsonl"], "has a column verdict already"),
        (["--data", "other.jsonl"], "has no column 'comment'"),
        (["--data", "none.jsonl"], "cannot be read"),
    ],
)
def test_mistakes_of_labelling_are_told(
    words: list[str],
    message: str,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "pairs.jsonl", [{"code": "f()", "comment": "f"}])
    write(tmp_path / "labelled.jsonl", [{"code": "f()", "comment": "f", "verdict": True}])
    write(tmp_path / "other.jsonl", [{"code": "f()"}])
    given = {"--model": str(trained), "--data": "pairs.jsonl", "--to": "to.jsonl"}
    given |= dict(zip(words[::2], words[1::2], strict=True))
    assert recipes_main(["label", *(part for pair in given.items() for part in pair)]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_the_projects_own_model_learns_to_judge_and_a_cut_run_goes_on(small_world, tmp_path: Path) -> None:
    rows = judged(96)
    folder = train(small_world.model, rows, tmp_path / "out", sequence_length=256, num_train_epochs=2, save_steps=4)
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    figures = json.loads((folder / "run.json").read_text(encoding="utf-8"))["data"]
    last = max(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    last.rename(tmp_path / "later")
    train(
        small_world.model,
        rows,
        folder,
        sequence_length=256,
        num_train_epochs=2,
        save_steps=4,
        resume_from="auto",
    )
    again = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    losses = [[json.loads(line)["loss"] for line in text] for text in (lines, again)]
    assert losses[0] == losses[1]
    assert json.loads((folder / "run.json").read_text(encoding="utf-8"))["data"] == figures
    assert all("z_loss" in json.loads(line) for line in lines), "routers are trained as ever"


def reader(tokenizer: Any, **values: Any) -> ChainReader:
    given: dict[str, Any] = {"max_tokens": 200, "max_new_tokens": 24, "shares": (0.125, 0.125), "seed": 0}
    columns = {"chain_column": "chain", "verdict_column": "verdict"}
    return ChainReader(tokenizer, Template(PROMPT), ["code", "comment"], **columns, **(given | values))


@pytest.fixture(scope="module")
def tokenizer(tokenizer_folder: Path) -> Any:
    return AutoTokenizer.from_pretrained(tokenizer_folder)


# github.com/huggingface/trl/issues/976 and 1623, tloen/alpaca-lora/pull/306, DeepSpeedExamples/pull/819: ends that are
# never learned where padding is the end too, labels that are off by one, padding that is learned
def test_the_whole_answer_is_learned_with_its_end_and_nothing_else(tokenizer: Any) -> None:
    example = reader(tokenizer).read(judged(64)).train[0]
    batch = collate_rows([example.as_row(), {key: value[:5] for key, value in example.as_row().items()}], 0)
    learned = [token for token in batch["labels"][0].tolist() if token != -100]
    text = tokenizer.decode(learned[:-1])
    said, verdict = ("agrees", "true") if example.verdict else ("differs", "false")
    assert text == f"The comment {said}.\n\nConsistent: {verdict}"
    assert learned[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(example.prompt).endswith("Reasoning:\n")
    assert set(batch["labels"][1].tolist()) == {-100}


# axolotl/issues/834: a prompt of training is tokenised as the one in use
def test_the_prompt_in_use_is_that_of_training(tokenizer: Any) -> None:
    row = judged(64)[0]
    examples = reader(tokenizer, shares=(0.1, 0.1)).read(judged(64))
    asked = ChainJudge(None, tokenizer, 24, 200).encoder.prompt(Template(PROMPT).substitute(row))  # type: ignore[arg-type]  # asks nothing
    parts = (examples.train, examples.validation, examples.held_out)
    assert asked in [example.prompt.tolist() for part in parts for example in part]


# unslothai/unsloth/issues/3699, transformers/issues/25790: a batch gives other answers than its rows alone
def test_a_pair_is_judged_alike_alone_and_beside_longer_ones(trained: Path) -> None:
    model = Qwen2ForCausalLM.from_pretrained(trained).eval()
    judge = ChainJudge(model, AutoTokenizer.from_pretrained(trained), 24, 128)
    prompts = [judge.encoder.prompt(Template(PROMPT).substitute(row)) for row in judged(12)]
    prompts[0] = judge.encoder.prompt("x")
    together = judge.judge(prompts, 12)
    for prompt, said in zip(prompts, together, strict=True):
        (alone,) = judge.judge([prompt])
        assert alone.chain == said.chain
        assert alone.probability == pytest.approx(said.probability, abs=1e-4)


def test_a_chain_that_does_not_end_is_marked_and_gets_a_verdict(base: Path) -> None:
    judge = ChainJudge(Qwen2ForCausalLM.from_pretrained(base).eval(), AutoTokenizer.from_pretrained(base), 4, 128)
    (said,) = judge.judge([judge.encoder.prompt("Code")])
    assert not said.is_finished
    assert 0 < said.probability < 1


def test_a_model_that_begins_texts_with_a_token_of_its_own_gets_it(tokenizer_folder: Path) -> None:
    from tokenizers.processors import TemplateProcessing

    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    cls = tokenizer.cls_token or tokenizer.eos_token
    tokenizer.bos_token = cls
    number = tokenizer.convert_tokens_to_ids(cls)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(f"{cls} $A", None, [(cls, number)])
    example = reader(tokenizer).read(judged(64)).train[0]
    assert example.prompt[0] == number
    assert number not in example.prompt[1:].tolist()


# setfit/issues/462, uv-scripts-for-ai/pull/109: labels as words, missing labels, blank texts
VERDICTS = [
    (True, True),
    ("true", True),
    ("False", False),
    (1, True),
    (0, False),
    ("yes", True),
    ("inconsistent", False),
]
VERDICTS += [(None, None), ("", None), ("maybe", None), (2, None), (float("nan"), None)]  # type: ignore[list-item]


@pytest.mark.parametrize(("given", "verdict"), VERDICTS)
def test_a_verdict_is_one_or_none(given: object, verdict: bool | None) -> None:
    assert verdict_of(given) is verdict


ANSWERS = [
    ("It adds.\nConsistent: true", ("It adds.", True)),
    ("It adds.\n\n**Consistency: False**\n", ("It adds.", False)),
    ("(d) ...\nOverall consistency: true.", ("(d) ...", True)),
    ("Verdict: inconsistent", ("", False)),
    ("It is consistent: true or not?", ("It is consistent: true or not?", None)),
    ("Consistent: true\nBut see below.", ("Consistent: true\nBut see below.", None)),
    ("", ("", None)),
]


@pytest.mark.parametrize(("text", "parts"), ANSWERS)
def test_the_verdict_of_an_answer_is_its_last_line(text: str, parts: tuple[str, bool | None]) -> None:
    assert split_answer(text) == parts


def test_rows_that_teach_nothing_are_removed_with_a_reason(tokenizer: Any) -> None:
    good = judged(64)
    bad = [
        {**good[0], "verdict": None},
        {**good[0], "chain": "  "},
        {**good[0], "comment": None},
        {**good[0], "chain": "It adds.\nConsistent: true", "verdict": False},
        {**good[0], "chain": "long " * 300, "code": "other"},
        good[0],
    ]
    found = reader(tokenizer).read(good + bad)
    assert found.removed == {
        "no verdict": 1,
        "no chain": 1,
        "no text": 1,
        "the chain ends with another verdict": 1,
        "too long": 1,
        "equal": 1,
    }
    assert [len(part) for part in (found.train, found.validation, found.held_out)] == [48, 8, 8]


def test_messages_teach_as_columns_do_and_the_same_code_stays_on_one_side(tokenizer: Any) -> None:
    rows = [
        {
            "messages": [
                {"role": "user", "content": Template(PROMPT).substitute(row)},
                {"role": "assistant", "content": f"{row['chain']}\nConsistent: {str(row['verdict']).lower()}"},
            ]
        }
        for row in judged(64)
    ]
    ours, theirs = reader(tokenizer).read(judged(64)), reader(tokenizer).read(rows)
    sides = [
        {(tuple(e.prompt.tolist()), tuple(e.answer.tolist())) for e in found.train + found.validation + found.held_out}
        for found in (ours, theirs)
    ]
    assert sides[0] == sides[1]
    twice = [{**row, "code": f"code {number // 4}"} for number, row in enumerate(judged(64))]
    found = reader(tokenizer).read(twice)
    codes = [{tokenizer.decode(e.prompt).split("\n")[0] for e in part} for part in (found.train, found.held_out)]
    assert not codes[0] & codes[1]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"code": "x", "comment": "y", "verdict": True}], "no column 'chain'"),
        (judged(3), "no row to"),
    ],
)
def test_data_that_cannot_be_learned_from_is_said_to_be(rows: Any, message: str, tokenizer: Any) -> None:
    with pytest.raises(RecipeError, match=message):
        reader(tokenizer).read(rows)


def test_a_prompt_without_its_places_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "prompt.txt"
    path.write_text("$code costs $5", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"needs the places \$code, \$comment"):
        read_prompt_file(path, ["code", "comment"])
    assert "$comment" in read_prompt_file("", ["code", "comment"]).template


# sentence-transformers/issues/2282: a threshold between equal scores, which no verdict could have been given by;
# issues/755: a threshold chosen on what is measured with
@pytest.mark.parametrize(
    ("probabilities", "true", "threshold"),
    [
        ([0.5, 0.5], [True, False], 0.5),
        ([0.9, 0.8, 0.3], [True, True, False], 0.5),
        ([0.9, 0.8, 0.7], [True, True, False], 0.75),
        ([0.4, 0.3, 0.1], [True, True, False], 0.2),
        ([0.9, 0.1], [False, False], 0.5),
        ([], [], 0.5),
    ],
)
def test_the_threshold_is_the_best_of_those_that_can_be_used(
    probabilities: list[float], true: list[bool], threshold: float
) -> None:
    assert best_threshold(probabilities, true) == pytest.approx(threshold)


def test_figures_are_those_of_the_books() -> None:
    said, true = [True, True, True, False, False], [True, True, False, True, False]
    assert (precision(said, true), recall(said, true)) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert f1(said, true) == pytest.approx(2 / 3)
    assert (f1([False], [False]), precision([False], [True]), recall([True], [False])) == (0.0, 0.0, 0.0)
    judgements = [Judgement(0.9 if verdict else 0.2, "", is_finished=verdict) for verdict in said]
    figures = chain_figures(judgements, true, [True, False], 0.5)
    assert figures["held-out precision"].startswith("0.6667 (95 % ")
    assert figures["held-out chains without a verdict of their own"] == "2 of 5"


# Changed, each gives another plan: of rows that have every column twice, under two names.
KEYS: dict[str, tuple[object, dict[str, object]]] = {
    "prompt_file": ("other.txt", {}),
    "prompt_columns": ("code", {}),
    "chain_column": ("chain_2", {}),
    "verdict_column": ("verdict_2", {}),
    "validation_share": (0.25, {}),
    "held_out_share": (0.25, {}),
    "max_new_tokens": (60, {}),
    "max_samples": (40, {}),
    "num_train_epochs": (1, {}),
    "global_batch_rows": (16, {}),
    "seed": (3, {"validation_share": 0.4, "held_out_share": 0.4}),
}


@pytest.mark.parametrize("key", KEYS)
def test_each_key_gives_another_plan(key: str, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows: list[dict[str, Any]] = []
    for number, row in enumerate(judged(64)):
        longer = row["code"] + " #" + " alpha" * (number % 8)
        rows.append(row | {"code": longer, "chain_2": "It does.", "verdict_2": True})
    changed, both = KEYS[key]
    more = {key: changed} | ({"prompt_file": "code.txt"} if key == "prompt_columns" else {})
    (tmp_path / "prompt.txt").write_text(PROMPT, encoding="utf-8")
    (tmp_path / "other.txt").write_text(f"Look closely. {PROMPT}", encoding="utf-8")
    (tmp_path / "code.txt").write_text("$code\n", encoding="utf-8")
    given = {"dataset": write(tmp_path / "judged.jsonl", rows), "init_from": base, "prompt_file": "prompt.txt"}
    given |= {"sequence_length": 128, "max_new_tokens": 24, "warmup_steps": 0, "global_batch_rows": 8, **both}
    given |= {"per_device_train_batch_size": 8}
    flags = [
        [part for name, value in values.items() for part in (f"--{name}", str(value))]
        for values in (given, given | more)
    ]
    plans = [plan_recipe(str(CONFIG), words) for words in flags]
    assert plans[0] != plans[1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_new_tokens": 128}, "a chain fits into sequence_length"),
        ({"validation_share": 0.9}, "rows to train on must be left"),
        ({"text_column": "x"}, "does nothing in task: chain"),
        ({"task": "regression"}, "does nothing in task: regression"),
        ({"prompt_columns": "code"}, "needs the places"),
    ],
)
def test_keys_that_contradict_each_other_or_do_nothing_are_refused(
    values: dict[str, object], message: str, base: Path, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=message):
        train(base, judged(32), tmp_path / "out", **values)
