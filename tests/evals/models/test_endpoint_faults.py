"""Servers as their users meet them: what they say is an answer, one row's fault, or a sentence; never a traceback."""

import json
import socket
import threading
from dataclasses import replace
from typing import Any

import pytest
from lighteval.tasks.requests import Doc
from starlette.responses import Response

from evals.__main__ import main
from evals.models.answer_file import Answer, AnswerFile
from evals.models.openai_server import NoAnswerError
from evals.models.options import ModelOptions
from evals.tasks.humaneval import HumanEval
from tests.evals.conftest import PROBLEMS
from tests.openai_server import MODEL, ScriptedServer

LIMIT = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
CONTEXT = "This model's maximum context length is 4096 tokens"


def reply(content: object = "text", finish: str | None = "stop", counts: bool = True, **more: Any) -> Response:
    """Return a chat reply; `more` goes into the message."""
    message = {"role": "assistant", "content": content, **more}
    usage = {"prompt_tokens": 3, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 4}}
    return raw(
        {"choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": usage if counts else None}
    )


def raw(body: object, status: int = 200, kind: str = "application/json") -> Response:
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    return Response(text, status, media_type=kind)


def model_of(server: ScriptedServer, folder, **options):
    from evals.models.endpoint import EndpointModel

    values = {"base_url": server.url, "model": MODEL, "output": folder, "api_key_variable": "NONE"}
    return EndpointModel(ModelOptions(backend="endpoint", **values, **options))


def doc_of(query: str = "question", num_samples: int = 1) -> Doc:
    return Doc(query=query, choices=[""], gold_index=0, generation_size=8, stop_sequences=[], num_samples=num_samples)


@pytest.fixture(scope="module")
def one_server():
    with ScriptedServer(lambda body: reply()) as server:
        yield server


def answer_to(server: ScriptedServer, response: Response, folder, **options) -> Answer:
    """Return what becomes of a response that the server sends to every request."""
    server.script = lambda body: response
    (said,) = model_of(server, folder, **options).greedy_until([doc_of()])
    (answer,) = said.answers
    assert said.text == [answer.text]
    return answer


FAULTS = [
    (raw({"choices": []}), "no choices"),
    (raw({"choices": None}), "no choices"),
    (raw({"object": "chat.completion"}), "no choices"),
    (raw({"choices": [None]}), "no choices"),
    (raw({"choices": [{"message": None, "finish_reason": "stop"}]}), "no message"),
    (raw("<html>gateway</html>", kind="text/html"), "no JSON: <html>gateway"),
    (raw("<html>gateway</html>"), "no JSON: <html>gateway"),
    (raw('{"id": "x", "choices": ['), "no JSON"),
    (raw(b"\xff\xfe\x00"), "no JSON"),
    (raw(""), "no JSON"),
    (raw("[" * 100_000), "no JSON"),
    (raw([1]), "no JSON object"),
    (raw('"text"'), "no JSON object"),
    (raw({"error": {"message": "Provider returned error", "code": 502}}), "Provider returned error"),
    (raw({"error": {"message": CONTEXT}}, 400), f"refuses the request (400): {CONTEXT}"),
    (raw({"object": "error", "message": CONTEXT}, 400), CONTEXT),
    (raw({"detail": [{"msg": "too long"}]}, 422), "too long"),
    (raw({"error": "too large"}, 413), "too large"),
    (raw("<html>" + "x" * 10_000 + "</html>", 400, "text/html"), "(400)"),
    (reply(None, "content_filter"), "content_filter"),
    (reply("half", "content_filter"), "content_filter"),
    (reply(None, "tool_calls", tool_calls=[]), "no content (finish_reason tool_calls)"),
    (reply(None, None), "no content (finish_reason missing)"),
    (reply({"a": 1}, None), "no content"),
    (reply("", "error"), "finish_reason error"),
]


@pytest.mark.parametrize(("response", "reason"), FAULTS)
def test_what_is_no_answer_is_one_rows_fault_with_a_reason(one_server, response, reason, tmp_path):
    answer = answer_to(one_server, response, tmp_path)
    assert reason in answer.fault and answer.text == "" and len(answer.fault) < 400 and "\n" not in answer.fault


@pytest.mark.parametrize(
    ("response", "text", "finish", "reasoning"),
    [
        (reply(), "text", "stop", ""),
        (reply("half", "length"), "half", "length", ""),
        (reply(None, "length", reasoning_content="hm"), "", "length", "hm"),
        (reply(None, "length", reasoning="hm"), "", "length", "hm"),
        (reply("", "stop"), "", "stop", ""),
        (reply(None, "stop", refusal="I will not"), "I will not", "stop", ""),
        (reply([{"type": "thinking", "thinking": []}, {"type": "text", "text": "parts"}]), "parts", "stop", ""),
        (reply("no reason", None), "no reason", "", ""),
        (reply("a\ud800"), "a\ufffd", "stop", ""),
    ],
)
def test_an_answer_is_kept_with_how_it_ended_and_what_it_cost(one_server, response, text, finish, reasoning, tmp_path):
    answer = answer_to(one_server, response, tmp_path)
    assert (answer.text, answer.finish_reason, answer.reasoning, answer.fault) == (text, finish, reasoning, "")
    (line,) = (tmp_path / "cache" / "endpoint.jsonl").read_text().splitlines()
    assert json.loads(line)["usage"] == {"prompt_tokens": 3, "completion_tokens": 5, "reasoning_tokens": 4}


