"""Instructions in what models write behind the head of a user's turn, and the scenarios that steer them."""

from collections import Counter

import pytest

from datasets_builders.asking import MalformedAnswerError
from datasets_builders.building import ConfigError
from datasets_builders.synthesis.magpie.instructions import parse_instruction
from datasets_builders.synthesis.magpie.scenarios import DEFAULT_LANGUAGES, SCENARIOS, Scenario, ScenarioDraw

ASK = "Write a function that merges two sorted lists."
CODE = "```python\ndef f(x):\n    return x[1]\n```"


@pytest.mark.parametrize(
    ("text", "instruction"),
    [
        (ASK, ASK),
        (f"{ASK}\n\nIt must run in linear time.\n\n{CODE}\n", f"{ASK}\n\nIt must run in linear time.\n\n{CODE}"),
        (f"{ASK}<|im_end|>\n<|im_start|>assistant\nSure!", ASK),
        (f"{ASK}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nHere", ASK),
        (f"{ASK} [/INST] def merge", ASK),
        (f"{ASK}<end_of_turn>\n<start_of_turn>model\nSure", ASK),
        (f"{ASK}\n\nAssistant: Sure, here it is.", ASK),
        (f"{ASK}<｜Assistant｜>Sure", ASK),
        (f"{ASK}<role>ASSISTANT</role>Sure", ASK),
        (f"{ASK}assistant\n\nSure, here it is.", ASK),  # the server left out the special tokens
        (f"{ASK}\nassistant\n\nSure, here it is.", ASK),
        (f"<|im_start|>user\n{ASK}", ASK),
        (f"user\n{ASK}", ASK),
        (f"User: {ASK}", ASK),
        (f"**Instruction:** {ASK}", ASK),
        (f'"{ASK}"', ASK),
        (f"  \n{ASK}\n\n", ASK),
        ("Why does `model` appear here?\n\n```text\nmodel\nassistant\n```", None),
        (
            "Explain what `<|im_end|>` means.\n\n```python\nEND = '<|im_end|>'\n```\nand where it is used",
            "Explain what `",
        ),
        ("写一个函数，合并两个有序链表。<|im_end|>", "写一个函数，合并两个有序链表。"),
        ("快速排序", "快速排序"),
        ("指令：写一个函数，合并两个有序链表。", "写一个函数，合并两个有序链表。"),
        ("The user presses a key. How does the model react?\nGive code.", None),
    ],
)
def test_a_users_message_is_found_with_all_its_lines(text: str, instruction: str | None) -> None:
    assert parse_instruction(text, ("<|im_end|>",)) == (text if instruction is None else instruction)


def test_marks_inside_of_a_closed_block_are_code() -> None:
    text = "What does this print?\n\n```python\nprint('<|eot_id|>')\n```\nThanks!<|eot_id|>"
    assert parse_instruction(text, ("<|eot_id|>",)) == text.removesuffix("<|eot_id|>")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "too short"),
        ("<|im_end|>", "too short"),
        ("Hi", "too short"),
        ("Sure! Here is a function that merges lists:", "answers"),
        ("Here's the corrected code:", "answers"),
        ("Hello! How can I help you today?", "answers"),
        ("你好！有什么可以帮助你的吗？", "answers"),
        ("好的，以下是代码", "answers"),
        (CODE, "code without a request"),
        ("assistant\n\n", "too short"),
    ],
)
def test_what_no_user_would_write_is_refused(text: str, told: str) -> None:
    with pytest.raises(MalformedAnswerError, match=told):
        parse_instruction(text)


def test_every_scenario_has_a_prompt_in_both_languages() -> None:
    for name in SCENARIOS:
        for natural_language in ("en", "zh"):
            prompt = Scenario(name, "C++", natural_language).system_prompt
            assert "C++" in prompt and "$" not in prompt
            assert any("\u4e00" <= sign <= "\u9fff" for sign in prompt) == (natural_language == "zh")


def test_scenarios_are_drawn_by_weight_and_a_longer_run_extends_a_shorter_one() -> None:
    draw = ScenarioDraw({"repair": 1, "explanation": 3}, {"Python": 1}, {"en": 1}, seed=5)
    first = [draw.draw(number) for number in range(2000)]
    assert 1.0 < Counter(found.name for found in first)["explanation"] / 500 / 3 * 3 < 4
    assert 0.7 < Counter(found.name for found in first)["explanation"] / 2000 < 0.8
    assert first[:10] == [draw.draw(number) for number in range(10)]
    assert len(DEFAULT_LANGUAGES) > 20


@pytest.mark.parametrize(
    ("scenarios", "languages", "natural", "told"),
    [
        ({"chat": 1}, {"Python": 1}, {"en": 1}, "unknown 'chat'; known: text_to_code"),
        ({"repair": 0}, {"Python": 1}, {"en": 1}, "weight of repair is 0"),
        ({}, {"Python": 1}, {"en": 1}, "scenarios is empty"),
        ({"repair": 1}, {"python": 1}, {"en": 1}, "did you mean 'Python'"),
        ({"repair": 1}, {"Python": 1}, {"de": 1}, "unknown 'de'"),
    ],
)
def test_wrong_weights_are_told(scenarios: dict, languages: dict, natural: dict, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        ScenarioDraw(scenarios, languages, natural)
