"""Rows of other datasets: read in the formats that datasets have, brought into one form, deduplicated, balanced."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datatrove.data import Document

from datasets_builders.building import ConfigError, Removed
from datasets_builders.curation.deduplication.semantic import cells_of, duplicates
from datasets_builders.released.chat_normalization import conversation_of, fence_languages, normalized
from datasets_builders.released.row_sources import RowSource, read_sources
from datasets_builders.released.selection import Balance, Quotas, in_ratio, largest_cap
from datasets_builders.released.sft import SFTBuilder, SFTConfig
from datasets_builders.tokenized.conversations import RowFormat
from datasets_builders.tokenized.tokenization import UnusableRowError
from tests.datasets_builders.released.conftest import read_rows
from tests.small_bert import save_bert

ASKED, SAID = "What is a monad?", "A monoid in the category of endofunctors."
USER, ANSWER = {"role": "user", "content": ASKED}, {"role": "assistant", "content": SAID}
TURNS = [USER, ANSWER]
# Formats as people have them: a row, and the roles and first letters of what must be read.
FORMATS: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "messages": ({"messages": TURNS}, [("user", ASKED), ("assistant", SAID)]),
    "ShareGPT": (
        {"conversations": [{"from": "human", "value": ASKED}, {"from": "gpt", "value": SAID}]},
        [("user", ASKED), ("assistant", SAID)],
    ),
    # https://github.com/axolotl-ai-cloud/axolotl/issues/1179
    "ShareGPT with a system prompt among the turns": (
        {
            "conversations": [
                {"from": "system", "value": "Be brief."},
                {"from": "human", "value": ASKED},
                {"from": "gpt", "value": SAID},
            ]
        },
        [("system", "Be brief."), ("user", ASKED), ("assistant", SAID)],
    ),
    # https://github.com/axolotl-ai-cloud/axolotl/issues/1649: OpenHermes has many columns of nulls beside.
    "OpenHermes": (
        {
            "conversations": [{"from": "human", "value": ASKED, "weight": None}, {"from": "gpt", "value": SAID}],
            "language": None,
            "system_prompt": None,
            "custom_instruction": None,
        },
        [("user", ASKED), ("assistant", SAID)],
    ),
    "Alpaca without an input": (
        {"instruction": ASKED, "input": "", "output": SAID, "text": "Below is ..."},
        [("user", ASKED), ("assistant", SAID)],
    ),
    # https://github.com/InternScience/GraphGen/pull/43
    "Alpaca with an input": (
        {"instruction": "Translate.", "input": "monad", "output": "Monade"},
        [("user", "Translate.\n\nmonad"), ("assistant", "Monade")],
    ),
    "Alpaca with a history": (
        {"instruction": ASKED, "input": "", "output": SAID, "history": [["Hello.", "Hello!"]]},
        [("user", "Hello."), ("assistant", "Hello!"), ("user", ASKED), ("assistant", SAID)],
    ),
    "Magicoder": ({"problem": ASKED, "solution": SAID, "lang": "python"}, [("user", ASKED), ("assistant", SAID)]),
    "Evol": ({"instruction": ASKED, "response": SAID}, [("user", ASKED), ("assistant", SAID)]),
    "MetaMath": ({"query": ASKED, "response": SAID, "type": "GSM"}, [("user", ASKED), ("assistant", SAID)]),
    # https://github.com/huggingface/open-r1/issues/585: which of its columns is the answer? The messages.
    "OpenR1-Math": (
        {"problem": "x", "solution": "y", "answer": "z", "generations": ["a", "b"], "messages": TURNS},
        [("user", ASKED), ("assistant", SAID)],
    ),
    "OpenMathInstruct": (
        {"problem": ASKED, "generated_solution": SAID, "expected_answer": "1"},
        [("user", ASKED), ("assistant", SAID)],
    ),
    # Rows of one JSON Lines file have the columns of others as nulls once they are a table.
    "a null where another row has messages": (
        {"messages": None, "instruction": ASKED, "output": SAID},
        [("user", ASKED), ("assistant", SAID)],
    ),
    "TRL": ({"prompt": [USER], "completion": [ANSWER]}, [("user", ASKED), ("assistant", SAID)]),
}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    # https://github.com/axolotl-ai-cloud/axolotl/pull/723
    "the assistant speaks first": ({"messages": [ANSWER, *TURNS]}, "does not begin with a question"),
    "two questions in a row": ({"messages": [USER, USER, ANSWER]}, "turns are not of user and assistant by turns"),
    "a question without an answer": ({"messages": [USER]}, "does not end with an answer"),
    "a tool": ({"messages": [USER, ANSWER, {"role": "tool", "content": "1"}, ANSWER]}, "turns are not of"),
    "an answer that is marked as bad": (
        {"messages": [USER, {**ANSWER, "weight": 0}, USER, ANSWER]},
        "an answer that is not to be learned",
    ),
    "no known columns": ({"text": "once upon a time"}, "no column of conversations"),
    "an output that is a list": ({"instruction": ASKED, "output": [SAID]}, "a message that is null or no object"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_row_of_a_known_format_is_read(name: str) -> None:
    row, expected = FORMATS[name]
    found = conversation_of(row, RowFormat())
    assert list(zip(found.roles, found.contents, strict=True)) == expected


@pytest.mark.parametrize("name", REFUSED)
def test_a_row_that_is_no_conversation_says_why(name: str) -> None:
    row, reason = REFUSED[name]
    with pytest.raises(UnusableRowError, match=reason):
        conversation_of(row, RowFormat())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\r\nb\rc", "a\nb\nc"),
        ("\ufeffa\u200bb\u00a0c", "ab c"),
        ("cafe\u0301", "caf\u00e9"),
        ("    indented\n", "    indented"),
        ("x\n```python\ns = '\u00a0\u200be\u0301'\r\n```\nz\u00a0", "x\n```python\ns = '\u00a0\u200be\u0301'\n```\nz"),
        ("say `\u200b` or \u200b", "say `\u200b` or"),
        ("```python\nx = '\u200b'", "```python\nx = '\u200b'"),
        ("a\0b", "ab"),
        ("\u4f60\u597d\u3000\u4e16\u754c", "\u4f60\u597d\u3000\u4e16\u754c"),
    ],
    ids=repr,
)
def test_prose_is_normalized_and_code_is_left_alone(text: str, expected: str) -> None:
    assert normalized(text) == expected == normalized(expected)


@pytest.mark.parametrize(
    ("text", "languages"),
    [
        ("```python\nx\n```", ["Python"]),
        ("```py\nx\n```\n```js\ny\n```\n```python\nz\n```", ["Python", "JavaScript"]),
        ("```text\nx\n```\nand ```inline```", []),
        ("```c++\nx\n```\n~~~cs\ny\n~~~", ["C++"]),
        ("no code", []),
    ],
)
def test_languages_are_those_that_fences_name(text: str, languages: list[str]) -> None:
    assert fence_languages(text)[: len(languages)] == languages and bool(fence_languages(text)) == bool(languages)


def documents(rows: list[tuple[str, str, str, str]]) -> list[Document]:
    return [
        Document(
            text="",
            id=f"{number:04d}",
            metadata={
                "source": source,
                "kind": "conversation",
                "languages": [language] if language else [],
                "tags": [tag],
                "category": category,
                "messages": [{"role": "user", "content": str(number // 3)}, ANSWER],
                "split": "validation" if number % 50 == 49 else "train",
            },
        )
        for number, (source, language, tag, category) in enumerate(rows)
    ]


ROWS = (
    [("a", "Python", "x", "code")] * 200
    + [("b", "Go", "y", "code")] * 100
    + [("c", "", "z", "general")] * 50
    + [("d", "", "z", "math")] * 200
)


def balanced(quotas: Quotas, docs: list[Document], seed: int = 0) -> tuple[list[Document], Counter[str]]:
    step = Balance(quotas, seed)
    step.begin(0, 1)
    assert not [outcome for doc in docs for outcome in step.process(doc)]
    outcomes = list(step.finish())
    step.end()
    kept = [out for out in outcomes if isinstance(out, Document)]
    return kept, Counter(out.reason for out in outcomes if isinstance(out, Removed))


@pytest.mark.parametrize(
    ("quotas", "column", "expected"),
    [
        (Quotas(), "category", {"code": 294, "general": 49, "math": 196}),
        (Quotas(ratio={"code": 3, "general": 1, "math": 1}), "category", {"code": 147, "general": 49, "math": 49}),
        (Quotas(ratio={"code": 3, "general": 0, "math": 1}), "category", {"code": 294, "math": 98}),
        (Quotas(sources={"a": 10}), "source", {"a": 10, "b": 98, "c": 49, "d": 196}),
        (Quotas(languages={"Python": 7}), "languages", {"Python": 7, "Go": 98, "": 245}),
        (Quotas(tags={"z": 5}), "tags", {"x": 196, "y": 98, "z": 5}),
        (Quotas(max_tag_fraction=0.4), "tags", {"x": 196, "y": 98, "z": 196}),
    ],
    ids=str,
)
def test_quotas_hold_for_training_rows(quotas: Quotas, column: str, expected: dict[str, int]) -> None:
    kept, reasons = balanced(quotas, documents(ROWS))
    training = [doc.metadata for doc in kept if doc.metadata["split"] == "train"]
    values = Counter(
        value if isinstance(value := row[column], str) else (value[0] if value else "") for row in training
    )
    assert values == expected
    assert sum(doc.metadata["split"] == "validation" for doc in kept) == 11
    assert len(kept) + sum(reasons.values()) == len(ROWS)


def test_the_same_rows_are_kept_whatever_the_order_and_others_by_another_seed() -> None:
    quotas = Quotas(ratio={"code": 1, "math": 1}, max_language_fraction=0.5, max_answers_per_prompt=1)
    docs = documents(ROWS)
    first = {doc.id for doc in balanced(quotas, docs)[0]}
    assert first == {doc.id for doc in balanced(quotas, docs[::-1])[0]}
    assert first != {doc.id for doc in balanced(quotas, docs, seed=1)[0]}
    assert balanced(quotas, docs)[1]["enough_of_this_prompt"] > 0


def test_no_value_is_more_than_its_fraction_of_what_is_left() -> None:
    for counts, fraction in (([90, 5, 5], 0.5), ([50, 30, 20, 10], 0.3), ([7], 0.5), ([], 0.5), ([4, 4], 1.0)):
        cap = largest_cap(counts, fraction)
        left = [min(count, cap) for count in counts]
        if fraction * len(counts) >= 1:
            assert max(left) <= fraction * sum(left)
    assert largest_cap([90, 5, 5], 0.5) == 10
    assert in_ratio({"code": 30}, {"code": 3, "math": 1}) == {"code": 30}
    assert in_ratio({"code": 30, "math": 1}, {"code": 3, "math": 1}) == {"code": 3, "math": 1}


def test_rows_of_one_meaning_leave_one_and_a_chain_is_not_one_meaning() -> None:
    def at(degrees: float) -> list[float]:
        return [np.cos(np.radians(degrees)), np.sin(np.radians(degrees))]

    near = np.array([at(0), at(10), at(20), at(90), at(0)], np.float16)
    threshold = float(np.cos(np.radians(15)))
    # 20 degrees is near to 10, which goes; it is not near to 0, which stays.
    assert duplicates(near, threshold, seed=0) == {1: 0, 4: 0}
    draw = np.random.default_rng(0)
    many = draw.normal(size=(3_000, 16))
    many = np.concatenate([many, many[:500] + 1e-3 * draw.normal(size=(500, 16))])
    many = (many / np.linalg.norm(many, axis=1, keepdims=True)).astype(np.float16)
    found = duplicates(many, 0.99, seed=0)
    assert len(set(cells_of(many, seed=0))) == 3
    assert set(found) == set(range(3_000, 3_500)) and all(found[place] == place - 3_000 for place in found)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({}, "no dataset"),
        ({"dataset": "x", "category": "poetry"}, "category is 'poetry'"),
        ({"dataset": "x", "columns": {"mesages": "a"}}, "mesages"),
        ({"dataset": "x", "colums": {}}, "colums"),
        ({"dataset": "x", "max_rows": -1}, "max_rows is -1"),
    ],
)
def test_a_source_that_cannot_be_is_refused_before_anything_is_read(entry: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SFTConfig(output_dir="out", sources=[entry])


def test_files_are_those_of_the_split(tmp_path: Path) -> None:
    table = pa.table({"messages": [TURNS]})
    names = ("train-00000-of-00001", "train_sft-00000-of-00001", "test-00000-of-00001-0a1b", "notes")
    for name in names:
        (tmp_path / "all" / "data").mkdir(parents=True, exist_ok=True)
        pq.write_table(table, tmp_path / "all" / "data" / f"{name}.parquet")

    def files(**values: Any) -> list[str]:
        (source,) = read_sources([{"dataset": str(tmp_path / "all"), **values}])
        return [Path(file.name).stem for file in source.files]

    assert files() == [names[0]] and files(split="train_sft") == [names[1]] and files(split="test") == [names[2]]
    with pytest.raises(ConfigError, match="no split 'dev'; its files tell test, train, train_sft"):
        files(split="dev")
    with pytest.raises(ConfigError, match="nothing lies at"):
        _ = RowSource("./nowhere").files
    (tmp_path / "all" / "data" / "dataset_infos.json").write_text("{}")
    assert files() == [names[0]]
    (tmp_path / "json").mkdir()
    for name in ("rows.json", "dataset_infos.json"):
        (tmp_path / "json" / name).write_text("[]")
    assert [Path(file.name).name for file in RowSource(str(tmp_path / "json")).files] == ["rows.json"]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sources of three formats: JSON Lines, a JSON list and Parquet."""
    folder = tmp_path_factory.mktemp("sources")
    code = [
        {"instruction": f"Write number {n} in Go.", "output": f"```go\nx := {n}\n```\nThis sets x to {n * 7}."}
        for n in range(60)
    ]
    code += [code[0], {"instruction": "no answer", "output": ""}]
    copied = "Explain in detail how a hash table resolves collisions by open addressing and by chaining, with examples."
    code += [{"instruction": f"{copied} Please{'!' * n}", "output": copied[::-1]} for n in (1, 2)]
    code.append({"instruction": "Return the sum of all even numbers between the two given bounds", "output": "sum()"})
    (folder / "code.jsonl").write_text("\n".join(map(json.dumps, code)) + "\nno json\n", encoding="utf-8")
    general = [
        {"conversations": [{"from": "human", "value": f"Who was number {n}\u200b?"}, {"from": "gpt", "value": f"N{n}"}]}
        for n in range(30)
    ]
    (folder / "general.json").write_text(json.dumps(general), encoding="utf-8")
    math = [{"messages": [{"role": "user", "content": f"{n} * {n}?"}, {"role": "assistant", "content": str(n * n)}]}
            for n in range(25)]  # fmt: skip
    (folder / "math").mkdir()
    pq.write_table(pa.Table.from_pylist(math), folder / "math" / "train-00000-of-00001.parquet")
    (folder / "protected.jsonl").write_text(json.dumps({"text": code[-1]["instruction"]}) + "\n", encoding="utf-8")
    return folder


