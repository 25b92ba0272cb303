"""Section 3.2, Table 1: token-exact mixture, the same on any number of ranks and after any restart."""

import pickle
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from accelerate.data_loader import BatchSamplerShard
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler
from transformers import PreTrainedTokenizerFast

from recipes.data.collator import collate_windows
from recipes.data.mixture import MixtureDataset, MixtureSource, build_mixture
from recipes.data.mixture_ratios import global_ratios
from recipes.data.mixture_recipe import plan_sources, read_mixture
from recipes.data.token_store import TokenStore
from recipes.data.window_batches import IGNORED_LABEL
from recipes.objectives.fim import FimConfig
from recipes.reporting.planning import describe_sources
from recipes.running.recipe_loading import RecipeError

SEQ_LENGTH = 256
# Table 1: code/natural language/math, and raw/related/synthetic within code.
TABLE_1 = {
    "stage1": ({"code": 0.70, "natural_language": 0.20, "math": 0.10}, (0.94, 0.05, 0.01)),
    "stage2": ({"code": 0.65, "natural_language": 0.20, "math": 0.15}, (0.75, 0.20, 0.05)),
    "annealing": ({"code": 0.60, "natural_language": 0.20, "math": 0.20}, (0.40, 0.10, 0.50)),
}
BuildStage = Callable[..., MixtureDataset]


def table_1_sources(paths: dict[str, Path], within_code: tuple[float, float, float]) -> list[MixtureSource]:
    return [
        MixtureSource("raw", (paths["raw"],), "code", within_code[0], is_code=True),
        MixtureSource("related", (paths["related"],), "code", within_code[1]),
        MixtureSource("synthetic", (paths["synthetic"],), "code", within_code[2]),
        MixtureSource("documentation", (paths["documentation"],), "natural_language", 1.0),
        MixtureSource("arithmetic", (paths["arithmetic"],), "math", 1.0),
    ]


