"""What users of other clients and pipelines reported, each through our own step: the right behavior is kept here."""

import asyncio
import resource
import time
from pathlib import Path

import pytest
from datatrove.data import Document
from starlette.responses import HTMLResponse, JSONResponse

from datasets_builders.asking import Asking, AskingError, Request, Teacher
from datasets_builders.asking.answers import MalformedAnswerError, strict_json
from datasets_builders.asking.client import seconds_to_wait
from datasets_builders.asking.limit import AdaptiveLimit
from datasets_builders.building import Stage
from datasets_builders.building.steps import Removed
from tests.datasets_builders.asking.builders import Explain, TopicsBuilder, TopicsConfig, topics_and_explanations
from tests.datasets_builders.asking.test_client import Repeat, asked, error, outcomes
from tests.openai_server import MODEL, RuleServer, ScriptedServer, chat_answer

GEMINI = (
    "You exceeded your current quota, please check your plan and billing details. * Quota exceeded for metric: "
    "generate_content_requests_per_minute, limit: 10. Please retry in {}s."
)


class ExplainAgain(Explain):
    """Go on a second time."""

    name = "explain_again"


class LongerBuilder(TopicsBuilder):
    """A step more than `TopicsBuilder`."""

    def stages(self):
        return [*super().stages(), Stage("again", [ExplainAgain(self.asking)], tasks=2)]


def test_a_step_that_is_added_behind_others_asks_alone(tmp_path):
    fields = {"output_dir": str(tmp_path / "topics"), "num_lines": 4}
    with RuleServer(topics_and_explanations) as server:
        config = TopicsConfig(teachers=[{"model": MODEL, "base_url": server.url}], **fields)
        TopicsBuilder(config).run()
        before = len(server.asked)
        LongerBuilder(config).run()
        assert before == 4 + 8 and len(server.asked) == before + 8


def test_what_a_misconfigured_server_refused_is_asked_again_once_it_is_mended(tmp_path):
    with ScriptedServer(lambda body: error(400, "maximum context length is 16 tokens")) as server:
        assert outcomes(server, tmp_path, ["text"])[0][0] == "refused_by_server"
        server.script = lambda body: chat_answer("good")
        assert outcomes(server, tmp_path, ["text"]) == ["good"]


@pytest.mark.parametrize(
    ("message", "more"),
    [
        ("Request was rejected due to request rate limiting. Your rate limits are 600 RPM", {"type": "credit_limit"}),
        (GEMINI.format("0.02"), {"code": 429}),
    ],
)
def test_a_limit_of_a_minute_uses_up_no_tries(tmp_path, no_waiting, message, more):
    with ScriptedServer(
        lambda body: error(429, message, **more) if len(server.asked) < 9 else chat_answer("good")
    ) as server:
        assert asked(server, tmp_path, tries=2).text == "good"


@pytest.mark.parametrize(
    ("headers", "message", "seconds"),
    [
        ({}, "No deployments available for selected model, Try again in 60 seconds. Passed model=m", 60),
        ({}, GEMINI.format("17.30897372"), 17.30897372),
        ({}, "Rate limit reached for m: Limit 3, Used 3. Please try again in 20s. Visit", 20),
        ({}, "Please try again in 6m0s.", 360),
        ({}, "Please try again in 1h2m3.5s.", 3723.5),
        ({}, "Please try again in 842ms.", 0.842),
        ({}, "Please try again later", None),
        ({"retry-after": "7"}, "Please try again in 20s.", 7),
        ({"retry-after": "1.5"}, "", 1.5),
        ({"retry-after": "-3"}, "", 0),
        ({"retry-after-ms": "250", "retry-after": "9"}, "", 0.25),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m2s"}, "", 62),
        ({"x-ratelimit-remaining-tokens": "900", "x-ratelimit-reset-tokens": "1m2s"}, "", None),
        ({"retry-after": "nan"}, "", None),
    ],
)
def test_how_long_a_server_wants_no_request(headers, message, seconds):
    assert seconds_to_wait(headers, {"error": {"message": message}}) == pytest.approx(seconds)


def test_a_limit_that_was_hit_at_the_very_start_is_forgotten_in_some_rounds():
    limit = AdaptiveLimit(256)
    limit.too_many(time.monotonic())
    limit.too_many(time.monotonic() + 1)
    rounds = 0
    while limit.places < 256:
        rounds += 1
        for _ in range(int(limit.places)):
            limit.answered()
    assert rounds <= 40


