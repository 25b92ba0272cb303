"""Through a provider's batch API: everything once, whatever becomes of a batch and whenever the run is stopped."""

import pytest

from datasets_builders.asking import AskingError
from tests.datasets_builders.asking.test_client import error, outcomes
from tests.openai_server import BatchServer, chat_answer, cut_connection

TEXTS = [str(number) for number in range(10)]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    for name, seconds in (("POLL_SECONDS", 0.01), ("QUIET_SECONDS", 0.1), ("FIRST_WAIT_SECONDS", 0.001)):
        monkeypatch.setattr(f"datasets_builders.asking.batches.{name}", seconds)


def repeat(body):
    return chat_answer(body["messages"][0]["content"])


def ask(server, folder, texts=TEXTS, batch_requests=4, **teacher):
    return outcomes(server, folder, texts, batch_requests=batch_requests, **teacher)


def contents(server):
    return sorted(body["messages"][0]["content"] for body in server.asked)


def test_requests_go_out_in_batches_and_come_back_in_order(tmp_path):
    with BatchServer(repeat) as server:
        assert ask(server, tmp_path) == TEXTS
        assert len(server.made) == 3 and contents(server) == TEXTS
        first = server.made["batch_0"]
        assert (first["endpoint"], first["completion_window"]) == ("/v1/chat/completions", "24h")
        assert ask(server, tmp_path, [*TEXTS, "new"]) == [*TEXTS, "new"]
        assert len(server.made) == 4 and len(server.asked) == 11, "what was answered is in no batch again"


def test_what_fails_in_a_batch_is_told_apart(tmp_path):
    def script(body):
        text = body["messages"][0]["content"]
        if text == "3":
            return error(400, "too long")
        if text == "5" and contents(server).count("5") < 2:
            return error(500)
        if text == "7" and contents(server).count("7") < 2:
            return None  # the batch expired before it
        return error(429, "later") if text == "9" else repeat(body)

    with BatchServer(script) as server:
        found = ask(server, tmp_path, tries=3)
    assert found[:3] + found[4:9] == TEXTS[:3] + TEXTS[4:9]
    assert found[3] == ("refused_by_server", "status 400: too long")
    assert found[9] == ("no_answer", "in none of 3 batches")
    assert len(server.asked) == 10 + 1 + 1 + 2


def test_the_answers_of_an_expired_batch_are_kept_and_the_rest_is_asked_again(tmp_path):
    def expire_first(batch):
        batch["status"] = "expired" if batch["id"] == "batch_0" else "completed"

    def script(body):
        is_first = server.made["batch_0"]["status"] == "expired" and len(server.made) == 1
        return None if is_first and body["messages"][0]["content"] > "4" else repeat(body)

    with BatchServer(script) as server:
        server.before_answer = expire_first
        assert ask(server, tmp_path, batch_requests=10) == TEXTS
        assert [len(server.files[batch["input_file_id"]].splitlines()) for batch in server.made.values()] == [10, 5]


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_batch_that_failed_or_was_cancelled_ends_the_run_with_the_reason_and_the_next_asks_the_rest(tmp_path, status):
    def fail(batch):
        batch["status"] = status
        batch["errors"] = {"data": [{"code": "model_mismatch", "message": "another model"}]}

    def script(body):
        return repeat(body) if body["messages"][0]["content"] < "5" or len(server.made) > 1 else None

    with BatchServer(script) as server:
        server.before_answer = fail
        with pytest.raises(
            AskingError, match=f"batch_0 {status}: model_mismatch: another model; what it answered is kept"
        ):
            ask(server, tmp_path, batch_requests=10)
        server.before_answer = lambda batch: None
        assert ask(server, tmp_path, batch_requests=10) == TEXTS
        sizes = [len(server.files[batch["input_file_id"]].splitlines()) for batch in server.made.values()]
        assert sizes == ([10, 10] if status == "failed" else [10, 5])


def test_a_full_queue_takes_smaller_batches(tmp_path):
    def full(batch):
        if len(server.files[batch["input_file_id"]].splitlines()) > 5:
            batch["status"] = "failed"
            batch["errors"] = {"data": [{"code": "token_limit_exceeded", "message": "Enqueued token limit reached"}]}

    with BatchServer(repeat) as server:
        server.before_answer = full
        assert ask(server, tmp_path, batch_requests=10) == TEXTS
        assert len(server.made) == 3


class Stopped(Exception):
    """A run that ends as if it were killed."""


@pytest.mark.parametrize("moment", ["write_intent", "made_and_cut", "made", "polling", "half_a_line"])
def test_a_run_that_was_stopped_waits_for_the_batches_that_are_out(tmp_path, monkeypatch, moment):
    from datasets_builders.asking import batches

    written = []
    write = batches._Record.write

    def stop_after(self, batch, **told):
        if moment == "made" and "id" in told:
            raise Stopped
        write(self, batch, **told)
        written.append(told)
        if moment in ("write_intent", "half_a_line") and len(written) == 1:
            raise Stopped
        if moment == "polling" and "id" in told:
            raise Stopped

    with BatchServer(repeat) as server:
        monkeypatch.setattr(batches._Record, "write", stop_after)
        if moment == "made_and_cut":
            server.after_making = lambda batch: cut_connection()
            assert ask(server, tmp_path, batch_requests=10) == TEXTS
        else:
            with pytest.raises((Stopped, AssertionError)):
                found = ask(server, tmp_path, batch_requests=10)
                assert not any("Stopped" in str(outcome) for outcome in found)
            if moment == "half_a_line":
                (file,) = tmp_path.glob("*/*.batches")
                file.write_bytes(file.read_bytes() + b'{"name": "ab')
        monkeypatch.setattr(batches._Record, "write", write)
        server.after_making = lambda batch: None
        assert ask(server, tmp_path, batch_requests=10) == TEXTS
        assert len(server.made) == 1 and contents(server) == TEXTS


def test_a_server_without_batches_says_so(tmp_path):
    from tests.openai_server import ScriptedServer

    with ScriptedServer(repeat) as server, pytest.raises(AskingError, match=r"404.*has this server a batch API"):
        ask(server, tmp_path)
