"""What servers do to a request, and what becomes of it: each kind of reply over a real connection."""

import asyncio
import json
import time

import pytest
from datatrove.data import Document
from starlette.responses import HTMLResponse, JSONResponse, Response

from datasets_builders.asking import Ask, Asker, Asking, AskingError, RefusedError, Request, Teacher
from datasets_builders.asking.client import proxy_of
from datasets_builders.building.steps import Removed
from tests.openai_server import MODEL, ScriptedServer, chat_answer, cut_connection


def error(status, message="no", headers=None, **more):
    return JSONResponse({"error": {"message": message} | more}, status, headers)


def asked(server, folder, request=None, **teacher):
    """Ask once; return the answer."""

    async def ask():
        async with Asker(Asking([Teacher(MODEL, server.url, **{"tries": 3} | teacher)], str(folder)), "step") as asker:
            return await asker.complete(asker.teachers[0], request or Request.of_user("Hello"))

    return asyncio.run(ask())


class Repeat(Ask):
    """Ask about a text."""

    name = "repeat"

    def request(self, doc):
        return Request.of_user(doc.text)

    def take(self, doc, answer):
        doc.text = answer.text
        yield doc


def outcomes(server, folder, texts, **teacher):
    asking = Asking([Teacher(MODEL, server.url, **{"tries": 2} | teacher)], str(folder))
    documents = [Document(text, str(number)) for number, text in enumerate(texts)]
    return [
        (outcome.reason, outcome.detail) if isinstance(outcome, Removed) else outcome.text
        for outcome in Repeat(asking).outcomes_of(documents)
    ]


async def too_late(body):
    await asyncio.sleep(0.4)
    return chat_answer("late")


@pytest.mark.parametrize(
    "fault",
    [
        lambda: error(500),
        lambda: error(502, headers={"content-type": "text/html"}),
        lambda: error(503, "overloaded"),
        lambda: error(529, "overloaded_error"),
        lambda: error(408),
        lambda: error(429, "slow down", {"retry-after-ms": "10"}),
        lambda: error(429, "slow down", {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}),
        lambda: error(429, "slow down", {"retry-after": "soon"}),
        lambda: JSONResponse({"error": {"message": "upstream went away", "code": 502}}),
        lambda: JSONResponse({"choices": []}),
        lambda: JSONResponse({"choices": None}),
        lambda: HTMLResponse("<html>504 Gateway Time-out</html>", 504),
        lambda: Response(b'{"choices": [', media_type="application/json"),
        cut_connection,
        lambda: too_late({}),
    ],
)
def test_a_passing_fault_is_tried_again(tmp_path, no_waiting, fault):
    with ScriptedServer(lambda body: fault() if len(server.asked) < 3 else chat_answer("good")) as server:
        assert asked(server, tmp_path, timeout_seconds=0.2).text == "good"
        assert len(server.asked) == 3
        assert asked(server, tmp_path).text == "good"
        assert len(server.asked) == 3, "the answer lies on disk"


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (lambda: error(401, "Incorrect API key provided: a-secret-key"), "wants another key in TEACHER_KEY"),
        (lambda: error(403), "wants another key"),
        (lambda: error(404), "check --model, the key, and that --base-url ends in /v1"),
        (lambda: error(402, "pay"), "no credit left"),
        (lambda: error(429, "You exceeded your current quota", code="insufficient_quota"), "no credit left"),
        (lambda: error(418), "another try does not help"),
        (lambda: JSONResponse({"status": "ok"}), "no completion; check that --base-url ends in /v1"),
        (lambda: error(500, "broken a-secret-key"), r"no answer after 3 tries .status 500: broken \*\*\*"),
        (cut_connection, "no answer after 3 tries"),
    ],
)
def test_what_another_try_cannot_help_ends_the_run_and_tells_no_key(tmp_path, no_waiting, monkeypatch, reply, message):
    monkeypatch.setenv("TEACHER_KEY", "a-secret-key")
    with (
        ScriptedServer(lambda body: reply()) as server,
        pytest.raises(AskingError, match=message) as told,
    ):
        asked(server, tmp_path, api_key_variable="TEACHER_KEY")
    assert "a-secret-key" not in str(told.value)
    assert server.keys[0] == "Bearer a-secret-key"
    assert b"a-secret-key" not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (lambda: error(400, "maximum context length is 4096 tokens"), "refused_by_server 2"),
        (lambda: error(413, "too large"), "refused_by_server 2"),
        (lambda: JSONResponse({"detail": [{"msg": "prompt too long"}]}, 422), "refused_by_server 2"),
        (lambda: error(400, "The response was filtered", code="content_filter"), "filtered_by_server 2"),
        (lambda: chat_answer("", "content_filter"), "filtered_by_server 1"),
        (
            lambda: JSONResponse({"choices": [{"message": {"content": None, "refusal": "I cannot"}}]}),
            "filtered_by_server 1",
        ),
    ],
)
def test_what_the_model_refuses_is_kept_and_what_the_server_does_not_take_is_not(tmp_path, reply, reason):
    reason, num_asked = reason.split()
    with ScriptedServer(lambda body: reply()) as server:
        for _ in range(2):
            with pytest.raises(RefusedError) as told:
                asked(server, tmp_path)
            assert told.value.reason == reason
        assert len(server.asked) == int(num_asked)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": "plain"}, "plain"),
        ({"content": [{"type": "text", "text": "in "}, {"type": "text", "text": "parts"}]}, "in parts"),
        ({"content": None}, ""),
        ({"content": "so", "reasoning_content": "hm"}, "so"),
        ({"content": "half \ud83d"}, "half ?"),
    ],
)
def test_forms_of_a_message(tmp_path, message, text):
    reply = json.dumps({"choices": [{"message": message, "finish_reason": None}], "usage": None})
    with ScriptedServer(lambda body: Response(reply, media_type="application/json")) as server:
        answer = asked(server, tmp_path)
        assert asked(server, tmp_path) == answer
    assert answer.text == text and answer.reasoning == message.get("reasoning_content", "")
    assert answer.prompt_tokens > 20, "a server that does not count is not free"


