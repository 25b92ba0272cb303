"""The head of a user's turn, cut out of chat templates in the formats of many models; the texts are written here."""

from pathlib import Path

import pytest

from datasets_builders.building import ConfigError
from datasets_builders.synthesis.magpie.pre_query import ChatTemplate

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# With a system prompt of its own where none is given, without which the model writes fragments.
CHATML_WITH_DEFAULT = (
    "{% if messages[0]['role'] == 'system' %}{{ '<|im_start|>system\n' + messages[0]['content'] + '<|im_end|>\n' }}"
    "{% else %}{{ '<|im_start|>system\nYou are a helpful model of Acme.<|im_end|>\n' }}{% endif %}"
    "{% for message in messages %}{% if message['role'] != 'system' %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA_3 = (
    "{{ bos_token }}{% for message in messages %}{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'"
    " + message['content'] | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
LLAMA_3_DATED = (
    "{{ bos_token }}{% if not date_string is defined %}{% set date_string = '26 Jul 2024' %}{% endif %}"
    "{{ '<|start_header_id|>system<|end_header_id|>\n\nToday Date: ' + date_string + '\n\n<|eot_id|>' }}"
    "{% for message in messages %}{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + "
    "message['content'] | trim + '<|eot_id|>' }}{% endfor %}"
)
MISTRAL = (
    "{%- if messages[0]['role'] == 'system' %}{%- set system = messages[0]['content'] %}{%- set turns = messages[1:] %}"
    "{%- else %}{%- set turns = messages %}{%- endif %}{{- bos_token }}{%- for message in turns %}"
    "{%- if message['role'] == 'user' %}{%- if loop.last and system is defined %}"
    "{{- '[INST] ' + system + '\n\n' + message['content'] + '[/INST]' }}"
    "{%- else %}{{- '[INST] ' + message['content'] + '[/INST]' }}{%- endif %}"
    "{%- else %}{{- ' ' + message['content'] + eos_token }}{%- endif %}{%- endfor %}"
)
GEMMA = (
    "{{ bos_token }}"
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate') }}{% endif %}"
    "{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}"
)
DEEPSEEK_V2 = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ 'User: ' + message['content'] + '\n\n' }}{% elif message['role'] == 'assistant' %}"
    "{{ 'Assistant: ' + message['content'] + eos_token }}{% elif message['role'] == 'system' %}"
    "{{ message['content'] + '\n\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
DEEPSEEK_V3 = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'system' %}{{ message['content'] }}"
    "{% elif message['role'] == 'user' %}{{ '<｜User｜>' + message['content'] }}"
    "{% else %}{{ '<｜Assistant｜>' + message['content'] + '<｜end▁of▁sentence｜>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<｜Assistant｜>' }}{% endif %}"
)
ZEPHYR = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] + eos_token + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)
HARMONY = (
    "{{ '<|start|>system<|message|>Current date: ' + strftime_now('%Y-%m-%d') + '<|end|>' }}"
    "{% for message in messages %}{% set role = 'developer' if message['role'] == 'system' else message['role'] %}"
    "{{ '<|start|>' + role + '<|message|>' + message['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start|>assistant' }}{% endif %}"
)
# With a search from the end, and thoughts that only the last answer shows.
QWEN_3 = (
    "{%- if messages[0].role == 'system' %}{{- '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}"
    "{%- endif %}{%- set found = namespace(last=messages | length - 1, searching=true) %}"
    "{%- for message in messages[::-1] %}{%- if found.searching and message.role == 'user'"
    " and message.content is string and not message.content.startswith('<tool_response>') %}"
    "{%- set found.searching = false %}"
    "{%- set found.last = messages | length - 1 - loop.index0 %}{%- endif %}{%- endfor %}"
    "{%- for message in messages %}{%- if message.role == 'user' %}"
    "{{- '<|im_start|>user\n' + message.content + '<|im_end|>\n' }}{%- elif message.role == 'assistant' %}"
    "{{- '<|im_start|>assistant\n' }}{%- if loop.index0 > found.last %}"
    "{{- '<think>\n\n</think>\n\n' + message.content }}{%- else %}"
    "{{- message.content.split('</think>')[-1].lstrip() }}{%- endif %}{{- '<|im_end|>\n' }}{%- endif %}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\n\n</think>\n\n' }}{%- endif %}"
    "{%- endif %}"
)
LING = (Path(__file__).parents[4] / "modeling_ling" / "chat_template.jinja").read_text(encoding="utf-8")
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
SYSTEM = "Talk about code."


