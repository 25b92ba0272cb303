"""Section 3.2, Table 1: token-exact mixture, the same on any number of ranks and after any restart."""

import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from accelerate.data_loader import BatchSamplerShard
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler
from transformers import PreTrainedTokenizerFast

from recipes.data.collator import collate_windows
from recipes.data.mixture import MixtureDataset, MixtureSource, build_mixture
from recipes.data.mixture_ratios import global_ratios
from recipes.data.token_store import TokenStore
from recipes.data.window_order import BlockOrder, largest_remainder, permuted
from recipes.objectives.fim import FimConfig

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
def test_table_1_comes_out_in_windows_exactly_and_in_real_tokens_nearly(build_stage: BuildStage, stage: str) -> None:
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
        assert windows[source] == row.windows == pytest.approx(share * 2500, abs=1)
        assert tokens[source] / tokens.total() == pytest.approx(share, rel=0.05, abs=0.002)
        assert row.token_share == pytest.approx(share, rel=0.05, abs=0.002)
        assert row.tokens_wanted == pytest.approx(tokens[source], rel=0.1)


def test_every_block_has_exact_counts(build_stage: BuildStage) -> None:
    dataset = build_stage(num_windows=4300)
    for block in range(2):
        counts = Counter(dataset.locate(place)[0] for place in range(2000 * block, 2000 * (block + 1)))
        assert [counts[source] for source in range(5)] == [1316, 70, 14, 400, 200]
    tail = Counter(dataset.locate(place)[0] for place in range(4000, 4300))
    assert [tail[source] for source in range(5)] == largest_remainder(dataset.ratios, 300)


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
    assert set(batch) == {"input_ids", "position_ids", "labels"}
    assert all((tuple(value.shape), value.dtype) == ((4, SEQ_LENGTH), torch.int64) for value in batch.values())
    assert torch.equal(batch["input_ids"][3], dataset[3]["input_ids"])
    assert len(pickle.dumps(dataset)) < 20_000


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


@settings(max_examples=200, deadline=None)
@given(weights=st.lists(st.integers(0, 100), min_size=1, max_size=8), total=st.integers(0, 3000))
def test_largest_remainder_shares_out_everything_within_one_unit(weights: list[int], total: int) -> None:
    ratios = [(weight or 1) / sum(weight or 1 for weight in weights) for weight in weights]
    shares = largest_remainder(ratios, total)
    assert sum(shares) == total
    assert all(abs(share - ratio * total) < 1 + 1e-6 for share, ratio in zip(shares, ratios, strict=True))


@settings(max_examples=60, deadline=None)
@given(size=st.integers(1, 700), seed=st.integers(0, 2**63), epoch=st.integers(0, 9))
def test_the_permutation_without_an_array_is_one(size: int, seed: int, epoch: int) -> None:
    assert sorted(permuted(index, size, seed, epoch) for index in range(size)) == list(range(size))


def test_places_out_of_the_plan_do_not_exist() -> None:
    order = BlockOrder([0.5, 0.5], num_windows=10, block_size=4, seed=0)
    with pytest.raises(IndexError, match="has 10 windows"):
        order.locate(10)
    with pytest.raises(ValueError, match="must be at least 1"):
        BlockOrder([1.0], num_windows=0, block_size=4, seed=0)