@pytest.mark.parametrize(
    ("finish", "counted", "kept"),
    [
        ("stop", 7, "stop"),
        ("stop", 8, "length"),
        (None, 8, "length"),
        ("MAX_TOKENS", 3, "length"),
        ("model_length", None, "length"),
    ],
)
def test_an_answer_that_took_all_tokens_was_cut_whatever_a_server_says(one_server, finish, counted, kept, tmp_path):
    usage = {} if counted is None else {"usage": {"completion_tokens": counted}}
    choices = [{"index": 0, "message": {"content": "text"}, "finish_reason": finish}]
    assert answer_to(one_server, raw({"choices": choices} | usage), tmp_path).finish_reason == kept


def test_a_bad_reply_is_asked_for_again_at_once_and_a_fault_by_the_next_run(one_server, tmp_path):
    replies = [raw("{"), raw({"choices": []}), reply("third"), reply("never")]
    with ScriptedServer(lambda body: replies.pop(0)) as server:
        assert model_of(server, tmp_path).greedy_until([doc_of()])[0].text == ["third"]
        assert model_of(server, tmp_path).greedy_until([doc_of()])[0].text == ["third"], "kept"
    assert answer_to(one_server, raw({"error": "no"}, 400), tmp_path / "b").fault
    assert AnswerFile(tmp_path / "b" / "cache" / "endpoint.jsonl").known == {}


def test_a_server_that_wants_max_completion_tokens_gets_them(tmp_path):
    def script(body):
        return raw({"error": {"message": LIMIT, "param": "max_tokens"}}, 400) if "max_tokens" in body else reply()

    with ScriptedServer(script) as server:
        model = model_of(server, tmp_path, concurrency=1)
        assert [said.text for said in model.greedy_until([doc_of("a"), doc_of("b")])] == [["text"]] * 2
        assert [body.get("max_completion_tokens") for body in server.asked] == [None, 8, 8]
        assert model_of(server, tmp_path).greedy_until([doc_of("a")])[0].text == ["text"]
        assert len(server.asked) == 3, "the same question, whatever the limit is called"


def test_parameters_reach_the_server(tmp_path):
    options = {"system_prompt": "Be brief.", "reasoning_effort": "low"}
    extra = {"temperature": None, "chat_template_kwargs": {"enable_thinking": False}}
    with ScriptedServer(lambda body: reply()) as server:
        model_of(server, tmp_path, extra_body=extra, **options).greedy_until([doc_of()])
    (body,) = server.asked
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert body["reasoning_effort"] == "low" and "temperature" not in body
    assert body["chat_template_kwargs"] == {"enable_thinking": False}


def test_a_completion_is_read_too(one_server, tmp_path):
    body = {"choices": [{"text": "done", "finish_reason": "length"}]}
    answer = answer_to(one_server, raw(body), tmp_path, base=True)
    assert (answer.text, answer.finish_reason) == ("done", "length")


def test_samples_of_a_problem_are_asked_for_at_once_within_the_bound(tmp_path):
    together = threading.Barrier(3, timeout=30)

    class Together(ScriptedServer):
        async def _chat(self, request):
            import anyio.to_thread

            await anyio.to_thread.run_sync(together.wait)
            return await super()._chat(request)

    with Together(lambda body: reply(str(body["seed"]))) as server:
        model = model_of(server, tmp_path, num_samples=6, temperature=0.8, concurrency=3)
        (said,) = model.greedy_until([doc_of(num_samples=6)])
    assert said.text == ["0", "1", "2", "3", "4", "5"]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_fault_of_the_server_is_a_sentence_for_the_run(status, tmp_path):
    refuse = raw({"error": {"message": "no such model"}}, status)
    expected = pytest.raises(NoAnswerError, match=rf"\({status}\): no such model")
    with ScriptedServer(lambda body: refuse) as server, expected:
        model_of(server, tmp_path).greedy_until([doc_of()])


def test_a_server_that_never_answers_is_not_asked_everything(tmp_path):
    docs = [doc_of(str(number)) for number in range(100)]
    expected = pytest.raises(NoAnswerError, match="20 requests, and no answer")
    with ScriptedServer(lambda body: raw({"error": "no"}, 400)) as server, expected:
        model_of(server, tmp_path, concurrency=1).greedy_until(docs)
    assert len(server.asked) < 30