@pytest.mark.parametrize(
    ("template", "prompt", "first_stop"),
    [
        (CHATML, "<|im_start|>user\n", "<|im_end|>"),
        (
            CHATML_WITH_DEFAULT,
            "<|im_start|>system\nYou are a helpful model of Acme.<|im_end|>\n<|im_start|>user\n",
            "<|im_end|>",
        ),
        (QWEN_3, "<|im_start|>user\n", "<|im_end|>"),
        (HARMONY, "<|start|>system<|message|>Current date: 2025-03-20<|end|><|start|>user<|message|>", "<|end|>"),
        (LLAMA_3, "<s><|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>"),
        (MISTRAL, "<s>[INST] ", "[/INST]"),
        (GEMMA, "<s><start_of_turn>user\n", "<end_of_turn>"),
        (DEEPSEEK_V2, "<s>User: ", "\nAssistant:"),
        (DEEPSEEK_V3, "<s><｜User｜>", "<｜Assistant｜>"),
        (ZEPHYR, "<|user|>\n", "</s>"),
        (LING, "<role>HUMAN</role>", "<role>"),
    ],
    ids=[
        "chatml",
        "chatml_default",
        "qwen_3",
        "harmony",
        "llama_3",
        "mistral",
        "gemma",
        "deepseek_v2",
        "deepseek_v3",
        "zephyr",
        "ling",
    ],
)
def test_the_head_of_a_users_turn(template: str, prompt: str, first_stop: str) -> None:
    found = ChatTemplate(template, TOKENS).pre_query()
    assert found.prompt == prompt
    assert found.stops[0] == first_stop
    assert found.system_place == "none"


@pytest.mark.parametrize(
    ("template", "prompt", "place"),
    [
        (CHATML, f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n", "own_turn"),
        (CHATML_WITH_DEFAULT, f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n", "own_turn"),
        (MISTRAL, f"<s>[INST] {SYSTEM}\n\n", "own_turn"),
        (GEMMA, f"<s><start_of_turn>user\n{SYSTEM}\n\n", "user_turn"),
        (DEEPSEEK_V2, f"<s>{SYSTEM}\n\nUser: ", "own_turn"),
        (LING, f"<role>SYSTEM</role>{SYSTEM}<role>HUMAN</role>", "own_turn"),
    ],
    ids=["chatml", "chatml_default", "mistral", "gemma", "deepseek_v2", "ling"],
)
def test_a_system_prompt_goes_where_the_template_has_room_for_it(template: str, prompt: str, place: str) -> None:
    found = ChatTemplate(template, TOKENS).pre_query(SYSTEM)
    assert (found.prompt, found.system_place) == (prompt, place)


def test_a_later_turn_stands_behind_the_conversation() -> None:
    turns = [{"role": "user", "content": "First?"}, {"role": "assistant", "content": "Yes."}]
    found = ChatTemplate(LLAMA_3, TOKENS).pre_query(turns=turns)
    assert found.prompt.endswith("Yes.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n")
    assert "First?" in found.prompt
    gemma = ChatTemplate(GEMMA, TOKENS).pre_query(SYSTEM, turns)
    assert gemma.prompt.startswith(f"<s><start_of_turn>user\n{SYSTEM}\n\nFirst?<end_of_turn>")


def test_a_token_that_the_tokenizer_adds_itself_is_not_sent_twice() -> None:
    assert ChatTemplate(LLAMA_3, TOKENS, adds_bos=True).pre_query().prompt.startswith("<|start_header_id|>")


def test_the_prompt_is_the_same_on_every_day() -> None:
    assert "2025-03-20" in ChatTemplate(HARMONY, TOKENS).pre_query().prompt
    assert "20 Mar 2025" in ChatTemplate(LLAMA_3_DATED, TOKENS).pre_query().prompt
    assert ChatTemplate(HARMONY, TOKENS).pre_query().stops[0] == "<|end|>"


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{{ messages[0]['content'] }}", "nothing before a user message"),
        ("U:{{ messages[0]['content'] }} again {{ messages[0]['content'] }}", "2 times"),
        ("U: {{ messages | length }}", "0 times"),
        ("U: {{ messages[0]['content'] ", "refuses"),
        ("U: {{ ''.__class__.__mro__[1].__subclasses__() }}{{ messages[0]['content'] }}", "refuses"),
    ],
    ids=["no head", "shown twice", "not shown", "broken", "hostile"],
)
def test_a_template_that_cannot_be_cut_is_the_users_mistake(template: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        ChatTemplate(template, TOKENS).pre_query()


def test_the_template_of_a_tokenizer_folder(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, "<s>": 1, "</s>": 2}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", **TOKENS)
    with pytest.raises(ConfigError, match="cannot be used"):
        fast.save_pretrained(tmp_path / "bare")
        ChatTemplate.of(str(tmp_path / "bare"))
    fast.chat_template = LLAMA_3
    fast.save_pretrained(tmp_path / "chat")
    assert (
        ChatTemplate.of(str(tmp_path / "chat")).pre_query().prompt == "<s><|start_header_id|>user<|end_header_id|>\n\n"
    )


def test_a_tokenizer_that_ends_every_text_needs_a_server_that_adds_nothing(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"<unk>": 0, "<s>": 1, "</s>": 2}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    fast = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>", **TOKENS)
    fast.chat_template = LLAMA_3
    fast.save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="add_special_tokens: false"):
        ChatTemplate.of(str(tmp_path)).pre_query()
    assert (
        ChatTemplate.of(str(tmp_path), adds_special_tokens=False)
        .pre_query()
        .prompt.startswith("<s><|start_header_id|>")
    )
