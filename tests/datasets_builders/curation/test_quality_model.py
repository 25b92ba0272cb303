"""The fastText quality model: trained on real files, calibrated, used by a builder; wrong files are told apart."""

import json
import shutil
import sysconfig
from pathlib import Path

import pytest
from datatrove.data import Document

from datasets_builders.__main__ import main
from datasets_builders.building.errors import ConfigError
from datasets_builders.building.steps import Removed
from datasets_builders.curation.quality.limits import QualityLimits
from datasets_builders.curation.quality.quality_model import QualityModel, QualityScore, model_text, read_description
from datasets_builders.curation.quality.quality_training import calibration_error, fit_platt, measure
from datasets_builders.source_code.config import SourceCodeConfig


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