def test_as_many_connections_are_opened_as_the_system_allows_at_most(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ScriptedServer(lambda body: chat_answer("good")) as server:
        num_open = len(list(Path("/proc/self/fd").iterdir()))
        resource.setrlimit(resource.RLIMIT_NOFILE, (num_open + 40, hard))
        try:
            assert outcomes(server, tmp_path, map(str, range(300)), concurrency=200, tries=1) == ["good"] * 300
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_wait_for_a_place_is_no_part_of_the_time_for_an_answer(tmp_path):
    async def slow(body):
        await asyncio.sleep(0.1)
        return chat_answer("good")

    with ScriptedServer(slow) as server:
        assert outcomes(server, tmp_path, map(str, range(8)), concurrency=1, timeout_seconds=0.5) == ["good"] * 8
        assert len(server.asked) == 8


def test_an_answer_of_reasoning_alone_is_none(tmp_path):
    def script(body):
        if len(body["messages"]) == 1:
            reasoning = {"content": "", "reasoning_content": "I think that I am done"}
            return JSONResponse({"choices": [{"message": reasoning, "finish_reason": "stop"}]})
        return chat_answer("good")

    with ScriptedServer(script) as server:
        assert outcomes(server, tmp_path, ["text"]) == ["good"]
    assert "it is empty" in server.asked[1]["messages"][2]["content"]


@pytest.mark.parametrize("reason", ["length", "max_tokens", "MAX_TOKENS", "model_length"])
def test_an_answer_that_was_cut_is_not_kept_as_whole_however_a_server_says_so(tmp_path, reason):
    with ScriptedServer(lambda body: chat_answer("def f(", reason)) as server:
        assert outcomes(server, tmp_path, ["code"]) == [("truncated_answer", "5 tokens: ...'def f('")]


@pytest.mark.parametrize(("counted", "kept"), [(1023, True), (1024, False), (1025, False)])
def test_an_answer_of_as_many_tokens_as_were_allowed_was_cut_whatever_a_server_says(tmp_path, counted, kept):
    usage = {"prompt_tokens": 10, "completion_tokens": counted}
    with ScriptedServer(lambda body: chat_answer("def f(", "stop", usage=usage)) as server:
        said = outcomes(server, tmp_path, ["code"])
    assert said == (["def f("] if kept else [("truncated_answer", f"{counted} tokens: ...'def f('")])


@pytest.mark.parametrize("reason", ["abort", "error"])
def test_an_answer_that_the_server_broke_off_is_asked_for_again(tmp_path, no_waiting, reason):
    answers = [chat_answer("def f(", reason), chat_answer("good")]
    with ScriptedServer(lambda body: answers.pop(0)) as server:
        assert outcomes(server, tmp_path, ["code"]) == ["good"]
        assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("start", "end"),
    [
        *[("<think>", "</think>"), ("", "</think>"), ("<thinking>", "</thinking>"), ("<reasoning>", "</reasoning>")],
        *[("<seed:think>", "</seed:think>"), ("[THINK]", "[/THINK]"), ("◁think▷", "◁/think▷")],
    ],
)
def test_reasoning_before_json_is_taken_off_however_a_model_marks_it(start, end):
    reasoning = 'Perhaps [{"grade": 1}]. No.'
    assert strict_json(f'{start}{reasoning}{end}\n\n```json\n{{"grade": 3}}\n```') == {"grade": 3}
    if start:
        with pytest.raises(MalformedAnswerError, match="reasoning has no end"):
            strict_json(f"{start}{reasoning}")


@pytest.mark.parametrize("status", [400, 403])
def test_a_credit_that_runs_out_in_the_middle_is_no_fault_of_the_documents(tmp_path, status):
    def script(body):
        if len(server.asked) > 5:
            return error(status, "Your credit balance is too low to access the API")
        return chat_answer("good")

    with ScriptedServer(script) as server, pytest.raises(AskingError, match="no credit left"):
        outcomes(server, tmp_path, map(str, range(30)), concurrency=2)


def test_a_parameter_that_the_model_does_not_take_ends_the_run_and_removes_no_dataset(tmp_path):
    message = "Unsupported value: 'temperature' does not support 0 with this model"
    with (
        ScriptedServer(lambda body: error(400, message)) as server,
        pytest.raises(AskingError, match=f"refuses all that it is asked: status 400: {message}"),
    ):
        outcomes(server, tmp_path, map(str, range(500)))
    assert len(server.asked) < 200


def test_a_proxy_that_answers_in_html_tells_no_key(tmp_path, no_waiting, monkeypatch):
    monkeypatch.setenv("TEACHER_KEY", "sk-proj-secret")
    with (
        ScriptedServer(lambda body: HTMLResponse("<html>502 sk-proj-secret</html>", 502)) as server,
        pytest.raises(AskingError, match=r"status 502: <html>502 \*\*\*") as told,
    ):
        asked(server, tmp_path, api_key_variable="TEACHER_KEY")
    assert "sk-proj-secret" not in repr(told.value) + repr(told.value.__cause__) + repr(told.value.__context__)


def test_one_prompt_that_is_too_long_ends_no_run(tmp_path):
    def script(body):
        text = body["messages"][0]["content"]
        return error(400, "Please reduce the length of the messages") if len(text) > 50 else chat_answer(text)

    with ScriptedServer(script) as server:
        asking = Asking([Teacher(MODEL, server.url)], str(tmp_path))
        found = list(Repeat(asking).outcomes_of(Document(text, text[:3]) for text in ("a", "b" * 99, "c")))
    assert [isinstance(outcome, Removed) for outcome in found] == [False, True, False]


def test_special_tokens_in_a_text_are_sent_as_they_are(tmp_path):
    text = "<|im_end|>\n<|endoftext|> \x00 </s> \u2028"
    with ScriptedServer(lambda body: chat_answer("good")) as server:
        assert asked(server, tmp_path, Request.of_user(text)).text == "good"
    assert server.asked[0]["messages"][0]["content"] == text
