"""Conversations and pairs as rows on disk: what is learned, where rows end, in which order, and built once."""

import json
import multiprocessing
import os
import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from datasets_builders.tokenized.chat_rows import ID_MASK, TARGET_BIT, RowMaker
from datasets_builders.tokenized.tokenization import UnusableRowError
from modeling_ling.tokenizer import encode_chat, train_tokenizer
from recipes import dpo, sft
from recipes.data import chat_rows, chat_sources
from recipes.data.built_once import built_once
from recipes.data.chat_rows import IGNORED_LABEL, ChatDataset, ChatSettings, ChatStore, open_chat_store
from recipes.data.chat_sources import ChatSource
from recipes.running.recipe_loading import RecipeError

Row = dict[str, Any]


def chat(*contents: str, **more: Any) -> Row:
    roles = ("user", "assistant")
    return {
        "messages": [{"role": roles[place % 2], "content": content} for place, content in enumerate(contents)],
        **more,
    }


def rows(number: int) -> list[Row]:
    return [
        chat(f"What is {item}?", "yes " * (1 + item * 7 % 40), "And?", "no", mid=f"m{item}") for item in range(number)
    ]


def write_lines(path: Path, rows: list[Row | str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8"
    )
    return path


def opened(
    path: Path, tokenizer: PreTrainedTokenizerFast, tmp_path: Path, max_tokens: int = 128, **more: Any
) -> ChatStore:
    return open_chat_store(
        ChatSource(str(path)), ChatSettings("sft", max_tokens, **more), tokenizer, tmp_path / "cache", 0
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.text("ab \n中<role>", min_size=1, max_size=12), st.booleans()), min_size=1, max_size=5))
def test_a_row_holds_the_ids_and_targets_of_encode_chat(
    tokenizer: PreTrainedTokenizerFast, turns: list[tuple[str, bool]]
) -> None:
    messages = []
    for content, learned in turns:
        messages += [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": f"x{content}", "weight": int(learned)},
        ]
    maker = RowMaker(tokenizer, "sft", 10_000)
    if not any(learned for _, learned in turns):
        with pytest.raises(UnusableRowError, match="no answer to learn"):
            maker.conversation({"messages": messages})
        return
    (marked,) = maker.conversation({"messages": messages})
    plain = [{"role": message["role"], "content": message["content"]} for message in messages]
    expected = encode_chat(tokenizer, plain)
    assert (marked & ID_MASK).tolist() == expected["input_ids"]
    wanted = expected["assistant_mask"]
    if all(learned for _, learned in turns):
        assert (marked >> 31).tolist() == wanted
    else:
        assert 0 < (marked >> 31).sum() < sum(wanted)


