"""What a run has consumed after any number of steps is what its windows held."""

from collections.abc import Callable
from pathlib import Path

import pytest

from recipes.data import mixture
from recipes.running.arguments import PretrainArguments
from recipes.running.checkpoints import load_tokenizer
from recipes.running.recipe_loading import parse_recipe
from recipes.stages.pretraining import PretrainStage


@pytest.fixture(scope="module")
def stage(command_line: Callable, small_world, tmp_path_factory: pytest.TempPathFactory) -> PretrainStage:
    folder: Path = tmp_path_factory.mktemp("consumed")
    arguments = command_line("stage1", folder / "run", train_tokens=512 * 60, packed_dir=folder / "packed")
    stage = PretrainStage(parse_recipe(PretrainArguments, arguments))
    stage.read_data(load_tokenizer(str(small_world.root / "tokenizer")))
    return stage


def test_every_prefix_is_counted_as_window_by_window(stage: PretrainStage) -> None:
    dataset, rows = stage.dataset, stage.settings.batch_rows_per_step
    names = [packed.source.name for packed in dataset.sources]
    counts = dict.fromkeys(names, 0)
    assert stage.consumed_tokens(0) == counts
    for place in range(len(dataset)):
        source, ordinal = dataset.locate(place)
        windows, number = dataset.window_of(source, ordinal)
        counts[names[source]] += int(windows.boundaries(number)[-1])
        if (place + 1) % rows == 0:
            assert stage.consumed_tokens((place + 1) // rows) == counts
    assert max(dataset.order.windows_before(len(dataset))) > dataset.sources[0].num_windows  # more than one pass


def test_of_very_many_windows_the_rest_is_counted_by_the_mean(
    stage: PretrainStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = stage.consumed_tokens(31)
    monkeypatch.setattr(mixture, "MAX_COUNTED_WINDOWS", 2)
    estimated = stage.consumed_tokens(31)
    for name, count in exact.items():
        assert estimated[name] == pytest.approx(count, abs=128 * 4)
