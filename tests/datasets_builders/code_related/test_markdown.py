"""Markdown: files stay as they are, READMEs are told apart, and every other file has its reason."""

from pathlib import Path

import pytest
from datasets import load_dataset

from datasets_builders.building.errors import ConfigError
from datasets_builders.code_related.markdown.builder import MarkdownBuilder, MarkdownConfig

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
    _, found = built(project)
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
    ("readmes", "paths"), [("none", {"docs/guide.md", "docs/heap.markdown"}), ("only", {"README.md"})]
)
def test_readmes_may_be_left_out_or_stand_alone(project: Path, readmes: str, paths: set[str]) -> None:
    _, found = built(project, readmes=readmes)
    assert set(found["rows"]) == paths


def test_a_wrong_choice_names_the_right_ones() -> None:
    with pytest.raises(ConfigError, match="all, none, only"):
        MarkdownConfig(readmes="some")


def test_the_card_says_that_nothing_was_scored(project: Path) -> None:
    builder, _ = built(project)
    assert "neither code relevance nor educational value" in builder.card().description