def config_of(sources: Path, output: Path, **values: Any) -> SFTConfig:
    entries = [
        {"dataset": str(sources / "code.jsonl"), "license": "mit", "tags": ["text_to_code"]},
        {"dataset": str(sources / "general.json"), "category": "general"},
        {"dataset": str(sources / "math"), "category": "math", "license": "apache-2.0"},
    ]
    given = {"decontaminate": [], "decontaminate_with": [f"{sources / 'protected.jsonl'}:text"], "num_tasks": 2}
    return SFTConfig(output_dir=str(output), sources=entries, **(given | values))


def test_three_sources_become_one_dataset_in_the_released_schema(sources: Path, tmp_path: Path) -> None:
    result = SFTBuilder(config_of(sources, tmp_path / "sft")).run()
    rows = read_rows(tmp_path / "sft")
    assert list(pq.read_schema(next((tmp_path / "sft" / "data").iterdir())).names)[:4] == [
        *("mid", "messages", "tags", "languages")
    ]
    # 60 different and one of two near-copies; of the others a third of that each.
    assert Counter(row["category"] for row in rows) == {"code": 61, "general": 20, "math": 20}
    assert result.ledger.step("read_datasets").reasons == {"bad_json": 1}
    assert result.ledger.step("read_conversations").reasons == {"an empty answer": 1}
    assert result.ledger.step("exact_dedup").reasons == {"same_content": 1}
    assert result.ledger.step("near_dedup").reasons == {"near_duplicate": 1}
    assert result.ledger.step("decontamination").removed == 1
    assert result.ledger.step("balance").reasons == {"enough_of_this_category": 15}
    go = next(row for row in rows if row["languages"])
    assert go["languages"] == ["Go"] and go["tags"] == ["text_to_code"] and go["license"] == "mit"
    assert not any("\u200b" in message["content"] for row in rows for message in row["messages"])
    assert {row["kind"] for row in rows} == {"conversation"} and all(row["code"] == "" for row in rows)
    card = (tmp_path / "sft" / "README.md").read_text()
    assert "| code | 61 | 60.4% | 60.0% |" in card and "| math | math | apache-2.0 | 20 |" in card
    again = SFTBuilder(config_of(sources, tmp_path / "again", workers=2)).run()
    assert again.num_rows == result.num_rows
    assert read_rows(tmp_path / "again") == rows


