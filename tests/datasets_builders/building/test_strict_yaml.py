"""What users of YAML report as surprises: each gives the value of the field, or an error that names the field."""

import math
import re
from dataclasses import dataclass, field

import pytest

from datasets_builders.building.config import BuilderConfig, load_config
from datasets_builders.building.errors import ConfigError


@dataclass
class SurprisedConfig(BuilderConfig):
    name: str = ""
    count: int = 0
    ratio: float = 0.5
    is_fast: bool = False
    limit: int | None = 3
    names: list[str] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)


def read(tmp_path, text):
    path = tmp_path / "build.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(SurprisedConfig, path)


VALUES = [
    # Scientific notation without a dot or a sign is a text to PyYAML.
    ("ratio: 1e-4", "ratio", 1e-4),
    ("ratio: 7e-1", "ratio", 0.7),
    ("ratio: 2E5", "ratio", 2e5),
    ("ratio: 1.5e3", "ratio", 1500.0),
    ("ratio: +.5e+1", "ratio", 5.0),
    ("ratio: 1", "ratio", 1.0),
    ("count: 1e6", "count", 1_000_000),
    ("limit: 1e3", "limit", 1000),
    ("sizes: {a: 1e3}", "sizes", {"a": 1000}),
    ("count: 393_216", "count", 393_216),
    ("count: 0x1F", "count", 31),
    # Norway's code, a switch, and the answers to a question.
    ("name: no", "name", "no"),
    ("names: [no, on, off, yes, y, n, NO]", "names", ["no", "on", "off", "yes", "y", "n", "NO"]),
    ("is_fast: yes", "is_fast", True),
    ("is_fast: Off", "is_fast", False),
    ("is_fast: TRUE", "is_fast", True),
    # Base 60: times, ports, addresses.
    ("name: 1:30", "name", "1:30"),
    ("name: 24:00:00", "name", "24:00:00"),
    ("names: [22:22, 52:54:00:44:49:56]", "names", ["22:22", "52:54:00:44:49:56"]),
    # Octal: postcodes, part numbers.
    ("name: 02142", "name", "02142"),
    ("names: [00, 07, 08, 0b11, 010]", "names", ["00", "07", "08", "0b11", "010"]),
    # Days and times.
    ("name: 2024-01-02", "name", "2024-01-02"),
    ("name: 2001-12-14t21:59:43.10-05:00", "name", "2001-12-14t21:59:43.10-05:00"),
    # Versions with two dots are texts; hashes that overflow are no numbers.
    ("name: 3.10.1", "name", "3.10.1"),
    ("name: 61e9540", "name", "61e9540"),
    ('name: "3.10"', "name", "3.10"),
    # Nothing, or its name.
    ("limit: null", "limit", None),
    ("limit: ~", "limit", None),
    ("limit:", "limit", None),
    ('name: "null"', "name", "null"),
    ("name: None", "name", "None"),
    ("ratio: .inf", "ratio", math.inf),
    # Merged keys give way to those that stand there.
    ("sizes: {<<: {a: 1, b: 2}, b: 3}", "sizes", {"a": 1, "b": 3}),
    ("name: C# and more", "name", "C# and more"),
    ("name: a:b", "name", "a:b"),
    ("\ufeffname: x\r\ncount: 2\r\n", "count", 2),
]


@pytest.mark.parametrize(("text", "name", "value"), VALUES)
def test_the_field_has_the_value_that_stands_there(tmp_path, text, name, value):
    found = getattr(read(tmp_path, text + "\n"), name)
    assert (found, type(found)) == (value, type(value))


