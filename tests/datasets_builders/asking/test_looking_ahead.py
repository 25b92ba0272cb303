"""What asking will be like is told, shown and checked before much of it is paid for."""

import re

import pytest

from datasets_builders.asking import Request, json_schema
from datasets_builders.asking.checks import check_form
from datasets_builders.building.command_line import BuilderCommand
from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.building.errors import ConfigError
from modeling_ling.command_line import run_program
from tests.datasets_builders.asking.builders import TopicsBuilder, topics_and_explanations
from tests.evals.report.pages import blocks_of, records_in
from tests.openai_server import MODEL, RuleServer

COMMAND = BuilderCommand("topics", f"{TopicsBuilder.__module__}:TopicsBuilder", "topics of lines")
PRICES = "price_input: 100, price_output: 200"


@pytest.fixture
def server():
    with RuleServer(topics_and_explanations, counts_tokens=True) as server:
        yield server


def command(server, tmp_path, *words, teacher=""):
    given = {
        "output_dir": str(tmp_path / "topics"),
        "num_lines": "20",
        "teachers": f"[{{model: {MODEL}, base_url: '{server.url}', max_tokens: 100{teacher}}}]",
    }
    given |= dict(word.split("=", 1) for word in words if "=" in word)
    arguments = [*(word for word in words if "=" not in word), *(f"{name}={value}" for name, value in given.items())]
    return run_program("datasets_builders", "builders", {"": {"topics": COMMAND}}, ["topics", *arguments])


def test_a_dry_run_shows_three_prompts_and_an_estimate_and_asks_nothing(server, tmp_path, capsys):
    assert command(server, tmp_path, "--dry-run", teacher=f", {PRICES}") == 0
    said = capsys.readouterr().out
    assert not server.asked and not list(tmp_path.iterdir())
    assert said.count("prompt      find_topics, ") == 3 and "  | Topics of: line 0\n" in said
    assert (
        "asks        find_topics: 19 requests, about 98 tokens each" in said
        and "answers of at most 100, $0.57;" in said
    )
    assert "asks        explain: 38 requests, about ? tokens each" in said
    assert "estimate    57 requests" in said and "+ 5,700 tokens, $1.33;" in said


def test_a_preview_finishes_rows_as_a_page_and_the_build_asks_them_no_more(server, tmp_path, capsys):
    assert command(server, tmp_path, "--preview", "3") == 0
    page = (tmp_path / "topics.preview" / "preview.html").read_text()
    rows = [dict(record["facts"]) | blocks_of(record) for record in records_in(page)]
    assert len(rows) == 3 and rows[0]["text"] == "first of 0" and " what stands in second of 0" in str(rows[1])
    assert re.search(r">find_<wbr>topics</td><td>3</td><td>6</td><td>0</td>", page)
    assert capsys.readouterr().out.startswith("to read: ")
    assert len(server.asked) == 3 + 3 and not (tmp_path / "topics" / "data").exists()
    assert command(server, tmp_path) == 0
    assert len(server.asked) == 57
    card = (tmp_path / "topics" / "README.md").read_text()
    assert "| rule | 1 | 0 | the server's | 100 |" in card and "| `find_topics` | 19 | 76 | 133 |" in card
    assert sum(1 for _ in DatasetFolder(tmp_path / "topics").rows()) == 38


def test_validation_checks_teachers_prompts_and_columns_and_asks_nothing(server, tmp_path, capsys):
    assert command(server, tmp_path, "--validate") == 0
    said = capsys.readouterr().out
    assert "teacher     rule is there" in said and "prompts     those of find_topics can be rendered" in said
    assert "columns     id, text, line, explanation, teachers" in said
    for word, fault in (
        ("num_lines=0", "nothing comes to find_topics"),
        ("steps={find_topic: {temperature: 1}}", "no step 'find_topic' that asks"),
        (f"teachers=[{{model: other, base_url: '{server.url}'}}]", "not on this server, which has rule"),
        ("teachers=[{model: m, base_url: 'http://127.0.0.1:9/v1'}]", "127.0.0.1:9"),
        ("teachers=[]", "teachers is empty"),
    ):
        assert command(server, tmp_path, "--validate", word) == 2
        assert fault in capsys.readouterr().err
    assert not server.asked


def test_a_form_that_is_no_schema_is_found_before_it_is_paid_for():
    check_form(Request.of_user("x", response_format=json_schema("topics", {"type": "object"})))
    with pytest.raises(ConfigError, match="the form 'topics' is no JSON schema: 'objekt' is not valid"):
        check_form(Request.of_user("x", response_format=json_schema("topics", {"type": "objekt"})))