@pytest.fixture(scope="module")
def build_stage(
    write_store: Callable[..., TokenStore],
    tokenizer: PreTrainedTokenizerFast,
    source_texts: list[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> BuildStage:
    """Builds a stage of Table 1 over five token files, of documents as different in length as the real ones are."""
    folder = tmp_path_factory.mktemp("mixture")
    docstrings = [part for text in source_texts for part in text.split('"""')[1::2] if part.strip()]
    texts = {
        "raw": source_texts,
        "related": source_texts[:12],
        "synthetic": docstrings[:150],
        "documentation": docstrings,
        "arithmetic": [f"{a} plus {b} makes {a + b}." for a in range(40) for b in range(40)],
    }
    paths = {name: write_store(folder, documents, name).path for name, documents in texts.items()}

    def build(stage: str = "stage1", num_windows: int = 2500, **arguments: object) -> MixtureDataset:
        groups, within_code = TABLE_1[stage]
        arguments = {"seed": 0, "max_epochs": 100.0, "fim": FimConfig(), "cache_dir": folder / "cache", **arguments}
        return build_mixture(
            table_1_sources(paths, within_code), groups, tokenizer, SEQ_LENGTH, num_windows, **arguments
        )

    return build


@pytest.mark.parametrize("stage", sorted(TABLE_1))
def test_table_1_comes_out_in_real_tokens(build_stage: BuildStage, stage: str) -> None:
    dataset = build_stage(stage)
    groups, within_code = TABLE_1[stage]
    wanted = [groups["code"] * share for share in within_code] + [groups["natural_language"], groups["math"]]
    windows, tokens = Counter(), Counter()
    for item in (dataset[place] for place in range(len(dataset))):
        windows[item["source"]] += 1
        # Real tokens: what is predicted, and the first token of every document.
        starts = (item["position_ids"] == 0).sum() - (item["labels"][-1] == -100).long()
        tokens[item["source"]] += int((item["labels"] != -100).sum() + starts)
    for source, (share, row) in enumerate(zip(wanted, dataset.plan(), strict=True)):
        assert windows[source] == row.windows
        # A window of the plan, and one that is emptier or fuller than its source's mean.
        assert tokens[source] == pytest.approx(share * tokens.total(), abs=2 * SEQ_LENGTH)
        assert row.tokens_wanted == pytest.approx(share * tokens.total(), rel=0.01)
        assert row.tokens_planned == pytest.approx(row.tokens_wanted, abs=SEQ_LENGTH)
        assert row.token_share == pytest.approx(share, abs=SEQ_LENGTH / tokens.total())


def test_shares_are_of_real_tokens_where_sources_are_padded_differently(
    tokenizer: PreTrainedTokenizerFast, write_store: Callable[..., TokenStore], tmp_path: Path
) -> None:
    # One document fills 60 % of a window, and no second one fits in; the other source leaves nothing empty.
    loose = write_store(tmp_path, [" ".join(["def"] * 150)] * 30, "loose")
    dense = write_store(tmp_path, ["\n".join(["import os"] * 20_000)], "dense")
    sources = [MixtureSource(store.path.stem, (store.path,), store.path.stem, 1.0) for store in (loose, dense)]
    shares = {"loose": 0.3, "dense": 0.7}
    dataset = build_mixture(sources, shares, tokenizer, SEQ_LENGTH, 400, 0, tmp_path / "cache", max_epochs=100)
    row, dense_row = dataset.plan()
    assert row.padding_fraction > 0.3 > dense_row.padding_fraction
    assert row.windows / 400 > 0.4, "more windows than its share, since they are emptier"
    for stop in (57, 200, 400):
        tokens = Counter()
        for place in range(stop):
            source, ordinal = dataset.locate(place)
            windows, number = dataset.window_of(source, ordinal)
            tokens[source] += int(windows.boundaries(number)[-1])
        assert tokens[0] == pytest.approx(0.3 * tokens.total(), abs=SEQ_LENGTH * (1 if stop == 400 else 30))
    assert row.tokens_planned == pytest.approx(row.tokens_wanted, abs=SEQ_LENGTH)


def test_ordinals_of_a_source_follow_each_other_without_a_gap(build_stage: BuildStage) -> None:
    dataset = build_stage(num_windows=2100)
    seen = [[], [], [], [], []]
    for place in range(len(dataset)):
        source, ordinal = dataset.locate(place)
        seen[source].append(ordinal)
    assert all(sorted(ordinals) == list(range(len(ordinals))) for ordinals in seen)


def test_an_epoch_reads_every_window_once_and_the_next_in_another_order(build_stage: BuildStage) -> None:
    dataset = build_stage()
    source, size = 2, dataset.sources[2].num_windows
    epochs = [[dataset.window_of(source, ordinal)[1] for ordinal in range(start, start + size)] for start in (0, size)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(size))
    assert epochs[0] != epochs[1]
    assert epochs[0] != sorted(epochs[0])


def test_1_2_and_8_ranks_see_the_same_global_batch(build_stage: BuildStage) -> None:
    dataset, rows, first_step = build_stage(), 16, 7
    steps_of = {}
    for ranks in (1, 2, 8):
        shards = []
        for rank in range(ranks):
            sampler = BatchSampler(SequentialSampler(dataset), batch_size=rows // ranks, drop_last=True)
            shards.append(list(BatchSamplerShard(sampler, num_processes=ranks, process_index=rank)))
        steps_of[ranks] = [
            {dataset.locate(place) for shard in shards for place in shard[step]} for step in range(first_step, 60)
        ]
    assert steps_of[1] == steps_of[2] == steps_of[8]
    assert len(steps_of[1][0]) == rows


def test_a_resumed_run_reads_what_an_unbroken_one_would(build_stage: BuildStage) -> None:
    unbroken, resumed = build_stage(), build_stage()
    assert resumed.fingerprint() == unbroken.fingerprint()
    for place in (1717, 3, 2499):
        # Asked out of order and in a fresh object: nothing that came before matters.
        assert resumed.locate(place) == unbroken.locate(place)
        assert torch.equal(resumed[place]["input_ids"], unbroken[place]["input_ids"])


def test_another_seed_gives_another_order_and_another_fingerprint(build_stage: BuildStage) -> None:
    first, second = build_stage(num_windows=500), build_stage(num_windows=500, seed=1)
    assert first.fingerprint() != second.fingerprint()
    assert [first.locate(place) for place in range(500)] != [second.locate(place) for place in range(500)]
    assert build_stage(num_windows=500, block_size=100).fingerprint() != first.fingerprint()


def test_positions_restart_and_labels_hide_first_tokens_and_padding(build_stage: BuildStage) -> None:
    dataset = build_stage(num_windows=300)
    padded = 0
    for place in range(300):
        item = dataset[place]
        windows, number = dataset.window_of(*dataset.locate(place))
        ends = windows.boundaries(number).tolist()
        starts = [0, *ends]
        expected = torch.cat(
            [torch.arange(end - start) for start, end in zip(starts, [*ends, SEQ_LENGTH], strict=True)]
        )
        assert torch.equal(item["position_ids"], expected)
        real = torch.zeros(SEQ_LENGTH, dtype=torch.bool)
        real[: ends[-1]] = True
        real[[start for start in starts if start < SEQ_LENGTH]] = False
        assert torch.equal(item["labels"] != -100, real)
        assert torch.equal(item["labels"][real], item["input_ids"][real])
        padded += ends[-1] < SEQ_LENGTH
    assert padded > 0


def test_the_end_token_of_a_document_is_a_target(build_stage: BuildStage, tokenizer: PreTrainedTokenizerFast) -> None:
    dataset = build_stage(num_windows=100)
    targets = torch.cat([dataset[place]["labels"] for place in range(100)])
    # Padding has the same id and is no target: one end per document, not one per empty place.
    assert (targets == tokenizer.eos_token_id).any()


def test_data_loader_workers_and_the_collator_give_model_inputs(build_stage: BuildStage) -> None:
    dataset = build_stage(num_windows=40)
    loader = DataLoader(dataset, batch_size=4, num_workers=1, collate_fn=collate_windows)
    batch = next(iter(loader))
    assert set(batch) == {"input_ids", "position_ids", "labels", "token_mask"}
    token_mask = batch.pop("token_mask")
    assert all((tuple(value.shape), value.dtype) == ((4, SEQ_LENGTH), torch.int64) for value in batch.values())
    assert token_mask.shape == (4, SEQ_LENGTH)
    assert bool(token_mask[batch["labels"] != IGNORED_LABEL].all()), "what is predicted is no padding"
    assert torch.equal(batch["input_ids"][3], dataset[3]["input_ids"])
    assert len(pickle.dumps(dataset)) < 20_000


@pytest.mark.parametrize(
    "batches",
    [
        [range(start, start + 4) for start in range(0, 2500, 4)],
        [range(start, start + 3) for start in range(6, 2500 - 3, 12)],  # one of four processes, from a later step on
        [[0, 1, 2], [3, 4, 5], [6, 7, 8], [700, 3, 700], [9, 10, 11], [12, 13, 14]],
        [[number] for number in (2499, 2498, 0, 1, 2, 3, 1000)],
    ],
)
def test_a_batch_is_its_windows(build_stage: BuildStage, batches: list) -> None:
    dataset = build_stage()
    assert max(row.epochs for row in dataset.plan()) > 2, "some are read again"
    for places in batches[:40] + batches[-3:]:
        batch = collate_windows(dataset.__getitems__(list(places)))
        alone = collate_windows([dataset[place] for place in places])
        assert batch.keys() == alone.keys()
        for name, values in alone.items():
            assert batch[name].dtype == values.dtype
            assert torch.equal(batch[name], values)
    again = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(again.__getitems__([5])["input_ids"], dataset.__getitems__([5])["input_ids"])


@pytest.mark.parametrize("places", [[0, 2500], [-1, 0]])
def test_a_batch_beyond_the_stage_does_not_exist(build_stage: BuildStage, places: list[int]) -> None:
    with pytest.raises(IndexError):
        build_stage().__getitems__(places)


def test_a_source_too_small_for_its_share_stops_with_the_numbers(build_stage: BuildStage) -> None:
    with pytest.raises(ValueError, match=r"too small for their share at max_epochs 1:\n  .*windows .* available = .*"):
        build_stage(num_windows=100_000, max_epochs=1.0)


def test_a_source_without_a_share_is_not_even_opened(build_stage: BuildStage, tokenizer, tmp_path: Path) -> None:
    raw = build_stage(num_windows=50).sources[0].source
    absent = MixtureSource("absent", (tmp_path / "absent.ds",), "code", 0.0)
    whole = MixtureSource("raw", raw.paths, "code", 1.0)
    dataset = build_mixture([whole, absent], {"code": 1.0}, tokenizer, SEQ_LENGTH, 50, 0, tmp_path / "cache")
    assert [row.source for row in dataset.plan()] == ["raw"]


@pytest.mark.parametrize(
    ("sources", "groups", "message"),
    [
        ([("a", "code", 1.0)], {"code": 0.7, "math": 0.3}, "'math' has a ratio of 0.3 but no source"),
        ([("a", "code", 1.0)], {"code": 0.9}, "group ratios sum to 0.9, not to 1"),
        ([("a", "code", 0.5), ("b", "code", 0.4)], {"code": 1.0}, "within 'code' sum to 0.9, not to 1"),
        ([("a", "code", 1.5), ("b", "code", -0.5)], {"code": 1.0}, "must not be negative: {'b': -0.5}"),
        ([("a", "prose", 1.0)], {"code": 1.0}, r"Groups \['prose'\] have sources but no ratio"),
        ([("a", "code", 0.5), ("a", "code", 0.5)], {"code": 1.0}, "Two sources of the mixture are named 'a'"),
    ],
)
def test_ratios_that_do_not_fit_are_refused(sources: list, groups: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        global_ratios([MixtureSource(name, (), group, ratio) for name, group, ratio in sources], groups)


MIXTURE = {"ratios": {"code": 0.7, "math": 0.3}, "code": {"raw": 0.998, "rare": 0.002}}
SIZES = {"num_windows": 1000, "sequence_length": 64, "block_rows": 4, "seed": 0}


def test_a_plan_says_what_is_wanted_planned_and_at_hand_per_source(tmp_path: Path) -> None:
    sources, groups = read_mixture(MIXTURE, tmp_path, [])
    rows = plan_sources(sources, groups, corpus_tokens={"code.raw": 1e4}, **SIZES)
    assert [row.planned_tokens for row in rows] == [699 * 64, 64, 300 * 64]
    assert [row.wanted_tokens for row in rows] == [44_710, 90, 19_200]
    assert (rows[0].epochs, rows[1].epochs) == (pytest.approx(4.4736), None)
    text = "\n".join(describe_sources(rows))
    assert "10,000*" in text and "the recipe states" in text and "not built yet" in text


@pytest.mark.parametrize(
    ("stated", "words"), [({"code": 5}, "'code' is no source"), ({"code.raw": -1}, "-1 is no number of tokens")]
)
def test_a_stated_size_of_no_source_or_of_no_number_is_refused(stated: dict, words: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=words):
        plan_sources(*read_mixture(MIXTURE, tmp_path, []), corpus_tokens=stated, **SIZES)


def test_a_short_stage_over_a_long_corpus_packs_a_part_and_knows_the_whole(
    tmp_path: Path,
    write_store: Callable[..., TokenStore],
    tokenizer: PreTrainedTokenizerFast,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("recipes.data.packing.SPAN_TOKENS", 2048)
    stores = {name: write_store(tmp_path, [f"{name} " * 60] * 300, name) for name in ("code", "math")}
    sources = [MixtureSource(name, (store.path,), name, 1.0) for name, store in stores.items()]
    build = partial(build_mixture, sources, {"code": 0.5, "math": 0.5}, tokenizer, 512, seed=0, num_workers=1)
    short = build(num_windows=16, cache_dir=tmp_path / "short")
    for row, packed in zip(short.plan(), short.sources, strict=True):
        assert packed.num_tokens < packed.available_tokens == stores[row.source].num_tokens == row.tokens_available
        assert row.epochs == pytest.approx(row.tokens_planned / row.tokens_available, rel=0.05)
    # Windows that are half empty: more of them are needed than tokens alone would say.
    stores = {name: write_store(tmp_path / "sparse", [f"{name} " * 140] * 60, name) for name in ("code", "math")}
    sources = [MixtureSource(name, (store.path,), name, 1.0) for name, store in stores.items()]
    sparse = build_mixture(
        sources, {"code": 0.5, "math": 0.5}, tokenizer, 512, 60, 0, tmp_path / "sparse", num_workers=1
    )
    assert all(row.windows <= packed.num_windows for row, packed in zip(sparse.plan(), sparse.sources, strict=True))
