"""Markdown: files stay as they are, READMEs are told apart, and every other file has its reason."""

from pathlib import Path

import pytest
from datasets import load_dataset
from datatrove.data import Document

import datasets_builders.code_related
from datasets_builders.building.config import load_config
from datasets_builders.building.errors import ConfigError
from datasets_builders.code_related.markdown.builder import MarkdownBuilder, MarkdownConfig, SelectReadmes
from datasets_builders.curation.quality.scorer_models import load_scorer
from datasets_builders.curation.quality.scorers import Scorer, read_scorers
from tests.small_bert import save_bert

CONFIG = Path(datasets_builders.code_related.__file__).parent / "configs" / "markdown.yaml"

GUIDE = """---
title: "Sorting"
tags: [a, b]
---

# Sorting

| name | cost |
| :--- | ---: |
| heap | n log n |

<details><summary>Code</summary>

~~~python
def sort(values):
\treturn sorted(values)\x20\x20
~~~

</details>
"""
README = "# Project\n\nWhat it does, how it is installed, and whom to ask.\n"
WORDS = "A heap keeps the smallest of its elements at the top, so that it is found at once.\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "docs").mkdir(parents=True)
    (folder / "docs" / "guide.md").write_text(GUIDE)
    (folder / "README.md").write_text(README)
    (folder / "docs" / "heap.markdown").write_text(WORDS)
    (folder / "docs" / "pictures.md").write_text("![a](a.png)\n![b](b.png)\n")
    # GCC's machine descriptions have the same extension.
    (folder / "arm.md").write_text(';; Machine description\n(define_insn "add"\n  [(set (reg) (plus (reg) (reg)))])\n')
    (folder / "code.py").write_text("x = 1\n")
    return folder


def built(project: Path, **fields: object) -> tuple[MarkdownBuilder, dict[str, dict[str, object]]]:
    output = project.parent / "out"
    builder = MarkdownBuilder(
        MarkdownConfig(output_dir=str(output), input_dir=str(project), decontaminate=[], **fields)  # type: ignore[arg-type]
    )
    result = builder.run()
    reasons = {step.name: step.reasons for step in result.ledger.steps if step.reasons}
    rows = load_dataset(str(output), split="train")
    return builder, {"reasons": reasons, "rows": {row["path"]: row for row in rows}}


def test_files_stay_byte_for_byte_and_the_rest_has_reasons(project: Path) -> None:
    builder, found = built(project)
    assert "neither code relevance nor educational value" in builder.card().description, "nothing was scored"
    assert {path: row["text"] for path, row in found["rows"].items()} == {
        "docs/guide.md": GUIDE,
        "README.md": README,
        "docs/heap.markdown": WORDS,
    }
    assert {path: row["is_readme"] for path, row in found["rows"].items()} == {
        "docs/guide.md": False,
        "README.md": True,
        "docs/heap.markdown": False,
    }
    assert found["reasons"] == {"read_code": {"other_kind_of_file": 2}, "text_rules": {"image_references": 1}}


@pytest.mark.parametrize(
    ("path", "is_readme"),
    [
        ("README.md", True),
        ("docs/readme.markdown", True),
        ("README.zh-CN.md", True),
        ("README_de.md", True),
        ("docs/reading.md", False),
    ],
)
def test_readmes_may_be_left_out_or_stand_alone(path: str, is_readme: bool) -> None:
    kept = {}
    for readmes in ("all", "none", "only"):
        (outcome,) = SelectReadmes(readmes).process(Document("", "", metadata={"path": path}))
        kept[readmes] = isinstance(outcome, Document)
    assert kept == {"all": True, "none": not is_readme, "only": is_readme}


def test_a_wrong_choice_names_the_right_ones() -> None:
    with pytest.raises(ConfigError, match="all, none, only"):
        MarkdownConfig(readmes="some")


def test_files_are_scored_before_the_rules_by_the_config_for_it(project: Path, tmp_path: Path) -> None:
    """A tiny scorer of random weights stands for both; the two files that it likes least go."""
    texts = {path.name: path.read_text() for path in sorted(project.rglob("*.m*")) if path.name != "arm.md"}
    save_bert(tmp_path / "scorer", ["grade"], list(texts.values()))
    overrides = [f"input_dir={project}", f"output_dir={tmp_path}/out", "decontaminate=[]"]
    config = load_config(MarkdownConfig, CONFIG, overrides)
    assert [entry["column"] for entry in config.scorers] == ["score_code_relevance", "score_educational_value"]
    (fields, _) = read_scorers([entry | {"model": str(tmp_path / "scorer")} for entry in config.scorers])
    model = load_scorer(Scorer.found(fields), rank=0)
    scores = dict(zip(texts, (score for (score,) in model.scores(list(texts.values()))), strict=True))
    model.close()
    limit = sorted(scores.values())[1]
    wanted = {name for name, score in scores.items() if score > limit}
    for entry in config.scorers:
        entry["model"] = str(tmp_path / "scorer")
    config.quality_limits["score_educational_value"] = [limit + 1e-5, float("inf")]
    config.quality_limits["score_code_relevance"] = [min(scores.values()) - 1e-5, float("inf")]
    result = MarkdownBuilder(config).run()
    rows = list(load_dataset(str(result.output_dir), split="train"))
    steps = [step.name for step in result.ledger.steps]
    assert steps.index("score_limits") < steps.index("text_rules")
    assert result.ledger.step("score_limits").reasons == {"low_score_educational_value": 2}
    assert {Path(row["path"]).name for row in rows} == wanted - {"pictures.md"}
    # A text's last digit hangs on the texts that it is scored with.
    for row in rows:
        assert row["score_code_relevance"] == pytest.approx(scores[Path(row["path"]).name], abs=1e-4)
