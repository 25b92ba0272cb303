"""Teachers that answer by rules, one for each builder that asks, and what they need to be asked."""

import itertools
import json
import re
import sysconfig
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from datasets_builders.building.identity import content_id

ANSWER = "This is the answer to it, in a few words and with the code.\n\n```python\nvalue = 1\n```"
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
NOUNS = [
    "list",
    "tree",
    "queue",
    "graph",
    "table",
    "string",
    "file",
    "matrix",
    "stack",
    "date",
    "path",
    "token",
    "event",
    "price",
]
VERBS = ["sorts", "merges", "counts", "reverses", "validates", "compresses", "prints", "searches", "balances", "parses"]
CODE = "```python\ndef f(value):\n    return value + 1\n```"
BAD = {
    7: "Sure! Here is the code:",
    9: "Explain the following code:",
    11: "Hi",
    13: "Schreibe eine Funktion, die die Summe aller Zahlen in der Liste zurückgibt, und teste sie.",
}


class MagpieTeacher:
    """Writes another instruction each time it is given the head of a user's turn, now and then a bad one."""

    def __init__(self) -> None:
        self.numbers = itertools.count()

    def __call__(self, messages: list[dict[str, str]]) -> str | int:
        if messages[0]["role"] == "prompt":
            assert messages[0]["content"].endswith("<|im_start|>user\n")
            return self.instruction(messages[0]["content"])
        if "tokens" in messages[-1]["content"]:
            return "I'm sorry, but I can't help with that."
        if any("\u4e00" <= sign <= "\u9fff" for sign in messages[-1]["content"]):
            return "这个函数把给定的值加一，然后返回结果。\n\n" + CODE
        return f"This is how it is done, step by step, for the value that is given.\n\n{CODE}\n\nIt adds one."

    def instruction(self, prompt: str) -> str:
        number = next(self.numbers)
        if number in BAD:
            return BAD[number]
        noun, verb = NOUNS[number % len(NOUNS)], VERBS[number // 3 % len(VERBS)]
        if "代码" in prompt:
            asked = f"下面的函数处理第 {number} 个 {noun}，请说明它怎样 {verb}，并改进它。"
            return f"{asked}\n\n{CODE}\n<|im_end|>\n<|im_start|>assistant"
        asked = f"This function {verb} every {noun} of shelf {number}, and I want the {noun}s to be right."
        return f"{asked}\n\n{CODE}\n\nPlease help."


def write_tokenizer(folder: Path) -> Path:
    """Write a tokenizer with a chat template and hardly any words."""
    words = Tokenizer(models.WordLevel({"<unk>": 0, "<|im_end|>": 1}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>", eos_token="<|im_end|>")
    fast.chat_template = CHATML
    fast.save_pretrained(folder)
    return folder


class BottomUpTeacher:
    """Knows topics, varies them, writes problems, some of which ask; now and then says what nobody can use."""

    def __init__(self) -> None:
        self.numbers = itertools.count()
        self.stated = 0

    def __call__(self, messages: list[dict[str, str]]) -> str | int:
        asked = messages[-1]["content"]
        if asked.startswith("Below is a text"):
            first = next(line for line in asked.splitlines() if "The text (" in line)
            assert first == "The text (Python):"
            key = content_id(asked)[:6]
            return json.dumps({"topics": [{"topic": f"topic {key}", "key_points": [f"point {key}", "other"]}]})
        if asked.startswith("Here is a piece of knowledge about programming: topics"):
            count = int(re.search(r"Write (\d+) variations", asked)[1])
            return json.dumps({"variations": [
                {"topic": f"variation {number} of {content_id(asked)[:6]}", "key_points": ["it goes deeper"]}
                for number in range(count)
            ]})  # fmt: skip
        if asked.startswith("Here is a piece of knowledge about programming."):
            count = int(re.search(r"Write (\d+) problems", asked)[1])
            key = content_id(asked)[:8]
            problems = [
                f"Write a function `f_{key}_{number}` that counts {key[number % 8]} in the list of the shelf."
                for number in range(count)
            ]
            problems[-1] = f"How would you write the function g_{key} that is told to count to {key}?"
            return json.dumps({"problems": problems})
        if asked.startswith("The following problem is put as a question"):
            self.stated += 1
            found = re.search(r"g_(\w{8})", asked)[1]
            return (
                f"Write the function g_{found} that is told to count to {found} in a loop."
                if found[0] < "e"
                else "Why?"
            )
        if asked.startswith("Your answer could not be used"):
            return "Still a question?"
        return ANSWER


def top_down_teacher(messages: list[dict[str, str]]) -> str | int:
    """Write small trees and problems of their paths."""
    asked = messages[-1]["content"]
    key = content_id(asked)[:6]
    if asked.startswith("Imagine a thorough textbook"):
        return json.dumps({"chapters": ["1. First steps", "2. Further steps"]})
    if asked.startswith("A textbook with the title"):
        return json.dumps({"sections": [
            {"section": f"Section of {key}", "subsections": []},
            {"section": "Parts", "subsections": [f"Part one of {key}", f"Part two of {key}"]},
        ]})  # fmt: skip
    if asked.startswith("You write down what a reader learns"):
        assert 'that belongs to the book "' in asked
        return json.dumps({"knowledge": [
            {"point": f"Point {key} says something.", "subtopics": []},
            {"point": f"Another point of {key}.", "subtopics": [f"subtopic a {key}", f"subtopic b {key}"]},
        ]})  # fmt: skip
    if found := re.match(r"Write (\d+) programming problems about the", asked):
        extra = ["caching"] if "one to three further topics" in asked else []
        problems = [
            f"Write a function `f_{key}_{number}` that counts to {key * (number + 1)}."
            for number in range(int(found[1]))
        ]
        return json.dumps({"problems": [{"problem": problem, "extra_topics": extra} for problem in problems]})
    return ANSWER


MODULES = ["bisect.py", "heapq.py", "fnmatch.py", "colorsys.py", "keyword.py"]


def write_seeds(folder: Path) -> Path:
    """Write a source_code dataset of a few modules of the standard library, one of them twice with another name."""
    (folder / "data").mkdir(parents=True)
    stdlib = Path(sysconfig.get_path("stdlib"))
    texts = {name: (stdlib / name).read_text("utf-8") for name in MODULES}
    texts["copy_of_bisect.py"] = texts["bisect.py"].replace("insort", "put_in")
    rows = [
        {"id": content_id(name, text), "content": text, "path": name, "repository": "cpython", "language": "Python",
         "license": "PSF-2.0"}
        for name, text in texts.items()
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), folder / "data" / "train_00000_of_00001.parquet")
    (folder / "README.md").write_text("---\nlicense: other\nlicense_name: psf-2.0\n---\n# Seeds\n")
    return folder


def evolution_teacher(messages: list[dict[str, str]]) -> str | int:
    """Compose and evolve problems; of some problems say what nobody can use."""
    asked = messages[-1]["content"]
    key = content_id(asked)[:8]
    if asked.startswith("Here is a fragment of a program"):
        problem = f"Write a function `f_{key}` that returns the number of {key[0]} in the shelf {key}."
        return (
            f"<<<PROBLEM>>>\n{problem}\n<<<SOLUTION>>>\nIt counts.\n\n```python\ndef f_{key}(shelf):\n    return 1\n```"
        )
    if asked.startswith("Below is a programming problem."):
        original = asked.partition("The problem:\n\n")[2]
        if key[0] == "0":
            return original
        return f"{original} It must also report how many steps it took, and refuse a shelf that is not sorted ({key})."
    if asked.startswith("Your answer could not be used"):
        return "#Rewritten Prompt#: the original problem again"
    return ANSWER