def test_a_form_that_the_server_cannot_enforce_is_left_out_from_then_on(tmp_path):
    def script(body):
        if "response_format" in body:
            return error(400, "This model does not support response_format of type json_schema")
        return chat_answer(body["messages"][0]["content"])

    request = [Request.of_user(text, response_format={"type": "json_object"}) for text in ("one", "two")]

    async def ask():
        async with Asker(Asking([Teacher(MODEL, server.url, concurrency=1)], str(tmp_path)), "step") as asker:
            return [(await asker.complete(asker.teachers[0], question)).text for question in request]

    with ScriptedServer(script) as server:
        assert asyncio.run(ask()) == ["one", "two"]
        assert ["response_format" in body for body in server.asked] == [True, False, False]
        assert asyncio.run(ask()) == ["one", "two"]
        assert len(server.asked) == 3, "the answer to the request as it was meant is known"


def test_a_model_that_wants_max_completion_tokens_gets_them(tmp_path):
    def script(body):
        if "max_tokens" in body:
            return error(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
        return chat_answer("good")

    with ScriptedServer(script) as server:
        assert asked(server, tmp_path, temperature=None).text == "good"
    assert server.asked[1] == {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Hello"}],
        "max_completion_tokens": 1024,
    }


def test_one_request_that_the_server_always_fails_ends_no_run(tmp_path, no_waiting):
    def script(body):
        text = body["messages"][0]["content"]
        return error(500, "assertion failed") if text == "poison" else chat_answer(text)

    texts = ["a", "poison", *(f"b{number}" for number in range(60))]
    with ScriptedServer(script) as server:
        found = outcomes(server, tmp_path, texts, concurrency=4)
        assert found[0] == "a" and found[2:] == texts[2:], "in the order of the documents"
        assert found[1][0] == "no_answer" and "status 500: assertion failed" in found[1][1]
        assert len(server.asked) == 61 + 2
    with ScriptedServer(lambda body: error(500)) as server, pytest.raises(AskingError, match="same command goes on"):
        outcomes(server, tmp_path / "other", texts)


def test_a_truncated_answer_is_removed_unless_the_step_takes_it(tmp_path):
    with ScriptedServer(lambda body: chat_answer("def f(", "length")) as server:
        assert outcomes(server, tmp_path, ["code"]) == [("truncated_answer", "5 tokens: ...'def f('")]
        Repeat.takes_truncated = True
        try:
            assert outcomes(server, tmp_path, ["code"]) == ["def f("]
        finally:
            Repeat.takes_truncated = False
        assert len(server.asked) == 1


def test_no_more_requests_are_out_than_are_allowed_and_429_halves_them(tmp_path):
    out = most = 0
    refused = []

    async def script(body):
        nonlocal out, most
        out += 1
        most = max(most, out)
        await asyncio.sleep(0.05)  # long enough for all to be out on a busy machine
        out -= 1
        if len(server.asked) > 60 and not refused:
            refused.append(time.monotonic())
            return error(429, "slow down", {"retry-after": "1"})
        if refused and time.monotonic() < refused[0] + 0.9:
            early.append(body)
        return chat_answer("good")

    early = []
    with ScriptedServer(script) as server:
        assert outcomes(server, tmp_path, map(str, range(120)), concurrency=12) == ["good"] * 120
    assert most == 12 and len(server.asked) == 121
    assert len(early) <= 12, "only what was out already came within the time that the server asked for"


def test_two_documents_that_ask_the_same_ask_once(tmp_path):
    async def script(body):
        await asyncio.sleep(0.05)
        return chat_answer("good")

    with ScriptedServer(script) as server:
        assert outcomes(server, tmp_path, ["same"] * 5) == ["good"] * 5
        assert len(server.asked) == 1


def test_the_proxy_of_the_environment_is_asked_and_none_for_hosts_that_are_left_out(tmp_path, monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "left-out.example")
    with ScriptedServer(lambda body: chat_answer("by the proxy")) as server:
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, server.url.removesuffix("/v1"))
        teacher = Teacher(MODEL, "http://teacher.example/v1", tries=1)
        assert proxy_of(teacher.base_url) == server.url.removesuffix("/v1")
        assert proxy_of("http://left-out.example/v1") is None
        assert proxy_of("https://teacher.example/v1") != server.url.removesuffix("/v1")
        # No such host is known: it is the stand-in for a proxy that says that it has no such page.
        with pytest.raises(AskingError, match="status 404"):
            list(Repeat(Asking([teacher], str(tmp_path))).outcomes_of([Document("text", "1")]))