@pytest.mark.slow
def test_rows_of_one_meaning_are_merged_by_an_encoder_of_ones_own(questions, sources: Path, tmp_path: Path) -> None:
    save_bert(tmp_path / "bert", ["a"], ["Write number in Go who was sets x to", "0123456789 * ?"])
    bert = str(tmp_path / "bert")
    config = config_of(
        sources,
        tmp_path / "sft",
        input=str(questions.folder),
        semantic_encoder=bert,
        semantic_threshold=0.999,
        scorers=[{"kind": "classifier", "model": bert, "max_tokens": 32}],
        ratio={},
    )
    result = SFTBuilder(config).run()
    assert result.ledger.step("semantic_dedup").reasons["same_meaning"] > 0
    (removed,) = (tmp_path / "sft" / "removed" / "semantic_dedup").glob("*")
    with gzip.open(removed) as lines:
        assert all(line["kept"] == line["into"] for line in map(json.loads, lines))
    for row in read_rows(tmp_path / "sft"):
        assert (row["score_classifier"] is not None) == (row["kind"] == "conversation")
    with pytest.raises(ConfigError, match="semantic_encoder"):
        SFTBuilder(config_of(sources, tmp_path / "none", semantic_encoder=str(tmp_path / "nothing"))).run()


def test_toxic_words_count_in_prose_and_not_in_code(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("kill\n", encoding="utf-8")
    texts = ("I will kill you.", "```python\nos.kill(1, 9)\n```\nThis ends it.", "All is well.")
    rows = [{"messages": [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": text}]}
            for n, text in enumerate(texts)]  # fmt: skip
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    config = SFTConfig(
        output_dir=str(tmp_path / "sft"),
        sources=[{"dataset": str(tmp_path / "rows.jsonl")}],
        toxicity_words=[str(tmp_path / "words.txt")],
        toxicity_limits={"hits": 1, "fraction": 0},
        decontaminate=[],
        num_tasks=1,
    )
    result = SFTBuilder(config).run()
    assert result.ledger.step("toxicity").reasons == {"toxic_words": 1}
    assert {row["messages"][1]["content"] for row in read_rows(tmp_path / "sft")} == set(texts[1:])


def test_questions_and_sources_go_together_and_questions_stay_what_they_are(questions, sources, tmp_path: Path) -> None:
    config = config_of(sources, tmp_path / "sft", input=str(questions.folder), ratio={}, source_validation_fraction=0.2)
    SFTBuilder(config).run()
    rows = read_rows(tmp_path / "sft")
    known = {row["mid"]: row for row in questions.rows}
    ours = [row for row in rows if row["kind"] != "conversation"]
    assert ours and all(row["messages"] == known[row["mid"]]["messages"] for row in ours)
    assert {row["source"] for row in ours} == {questions.folder.name} and {row["category"] for row in ours} == {"code"}
    held_out = [row for row in rows if row["kind"] == "conversation" and row["split"] == "validation"]
    assert 10 <= len(held_out) <= 40
