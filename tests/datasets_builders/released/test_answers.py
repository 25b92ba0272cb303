"""Questions from snippets and answers of several models, asked of a server over HTTP, then ranked into pairs."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from datasets_builders.building import ConfigError
from datasets_builders.released.answers import AnswersBuilder, AnswersConfig
from datasets_builders.released.dpo import DPOBuilder, DPOConfig
from tests.datasets_builders.released.conftest import code_row, read_rows, write_rows
from tests.openai_server import RuleServer


class Rule:
    """Asks, answers and judges: the first, third, ... answer to a question is right; of one file nothing is asked."""

    def __init__(self) -> None:
        self.num_answers: Counter[str] = Counter()

    def __call__(self, messages: list[dict[str, str]]) -> str | int:
        content = messages[-1]["content"]
        if "Lines:" in content:
            number = content.split("number_")[-1].split(" ")[0]
            question = json.dumps({"question": f"How do I write a function that returns {number}?"})
            return 400 if "forbidden" in content else question
        if "[Answer]" in content:
            return json.dumps({"score": 9 if "return" in content.split("[Answer]")[1] else 2})
        self.num_answers[content] += 1
        number = self.num_answers[content]
        return f"return {number}, as was asked" if number % 2 else f"{number}: no idea at all"


@pytest.fixture
def code(tmp_path: Path) -> Path:
    rows = [code_row(f"{n}.py", f"number_{n} = {n}\n" * 3) for n in range(12)]
    rows.append(code_row("f.py", "forbidden = 1\n"))
    return write_rows(tmp_path / "code", rows)


def config_of(code: Path, output: Path, url: str, **values: Any) -> AnswersConfig:
    names = ("teacher", "me", "judge")
    teachers = [{"model": "rule", "name": name, "base_url": url, "extra": {"user": name}} for name in names]
    given = {"judge_teacher": "judge", "question_teachers": ["teacher"], "answers_per_teacher": 2, "decontaminate": []}
    return AnswersConfig(output_dir=str(output), input=str(code), teachers=teachers, **(given | values))


def test_each_question_has_answers_of_each_model_and_the_judge_ranks_them(code: Path, tmp_path: Path) -> None:
    with RuleServer(Rule()) as server:
        result = AnswersBuilder(config_of(code, tmp_path / "answers", server.url)).run()
        by_user = Counter(body["user"] for body in server.asked)
    reasons = result.ledger.step("ask_question").reasons
    assert reasons == {"refused_by_server": 1}
    # One question a file and two answers of each of two models to it, each judged alone.
    assert by_user == {"teacher": 13 + 24, "me": 24, "judge": 48}
    rows = read_rows(tmp_path / "answers")
    assert len(rows) == 12
    for row in rows:
        assert {answer["model"] for answer in row["candidates"]} == {"teacher", "me"}
        assert row["question_model"] == "teacher" and row["snippet"] and row["languages"] == ["Python"]
    card = (tmp_path / "answers" / "README.md").read_text()
    assert "question_from_snippet.txt" in card and server.url not in card


def test_answers_become_preference_pairs(tmp_path: Path, code: Path) -> None:
    with RuleServer(Rule()) as server:
        AnswersBuilder(config_of(code, tmp_path / "answers", server.url)).run()
    config = DPOConfig(
        output_dir=str(tmp_path / "dpo"),
        candidates=[{"dataset": str(tmp_path / "answers")}],
        own_models=["me"],
        min_best_score=5,
        decontaminate=[],
        num_tasks=1,
    )
    DPOBuilder(config).run()
    pairs = read_rows(tmp_path / "dpo")
    assert len(pairs) == 12
    assert all(pair["chosen"].startswith("return") and (pair["chosen_score"], pair["rejected_score"]) == (9, 2)
               for pair in pairs)  # fmt: skip


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"judge_teacher": "nobody"}, "judge_teacher: no teacher is called 'nobody'"),
        ({"answer_teachers": ["nobody"]}, "answer_teachers: no teacher"),
        ({"file_fraction": 0}, "file_fraction is 0"),
        ({"answers_per_teacher": 0}, "answers_per_teacher is 0"),
    ],
)
def test_impossible_values_are_refused(values: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config_of(Path("in"), Path("out"), "http://127.0.0.1:1/v1", **values)
