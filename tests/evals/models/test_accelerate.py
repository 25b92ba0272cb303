"""What a model loaded here is given to read, and what becomes of its answers."""

import json
from pathlib import Path

import pytest
import torch
from lighteval.tasks.requests import Doc
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing

from evals.errors import UsageError
from evals.models.options import ModelOptions
from evals.scoring.run import gradients_kept

pytestmark = pytest.mark.slow

BOS, EOS = 1, 2
VOCABULARY = {"<unk>": 0, "<s>": BOS, "</s>": EOS, "user": 3, "assistant": 4, "hello": 5, "x": 6, "system": 7}
PLAIN = "{% for m in messages %}{{ m.role }} {{ m.content }} {% endfor %}assistant"
TEMPLATES = {
    "writes": "{{ bos_token }}" + PLAIN,
    "writes_twice": "{{ bos_token }}{{ bos_token }}" + PLAIN,
    "writes_after_space": " {{ bos_token }}" + PLAIN,
    "does_not": PLAIN,
    "refuses_system": "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + PLAIN,
    "none": None,
}
PROCESSORS = {"bos": "<s> $A", "bos_eos": "<s> $A </s>", "eos": "$A </s>", "nothing": "$A"}


@pytest.fixture(autouse=True)
def gradients():
    """Put the gradients back that importing the model turns off."""
    with gradients_kept():
        yield


