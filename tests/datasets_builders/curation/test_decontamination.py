"""Decontamination: what is found, what is not, and that a benchmark that cannot be read stops the build."""

import html
import json
import random

import pytest
from datatrove.data import Document

from datasets_builders.building.errors import ConfigError
from datasets_builders.building.steps import Removed
from datasets_builders.curation.decontamination.benchmark_index import BenchmarkIndex, Decontamination, normalize
from datasets_builders.curation.decontamination.protected_data import ProtectedData
from evals.benchmarks.protected import PROTECTED, ProtectedText

QUESTION = "Write a function that returns the two numbers of a list that are closest to each other."
WORDS = QUESTION.rstrip(".").lower().split()
PROBLEM = {
    "task_id": "Fixture/0",
    "prompt": "def closest(numbers):\n    '''Return the two numbers of a list that are closest to each other.'''\n",
    "canonical_solution": "    return a + b\n",
    "test": "check(closest)",
    "entry_point": "closest",
}


def index(*texts: str, is_question: bool = True) -> BenchmarkIndex:
    return BenchmarkIndex.build({"bench": [ProtectedText(str(n), text, is_question) for n, text in enumerate(texts)]})


def test_ten_words_in_a_row_are_found_and_nine_are_not():
    found = index(QUESTION)
    assert found.find(f"before {' '.join(WORDS[3:13])} after") == ("bench: 0", 10)
    assert found.find(f"before {' '.join(WORDS[3:12])} after") is None
    assert found.find("") is None


@pytest.mark.parametrize(
    "text",
    [
        "WRITE A FUNCTION THAT RETURNS THE TWO NUMBERS OF A LIST",
        "# write a function that\n#   returns the two (numbers) of a list",
        "\uff37rite a function that returns the two numbers of a list",
    ],
)
def test_case_punctuation_line_breaks_and_wide_letters_do_not_hide_it(text):
    assert index(QUESTION).find(text) is not None


SHORT_LINES = (
    "for first in values\n    keep(first)\n    if first > other\n        swap(first, other)\n    print(other)\n"
)


@pytest.mark.parametrize(
    "copied",
    [
        json.dumps,
        lambda text: json.dumps(json.dumps(text)),
        repr,
        html.escape,
        lambda text: json.dumps({"source": text.splitlines(keepends=True)}, indent=1),
        lambda text: text.replace("\n", "\r\n\t"),
        lambda text: "".join(f"> {line}" for line in text.splitlines(keepends=True)),
        lambda text: "".join(f"+{line}" for line in text.splitlines(keepends=True)),
        lambda text: "".join(f"    # {line}" for line in text.splitlines(keepends=True)),
    ],
)
def test_a_copy_in_json_html_a_string_or_a_notebook_is_found(copied):
    assert index(SHORT_LINES).find(copied(SHORT_LINES)) == ("bench: 0", 10)


def test_latex_is_compared_with_itself_however_it_is_escaped():
    problem = r"Let $\theta$ and $\nu$ be two angles such that $\tan\theta > \tan\nu$; find the right one of both."
    assert index(problem).find(json.dumps({"problem": problem})) == index(problem).find(problem) == ("bench: 0", 10)
    assert normalize("\\" * 1_000_000 + "x").endswith(b"x")


def test_chinese_is_compared_by_characters():
    question = "编写一个函数返回列表中最接近的两个数字"
    assert index(question).find(f"题目\uff1a{question}。") == ("bench: 0", 10)
    assert normalize("两个, 数字").split() == [character.encode() for character in "两个数字"]
    assert index(question).find(json.dumps({"question": question})) == ("bench: 0", 10)
    assert index(question).find(json.dumps("\ud83d\ude00\ud800" + question)) == ("bench: 0", 10)
    assert index(question).find("编写一个类\uff0c计算列表的长度") is None


def test_a_short_question_is_found_as_a_whole_and_a_short_answer_is_not_looked_for():
    assert index("How many singers are there?").find("-- how many singers are there\nSELECT 1") == ("bench: 0", 5)
    assert index("How many singers are there?").find("how many singers are") is None
    assert index("return first + second", is_question=False).find("return first + second") is None
    assert len(index("a b")) == len(index("the the the the")) == 0