ERRORS = [
    ("name: 3.10", "'name' is 3.1 (float), but must be str; put it in quotes"),
    ("name: 1234e5", "'name' is 123400000.0 (float), but must be str; put it in quotes"),
    ("name: 12", "'name' is 12 (int), but must be str; put it in quotes"),
    ("name: true", "'name' is True (bool), but must be str; put it in quotes"),
    ("name: null", "'name' is null, but must be str; put it in quotes"),
    ("name:", "'name' is null, but must be str; put it in quotes"),
    ("names: [3.10]", "'names', item 0 is 3.1 (float), but must be str; put it in quotes"),
    ("count: 3.7", "'count' is 3.7 (float), but must be int"),
    ("count: 1e-1", "'count' is 0.1 (float), but must be int"),
    ("count: 1e300", "'count' is 1e+300 (float), but must be int"),
    ("count: 010", "'count' is '010' (str), but must be int"),
    ("count: 1:30", "'count' is '1:30' (str), but must be int"),
    ("count: yes", "'count' is 'yes' (str), but must be int"),
    ("count: '7'", "'count' is '7' (str), but must be int"),
    ("count: true", "'count' is True (bool), but must be int"),
    ("ratio: '0.7'", "'ratio' is '0.7' (str), but must be float"),
    ("ratio: .nan", "'ratio' is not a number (nan)"),
    ("ratio: nan", "'ratio' is 'nan' (str), but must be float"),
    ("ratio: inf", "'ratio' is 'inf' (str), but must be float"),
    ("ratio: 0,7", "'ratio' is '0,7' (str), but must be float"),
    ("is_fast: 1", "'is_fast' is 1 (int), but must be bool"),
    ("is_fast: y", "'is_fast' is 'y' (str), but must be bool"),
    ("count: 1\nname: x\ncount: 2", "the key 'count' stands twice, in lines 1 and 3"),
    ("sizes: {a: 1, b: 2, a: 3}", "the key 'a' stands twice, in lines 1 and 1"),
    ("sizes:\n  a: 1\n  <<: {c: 1}\n  <<: {d: 1}", "the key '<<' stands twice, in lines 3 and 4"),
    ("name: x\n\tcount: 2", "in line 2: 'count: 2'; YAML takes spaces, not tabs"),
    ("name: x\ncount:2\nratio: 1", "in line 2: 'count:2'; write a blank behind the colon"),
    ("name: *.tar.gz", "in line 1: 'name: *.tar.gz'; put a text with such characters in quotes"),
    ("name: !tests", "in line 1: 'name: !tests'; put a text with such characters in quotes"),
    ("name: @scope/x", "in line 1: 'name: @scope/x'; put a text with such characters in quotes"),
    ("name: a: b", "in line 1: 'name: a: b'; put a text with such characters in quotes"),
    ("name: !!python/object/apply:os.getcwd []", "in line 1: 'name: !!python/object/apply:os.getcwd []'"),
    ("names: [a, b", "in line 1: 'names: [a, b'"),
    ("? [a]\n: b", "['a'] cannot be a key, in line 1"),
    ("name: &a [*a]", "recursive node, in line 1: 'name: &a [*a]'"),
    ("count:2", "holds a str, but must hold `field: value` lines"),
    ("--- {count: 1}\n--- {count: 2}", "in line 2: '--- {count: 2}'"),
    ("names: " + "[" * 5000, "nested too deeply"),
]


@pytest.mark.parametrize(("text", "message"), ERRORS, ids=[text[:40] for text, _ in ERRORS])
def test_what_is_no_value_of_the_field_is_refused_by_name(tmp_path, text, message):
    with pytest.raises(ConfigError, match=rf"build\.yaml.*{re.escape(message)}"):
        read(tmp_path, text + "\n")


def test_arguments_are_read_as_the_file_is():
    config = load_config(SurprisedConfig, None, ["ratio=7e-1", "count=1e6", "name=no", "names=[01, 1:30]"])
    assert (config.ratio, config.count, config.name, config.names) == (0.7, 1_000_000, "no", ["01", "1:30"])
    with pytest.raises(ConfigError, match=r"command line: field 'name' is 3\.1 \(float\).*put it in quotes"):
        load_config(SurprisedConfig, None, ["name=3.10"])