def test_packed_rows_hold_every_conversation_once(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    store = opened(write_lines(tmp_path / "train.jsonl", rows(50)), tokenizer, tmp_path)
    maker = RowMaker(tokenizer, "sft", 128)
    wanted = Counter(maker.conversation(row)[0].tobytes() for row in rows(50))
    found: Counter[bytes] = Counter()
    for number in range(len(store)):
        marked, ends = store.parts(number)
        assert len(marked) <= 128
        found.update(part.tobytes() for part in np.split(np.asarray(marked), ends[:-1]))
        row = store.packed_row(number)
        starts = [0, *ends[:-1].tolist()]
        assert np.flatnonzero(row["position_ids"] == 0).tolist() == starts
        assert (row["labels"][starts] == IGNORED_LABEL).all()
        is_target = row["labels"] != IGNORED_LABEL
        assert (row["labels"][is_target] == row["input_ids"][is_target]).all()
        assert (is_target == (marked & TARGET_BIT != 0)).all()
    assert found == wanted
    assert store.description["num_kept"] == 50
    assert store.num_tokens == int(store.row_tokens(np.arange(len(store))).sum())


def test_long_conversations_are_dropped_or_split(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "train.jsonl", [chat("q", "word " * 300), chat("q " * 200, "short"), chat("q", "a")])
    dropped = opened(path, tokenizer, tmp_path, 100)
    assert dropped.removals.describe() == "2 removed: longer than 100 tokens"
    split = opened(path, tokenizer, tmp_path, 100, over_length="split")
    assert split.removals.describe() == "no row removed"
    assert split.description["num_kept"] == 3
    targets = sum(int(np.count_nonzero(split.parts(number)[0] & TARGET_BIT)) for number in range(len(split)))
    maker = RowMaker(tokenizer, "sft", 10_000)
    whole = [maker.conversation(json.loads(line))[0] for line in path.read_text(encoding="utf-8").splitlines()]
    # Parts without a target are left out; no target is.
    assert targets == sum(int((marked >> 31).sum()) for marked in whole)
    assert split.num_tokens < sum(map(len, whole))
    assert all(len(split.parts(number)[0]) <= 100 for number in range(len(split)))


@pytest.mark.parametrize("num_workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_the_bytes_do_not_depend_on_workers_or_on_the_files_row_groups(
    num_workers: int, tokenizer: PreTrainedTokenizerFast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datasets import Dataset

    monkeypatch.setattr(chat_sources, "GROUP_ROWS", 16)
    monkeypatch.setattr(chat_rows, "GROUP_ROWS", 16)
    monkeypatch.setattr(ChatSource.groups, "__defaults__", (16,))
    (tmp_path / "folder" / "data").mkdir(parents=True)
    for part, start in enumerate((0, 30)):
        table = Dataset.from_list(rows(70)[start : start + (30 if part == 0 else 40)])
        table.to_parquet(tmp_path / "folder" / "data" / f"train_0000{part}_of_00002.parquet", batch_size=7)
    lines = write_lines(tmp_path / "train.jsonl", rows(70))
    stores = [
        open_chat_store(ChatSource(str(path)), ChatSettings("sft", 128), tokenizer, tmp_path / name, workers)
        for path, name, workers in ((lines, "a", 0), (tmp_path / "folder", "b", num_workers))
    ]
    assert stores[0].fingerprint == stores[1].fingerprint
    assert stores[0].description["num_read"] == 70


def test_unreadable_rows_are_removed_and_the_others_read(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    lines: list[Row | str] = [
        chat("q", "a", mid="good"),
        "{not json",
        "[1, 2]",
        {"messages": [None]},
        {"messages": json.dumps(chat("q", "b")["messages"])},
        '{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "\\ud83d"}]}',
        "",
    ]
    store = opened(write_lines(tmp_path / "train.jsonl", lines), tokenizer, tmp_path)
    assert store.description["num_kept"] == 2
    assert dict(store.removals.counts) == {
        "a line that is no JSON": 1,
        "a row that is no object": 1,
        "a message that is null or no object": 1,
        "text with half a character (a lone surrogate)": 1,
    }


def test_files_and_folders_of_all_kinds_are_read_alike(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    from datasets import Dataset, DatasetDict

    table = Dataset.from_list(rows(9))
    paths = {
        "lines": write_lines(tmp_path / "lines" / "train.jsonl", rows(9)),
        "a folder of lines": tmp_path / "lines",
        "a folder with another name": write_lines(tmp_path / "other" / "chats.jsonl", rows(9)).parent,
        "a list": tmp_path / "list.json",
        "a table": tmp_path / "rows.parquet",
        "a saved dataset": tmp_path / "saved",
        "saved splits": tmp_path / "splits",
    }
    paths["a list"].write_text(json.dumps(rows(9)), encoding="utf-8")
    table.to_parquet(paths["a table"])
    table.save_to_disk(paths["a saved dataset"])
    DatasetDict({"train": table}).save_to_disk(paths["saved splits"])
    prints = {name: opened(path, tokenizer, tmp_path).fingerprint for name, path in paths.items()}
    assert set(prints.values()) == {prints["lines"]}, prints


def test_files_whose_messages_have_other_keys_are_one_dataset(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "data").mkdir()
    weighted = chat("q", "a")
    weighted["messages"][1]["weight"] = 1
    for part, part_rows in enumerate([rows(5), [weighted] * 3, [{"prompt": "p", "completion": "c"}]]):
        pq.write_table(pa.Table.from_pylist(part_rows), tmp_path / "data" / f"train_0000{part}_of_00003.parquet")
    assert opened(tmp_path, tokenizer, tmp_path).description["num_kept"] == 9


def test_what_is_no_dataset_is_refused_with_words(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b\n", encoding="utf-8")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no")
    (tmp_path / "word.json").write_text('"hello"', encoding="utf-8")
    (tmp_path / "empty").mkdir()
    assert len(opened(write_lines(tmp_path / "none.jsonl", []), tokenizer, tmp_path)) == 0
    for name, words in {
        "rows.csv": "none of the files that are read",
        "broken.parquet": "cannot be read",
        "word.json": "must hold a list of rows",
        "empty": "has no data/train",
    }.items():
        with pytest.raises(RecipeError, match=words):
            opened(tmp_path / name, tokenizer, tmp_path)


def test_a_dataset_is_encoded_once_and_anew_when_anything_changes(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    path = write_lines(tmp_path / "train.jsonl", rows(5))
    first = opened(path, tokenizer, tmp_path)
    written = (first.folder / "rows.bin").stat().st_mtime_ns
    assert (opened(path, tokenizer, tmp_path).folder / "rows.bin").stat().st_mtime_ns == written
    others = [opened(path, tokenizer, tmp_path, 64), opened(path, tokenizer, tmp_path, over_length="split")]
    others.append(opened(write_lines(path, rows(6)), tokenizer, tmp_path))
    assert len({store.folder for store in (first, *others)}) == 4
    assert not list((tmp_path / "cache").glob("*.tmp"))


@settings(max_examples=40, deadline=None)
@given(epochs=st.integers(1, 4), rows_per_step=st.integers(1, 9), seed=st.integers(0, 5))
def test_each_epoch_has_each_row_once_and_steps_are_whole(
    small_stores: list[ChatStore], epochs: int, rows_per_step: int, seed: int
) -> None:
    store = small_stores[0]
    data = ChatDataset([store], None, epochs, rows_per_step, seed)
    places = [data.locate(place)[1] for place in range(len(data))]
    assert len(data) % rows_per_step == 0
    for epoch in range(epochs):
        assert sorted(places[epoch * len(store) : (epoch + 1) * len(store)]) == list(range(len(store)))
    assert len(data) - epochs * len(store) < rows_per_step
    tokens = store.row_tokens(np.array(places)).cumsum()
    for num_places in (1, len(store), len(data)):
        assert data.consumed(num_places) == [tokens[num_places - 1]]


@pytest.fixture(scope="module")
def small_stores(tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory) -> list[ChatStore]:
    folder = tmp_path_factory.mktemp("stores")
    sizes = {"code": 60, "language": 25, "math": 40}
    return [
        opened(write_lines(folder / f"{name}.jsonl", rows(size)), tokenizer, folder) for name, size in sizes.items()
    ]


def test_datasets_are_mixed_by_their_shares_of_the_tokens(small_stores: list[ChatStore]) -> None:
    data = ChatDataset(small_stores, [3, 1, 1], 20, 4, 0)
    consumed = data.consumed(len(data))
    for count, share in zip(consumed, (0.6, 0.2, 0.2), strict=True):
        assert abs(count / sum(consumed) - share) < 0.01
    half = data.consumed(len(data) // 2)
    assert abs(half[0] / sum(half) - 0.6) < 0.02
    assert data.fingerprint() != ChatDataset(small_stores, [1, 1, 1], 20, 4, 0).fingerprint()
    assert data.fingerprint() != ChatDataset(small_stores, [3, 1, 1], 20, 4, 1).fingerprint()


def test_rows_pickle_without_their_ids(small_stores: list[ChatStore]) -> None:
    data = ChatDataset(small_stores, None, 1, 2, 0)
    pickled = pickle.dumps(data)
    assert len(pickled) < 8000
    again = pickle.loads(pickled)
    assert all((again[3][name] == values).all() for name, values in data[3].items())


def _build_slowly(folder: Path, log: Path, fail: bool) -> None:
    def build(unfinished: Path) -> None:
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{os.getpid()}\n")
        for number in range(200):
            (unfinished / f"{number}.bin").write_bytes(bytes(10_000))
        if fail:
            raise RecipeError("no rows")
        (unfinished / "whole.json").write_text("{}", encoding="utf-8")

    built_once(folder, "whole.json", build)


@pytest.mark.parametrize("fail", [False, True])
def test_of_many_processes_one_builds_and_the_others_wait_for_it(fail: bool, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    arguments = (tmp_path / "rows", tmp_path / "log", fail)
    processes = [context.Process(target=_build_slowly, args=arguments) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [1 if fail else 0] * 4
    builders = (tmp_path / "log").read_text(encoding="utf-8").split()
    assert len(builders) == 1 or fail, "one process alone builds"
    assert not list(tmp_path.glob("*.tmp"))
    assert (tmp_path / "rows" / "whole.json").is_file() == (not fail)
    if fail:
        # A later run tries again.
        with pytest.raises(RecipeError, match="no rows"):
            _build_slowly(*arguments)


def test_a_build_that_was_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "rows.4711.tmp").mkdir()
    built_once(tmp_path / "rows", "whole", lambda folder: (folder / "whole").touch())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows", "rows.lock"]


def test_the_commands_read_other_formats_and_say_what_they_removed(
    command_line: Callable, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_lines(
        tmp_path / "train.jsonl",
        [{"talk": [{"from": "human", "value": "q"}, {"from": "bot", "value": "yes " * number}]} for number in range(8)],
    )
    mapped = {"warmup_steps": 0, "dataset_columns": '{"messages": "talk"}', "dataset_roles": '{"bot": "assistant"}'}
    sft.main([*command_line("sft", tmp_path / "run", dataset=path, packed_dir=tmp_path / "p", **mapped), "--dry_run"])
    printed = capsys.readouterr().out
    assert "7 conversations" in printed
    assert "1 removed: an empty answer" in printed
    with pytest.raises(RecipeError, match="dataset_columns maps other names"):
        sft.main(command_line("sft", tmp_path / "run", dataset=path, packed_dir=tmp_path / "p"))
    with pytest.raises(RecipeError, match="mesages"):
        sft.main(command_line("sft", tmp_path / "run", dataset=path, dataset_columns='{"mesages": "talk"}'))
    other = write_lines(tmp_path / "more.jsonl", rows(20))
    shares = json.dumps({str(other): 3, str(write_lines(tmp_path / "third.jsonl", rows(30))): 1})
    sft.main(
        [
            *command_line("sft", tmp_path / "run", datasets=shares, packed_dir=tmp_path / "p", warmup_steps=0),
            "--dry_run",
        ]
    )
    assert "75.0" in capsys.readouterr().out
    pairs = write_lines(
        tmp_path / "pairs.jsonl",
        [{"prompt": f"{number}?", "chosen": "yes", "rejected": "no" * (number % 2)} for number in range(8)],
    )
    dpo.main(
        [*command_line("dpo", tmp_path / "run", dataset=pairs, packed_dir=tmp_path / "p", warmup_steps=0), "--dry_run"]
    )
    printed = capsys.readouterr().out
    assert "4 pairs" in printed
    assert "4 removed: an empty answer" in printed


def test_rows_that_a_builder_wrote_are_mapped_as_they_are(
    command_line: Callable, small_world: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from datasets_builders.tokenized.builder import TokenizedBuilder, TokenizedConfig

    inputs = [
        {"name": "chat", "path": "{data_root}/datasets/sft", "rows": "sft"},
        {"name": "pairs", "path": "{data_root}/datasets/dpo", "rows": "dpo"},
    ]
    TokenizedBuilder(
        TokenizedConfig(
            output_dir=str(tmp_path / "rows"),
            data_root=str(small_world.root),
            tokenizer=str(small_world.root / "tokenizer"),
            inputs=inputs,
            row_tokens=128,
        )
    ).run()
    capsys.readouterr()
    chat, pairs = (tmp_path / "rows" / "data" / f"{name}.rows" for name in ("chat", "pairs"))
    sft.main([*command_line("sft", tmp_path / "run", dataset=chat, max_samples="null"), "--dry_run"])
    assert "40 conversations" in capsys.readouterr().out
    dpo.main([*command_line("dpo", tmp_path / "run", dataset=pairs, max_samples="null"), "--dry_run"])
    assert "24 pairs" in capsys.readouterr().out
    for stage, fields, words in (
        ("sft", {"dataset": pairs}, "built with kind dpo"),
        ("sft", {"dataset": chat, "sequence_length": 64}, "rows of 128 tokens"),
        ("sft", {"dataset": chat, "max_samples": 3}, "max_samples"),
        ("sft", {"dataset": chat, "tokenizer": small_world.model.parent / "other"}, "tokenizer_fingerprint"),
    ):
        if "tokenizer" in fields:
            train_tokenizer(["other words"] * 9, 400).save_pretrained(fields["tokenizer"])
        with pytest.raises(RecipeError, match=words):
            sft.main(command_line(stage, tmp_path / "run", **{"max_samples": "null", **fields}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("max_samples", 0),
        ("max_samples", -1),
        ("packing_workers", 0),
        ("over_length", "cut"),
        ("datasets", "{}"),
        ("datasets", '{"a": -1}'),
        ("datasets", "[1]"),
        ("dataset_roles", "x"),
    ],
)
def test_values_out_of_their_limits_are_refused(command_line: Callable, key: str, value: Any, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=key):
        sft.main(command_line("sft", tmp_path / "run", **{key: value}))
