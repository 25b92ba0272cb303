"""A folder that is built twice loads as what it holds now, though `datasets` keeps a cache of what it held before."""

from datasets import load_dataset

from datasets_builders.stand_ins.arithmetic import ArithmeticBuilder, ArithmeticConfig


def test_a_rebuilt_folder_does_not_load_from_the_old_cache(tmp_path):
    folder = tmp_path / "arithmetic"
    loaded = []
    for seed in (0, 1):
        ArithmeticBuilder(ArithmeticConfig(output_dir=str(folder), num_documents=20, num_tasks=1, seed=seed)).run()
        loaded.append(load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))["id"][:])
    assert loaded[0] != loaded[1]


def test_folders_of_one_name_do_not_load_as_each_other(tmp_path):
    loaded = []
    for seed in (0, 1):
        folder = tmp_path / str(seed) / "arithmetic"
        ArithmeticBuilder(ArithmeticConfig(output_dir=str(folder), num_documents=20, num_tasks=1, seed=seed)).run()
        loaded.append(load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))["id"][:])
    assert loaded[0] != loaded[1]
