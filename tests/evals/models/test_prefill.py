"""A beginning that the model's answer is given: as its chat template has it, and part of what is judged."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from lighteval.tasks.requests import Doc

from evals.__main__ import main
from evals.errors import UsageError
from evals.models.options import ModelOptions
from evals.models.responses import joined
from evals.scoring.options import RunOptions
from evals.scoring.run import gradients_kept, prefills_of
from evals.tasks.humaneval import HumanEval
from tests.evals.conftest import PROBLEMS
from tests.evals.models.test_accelerate import TEMPLATES, folder_of
from tests.evals.models.test_endpoint_faults import doc_of, model_of, reply
from tests.openai_server import MODEL, ScriptedServer

FENCE = "```python\n"
ROLES = "{% for m in messages %}<{{ m.role }}>"
# What templates do with a message that is not over: users' reports of prefills that were lost or doubled.
WRITTEN = {
    "chatml": (ROLES + "{{ m.content }}<end>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}", ""),
    "strips": (ROLES + "{{ m.content | trim }}<end>{% endfor %}<assistant>", ""),
    "begins_with_space": (ROLES + " {{ m.content }}</s>{% endfor %}", " "),
    "ends_a_thought": (
        ROLES + "{% if m.role == 'assistant' %}<think></think>{% endif %}{{ m.content }}<end>{% endfor %}"
        "{% if add_generation_prompt %}<assistant><think>{% endif %}",
        "<think></think>",
    ),
    "always_asks_for_more": (ROLES + "{{ m.content }}{% endfor %}<assistant>", ""),
}
REFUSED = {
    "drops_the_assistant": "{% for m in messages if m.role != 'assistant' %}<{{ m.role }}>{{ m.content }}{% endfor %}",
    "changes_the_text": ROLES + "{{ m.content | replace('`', '') }}{% endfor %}",
    "takes_no_assistant_last": "{% if messages[-1].role != 'user' %}{{ raise_exception('user last') }}{% endif %}"
    + ROLES
    + "{{ m.content }}{% endfor %}",
}


@pytest.fixture(autouse=True)
def gradients():
    """Put the gradients back that importing the model turns off."""
    with gradients_kept():
        yield


def writer_of(folder: Path, template: str):
    from transformers import AutoTokenizer

    from evals.models.prompts import PromptWriter

    tokenizer = AutoTokenizer.from_pretrained(folder_of(folder, "does_not", "nothing"))
    tokenizer.chat_template = template
    return PromptWriter(tokenizer, chat=True)


@pytest.mark.parametrize("name", WRITTEN)
def test_the_prompt_ends_with_the_prefill_as_it_stands(name, tmp_path):
    template, before = WRITTEN[name]
    writer = writer_of(tmp_path, template)
    writer.prefill = FENCE
    prompt = writer.prepare_prompt(doc_of("hello"))
    assert prompt.endswith(f"<assistant>{before}{FENCE}") and prompt.count(FENCE) == 1
    writer.prefill = ""
    assert FENCE not in writer.prepare_prompt(doc_of("hello"))


@pytest.mark.parametrize("name", REFUSED)
def test_a_template_that_loses_it_is_told(name, tmp_path):
    writer = writer_of(tmp_path, REFUSED[name])
    writer.prefill = FENCE
    with pytest.raises(UsageError, match=r"chat template (changes how|takes no)"):
        writer.prepare_prompt(doc_of("hello"))


@pytest.mark.parametrize(
    ("prefill", "text", "whole"),
    [
        (FENCE, "def f(): pass\n```", "```python\ndef f(): pass\n```"),
        (FENCE, "```python\ndef f(): pass\n```", "```python\ndef f(): pass\n```"),
        (FENCE, "\n```python\ndef f(): pass\n```", "\n```python\ndef f(): pass\n```"),
        ("Here it is:\n```java\n", "Here it is:\n```java\nint x;", "Here it is:\n```java\nint x;"),
        ("The", "There", "TheThere"),
        (FENCE, "", ""),
        ("", "text", "text"),
    ],
)
def test_prefill_and_continuation_are_one_answer(prefill, text, whole):
    assert joined(prefill, text) == whole


def test_the_accelerate_backend_continues_it_and_gives_it_back(tmp_path):
    from evals.models.accelerate import LoadedModel

    folder = folder_of(tmp_path, "does_not", "nothing")
    model = LoadedModel(ModelOptions(model=str(folder), output=tmp_path / "out"))
    model.prefill = "hello x"
    read = []
    model.model.register_forward_pre_hook(lambda _, __, given: read.append(given["input_ids"]), with_kwargs=True)
    (response,) = model.greedy_until([Doc(query="x", choices=[""], gold_index=0, generation_size=2, stop_sequences=[])])
    assert TEMPLATES["does_not"] and read[0][0].tolist() == [3, 6, 4, 5, 6], "user x assistant hello x"
    (answer,) = response.answers
    assert response.text == ["hello x" + answer.text if answer.text else ""]


@pytest.mark.parametrize("end", ["\n```\nDone.", ""])
def test_a_run_over_a_server_asks_for_it_judges_it_and_records_it(end, tmp_path, monkeypatch):
    """The continuation alone has an end of a block and no beginning: judged alone it would be prose."""
    text = f"def larger(a, b):\n    return max(a, b){end}"
    folder = tmp_path / "data" / "humaneval"
    folder.mkdir(parents=True)
    (folder / "HumanEval.jsonl").write_text(json.dumps(PROBLEMS[0]) + "\n")
    monkeypatch.setattr(HumanEval, "source", replace(HumanEval.source, num_rows=1, sha256=""))
    output = tmp_path / "out"
    with ScriptedServer(lambda body: reply(text)) as server:
        words = ["run", "--model", MODEL, "--tasks", "humaneval", "--backend", "endpoint", "--base-url", server.url]
        words += ["--prefill", "```{language}\\n", "--data-dir", str(tmp_path / "data"), "--output", str(output)]
        assert main(words) == 0
    (body,) = server.asked
    assert body["messages"][-1] == {"role": "assistant", "content": FENCE}
    assert (body["add_generation_prompt"], body["continue_final_message"]) == (False, True)
    results = json.loads((output / "results.json").read_text())
    assert results["sampling"]["prefill"] == "```{language}\n" and results["tasks"]["humaneval"]["value"] == 1.0
    (line,) = (output / "samples" / "humaneval.jsonl").read_text().splitlines()
    assert json.loads(line)["prediction"] == FENCE + text


def test_a_parser_that_takes_the_continuation_for_a_thought_is_a_fault(tmp_path):
    with ScriptedServer(lambda body: reply(None, "stop", reasoning_content="def f(): pass")) as server:
        model = model_of(server, tmp_path)
        model.prefill = FENCE
        (response,) = model.greedy_until([doc_of()])
    assert "for reasoning" in response.answers[0].fault


def test_thinking_that_took_all_tokens_stays_silent(tmp_path):
    with ScriptedServer(lambda body: reply(None, "length", reasoning_content="hm")) as server:
        model = model_of(server, tmp_path)
        model.prefill = FENCE
        (response,) = model.greedy_until([doc_of()])
    assert response.text == [""] and response.answers[0].finish_reason == "length"


def options_of(*tasks: str, **more) -> RunOptions:
    return RunOptions(model="m", output=Path("out"), tasks=tasks, **more)


def test_each_task_has_its_own_language():
    names = ("humaneval", "humanevalfix_cpp", "multipl_e_humaneval_typescript")
    found = prefills_of(options_of(*names, prefill="```{language}\n"))
    assert list(found.values()) == ["```python\n", "```cpp\n", "```typescript\n"]


@pytest.mark.parametrize(
    ("tasks", "more", "message"),
    [
        (("gsm8k",), {"prefill": "```{language}\n"}, "gsm8k asks for no program"),
        (("humaneval", "mmlu"), {"prefill": "The answer is"}, "mmlu compares options"),
        (("humaneval",), {"prefill": "The answer is "}, "ends with a space"),
        (("humaneval",), {"prefill": "def", "base": True}, "leave --base or the prefill out"),
    ],
)
def test_a_prefill_without_a_place_is_refused(tasks, more, message):
    with pytest.raises(UsageError, match=message):
        prefills_of(options_of(*tasks, **more))
