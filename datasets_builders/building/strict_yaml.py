"""Reading YAML files of one mapping: scalars as YAML 1.2 has them, no key twice, errors that name file and line.

PyYAML follows YAML 1.1, where `7e-1` is a text, `no` is false, `1:30` is ninety, `010` is eight and a day is a date
object; of two equal keys its last one wins without a word.
"""

import math
import re
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from datasets_builders.building.errors import ConfigError

# In PyYAML's complaints about what was meant as text: `*.gz` is an alias to it, `!tests` a tag.
NEED_QUOTES = ("cannot start any token", "alias", "anchor", "tag", "mapping values")
MAX_EXACT_FLOAT = 2.0**53
_MERGE_TAG = "tag:yaml.org,2002:merge"
# The core schema of YAML 1.2.2, 10.3.2, with two changes: a number of any base may not start with a zero that says
# nothing (people write postcodes so, and to C and YAML 1.1 it is octal), and digits may be grouped: 393_216.
_RESOLVERS = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*(?:_[0-9]+)*)|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ("float", r"[-+]?[0-9]+[eE][-+]?[0-9]+", list("-+0123456789")),
    ("float", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", list("-+.")),
    ("merge", r"<<", ["<"]),
)


class StrictLoader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2 that refuses a key that stands twice in one mapping."""


StrictLoader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in _RESOLVERS:
    StrictLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _first)


def _construct_mapping(loader: StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: dict[Any, int] = {}
    for key_node, _ in node.value:  # before keys are merged in by `<<`, which those of the mapping itself override
        key = "<<" if key_node.tag == _MERGE_TAG else loader.construct_object(key_node, deep=True)
        line = key_node.start_mark.line + 1
        if not isinstance(key, str | int | float | None):
            raise ConstructorError("in a mapping", node.start_mark, f"{key!r} cannot be a key", key_node.start_mark)
        if key in seen:
            raise ConfigError(f"the key {key!r} stands twice, in lines {seen[key]} and {line}; remove one")
        seen[key] = line
    return loader.construct_mapping(node, deep=True)


def _construct_float(loader: StrictLoader, node: yaml.ScalarNode) -> float | str:
    """Return the number; of one too large for a float, such as the hash 61e9540, the text."""
    value: float = loader.construct_yaml_float(node)
    return loader.construct_scalar(node) if math.isinf(value) and "inf" not in node.value.lower() else value


StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct_mapping)
StrictLoader.add_constructor("tag:yaml.org,2002:float", _construct_float)


def exact_int(value: object) -> int | None:
    """Return the int that a number stands for exactly (1e6 is one million, in a field of ints), else None."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_EXACT_FLOAT:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def parse_yaml(text: str) -> Any:
    """Return the value of a YAML text, such as the one of a `field=value` argument.

    Raises:
        ConfigError: it is not YAML, or holds a key twice; the message names the line.
    """
    try:
        return yaml.load(text, Loader=StrictLoader)
    except yaml.YAMLError as error:
        raise ConfigError(f"not valid YAML: {_told(error, text)}") from None
    except RecursionError:
        raise ConfigError("not valid YAML: it is nested too deeply") from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds one mapping.

    Raises:
        ConfigError: the file is missing, is not YAML, holds something else than a mapping, or a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"no config file {path}; --help lists the fields with their defaults") from None
    except IsADirectoryError:
        raise ConfigError(f"config file {path} is a folder; name a file in it") from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ConfigError(f"config file {path} is not UTF-8 (line {line}); save it as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"cannot read config file {path}: {error}") from None
    try:
        values = parse_yaml(text)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds a {type(values).__name__}, but must hold `field: value` lines")
    return values


def _told(error: yaml.YAMLError, text: str) -> str:
    """Return what is wrong with the line that stands there, which names the field, and what to do."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return str(error)
    problem, mark, hint = error.problem or "", error.problem_mark, ""
    if "\\t" in problem:
        hint = "; YAML takes spaces, not tabs"
    elif "could not find expected ':'" in problem:
        mark, hint = error.context_mark or mark, "; write a blank behind the colon"
    elif any(word in f"{problem} {error.context}" for word in NEED_QUOTES):
        hint = "; put a text with such characters in quotes"
    lines = text.splitlines()
    if mark.line >= len(lines):  # something is open at the end: tell where it began
        mark = error.context_mark or mark
    line = lines[mark.line].strip() if mark.line < len(lines) else ""
    return f"{problem}, in line {mark.line + 1}: {line!r}{hint}"
