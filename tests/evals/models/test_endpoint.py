"""A run over `transformers serve`, a real OpenAI-compatible server.

It serves a small Qwen2: it looks architectures up in transformers itself and so refuses every remote-code model.
"""

import json
import socket
from dataclasses import replace

import pytest

from evals.__main__ import main
from evals.errors import UsageError
from evals.models.answer_file import Answer, AnswerFile
from evals.models.endpoint_client import EndpointClient
from evals.models.openai_server import EndpointError, NoLogLikelihoodsError
from evals.models.options import ModelOptions
from evals.tasks.catalog import BENCHMARKS
from evals.tasks.humaneval import HumanEval
from tests.evals.conftest import PROBLEMS
from tests.openai_server import transformers_serve

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(models, tmp_path_factory):
    """A small model of an architecture that transformers has, with our tokenizer."""
    import torch
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(models[0], trust_remote_code=True)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = Qwen2Config(vocab_size=len(tokenizer), num_key_value_heads=1, eos_token_id=tokenizer.eos_token_id, **sizes)
    folder = tmp_path_factory.mktemp("served") / "qwen2"
    model = Qwen2ForCausalLM(config)
    model.generation_config.do_sample = True  # the server samples only if the model's own settings say so
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def server(served, tmp_path_factory):
    """The URL of its server."""
    with transformers_serve(served, tmp_path_factory.mktemp("server")) as url:
        yield url


@pytest.fixture
def data(tmp_path, monkeypatch):
    """HumanEval's folder with two problems of ours, taken for the whole benchmark."""
    folder = tmp_path / "data" / "humaneval"
    folder.mkdir(parents=True)
    (folder / "HumanEval.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    monkeypatch.setattr(HumanEval, "source", replace(HumanEval.source, num_rows=2, sha256=""))
    return folder.parent


def options_of(url, model, tmp_path, **more):
    values = {"base_url": url, "model": str(model), "output": tmp_path, "api_key_variable": "NONE", "concurrency": 2}
    return ModelOptions(backend="endpoint", **values, **more)


def test_a_run_over_a_server_scores_and_asks_nothing_twice(server, served, data, tmp_path, monkeypatch, capsys):
    import torch

    words = ["run", "--model", str(served), "--tasks", "humaneval", "--backend", "endpoint", "--base-url", server]
    words += ["--data-dir", str(data), "--output", str(tmp_path / "out"), "--max-new-tokens", "8"]
    words += ["--num-samples", "3", "--temperature", "0.8"]
    assert main(words) == 0
    assert torch.is_grad_enabled(), "who scores a model in its process can still train"
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    task = results["tasks"]["humaneval"]
    assert (task["n"], task["num_samples"], list(task["pass_at_k"])) == (2, 3, ["1"])
    assert results["backend"] == "endpoint" and results["sampling"]["temperature"] == 0.8
    lines = (tmp_path / "out" / "samples" / "humaneval.jsonl").read_text().splitlines()
    assert [json.loads(line)["sample"] for line in lines] == [0, 1, 2] * 2
    assert len({json.loads(line)["prediction"] for line in lines}) > 2, "sampled answers differ"
    monkeypatch.setattr(EndpointClient, "_ask", lambda *_: pytest.fail("asked again"))
    assert main(words) == 0
    assert "pass@1" in capsys.readouterr().out


def test_base_models_complete_and_stop_strings_beyond_the_protocols_four_are_cut_here(server, served, tmp_path):
    from lighteval.tasks.requests import Doc

    from evals.models.endpoint import EndpointModel

    model = EndpointModel(options_of(server, served, tmp_path, base=True))
    doc = Doc(
        query="def f(x):", choices=[""], gold_index=0, generation_size=6, stop_sequences=["a", "b", "c", "d", "e"]
    )
    (response,) = model.greedy_until([doc])
    assert not set("abcde") & set(response.text[0])


def test_a_server_without_log_likelihoods_says_so(server, served, tmp_path):
    from lighteval.tasks.requests import Doc

    from evals.models.endpoint import EndpointModel

    model = EndpointModel(options_of(server, served, tmp_path))
    with pytest.raises(NoLogLikelihoodsError):
        model.loglikelihood([Doc(query="1 + 1 =", choices=[" 2", " 3"], gold_index=0)])


def test_a_task_that_needs_them_is_unscorable_and_the_others_are_scored(server, served, data, tmp_path, monkeypatch):
    question = {"question": "1 + 1?", "subject": "algebra", "choices": ["1", "2", "3", "4"], "answer": 1}
    (data / "mmlu").mkdir()
    (data / "mmlu" / "test.jsonl").write_text(json.dumps(question))
    (data / "mmlu" / "dev.jsonl").write_text((json.dumps(question) + "\n") * 5)
    monkeypatch.setattr(BENCHMARKS["mmlu"], "source", replace(BENCHMARKS["mmlu"].source, num_rows=1))
    monkeypatch.setattr("evals.benchmarks.choices.MMLU_EXAMPLES", 5)
    words = ["run", "--model", str(served), "--tasks", "mmlu,humaneval", "--backend", "endpoint", "--base-url", server]
    assert main([*words, "--data-dir", str(data), "--output", str(tmp_path / "out"), "--max-new-tokens", "4"]) == 0
    tasks = json.loads((tmp_path / "out" / "results.json").read_text())["tasks"]
    assert tasks["mmlu"]["value"] is None and "log" in tasks["mmlu"]["reason"]
    assert tasks["humaneval"]["n"] == 2


def test_no_server_and_another_model_are_errors(server, tmp_path):
    from evals.models.endpoint import EndpointModel

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(EndpointError, match=f"127.0.0.1:{port}"):
        EndpointModel(options_of(f"http://127.0.0.1:{port}/v1", "m", tmp_path))


def test_a_line_that_was_cut_off_is_asked_again(tmp_path):
    file = AnswerFile(tmp_path / "answers.jsonl")
    assert file.get({"a": 1}, lambda: Answer(text="x")).text == "x"
    with open(file.path, "a") as broken:
        broken.write('{"request": "abc", "ans')
    again = AnswerFile(file.path)
    assert again.get({"a": 1}, lambda: pytest.fail("asked again")).text == "x"
    assert again.get({"a": 2}, lambda: Answer(text="y")).text == "y"
    third = AnswerFile(file.path)
    assert third.get({"a": 2}, lambda: pytest.fail("swallowed by the line before it")).text == "y"


def test_text_is_cut_at_the_first_stop_string():
    from evals.models.endpoint import cut

    assert cut("one two three", ["three", "two"]) == "one "
    assert cut("one", []) == "one"


def test_several_greedy_answers_are_refused(tmp_path):
    with pytest.raises(UsageError, match="needs --temperature above 0"):
        ModelOptions(model="m", output=tmp_path, num_samples=2)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "needs --base-url"),
        ("127.0.0.1:8000/v1", "must start with http"),
        ("http://127.0.0.1:8000/v1/chat/completions", "address alone, http://127.0.0.1:8000/v1$"),
        ("http://127.0.0.1:8000/v1/completions/", "address alone, http://127.0.0.1:8000/v1$"),
    ],
)
def test_what_is_no_servers_address_is_refused_before_anything_is_loaded(url, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        options_of(url, "m", tmp_path)
