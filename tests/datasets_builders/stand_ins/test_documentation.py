"""Prose of docstrings and documentation files."""

import pyarrow.parquet as pq
import pytest

from datasets_builders.building.errors import ConfigError
from datasets_builders.source_code.builder import SourceCodeBuilder
from datasets_builders.source_code.config import SourceCodeConfig
from datasets_builders.stand_ins.documentation import (
    DocumentationBuilder,
    DocumentationConfig,
    docstrings,
    strip_examples,
)

SOURCE = '''"""Say what the module is for, in enough words."""


class Greeter:
    """Greets people politely, whatever the hour."""

    async def greet(self, name):
        """Return a greeting.

        >>> greet("Ada")
        'Hello, Ada'

        The name is used as it is.
        """
        return "Hello, " + name
'''


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "project"
    path.mkdir()
    (path / "greet.py").write_text(SOURCE)
    (path / "silent.py").write_text("value = 1\nother_value = value\n")
    (path / "python2.py").write_text("print 'this does not parse'\n")
    (path / "guide.rst").write_text("This guide explains the greeting of people in plain words.\n")
    (path / "table.txt").write_text("| 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 |\n" * 3)
    return path


def texts(out):
    rows = pq.read_table(out / "data/train_00000_of_00001.parquet").to_pylist()
    return {row["path"]: row for row in rows}


def test_docstrings_have_qualified_names_in_the_order_of_the_file():
    assert [name for name, _ in docstrings(SOURCE)] == ["module", "Greeter", "Greeter.greet"]


def test_interpreter_sessions_are_taken_out():
    text = dict(docstrings(SOURCE))["Greeter.greet"]
    assert strip_examples(text) == "Return a greeting.\n\nThe name is used as it is."


def test_each_text_is_a_row_and_the_rest_has_reasons(folder, tmp_path):
    config = DocumentationConfig(output_dir=str(tmp_path / "out"), input_dir=str(folder), min_characters=20)
    result = DocumentationBuilder(config).run()
    rows = texts(tmp_path / "out")
    assert {path: row["source"] for path, row in rows.items()} == {
        "greet.py::module": "docstring",
        "greet.py::Greeter": "docstring",
        "greet.py::Greeter.greet": "docstring",
        "guide.rst": "file",
    }
    assert rows["greet.py::Greeter"]["text"] == "Greets people politely, whatever the hour."
    assert result.ledger.step("prose").created == 2
    assert result.ledger.step("prose").reasons == {"does_not_parse": 1, "no_docstring": 1}
    assert result.ledger.step("prose_rules").reasons == {"little_prose": 1}


def test_the_length_limit_keeps_a_text_of_exactly_that_length(folder, tmp_path):
    length = len("Greets people politely, whatever the hour.")
    for limit, kept in ((length, True), (length + 1, False)):
        out = tmp_path / f"out{limit}"
        config = DocumentationConfig(output_dir=str(out), input_dir=str(folder), min_characters=limit)
        DocumentationBuilder(config).run()
        assert ("greet.py::Greeter" in texts(out)) is kept


def test_docstrings_can_come_from_a_source_code_dataset(folder, tmp_path):
    SourceCodeBuilder(
        SourceCodeConfig(decontaminate=[], output_dir=str(tmp_path / "code"), input_dir=str(folder), license="MIT")
    ).run()
    config = DocumentationConfig(
        output_dir=str(tmp_path / "out"), source_code_dir=str(tmp_path / "code"), min_characters=20
    )
    DocumentationBuilder(config).run()
    assert "greet.py::Greeter" in texts(tmp_path / "out")
    assert "license: mit" in (tmp_path / "out" / "README.md").read_text()


def test_a_folder_that_is_no_dataset_is_refused(folder, tmp_path):
    config = DocumentationConfig(output_dir=str(tmp_path / "out"), source_code_dir=str(folder))
    with pytest.raises(ConfigError, match=r"holds no data/\*\.parquet"):
        DocumentationBuilder(config).run()