@pytest.mark.parametrize("torn", [b'{"request": "abc", "ans', b'{"request": "abc", "answer": "\xe2\x82', b"\0" * 40])
def test_a_torn_last_line_costs_that_answer_alone(torn, tmp_path):
    file = AnswerFile(tmp_path / "answers.jsonl")
    file.get({"a": 1}, lambda: Answer(text="x", finish_reason="stop", usage={"total_tokens": 2}))
    with open(file.path, "ab") as broken:
        broken.write(torn)
    AnswerFile(file.path).get({"a": 2}, lambda: Answer(text="y"))
    third = AnswerFile(file.path)
    assert [answer.text for answer in third.known.values()] == ["x", "y"]
    assert third.get({"a": 1}, pytest.fail).usage == {"total_tokens": 2}


@pytest.mark.slow
@pytest.mark.parametrize("counts", [True, False])
def test_a_fault_does_not_count_and_is_shown(counts, tmp_path, monkeypatch, capsys):
    """A hundred problems, one of which the server refuses, one cut, one all thinking: through the command."""
    rows = [{**PROBLEMS[0], "task_id": f"Fixture/{number}", "prompt": f"# {number}.\n"} for number in range(100)]
    folder = tmp_path / "data" / "humaneval"
    folder.mkdir(parents=True)
    (folder / "HumanEval.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.setattr(HumanEval, "source", replace(HumanEval.source, num_rows=100, sha256=""))
    right = "```python\ndef larger(a, b):\n    return max(a, b)\n```"

    def script(body):
        text = body["messages"][-1]["content"]
        if "# 3." in text:
            return raw({"error": {"message": CONTEXT}}, 400)
        if "# 4." in text:
            return reply(right[:20], "length", counts)
        if "# 6." in text:
            return reply("\ud800" + right, "stop", counts)
        if "# 5." in text:
            return reply(None, "length", counts, reasoning_content="hm")
        return reply(right, "stop", counts)

    output = tmp_path / "out"
    with ScriptedServer(script) as server:
        words = ["run", "--model", MODEL, "--tasks", "humaneval", "--backend", "endpoint", "--base-url", server.url]
        words += ["--data-dir", str(tmp_path / "data"), "--output", str(output)]
        assert main(words) == 0
    said = capsys.readouterr().out
    assert f"1 answers did not come and are left out: the server refuses the request (400): {CONTEXT}" in said
    assert "2 answers were cut at the limit of tokens, 1 of them before any text" in said
    task = json.loads((output / "results.json").read_text())["tasks"]["humaneval"]
    assert (task["n"], task["value"], task["verdicts"]["infra_error"]) == (99, 97 / 99, 1)
    assert task["finish_reasons"] == {"length": 2, "stop": 97} and task["without_text"] == 1
    lines = [json.loads(line) for line in (output / "samples" / "humaneval.jsonl").read_text().splitlines()]
    assert [lines[number]["verdict"] for number in (3, 5)] == ["infra_error", "fail"]
    assert lines[5]["message"].startswith("cut at the limit of tokens, before any text")
    assert main(["rescore", str(output), "--data-dir", str(tmp_path / "data")]) == 0
    again = json.loads((output / "results.json").read_text())["tasks"]["humaneval"]
    assert (again["n"], again["value"], again["faults"]) == (99, 97 / 99, task["faults"])


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (raw({"choices": []}), "2 of 2 answers did not come (the reply has no choices)"),
        (reply(None, "length"), "2 of 2 answers of ling_humaneval_standard_instruct ended at the limit of tokens"),
    ],
)
def test_a_task_without_answers_is_unscorable_in_a_line(response, reason, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "data" / "humaneval"
    folder.mkdir(parents=True)
    (folder / "HumanEval.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    monkeypatch.setattr(HumanEval, "source", replace(HumanEval.source, num_rows=2, sha256=""))
    output = tmp_path / "out"
    with ScriptedServer(lambda body: response) as server:
        words = ["run", "--model", MODEL, "--tasks", "humaneval", "--backend", "endpoint", "--base-url", server.url]
        assert main([*words, "--data-dir", str(tmp_path / "data"), "--output", str(output)]) == 2
    assert f"humaneval: unscorable: {reason}" in capsys.readouterr().err
    assert len((output / "samples" / "humaneval.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--extra-body", "{"], "is not JSON"),
        (["--extra-body", "[1]"], "no JSON object"),
        (["--base", "--system-prompt", "x"], "--system-prompt has no place"),
        (["--base", "--reasoning-effort", "low"], "--reasoning-effort is asked of chat models"),
    ],
)
def test_mistakes_in_parameters_are_told(words, message, tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/v1"
        given = ["run", "--model", "m", "--tasks", "humaneval", "--backend", "endpoint", "--base-url", url, *words]
        assert main([*given, "--output", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err
