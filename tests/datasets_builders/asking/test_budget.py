"""A budget stops a build before a request that might not fit, and a raised one lets it go on."""

import asyncio
import random

import pytest
from datatrove.data import Document

from datasets_builders.asking import Asking, Budget, BudgetSpentError, Teacher
from datasets_builders.asking.budget import spent_in
from datasets_builders.building.errors import BuildError, ConfigError
from tests.datasets_builders.asking.builders import TopicsBuilder, TopicsConfig, topics_and_explanations
from tests.datasets_builders.asking.test_client import Repeat
from tests.openai_server import MODEL, RuleServer, ScriptedServer, chat_answer


def repeat(server, folder, num_documents, budget, **teacher):
    asking = Asking([Teacher(MODEL, server.url, **teacher)], str(folder), budget=budget)
    return list(Repeat(asking).outcomes_of(Document(str(number), str(number)) for number in range(num_documents)))


def test_as_many_requests_are_made_as_are_allowed(tmp_path):
    with ScriptedServer(lambda body: chat_answer("good")) as server:
        with pytest.raises(BudgetSpentError, match=r"budget_requests is 7; so far 7 answers, 70 \+ 35 tokens"):
            repeat(server, tmp_path, 20, Budget(requests=7))
        assert len(server.asked) == 7
        with pytest.raises(BudgetSpentError):
            repeat(server, tmp_path, 20, Budget(requests=7))
        assert len(server.asked) == 7
        assert len(repeat(server, tmp_path, 20, Budget(requests=20))) == 20
        assert len(server.asked) == 20
        assert len(repeat(server, tmp_path, 20, Budget(requests=1))) == 20, "what was answered costs nothing"


@pytest.mark.parametrize("budget", [Budget(tokens=1000), Budget(dollars=0.02)])
def test_no_answer_however_long_goes_over_the_budget(tmp_path, budget):
    def script(body):
        usage = {"prompt_tokens": 30, "completion_tokens": body["max_tokens"]}
        return chat_answer("x" * 400, "stop", usage=usage)

    prices = {"price_input": 10.0, "price_output": 20.0}
    with ScriptedServer(script) as server, pytest.raises(BudgetSpentError, match="same command goes on"):
        repeat(server, tmp_path, 50, budget, max_tokens=100, **prices)
    spent = spent_in(tmp_path)
    assert 5 <= spent.requests == len(server.asked) <= 9
    assert spent.tokens <= 1000 if budget.tokens else spent.dollars <= 0.02
    assert spent.dollars == pytest.approx(spent.requests * (30 * 10 + 100 * 20) / 1e6)


def test_the_budget_is_of_all_steps_and_ranks_of_a_build_and_decides_no_row(tmp_path):
    def config(output, **fields):
        teachers = [{"model": MODEL, "base_url": server.url}]
        return TopicsConfig(output_dir=str(tmp_path / output), teachers=teachers, num_tasks=3, **fields)

    with RuleServer(topics_and_explanations) as server:
        with pytest.raises(Exception, match="the budget is spent: budget_requests is 11"):
            TopicsBuilder(config("bounded", budget_requests=11)).run()
        assert len(server.asked) == 11
        raised = TopicsBuilder(config("bounded", budget_requests=18)).run()
        assert raised.state == "continue" and len(server.asked) == 18
        free = TopicsBuilder(config("free")).run()
    shards = [next((result.output_dir / "data").iterdir()).read_bytes() for result in (raised, free)]
    assert shards[0] == shards[1]


def test_a_budget_that_ends_in_one_of_several_ranks_loses_no_answer(tmp_path):
    async def slow(body):
        await asyncio.sleep(random.Random(str(body)).uniform(0.05, 0.6))
        return chat_answer(topics_and_explanations(body["messages"]))

    with ScriptedServer(slow) as server:
        teachers = [{"model": MODEL, "base_url": server.url, "concurrency": 12}]
        fields = {"teachers": teachers, "num_lines": 200, "num_tasks": 2, "workers": 2, "budget_requests": 60}
        with pytest.raises(BuildError, match="the budget is spent: budget_requests is 60") as told:
            TopicsBuilder(TopicsConfig(output_dir=str(tmp_path / "topics"), **fields)).run()
        assert "Traceback" not in str(told.value)
        lines = [line for path in tmp_path.glob("topics.answers/*/*.jsonl") for line in path.read_bytes().splitlines()]
        assert len(lines) == len(server.asked), "what was asked was waited for"
        assert len(lines) == 60


def test_dollars_need_prices():
    teacher = {"model": MODEL, "base_url": "http://h/v1"}
    with pytest.raises(ConfigError, match="budget_dollars needs price_input and price_output"):
        TopicsConfig(teachers=[teacher], budget_dollars=1)
    TopicsConfig(teachers=[teacher | {"price_input": 1, "price_output": 2}], budget_dollars=1)
    with pytest.raises(ConfigError, match="no teacher is called 'n'"):
        TopicsConfig(teachers=[teacher], steps={"find_topics": {"teachers": ["n"]}})
    with pytest.raises(ConfigError, match="did you mean 'temperature'"):
        TopicsConfig(teachers=[teacher], steps={"find_topics": {"temperatur": 1}})
