"""The fastText quality model: trained on real files, calibrated, used by a builder; wrong files are told apart."""

import json
import math
import shutil
import sysconfig
from pathlib import Path

import numpy as np
import pytest
from datatrove.data import Document
from safetensors.numpy import load_file, save_file
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

from datasets_builders.__main__ import main
from datasets_builders.building.errors import ConfigError
from datasets_builders.building.steps import Removed
from datasets_builders.curation.quality.limits import QualityLimits
from datasets_builders.curation.quality.linear_model import LinearModel, words_and_counts
from datasets_builders.curation.quality.model_scores import ModelScores
from datasets_builders.curation.quality.quality_model import (
    ModelWords,
    QualityModel,
    QualityScore,
    model_text,
    read_description,
)
from datasets_builders.curation.quality.quality_training import (
    LabelledFiles,
    TrainingOptions,
    calibration_error,
    fit_platt,
    measure,
    operating_points,
    train,
)
from datasets_builders.curation.quality.scorers import Scorer, read_scorers
from datasets_builders.source_code.config import SourceCodeConfig
from modeling_ling.text_encoding import SPLIT_PATTERN


def worse(text: str) -> str:
    """Return a file without its comments and with its names taken away: what a teacher would grade low."""
    lines = [line.partition("#")[0].rstrip() for line in text.splitlines()]
    return "\n".join(line for line in lines if line).replace("self", "a").replace("return", "if 1: return")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quality")
    paths = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    texts = [path.read_text(encoding="utf-8", errors="replace")[:6000] for path in paths]
    rows = [{"content": text, "score": 4} for text in texts] + [{"content": worse(text), "score": 1} for text in texts]
    rows.append(rows[0])
    (folder / "labelled.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = ["--input", f"{folder}/labelled.jsonl", "--label-column", "score", "--positive-at", "3"]
    arguments += ["--buckets", "2000", "--dim", "16", "--learning-rate", "0.5"]
    for name in ("model", "again"):
        assert main(["train_quality_model", *arguments, "--output", f"{folder}/{name}"]) == 0
    return folder


def test_held_out_figures_are_those_of_files_that_were_not_trained_on(trained):
    description = read_description(trained / "model")
    files = description.training["files"]
    assert description.training["left_out_as_equal"] >= 1
    assert description.held_out["n"] == sum(files["test"].values())
    assert description.held_out["roc_auc"] > 0.9, "comments and names are easy to tell apart"
    assert description.held_out["calibration_error"] < 0.25


def test_the_same_data_and_seed_give_the_same_model(trained):
    assert (trained / "model/model.bin").read_bytes() == (trained / "again/model.bin").read_bytes()


def test_a_step_scores_and_removes(trained):
    good = (Path(sysconfig.get_path("stdlib")) / "textwrap.py").read_text()[:6000]
    step = QualityScore(trained / "model", 0.5)
    step.begin(0, 1)
    docs = [Document(text=text, id=str(number)) for number, text in enumerate((good, worse(good)))]
    (first,), (second,) = step.process_batch(docs)
    assert first.metadata["quality"] > 0.5
    assert isinstance(second, Removed) and second.reason == "low_quality"
    step.end()
    assert step._model is None


def test_wrong_files_are_told_apart(trained, tmp_path):
    for name, change, message in (
        ("none", lambda folder: (folder / "model.bin").unlink(), "is missing"),
        ("pickle", lambda folder: (folder / "model.bin").write_bytes(b"\x80\4K\1."), "is no fastText model"),
        ("other", lambda folder: (folder / "model.bin").open("ab").write(b"more"), "is not the model that"),
        ("json", lambda folder: (folder / "quality_model.json").write_text("{}"), "is not as expected"),
    ):
        folder = tmp_path / name
        shutil.copytree(trained / "model", folder)
        change(folder)
        with pytest.raises(ConfigError, match=message):
            QualityModel(folder)


def test_data_that_cannot_train_say_so(trained, tmp_path, capsys):
    (tmp_path / "few.jsonl").write_text('{"content": "a = 1", "label": 1}\n')
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    for name, message in (
        ("few.jsonl", "needs 5 of each"),
        ("broken.parquet", "cannot be read"),
    ):
        arguments = ["train-quality-model", "--input", f"{tmp_path}/{name}", "--output", f"{tmp_path}/out"]
        assert main(arguments) == 2
        assert message in capsys.readouterr().err
    arguments = ["train-quality-model", "--input", f"{tmp_path}/few.jsonl", "--output", str(tmp_path)]
    assert main(arguments) == 2
    assert "holds something that is no quality model" in capsys.readouterr().err
    arguments = ["train-quality-model", "--input", f"{tmp_path}/few.jsonl", "--output", f"{tmp_path}/out"]
    assert main([*arguments, "--label-column", "grade"]) == 2
    assert "has no column 'grade'; it has content, label" in capsys.readouterr().err


def test_line_ends_are_words_and_signs_stand_apart():
    assert model_text("a=b[1]\n\n  # x") == "a = b [ 1 ] <nl> # x"


@pytest.mark.parametrize(
    "mark", ["__label__spam", "__label__high", "____label__label__low", "x__label__y", "__label__"]
)
def test_code_that_uses_fasttext_gives_no_labels(mark, tmp_path, tokenizer):
    line = model_text(f"model.get({mark!r})\n{mark}")
    assert "__label__" not in line and line.count("label:") == 2
    # Of BPE too, should a token be the mark.
    (line,) = ModelWords(tokenizer).texts([f"{mark} {mark}"])
    assert "__label__" not in line


def test_labels_in_the_code_teach_nothing(tmp_path):
    rows = [{"content": f"def f{number}(): return {number}", "label": 1} for number in range(120)]
    rows += [{"content": f"buy {number} shoes", "label": 0} for number in range(120)]
    for row in rows[::8]:
        row["content"] += "\nlabels == ['__label__spam', '__label__low']"
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = TrainingOptions(dim=8, buckets=1000, epochs=3)
    assert train(LabelledFiles((str(tmp_path / "rows.jsonl"),)), tmp_path / "model", options).held_out["n"] > 10


def test_calibration_brings_overconfident_probabilities_down():
    scores = [0.99] * 100 + [0.01] * 100
    answers = [True] * 70 + [False] * 30 + [True] * 30 + [False] * 70
    slope, intercept = fit_platt(scores, answers)
    assert 0 < slope < 1 and intercept == pytest.approx(0, abs=1e-3)
    assert calibration_error(scores, answers) == pytest.approx(0.29)


def test_figures_by_hand():
    found = measure([0.9, 0.8, 0.4, 0.1], [True, False, True, False])
    assert (found["precision"], found["recall"], found["roc_auc"]) == (0.5, 0.5, 0.75)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (0.01, None),
        (0.8, None),
        (0.009, "low_comment_fraction"),
        (0.81, "high_comment_fraction"),
        (None, "unknown_comment_fraction"),
    ],
)
def test_limits_hold_at_both_ends(value, reason):
    doc = Document(text="", id="1", metadata={"comment_fraction": value})
    (outcome,) = QualityLimits({"comment_fraction": [0.01, 0.8]}).process(doc)
    assert (outcome.reason if isinstance(outcome, Removed) else None) == reason


