"""Rows are found by values as a user types them, whatever the columns' types are."""

import datetime

import pytest
from datasets import Dataset

from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.building.errors import ConfigError
from datasets_builders.building.row_selection import numbers_of_rows

DAY = datetime.datetime(2026, 12, 1, 10)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> DatasetFolder:
    """Six rows with columns of many types."""
    folder = tmp_path_factory.mktemp("typed")
    rows = [
        {
            "language": ["Python", "Go"][number % 2],
            "flag": bool(number % 2),
            "count": 2**62 + number,
            "score": float("nan") if number == 5 else number / 2,
            "when": DAY + datetime.timedelta(seconds=number),
            "tags": [f"t{number}", "all"],
            "sizes": [number],
            "note": None if number else "",
            "place": {"file": {"path": f"a{number}.py"}},
            "a.b": f"x{number}",
        }
        for number in range(6)
    ]
    (folder / "data").mkdir()
    Dataset.from_list(rows).to_parquet(folder / "data" / "train-00000-of-00001.parquet")
    return DatasetFolder(folder)


FOUND = [
    ("language=Go", [1, 3, 5]),
    ("flag=true", [1, 3, 5]),
    ("flag=True", [1, 3, 5]),
    ("flag=yes", [1, 3, 5]),
    ("flag=0", [0, 2, 4]),
    (f"count={2**62 + 1}", [1]),
    (f"count={2**62 + 1:,}", [1]),
    ("score=1", [2]),
    ("score=1.0", [2]),
    ("score=.5", [1]),
    ("score=nan", [5]),
    ("when=2026-12-01T10:00:03", [3]),
    ("when=2026-12-01 10:00:03", [3]),
    ("when=2026-12-01T10:00", [0]),
    ("tags=t4", [4]),
    ("tags=all", [0, 1, 2, 3, 4, 5]),
    ('tags=["t4", "all"]', [4]),
    ("sizes=3", [3]),
    ("sizes=[3]", [3]),
    ("note=none", [0, 1, 2, 3, 4, 5]),
    ("note=", [0, 1, 2, 3, 4, 5]),
    ("place.file.path=a2.py", [2]),
    ('place={"file": {"path": "a2.py"}}', [2]),
    ("a.b=x3", [3]),
    ("split=train", [0, 1, 2, 3, 4, 5]),
]


@pytest.mark.parametrize(("typed", "numbers"), FOUND)
def test_rows_are_found_by_what_is_typed(dataset, typed, numbers):
    column, _, value = typed.partition("=")
    assert numbers_of_rows(dataset, {column: value}) == numbers


def test_rows_have_all_of_several_values(dataset):
    assert numbers_of_rows(dataset, {"language": "Go", "score": "1.5", "split": "train"}) == [3]


REFUSED = [
    ("language=go", "none of 6 rows has language=go. language is Go or Python"),
    ("split=test", "none of 6 rows has split=test. split is train"),
    ("flag=maybe", "flag is False or True"),
    ("lang=Go", "has no column lang; it has language, flag, count"),
    ("place.path=x", "none of 6 rows has place.path=x"),
    ("count=x", "none of 6 rows has count=x"),
]


@pytest.mark.parametrize(("typed", "words"), REFUSED)
def test_what_no_row_has_is_said_with_what_there_is(dataset, typed, words):
    column, _, value = typed.partition("=")
    with pytest.raises(ConfigError) as refused:
        numbers_of_rows(dataset, {column: value})
    assert words in str(refused.value)
