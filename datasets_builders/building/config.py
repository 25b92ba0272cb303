"""Configuration of a builder: a dataclass, read from strict YAML and `field=value` arguments."""

import typing
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from datasets_builders.building.errors import ConfigError
from datasets_builders.building.executors.options import executor_options
from datasets_builders.building.strict_fields import checked_fields, type_name
from datasets_builders.building.strict_yaml import parse_yaml, read_yaml

# What may differ between two runs that must give the same bytes: where to, where they run, and how many processes.
FIELDS_WITHOUT_EFFECT = frozenset({"output_dir", "workers", "executor"})


@dataclass
class BuilderConfig:
    """Fields that every builder has; a builder's own config derives from this class."""

    output_dir: str = field(default="", metadata={"help": "folder of the dataset; made when missing"})
    num_shards: int = field(default=1, metadata={"help": "number of Parquet files of the train split"})
    num_tasks: int = field(
        default=4,
        metadata={"help": "number of parts that the input is cut into; it decides the result, unlike workers"},
    )
    workers: int = field(
        default=1, metadata={"help": "number of parts that run at once; the output is the same for any"}
    )
    seed: int = field(default=0, metadata={"help": "seed of everything that is drawn"})
    license: str = field(default="", metadata={"help": "licence of the input (SPDX name); empty: detected"})
    language: str = field(default="en", metadata={"help": "natural language of the rows, for the card"})
    executor: dict[str, Any] = field(
        default_factory=lambda: {"kind": "local"},
        metadata={"help": "where the parts run, kind: local, slurm or ray, with that kind's options (see the README)"},
    )

    def __post_init__(self) -> None:
        self.validate()

    def validate(self) -> None:
        """Check ranges. A derived config extends it and calls `super().validate()`.

        Raises:
            ConfigError: a value is out of its range; the message names field, value and limit.
        """
        for name in ("num_shards", "num_tasks", "workers"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, but must be at least 1")
        if "://" in self.output_dir:
            raise ConfigError(
                f"output_dir is {self.output_dir}, but a dataset is built in a local folder, where a killed build "
                "goes on; name one, then `python -m datasets_builders copy FOLDER --to "
                f"{self.output_dir}`, or publish it with --push-to ORG/NAME"
            )
        executor_options(self.executor)

    def fields_with_effect(self) -> dict[str, Any]:
        """Return the fields that decide the bytes of the dataset."""
        return {name: value for name, value in asdict(self).items() if name not in FIELDS_WITHOUT_EFFECT}


@dataclass
class ConfigPerLanguageFields(BuilderConfig):
    """Whether the languages of the rows are loaded one by one; of builders whose rows have a `language`."""

    config_per_language: bool = field(
        default=True,
        metadata={
            "help": "files and a config per language, load_dataset(name, 'Python'); false: each file holds all "
            "languages, mixed"
        },
    )


ConfigType = TypeVar("ConfigType", bound=BuilderConfig)


def load_config(
    config_class: type[ConfigType],
    path: Path | str | None = None,
    overrides: typing.Sequence[str] = (),
    base: typing.Mapping[str, Any] = MappingProxyType({}),
) -> ConfigType:
    """Make a config from the defaults, a YAML file and `field=value` arguments, later ones winning.

    Args:
        config_class (type): the dataclass of the builder.
        path (`Path` or `str`, *optional*): YAML file with fields of that class.
        overrides (sequence of `str`): `field=value`, the value in YAML syntax; hyphens in the field are accepted.
        base (mapping): fields and values in place of the defaults.

    Returns:
        the config, checked.

    Raises:
        ConfigError: an unknown or duplicate key, a wrong type, a value out of range; names file, key and value.
    """
    values = checked_fields(config_class, dict(base), "base")
    if path is not None:
        values |= checked_fields(config_class, read_yaml(Path(path)), str(path))
    given: dict[str, Any] = {}
    for override in overrides:
        name, separator, text = override.partition("=")
        name = name.strip().lstrip("-").replace("-", "_")
        if not separator:
            hint = ""
            if Path(override).suffix in (".yaml", ".yml", ".json"):
                hint = f"; a file with fields is given as --config {override}"
            elif len(overrides) > 2 and "=" in overrides:
                hint = ", without blanks"
            raise ConfigError(f"argument {override!r} is not of the form field=value{hint}")
        if name in given:
            raise ConfigError(f"field {name!r} is given twice on the command line")
        try:
            given[name] = parse_yaml(text)
        except ConfigError as error:
            raise ConfigError(f"argument {override!r}: {error}") from None
        if given[name] is None:
            given[name] = text.strip() if text.strip().lower() not in ("null", "~") else None
    values |= checked_fields(config_class, given, "command line")
    return config_class(**values)


def default_of(described: Field[Any]) -> Any:
    """Return the default of a dataclass field, calling its factory when it has one."""
    if described.default is not MISSING:
        return described.default
    return described.default_factory() if described.default_factory is not MISSING else None


def describe_fields(config_class: type[BuilderConfig]) -> list[tuple[str, str, str, str]]:
    """Return (name, type, default, help) of every field, the builder's own fields first."""
    hints = typing.get_type_hints(config_class)
    common = {described.name for described in fields(BuilderConfig)}
    ordered = sorted(fields(config_class), key=lambda described: described.name in common)
    return [
        (
            described.name,
            type_name(hints[described.name]),
            repr(default_of(described)),
            str(described.metadata.get("help", "")),
        )
        for described in ordered
    ]
