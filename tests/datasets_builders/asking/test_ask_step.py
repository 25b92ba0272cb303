"""Teachers are asked by a step of a builder: through the ledger, in order, from disk where they were asked before."""

import json
from collections import Counter

from datasets_builders.building.dataset_folder import DatasetFolder
from tests.datasets_builders.asking.builders import TopicsBuilder, TopicsConfig, topics_and_explanations
from tests.openai_server import MODEL, RuleServer


def config(server, tmp_path, **fields):
    teachers = [{"model": MODEL, "base_url": server.url, "tries": 1}]
    return TopicsConfig(**{"output_dir": str(tmp_path / "topics"), "teachers": teachers, "num_tasks": 2} | fields)


def rows_of(result):
    return list(DatasetFolder(result.output_dir).rows())


def test_a_builder_asks_in_two_stages_and_its_ledger_adds_up(tmp_path):
    with RuleServer(topics_and_explanations) as server:
        result = TopicsBuilder(config(server, tmp_path, num_lines=20)).run()
        assert len(server.asked) == 19 + 38
    rows = rows_of(result)
    assert len(rows) == 38 and [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    assert {row["text"]: row["explanation"] for row in rows}["first of 7"] == " what stands in first of 7"
    assert all(row["teachers"] == [MODEL, MODEL] for row in rows)
    asked = result.ledger.step("find_topics")
    assert (asked.input, asked.created, asked.output) == (19, 19, 38)
    prompt = next(body for body in server.asked if "prompt" in body)
    assert (prompt["temperature"], prompt["max_tokens"], prompt["stop"]) == (1.0, 1024, ["\n"])


def test_more_documents_in_other_parts_ask_for_what_is_new_alone(tmp_path):
    with RuleServer(topics_and_explanations) as server:
        short = rows_of(TopicsBuilder(config(server, tmp_path, num_lines=6)).run())
        num_asked = len(server.asked)
        longer = TopicsBuilder(config(server, tmp_path, num_lines=10, num_tasks=3)).run()
        assert longer.state.startswith("changed")
        assert len(server.asked) - num_asked == 4 + 8
        assert TopicsBuilder(config(server, tmp_path, num_lines=10, num_tasks=3)).run().state == "finished"
    fresh = {row["id"]: row for row in rows_of(longer)}
    assert len(fresh) == 20 and all(fresh[row["id"]] == row for row in short)


def test_what_a_teacher_does_not_answer_in_form_is_removed_with_a_reason(tmp_path):
    def rule(messages):
        if any(message["content"].endswith("line 3") for message in messages):
            return "no JSON at all"
        if messages[-1]["content"].endswith("line 4"):
            return 400
        return topics_and_explanations(messages)

    with RuleServer(rule) as server:
        result = TopicsBuilder(config(server, tmp_path, attempts=2)).run()
    assert result.ledger.step("find_topics").reasons == {"malformed_answer": 1, "refused_by_server": 1}
    talk = next(body["messages"] for body in server.asked if len(body.get("messages", ())) == 3)
    assert "could not be used: it is not one JSON value" in talk[2]["content"]
    assert json.loads((result.output_dir / "ledger.json").read_text())


def test_several_teachers_share_the_documents_by_weight_and_a_step_may_ask_some_alone(tmp_path):
    teachers = [
        {"model": MODEL, "name": "large", "base_url": "", "weight": 3, "temperature": 0.5},
        {"model": MODEL, "name": "small", "base_url": "", "extra": {"top_k": 5}},
    ]
    with RuleServer(topics_and_explanations) as large, RuleServer(topics_and_explanations) as small:
        teachers[0]["base_url"], teachers[1]["base_url"] = large.url, small.url
        steps = {"explain": {"teachers": ["small"], "temperature": 0.25, "max_tokens": 7}}
        fields = {"teachers": teachers, "steps": steps, "num_lines": 60}
        rows = rows_of(TopicsBuilder(config(large, tmp_path, **fields)).run())
        again = rows_of(
            TopicsBuilder(config(large, tmp_path, output_dir=str(tmp_path / "again"), num_tasks=5, **fields)).run()
        )
    assert again == rows, "who is asked hangs on neither ranks nor time"
    names = Counter(row["teachers"][0] for row in rows)
    assert 0.6 < names["large"] / len(rows) < 0.9 and set(names) == {"large", "small"}
    assert all(row["teachers"][1] == "small" for row in rows)
    assert {body["temperature"] for body in large.asked} == {0.5} and all("messages" in body for body in large.asked)
    explained = [body for body in small.asked if "prompt" in body]
    assert {(body["temperature"], body["max_tokens"], body["top_k"]) for body in explained} == {(0.25, 7, 5)}


def test_workers_give_the_same_bytes(tmp_path):
    with RuleServer(topics_and_explanations) as server:
        one = TopicsBuilder(config(server, tmp_path, num_lines=12)).run()
        two = TopicsBuilder(config(server, tmp_path, num_lines=12, output_dir=str(tmp_path / "two"), workers=2)).run()
    shards = [next((result.output_dir / "data").iterdir()).read_bytes() for result in (one, two)]
    assert shards[0] == shards[1]