def test_wrong_settings_stop_before_the_build():
    for fields, message in (
        ({"quality_limits": {"comments": [0, 1]}}, "unknown column 'comments'; known: comment_fraction"),
        ({"quality_limits": {"stars": [5]}}, r"stars is \[5\], but must be \[minimum, maximum\]"),
        ({"min_quality": 0.5}, "no quality_model is set"),
    ):
        with pytest.raises(ConfigError, match=message):
            SourceCodeConfig(output_dir="x", **fields)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    learned = Tokenizer(models.BPE())
    learned.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    learned.train_from_iterator(["how to sort a list in python", "def sort(values):\n    return sorted(values)"] * 9)
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    learned.save(str(path))
    return path


def test_words_of_pages_are_the_tokens_of_the_tokenizer(tmp_path):
    """Words of the family's construction are looked up; what they are does not change by it."""
    learned = Tokenizer(models.BPE())
    learned.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT_PATTERN), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])  # fmt: skip
    texts = [
        "for x in range(10):\n\n    print(x)  # don't",
        "naïve 漢字 text\nthen ASCII again\n" * 3,
        "",
        "\x1c a\u2003b",
    ]
    learned.train_from_iterator(texts * 9)
    learned.save(str(tmp_path / "tokenizer.json"))
    words = ModelWords(tmp_path / "tokenizer.json")
    assert words.texts(texts) == [" ".join(learned.encode(text).tokens) for text in texts]
    assert words._encoder.is_fast


