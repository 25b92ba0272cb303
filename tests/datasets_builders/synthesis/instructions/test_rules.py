"""Rules on texts that teachers write: refusals, cut texts, loops, natural languages, fenced code, neighbors."""

import pytest
from datatrove.data import Document

from datasets_builders.asking import Answer, Asking, MalformedAnswerError
from datasets_builders.building import Merged, Removed
from datasets_builders.synthesis.instructions.code_blocks import fence_language, split_fences
from datasets_builders.synthesis.instructions.counting import counted
from datasets_builders.synthesis.instructions.natural_language import natural_language
from datasets_builders.synthesis.instructions.neighbors import NeighborFilter, nearest
from datasets_builders.synthesis.instructions.rating import RateInstructions
from datasets_builders.synthesis.instructions.rules import incomplete, refuses, repeats
from datasets_builders.synthesis.instructions.statements import is_question

CODE = "```python\nx = 1\n```"


@pytest.mark.parametrize(
    ("answer", "is_refusal"),
    [
        ("I'm sorry, but I can't help with that.", True),
        ("I’m sorry, but I cannot assist with this request.", True),
        ("As an AI language model, I don't run code.", True),
        ("Unfortunately the question is unclear. I cannot provide a solution.", True),
        ("It seems you haven't included the code. Please provide the code.", True),
        ("抱歉，我无法帮助你完成这个请求。", True),
        ("很抱歉，您没有提供代码。", True),
        (f"Sorry, I can't see the whole file, but this mends it:\n\n{CODE}", False),
        ('The program prints "I am sorry, but I cannot do that" and ends.', False),
        ("The function returns 3.", False),
        ("I'm sorry, I can't assist you.", True),  # without the "but" that lists of phrases have
        ("I’m really sorry but I am unable to help.", True),
        ("I am very sorry. I cannot see any code.", True),
        ("My apologies, I can't open links.", True),
        ("I must respectfully decline.", True),
        ("不好意思，我不能提供这个。", True),
        ("我很抱歉，但我无法完成。", True),
        ("Sorry for the confusion earlier. The function returns 3.", False),
        ("I'm sorry to hear that your build fails. The cause is a missing flag.", False),
        ("Unfortunately, I can't run this code, but reading it, it prints 3.", False),
        ("抱歉造成困扰，正确的输出是 3。", False),
        ("无法在常数时间内完成，因为必须读取所有元素。", False),
        ("I can't think of a faster way than sorting: O(n log n).", False),
        ("An AI agent is a loop of a model and tools.", False),
        ("函数返回 3。", False),
    ],
)
def test_refusals(answer: str, is_refusal: bool) -> None:
    assert refuses(answer) == is_refusal


@pytest.mark.parametrize(
    ("text", "is_instruction", "fault"),
    [
        ("Write a parser.", True, ""),
        ("Refactor the following function:", True, "ends_open"),
        ("请解释下面的代码：", True, "ends_open"),
        (f"Refactor the following function:\n\n{CODE}", True, ""),
        (f"{CODE}\n\nWhat does it return?", True, ""),
        ("Fix this:\n\n```python\ndef f(", True, "open_code_fence"),
        ("Show Markdown:\n\n````md\n```python\nx\n```\n````", True, ""),
        ("Write a function that takes a list and sorts it by the", True, "ends_in_a_sentence"),
        ("Compute the sum of b and a", True, ""),
        ("Explain the keywords with, for and in", True, ""),
        ("The sign is a backtick: `", False, ""),
        ("Rename the variable `x", True, "open_inline_code"),
        ("Use these steps:\n\n1. sort\n2. merge", False, ""),
        ("The steps are,", False, "ends_open"),
        ("<think>Let me see", False, "open_thought"),
        ("<think>Let me see</think>It is 3.", False, ""),
    ],
)
def test_cut_texts(text: str, is_instruction: bool, fault: str) -> None:
    assert incomplete(text, is_instruction=is_instruction) == fault


@pytest.mark.parametrize(
    ("text", "is_loop"),
    [
        ("I will now write the code.\n" * 30, True),
        ("Write it. " + "very " * 40, True),
        ("然后" * 60, True),
        ("\n".join(f"case {number}: return {number};" for number in range(60)), False),
        ("| a | b |\n" + "|---|---|\n" + "\n".join(f"| {n} | {n * n} |" for n in range(20)), False),
        ("Title\n" + "=" * 80, False),
        ("1." + "!" * 400 + "\nThat is the title.", True),  # what enforced forms make of some models
        ("mask = 0b" + "0" * 200 + "1\nis wide.", False),
        ("def f():\n    return 1\n" * 3, False),
    ],
)
def test_loops(text: str, is_loop: bool) -> None:
    assert bool(repeats(text)) == is_loop


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Write a function that returns the sum of all numbers in the list.", "en"),
        ("写一个 Python 函数，返回列表中所有数字的和。", "zh"),
        ("用 JavaScript 的 Promise.all 和 async/await 重写 fetchAll(urls, options) 函数。", "zh"),
        ("Schreibe eine Funktion, die die Summe aller Zahlen in der Liste zurückgibt.", "de"),
        ("Écrivez une fonction qui renvoie la somme des nombres de la liste.", "fr"),
        ("Escribe una función que devuelva la suma de los números de la lista.", "es"),
        ("Напишите функцию, которая возвращает сумму чисел.", "other"),
        ("リストの合計を返す関数を書いてください。", "ja"),
        ("리스트의 합을 반환하는 함수를 작성하세요.", "ko"),
        (f"{CODE}", "unknown"),
        ("Implement quicksort.", "unknown"),
        (
            f"解释下面的代码。\n\n```python\n# This is the function of a list\n{'x = 1' * 50}\n```",
            "zh",
        ),
        ("Refactor `the_list = [w for w in der_die_das]` so that it is readable and can be tested.", "en"),
    ],
)
def test_natural_languages(text: str, language: str) -> None:
    assert natural_language(text) == language


