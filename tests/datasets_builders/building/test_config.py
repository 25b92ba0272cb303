"""Strict configuration: what is mistyped is named, with the nearest valid field."""

from dataclasses import dataclass, field

import pytest

from datasets_builders.building.config import BuilderConfig, load_config
from datasets_builders.building.errors import ConfigError
from datasets_builders.building.strict_fields import OTHER_NAMES
from modeling_ling.near_names import nearest_name


@dataclass
class PaperConfig(BuilderConfig):
    ratio: float = 0.5
    names: list[str] = field(default_factory=list)
    limit: int | None = None


def write(tmp_path, text):
    path = tmp_path / "build.yaml"
    path.write_text(text)
    return path


def test_yaml_fills_fields_and_arguments_win(tmp_path):
    path = write(tmp_path, "output_dir: a\nworkers: 2\nnames: [x, y]\nratio: 1\n")
    config = load_config(PaperConfig, path, ["workers=3", "num-shards=2"])
    assert (config.output_dir, config.workers, config.num_shards, config.names) == ("a", 3, 2, ["x", "y"])
    assert config.ratio == 1.0
    assert isinstance(config.ratio, float)


def test_a_mistyped_field_names_file_key_value_and_the_nearest_field(tmp_path):
    path = write(tmp_path, "num_shard: 3\n")
    with pytest.raises(
        ConfigError, match=r"build\.yaml: unknown field 'num_shard' \(value 3\); did you mean 'num_shards'"
    ):
        load_config(PaperConfig, path)


def test_a_duplicate_key_names_both_lines(tmp_path):
    path = write(tmp_path, "seed: 1\nworkers: 1\nseed: 2\n")
    with pytest.raises(ConfigError, match=r"'seed' stands twice, in lines 1 and 3"):
        load_config(PaperConfig, path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("workers: two", r"field 'workers' is 'two' \(str\), but must be int"),
        ("workers: true", r"field 'workers' is True \(bool\), but must be int"),
        ("ratio: high", r"field 'ratio' is 'high' \(str\), but must be float"),
        ("names: x", r"field 'names' is 'x' \(str\), but must be list\[str\]"),
        ("names: [1]", r"field 'names', item 0 is 1 \(int\), but must be str"),
        ("workers: 0", r"workers is 0, but must be at least 1"),
        ("executor: {kind: slurms}", r"executor kind is 'slurms'; known: local, slurm, ray"),
        ("executor: {kind: local, partition: cpu}", r"executor of kind local: unknown field 'partition'"),
        ("executor: {kind: slurm, time: '1:00'}", r"executor of kind slurm needs 'partition'"),
        (
            "executor: {kind: slurm, partition: cpu, time: '1:00', max_array: 9}",
            r"unknown field 'max_array' \(value 9\); did you mean 'max_array_size'",
        ),
        ("executor: {kind: slurm, partition: cpu, time: 240}", r"'time' is 240 \(int\).*put it in quotes"),
        ("executor: {kind: ray, cpus_per_task: 0}", r"executor: cpus_per_task is 0, but must be above 0"),
        ("- a", r"holds a list"),
        ("a: [", r"not valid YAML"),
    ],
)
def test_a_wrong_value_is_refused_with_what_was_expected(tmp_path, line, message):
    with pytest.raises(ConfigError, match=message):
        load_config(PaperConfig, write(tmp_path, line + "\n"))


def test_a_missing_config_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"no config file .*absent\.yaml"):
        load_config(PaperConfig, tmp_path / "absent.yaml")


def test_an_optional_field_takes_null(tmp_path):
    assert load_config(PaperConfig, write(tmp_path, "limit: null\n")).limit is None
    assert load_config(PaperConfig, write(tmp_path, "limit: 4\n")).limit == 4


def test_an_argument_without_equals_sign_or_twice_is_refused():
    with pytest.raises(ConfigError, match="not of the form field=value"):
        load_config(PaperConfig, None, ["workers"])
    with pytest.raises(ConfigError, match="given twice"):
        load_config(PaperConfig, None, ["seed=1", "seed=2"])


# What users of other pipelines type, and what only looks alike.
MEANT = [
    ("input_dir", "input"),
    ("dataset", "input"),
    ("code_dataset", "input"),
    ("output", "output_dir"),
    ("num_proc", "workers"),
    ("num_workers", "workers"),
    ("random_seed", "seed"),
    ("shards", "num_shards"),
    ("licence", "license"),
    ("questions", "max_questions_per_function"),
    ("decontamination", "decontaminate"),
    ("zzz", None),
]


@pytest.mark.parametrize(("typed", "meant"), MEANT)
def test_the_field_that_was_meant_is_named(typed, meant):
    known = ["output_dir", "num_shards", "workers", "seed", "license", "input", "more_inputs", "max_code_chars"]
    assert nearest_name(typed, [*known, "max_questions_per_function", "decontaminate"], OTHER_NAMES) == meant


def test_a_word_for_a_field_of_several_is_answered_with_how_to_write_it(tmp_path):
    with pytest.raises(ConfigError, match=r"'executor' is 'ray' \(str\), but must be .*; write .*\{kind: ray\}"):
        load_config(BuilderConfig, None, [f"output_dir={tmp_path}", "executor=ray"])