def page_rows(folder: Path, name: str, words: str) -> str:
    rows = [
        {"text": f"{words} {number} {words} {number * 7}", "site": f"{name}{number % 40}.org"} for number in range(400)
    ]
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(folder / f"{name}.jsonl")


def test_pages_are_told_apart_by_tokens_and_sites_are_held_out_whole(tmp_path, tokenizer):
    files = LabelledFiles(
        content_column="text",
        positives=(page_rows(tmp_path, "code", "def sort(values):\n    return sorted(values)"),),
        negatives=(page_rows(tmp_path, "shop", "buy shoes, free shipping, add to cart"),),
        group_column="site",
    )
    description = train(files, tmp_path / "model", TrainingOptions(dim=8, buckets=1000, epochs=5), tokenizer.parent)
    assert description.held_out["precision_at_recall_0.99"] == 1.0
    model = QualityModel(tmp_path / "model")
    assert ModelWords(tmp_path / "model/tokenizer.json").texts(["return sorted"]) != [model_text("return sorted")]
    assert model.scores(["def sort(values):\n    return sorted(values)"])[0] > 0.5 > model.scores(["buy shoes"])[0]
    counts = description.training["files"]
    assert all(sum(counts[split].values()) % 10 == 0 for split in counts), "ten pages of a site, all on one side"
    (tmp_path / "model" / "tokenizer.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"tokenizer\.json is not the tokenizer"):
        QualityModel(tmp_path / "model")


@pytest.fixture(scope="module")
def linear(tmp_path_factory):
    folder = tmp_path_factory.mktemp("linear")
    pages = {
        "code": page_rows(folder, "code", "def sort(values):\n    return sorted(values)"),
        "shop": page_rows(folder, "shop", "buy shoes, free shipping, add to cart"),
    }
    words = ["--content-column", "text", "--group-column", "site", "--kind", "linear"]
    for name in ("model", "again"):
        arguments = ["--positives", pages["code"], "--negatives", pages["shop"], "--output", str(folder / name)]
        assert main(["train-quality-model", *arguments, *words]) == 0
    return folder


def test_a_linear_model_scores_pages_of_sites_that_it_has_not_seen(linear):
    model = QualityModel(linear / "model")
    description = model.description
    assert description.kind == "linear" and description.held_out["precision_at_recall_0.99"] == 1.0
    assert description.training["files"]["test"]["high"] >= 10
    assert model.scores(["x = sorted(values)"])[0] > 0.5 > model.scores(["buy a cart of shoes"])[0]
    # Nothing to judge by, and what is no text for UTF-8.
    assert all(0 <= score <= 1 for score in model.scores(["", " ", "\ud800 \0", "?" * 50_000]))
    step = QualityScore(linear / "model", 0.5)
    step.begin(0, 1)
    (kept,), (removed,) = step.process_batch([Document("return sorted(values)", "0"), Document("free shipping", "1")])
    assert kept.metadata["quality"] > 0.5 and isinstance(removed, Removed)


def test_a_quality_model_is_a_scorer_beside_another(linear):
    entry = {"kind": "quality_model", "model": str(linear / "model"), "column": "score_linear"}
    (scorer,) = [Scorer.found(fields) for fields in read_scorers([entry])]
    step = ModelScores(scorer)
    step.begin(0, 1)
    docs = [Document(text, str(number)) for number, text in enumerate(["return sorted(values)", "free shipping", ""])]
    step.process_batch(docs)
    step.end()
    texts = [doc.text for doc in docs]
    expected = pytest.approx(QualityModel(linear / "model").scores(texts), abs=1e-6)
    assert [doc.metadata["score_linear"] for doc in docs] == expected
    assert scorer.source.identity() == Scorer.found(scorer.fields).source.identity()
    for change, message in (({"device": "cuda"}, "transformers' models alone"), ({"model": "nowhere"}, "is missing")):
        with pytest.raises(ConfigError, match=message):
            Scorer.found(read_scorers([entry | change])[0])


def test_the_same_pages_give_the_same_linear_model(linear):
    first, second = ((linear / name / "model.safetensors").read_bytes() for name in ("model", "again"))
    assert first == second


def test_a_file_that_is_no_linear_model_is_told_apart(linear, tmp_path):
    file = tmp_path / "model.safetensors"
    good = load_file(linear / "model/model.safetensors")
    for message, change in (
        ("weights is not of", {"weights": good["weights"][1:]}),
        ("rarity is not of", {"rarity": good["rarity"] * np.float32(np.inf)}),
        ("of_counts is not of", {"of_counts": good["of_counts"][None]}),
        ("stands in it twice", {"words": np.array(bytearray(b"a\n" * len(good["rarity"])), np.uint8)[:-1]}),
        ("is no linear model", {"words": np.array([255], np.uint8)}),
    ):
        save_file(good | change, file)
        with pytest.raises(ConfigError, match=message):
            LinearModel.load(file, "quality_model")
    file.write_bytes(b"\x80\4K\1.")
    with pytest.raises(ConfigError, match="is no linear model"):
        LinearModel.load(file, "quality_model")


def test_a_tokenizer_is_not_for_a_linear_model(tmp_path):
    with pytest.raises(ConfigError, match="has words of its own"):
        train(LabelledFiles(labelled=("rows.jsonl",)), tmp_path / "model", TrainingOptions("linear"), tmp_path)


def test_names_and_signs_of_code_are_counted():
    words, counts = words_and_counts("Call `max_len()` and maxLen:\n\n```python\nx = [1]\n```\n")
    assert words["max_len"] == words["maxlen"] == 1 and words["call"] == 1
    assert counts[0] == pytest.approx(math.log(2)), "one fence"
    assert 0.1 < counts[1] < 0.4 and counts[5] > 0 and counts[6] == counts[7] > 0


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "not both"),
        ({"labelled": ("a",), "positives": ("b",)}, "not both"),
        ({"positives": ("b",)}, "belong together"),
    ],
)
def test_what_is_learned_from_is_named_in_one_way(fields, words):
    with pytest.raises(ConfigError, match=words):
        LabelledFiles(**fields)


def test_labelled_files_of_several_sources_are_put_together(tmp_path):
    for name, label in (("random", 2), ("recalled", 4)):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"content": f"of {name}", "label": label}))
    sources = tuple(str(tmp_path / f"{name}.jsonl") for name in ("random", "recalled"))
    files = LabelledFiles(labelled=sources, positive_at=3)
    assert [(file.content, file.is_high) for file in files] == [("of random", False), ("of recalled", True)]


def test_operating_points_take_equal_scores_together():
    points = operating_points([0.9, 0.8, 0.5, 0.5, 0.1], [True, True, True, False, False])
    assert points["limit_at_recall_0.99"] == 0.5 and points["precision_at_recall_0.99"] == 0.75
    assert operating_points([0.3, 0.2], [True, False])["precision_at_recall_0.9"] == 1.0