def folder_of(folder: Path, template: str, adds: str, has_bos: bool = True) -> Path:
    """Return a small model whose template and tokenizer write or add as named."""
    import torch
    from transformers import PreTrainedTokenizerFast, SmolLM3Config, SmolLM3ForCausalLM

    tokenizer = Tokenizer(WordLevel(VOCABULARY, unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.post_processor = TemplateProcessing(single=PROCESSORS[adds], special_tokens=[("<s>", BOS), ("</s>", EOS)])
    bos = {"bos_token": "<s>"} if has_bos else {}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", unk_token="<unk>", **bos)
    fast.chat_template = TEMPLATES[template]
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1}
    ids = {"pad_token_id": EOS, "bos_token_id": BOS, "eos_token_id": EOS}
    config = SmolLM3Config(
        vocab_size=len(VOCABULARY), num_key_value_heads=1, max_position_embeddings=64, **sizes, **ids
    )
    SmolLM3ForCausalLM(config).save_pretrained(folder)
    return folder


def doc_of(query: str, **more) -> Doc:
    return Doc(query=query, choices=[""], gold_index=0, generation_size=2, stop_sequences=[], **more)


def prompt_ids(folder: Path, query: str, **options) -> list[int]:
    """Return the tokens that the model is given."""
    from evals.models.accelerate import LoadedModel

    model = LoadedModel(ModelOptions(model=str(folder), output=folder / "out", **options))
    read = []
    model.model.register_forward_pre_hook(lambda _, __, given: read.append(given["input_ids"]), with_kwargs=True)
    model.greedy_until([doc_of(query, task_name="none|0")])
    return read[0][0].tolist()


@pytest.mark.parametrize("template", ["writes", "writes_twice", "does_not"])
@pytest.mark.parametrize("adds", ["bos", "bos_eos", "eos", "nothing"])
def test_a_chat_prompt_starts_once_and_does_not_end(template, adds, tmp_path):
    ids = prompt_ids(folder_of(tmp_path, template, adds), "hello")
    once = [BOS] if template != "does_not" or adds.startswith("bos") else []
    assert ids == [*once, 3, 5, 4]


def test_a_template_that_starts_with_space_is_left_as_it_is(tmp_path):
    assert prompt_ids(folder_of(tmp_path, "writes_after_space", "bos"), "hello") == [BOS, 3, 5, 4]


@pytest.mark.parametrize("query", ["x hello", "<s>x hello", "<s><s> x hello"])
@pytest.mark.parametrize("adds", ["bos", "bos_eos", "eos", "nothing"])
@pytest.mark.parametrize("template", ["writes", "none"])
def test_a_completion_starts_once_and_does_not_end(template, adds, query, tmp_path):
    ids = prompt_ids(folder_of(tmp_path, template, adds), query, base=True)
    once = [BOS] if adds.startswith("bos") or "<s>" in query else []
    assert ids == [*once, 6, 5]


@pytest.mark.parametrize("template", ["writes", "does_not"])
def test_a_tokenizer_without_a_start_gets_none(template, tmp_path):
    folder = folder_of(tmp_path, template, "nothing", has_bos=False)
    assert prompt_ids(folder, "hello") == [3, 5, 4]
    assert prompt_ids(folder, "hello", base=True) == [5]


@pytest.mark.parametrize(("ends", "reason"), [([EOS, 7], "stop"), ([EOS], "length")])
def test_an_answer_ends_at_every_token_that_the_model_says_ends_one(ends, reason, tmp_path):
    from evals.models.accelerate import LoadedModel

    folder = folder_of(tmp_path, "writes", "bos")
    settings = folder / "generation_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"eos_token_id": ends}))
    model = LoadedModel(ModelOptions(model=str(folder), output=tmp_path / "out"))
    ids = torch.tensor([[0, 0, 0, 0, 0, 0, 1e4, 0], [0, 0, 0, 0, 0, 0, 0, 1e4]])
    # "x" first, then token 7 for ever.
    model.model.lm_head.register_forward_hook(lambda _, given, logits: ids[int(model.steps)].expand_as(logits))
    model.steps = 0
    model.model.register_forward_hook(lambda *_: setattr(model, "steps", 1))
    response = model.greedy_until(
        [Doc(query="hello", choices=[""], gold_index=0, generation_size=4, stop_sequences=[], task_name="none|0")]
    )[0]
    assert response.answers[0].finish_reason == reason
    assert response.text[0].split() == (["x", "system"] if reason == "stop" else ["x", "system", "system", "system"])


def test_options_are_compared_after_one_start(tmp_path):
    from evals.models.accelerate import LoadedModel

    model = LoadedModel(ModelOptions(model=str(folder_of(tmp_path, "writes", "bos")), output=tmp_path / "out"))
    doc = Doc(query="hello", choices=[" x"], gold_index=0)
    (contexts, continuations) = model.tok_encode_pair(model.prompt_manager.prepare_prompt(doc), doc.choices, True)
    assert (contexts, continuations) == ([[BOS, 3, 5, 4]], [[6]])


def test_an_option_begins_a_chat_message_without_a_space_and_a_completion_with_one(models, tmp_path):
    """The template ends with a line break, which stays its own."""
    from evals.models.accelerate import LoadedModel

    found = {}
    for base in (False, True):
        model = LoadedModel(ModelOptions(model=str(models[0]), output=tmp_path / "out", base=base))
        prompt = "Answer:" if base else "<role>ASSISTANT</role>\n"
        contexts, options = model.tok_encode_pair(prompt, [" A", " B"], pairwise=True)
        found[base] = [model.tokenizer.decode(tokens) for tokens in (*contexts, *options)]
    assert found[False] == ["<role>ASSISTANT</role>\n"] * 2 + ["A", "B"]
    assert found[True] == ["Answer:"] * 2 + [" A", " B"]


def test_a_chat_model_without_a_template_is_told_of_base(tmp_path):
    with pytest.raises(UsageError, match="no chat template; --base"):
        prompt_ids(folder_of(tmp_path, "none", "bos"), "hello")


@pytest.mark.parametrize("options", [{}, {"num_samples": 3, "temperature": 0.9}])
def test_a_killed_run_asks_for_no_batch_again(options, tmp_path):
    from evals.models.accelerate import LoadedModel

    folder = folder_of(tmp_path / "model", "writes", "bos")
    docs = [doc_of("x " * number + "hello", task_name="none|0") for number in range(1, 6)]
    for doc in docs:
        doc.num_samples = options.get("num_samples", 1)

    def model_in(output: Path, kill_at: int | None = None):
        model = LoadedModel(ModelOptions(model=str(folder), output=output, batch_size=2, **options))
        model.read = []

        def note(_, __, given):
            if given["input_ids"].shape[1] > 1:  # a prompt, and not the next token
                model.read.append(len(given["input_ids"]))
                if len(model.read) == kill_at:
                    raise KeyboardInterrupt

        model.model.register_forward_pre_hook(note, with_kwargs=True)
        return model

    whole = model_in(tmp_path / "whole").greedy_until(docs)
    with pytest.raises(KeyboardInterrupt):
        model_in(tmp_path / "killed", kill_at=3).greedy_until(docs)
    again = model_in(tmp_path / "killed")
    assert [response.text for response in again.greedy_until(docs)] == [response.text for response in whole]
    assert again.read == [options.get("num_samples", 1)], "the one prompt of the last batch"
    once_more = model_in(tmp_path / "killed")
    once_more.greedy_until(docs)
    assert once_more.read == []


def test_an_answer_without_an_end_is_known_as_cut(tmp_path):
    from evals.models.accelerate import LoadedModel

    model = LoadedModel(ModelOptions(model=str(folder_of(tmp_path, "writes", "bos")), output=tmp_path / "out"))
    ends = {"hello user": [5, 3], "hello": [5, EOS], "hello ": [5, 3]}
    assert [model._finish_reason(text, tokens) for text, tokens in ends.items()] == ["length", "stop", "stop"]


def test_a_prompt_beyond_the_context_is_its_rows_fault_and_shortens_no_other_answer(tmp_path):
    """The context has 64 tokens: one prompt is too long, one leaves room for a token, and the others for their two."""
    from evals.models.accelerate import LoadedModel

    folder = folder_of(tmp_path / "model", "none", "nothing")
    model = LoadedModel(ModelOptions(model=str(folder), output=tmp_path / "out", base=True))
    read = []
    model.model.register_forward_pre_hook(lambda _, __, given: read.append(given["input_ids"].shape), with_kwargs=True)
    docs = [doc_of("x " * number + "hello", task_name="none|0") for number in (63, 3, 62, 90, 4)]
    responses = model.greedy_until(docs)
    faults = [response.answers[0].fault for response in responses]
    reason = "the prompt of {} tokens leaves no room in the model's context of 64"
    assert faults == [reason.format(64), "", "", reason.format(91), ""]
    prompts = [tuple(shape) for shape in read if shape[1] > 1]
    assert prompts == [(1, 63), (2, 5)], "the long one alone, then the short ones together"
    assert len(read) == 1 + 2, "one token after the long prompt, two after each short one"
    again = LoadedModel(ModelOptions(model=str(folder), output=tmp_path / "out", base=True)).greedy_until(docs)
    assert [response.answers[0].fault for response in again] == faults


def test_options_beyond_the_context_are_their_rows_fault(tmp_path):
    from evals.models.accelerate import LoadedModel

    folder = folder_of(tmp_path / "model", "none", "nothing")
    model = LoadedModel(ModelOptions(model=str(folder), output=tmp_path / "out", base=True))
    docs = [
        Doc(query="x " * number, choices=[" hello", " x"], gold_index=0, id=str(number), task_name="none|0")
        for number in (3, 65, 64)
    ]
    short, fault, longest = model.loglikelihood(docs)
    assert fault.answers[0].fault == "the prompt of 65 tokens leaves no room in the model's context of 64"
    assert len(fault.logprobs) == 2, "lighteval's metrics are given a value for each option"
    assert all(value < 0 for response in (short, longest) for value in response.logprobs)