def test_what_is_found_is_what_a_search_of_the_words_finds():
    """Questions of all lengths that share their beginnings, in texts of few different words."""
    choice = random.Random(1)
    vocabulary = list("abcdef")
    for _ in range(200):
        questions = [choice.choices(vocabulary, k=choice.randint(3, 12)) for _ in range(4)]
        words = choice.choices(vocabulary, k=choice.randint(0, 40))
        runs = {
            tuple(question[at : at + 10])
            for question in questions
            for at in range(max(1, len(question) - 9))
            if len(set(question[at : at + 10])) >= (5 if len(question) >= 10 else 3)
        }
        lengths = {len(run) for run in runs for at in range(len(words)) if tuple(words[at : at + len(run)]) == run}
        found = index(*map(" ".join, questions)).find(" ".join(words))
        assert (found and found[1]) == min(lengths, default=None)


def test_runs_that_say_nothing_are_left_out():
    assert (
        len(index("[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]", "0 0 0 0 0 0 0 0 0 0 0 0", "a b a b a b a b a b a b"))
        == 0
    )


def test_an_index_is_the_same_after_saving(tmp_path):
    found = index(QUESTION, "How many singers are there?")
    found.save(tmp_path / "index.npz")
    again = BenchmarkIndex.load(tmp_path / "index.npz")
    assert again.sha256() == found.sha256() != index(QUESTION).sha256() and len(again) == len(found)
    step = Decontamination(tmp_path / "index.npz")
    step.begin(0, 1)
    clean, dirty = Document("x = 1\n", "a"), Document(QUESTION, "b")
    assert list(step.process(clean)) == [clean]
    (removed,) = step.process(dirty)
    assert isinstance(removed, Removed) and (removed.reason, removed.detail) == ("bench", "0, 10 words")


def test_every_benchmark_says_which_of_its_columns_are_texts():
    assert all(benchmark.loaders and benchmark.questions + benchmark.answers for benchmark in PROTECTED.values())


def test_a_benchmark_that_cannot_be_read_stops_and_says_what_to_do(tmp_path):
    data = ProtectedData(["humaneval", "mmlu"], [], str(tmp_path))
    with pytest.raises(ConfigError, match=r"2 benchmarks whose texts cannot be read") as raised:
        data.index()
    assert "mmlu: " in str(raised.value) and "decontaminate=[] for none" in str(raised.value)
    with pytest.raises(ConfigError, match="unknown benchmark 'human_eval'"):
        ProtectedData(["human_eval"], [], "").check()
    assert ProtectedData(["all"], [], "").names == list(PROTECTED)
    assert len(ProtectedData([], [], "").index()) == 0


def test_files_of_ones_own_are_protected_too(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps({"question": QUESTION}) + "\n")
    data = ProtectedData([], [f"{path}:question"], "")
    data.check()
    assert data.index().find(QUESTION) == (f"{path}:question: 0", 10)
    with pytest.raises(ConfigError, match="no column 'answer', but question"):
        ProtectedData([], [f"{path}:answer"], "").index()
    with pytest.raises(ConfigError, match="not of the form PATH:COLUMN"):
        ProtectedData([], ["mine.jsonl"], "").check()


def test_real_problems_are_found_in_a_file_that_quotes_them():
    """Where the benchmark is there: LING_BENCHMARKS_DIR."""
    import os

    from evals.benchmarks.humaneval import HUMANEVAL

    folder = os.environ.get("LING_BENCHMARKS_DIR")
    if not folder:
        pytest.skip("LING_BENCHMARKS_DIR is not set")
    found = ProtectedData(["humaneval"], [], folder).index()
    rows, _ = HUMANEVAL.load(None)
    quoted = [f"import os\n\n{row['prompt']}{row['canonical_solution']}\n" for row in rows]
    assert all(found.find(text) for text in quoted)
