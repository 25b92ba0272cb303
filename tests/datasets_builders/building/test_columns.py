import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Features, Value

from datasets_builders.building import columns
from datasets_builders.building.columns import numeric_values, profile, varied
from datasets_builders.building.dataset_folder import DatasetFolder

FEATURES = Features(
    {name: Value(kind) for name, kind in (("id", "string"), ("n", "int64"), ("x", "float64"), ("none", "float64"))}
)


def shards(folder):
    (folder / "data").mkdir()
    for number in range(3):
        rows = [
            {"id": str(n), "n": n, "x": None if n % 2 else 7.0, "none": None} for n in range(4 * number, 4 * number + 4)
        ]
        table = pa.Table.from_pylist(rows, schema=FEATURES.arrow_schema)
        pq.write_table(table, folder / "data" / f"train_{number}.parquet")
    return DatasetFolder(folder)


def test_columns_are_described_over_all_shards_without_what_is_null(tmp_path):
    values = numeric_values(shards(tmp_path), FEATURES)
    assert profile(values) == [["n", 12, 0.55, 5.5, 10.45, 11.0], ["x", 6, 7.0, 7.0, 7.0, 7.0]]
    assert list(varied(values)) == ["n"]
    assert numeric_values(DatasetFolder(tmp_path), Features({"id": Value("string")})) == {}


def test_of_more_rows_than_allowed_the_first_are_described(tmp_path, monkeypatch):
    monkeypatch.setattr(columns, "MAX_ROWS", 6)
    assert numeric_values(shards(tmp_path), FEATURES)["n"].tolist() == [0, 1, 2, 3, 4, 5]