def test_fenced_blocks_and_their_languages() -> None:
    text = "See:\n\n```python title=a.py\na\n```\n\n~~~\n```\nb\n~~~\n\n1. step\n   ```C++\n   c\n   ```\n\n```js\nd"
    prose, blocks = split_fences(text)
    assert [(block.language, block.text, block.closed) for block in blocks] == [
        ("Python", "a", True),
        (None, "```\nb", True),
        ("C++", "c", True),
        ("JavaScript", "d", False),
    ]
    assert prose.split() == ["See:", "1.", "step"]
    names = {
        "py": "Python",
        "c#": "C#",
        "golang": "Go",
        "sh": "Shell",
        "C++": "C++",
        "text": None,
        "rs": "Rust",
        "nonsense": None,
    }
    assert {name: fence_language(name) for name in names} == names


@pytest.mark.parametrize(
    ("problem", "asks"),
    [
        ("How can a list be sorted?", True),
        ("Sort the list. What is the running time?", True),
        ("如何对列表排序？", True),
        ("这样做对吗", True),
        ("Sort the list.", False),
        ("Write a regular expression `a?b` for optional letters.", False),
        ('Print the string "What is your name?" three times.', False),
        ("Rewrite it:\n\n```c\nint y = x ? 1 : 2; // why?\n```\n", False),
        ("编写一个函数，对列表排序。", False),
        ("Use x ? y : z in one expression.", False),
    ],
)
def test_questions(problem: str, asks: bool) -> None:
    assert is_question(problem) == asks


def test_nearest_neighbors() -> None:
    texts = [
        "Write a Python function that returns the largest number of a list.",
        "Write a Python function that returns the largest number of a list!",
        "Write a Python function that returns the smallest number of a list.",
        "Explain how a B-tree splits its nodes.",
        "编写一个函数，返回列表中的最大值。",
        "请编写一个函数，返回列表中的最大值。",
    ]
    distances, pairs = nearest(texts, 0.15)
    assert pairs == [(1, 0), (5, 4)]
    assert distances[0] == distances[1] < distances[2] < distances[3]


def test_near_neighbors_are_merged_into_the_first_of_their_group() -> None:
    step = NeighborFilter(0.3, ["scenario"])
    text = "Write a Python function that returns the largest number of a list"
    docs = [
        Document(text + ".", "c", metadata={"scenario": "x"}),
        Document(text + "!", "b", metadata={"scenario": "x"}),
        Document(text + "?", "a", metadata={"scenario": "y"}),
        Document("Explain how a B-tree splits its nodes.", "d", metadata={"scenario": "x"}),
    ]
    step.begin(0, 1)
    for doc in docs:
        assert list(step.process(doc)) == []
    found = list(step.finish())
    step.end()
    assert [(type(outcome) is Merged, getattr(outcome, "into", "")) for outcome in found] == [
        (False, ""),
        (True, "b"),
        (False, ""),
        (False, ""),
    ]
    assert found[0].metadata["min_neighbor_distance"] < 0.3
    assert found[3].metadata["min_neighbor_distance"] == 1.0  # alone in its group


def test_what_an_answer_has_too_many_too_few_or_twice_is_accounted_for_and_the_rest_stays() -> None:
    parent = Document("knowledge", "p")
    texts = ["first", "second", "First!", "third", "fourth"]
    made = [Document(text, str(number)) for number, text in enumerate(texts)]
    outcomes = list(counted(parent, made, 4))
    assert [outcome.reason if isinstance(outcome, Removed) else outcome.text for outcome in outcomes] == [
        *("first", "second", "same_as_another", "third", "more_than_asked")
    ]
    outcomes = list(counted(parent, made[:2], 4, known=["SECOND"]))
    assert [outcome.reason if isinstance(outcome, Removed) else outcome.text for outcome in outcomes] == [
        *("first", "same_as_another", "not_written", "not_written")
    ]


@pytest.mark.parametrize(
    ("said", "tags"),
    [
        ('{"difficulty": "Easy", "quality": "GOOD", "category": "data_and_sql"}', ("easy", "good", "data and sql")),
        ('{"difficulty": "very-hard", "quality": "poor", "category": "other"}', "low_quality"),
        ('{"difficulty": "3", "quality": "good", "category": "other"}', "difficulty is '3'"),
        ('{"difficulty": "easy", "quality": "good"}', "does not meet the schema"),
    ],
)
def test_tags_of_an_instruction(said: str, tags: tuple[str, ...] | str) -> None:
    step = RateInstructions(Asking([], ""), "good")
    doc = Document("Write a parser.", "1")
    try:
        (outcome,) = step.take(doc, Answer(said))
    except MalformedAnswerError as error:
        assert str(tags) in str(error)
        return
    if isinstance(outcome, Removed):
        assert outcome.reason == tags
    else:
        assert tuple(outcome.metadata[name] for name in ("difficulty", "quality", "category")) == tags
