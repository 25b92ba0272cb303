import re
from collections import Counter
from collections.abc import Callable

import pytest

from datasets_builders.synthesis.program_analysis.balance import capped
from datasets_builders.synthesis.program_analysis.clusters import assign_splits, cluster_functions, code_ngrams
from datasets_builders.synthesis.program_analysis.extraction import FunctionSample

Sampler = Callable[..., FunctionSample]

JOIN = """
def join(a, parts):
    path = a
    for part in parts:
        if part.startswith("/"):
            path = part
        elif not path or path.endswith("/"):
            path += part
        else:
            path += "/" + part
    return path
"""
OTHER = """
def mean(data):
    total = 0
    for number in data:
        total = total + number * 2
    return total / len(data)
"""


def test_near_copies_share_a_cluster_and_others_do_not(sample_of: Sampler) -> None:
    copy = JOIN.replace("def join", "def merge").replace("path = a\n", 'path = a  # start\n    "" ""\n')
    samples = [
        sample_of(JOIN, path="a.py"),
        sample_of(OTHER, path="b.py"),
        sample_of(copy, path="c.py"),
        sample_of(JOIN.replace("join", "combine").replace('"/" + part', 'part + "/"'), path="d.py"),
    ]
    assert cluster_functions(samples) == [0, 1, 0, 0]


def test_a_helper_is_clustered_with_the_function_that_shows_it(sample_of: Sampler) -> None:
    source = OTHER + "\n\ndef spread(data):\n    m = mean(data)\n    return [m - x for x in data]\n"
    samples = [sample_of(source, "mean"), sample_of(source, "spread"), sample_of(OTHER, "mean", path="else.py")]
    clusters = cluster_functions(samples)
    assert clusters[0] == clusters[1] == clusters[2]


def test_ngrams_ignore_name_docstring_and_layout() -> None:
    plain = code_ngrams("def f(x):\n    return x+1\n")
    same = code_ngrams('def g( x ):\n    """Text."""\n    # note\n    return x + 1\n')
    assert plain.tolist() == same.tolist() != code_ngrams("def f(x):\n    return x+2\n").tolist()


def test_functions_as_similar_as_the_threshold_share_a_cluster(sample_of: Sampler) -> None:
    """They have 7 of 10 n-grams in common."""
    samples = [
        sample_of("def is_(a, b):\n    return a is b\n", path="a.py"),
        sample_of("def is_not(a, b):\n    return a is not b\n", path="b.py"),
    ]
    assert cluster_functions(samples) == [0, 0]


def test_splits_keep_clusters_whole_and_reach_the_wanted_weight() -> None:
    clusters = [index // 3 for index in range(300)]
    keys = [f"key{index}" for index in range(300)]
    splits = assign_splits(clusters, keys, [5] * 300, fraction=0.1, minimum=0, seed=0)
    for cluster in range(100):
        assert len({splits[index] for index in range(300) if clusters[index] == cluster}) == 1
    assert 0.1 <= splits.count("validation") / 300 <= 0.13
    assert splits == assign_splits(clusters, keys, [5] * 300, fraction=0.1, minimum=0, seed=0)
    assert splits != assign_splits(clusters, keys, [5] * 300, fraction=0.1, minimum=0, seed=1)


def test_the_minimum_weight_is_kept_where_there_is_enough() -> None:
    splits = assign_splits(list(range(200)), [str(i) for i in range(200)], [5] * 200, 0.01, minimum=150, seed=0)
    assert 5 * splits.count("validation") >= 150


def test_a_single_cluster_is_all_training() -> None:
    assert assign_splits([0, 0], ["a", "b"], [1, 1], 0.5, 1, 0) == ["train", "train"]


def test_an_impossible_fraction_is_refused() -> None:
    with pytest.raises(ValueError, match=r"validation_fraction is 0\.9"):
        assign_splits([0], ["a"], [1], 0.9, 0, 0)


def test_no_answer_exceeds_a_tenth_of_what_is_kept() -> None:
    answers = ["None"] * 400 + ["True"] * 60 + [str(number) for number in range(200)]
    keep = capped(answers)
    kept = Counter(answer for answer, stays in zip(answers, keep, strict=True) if stays)
    assert max(kept.values()) <= 0.1 * sum(kept.values())
    # No larger cap would do.
    cap = max(kept.values()) + 1
    assert cap > 0.1 * sum(min(count, cap) for count in Counter(answers).values())


def test_one_row_of_each_answer_always_stays() -> None:
    assert capped(["1", "1", "2"]) == [True, False, True]
    assert capped([]) == []


def test_a_copy_under_other_names_is_in_the_cluster_of_its_original(sample_of: Sampler) -> None:
    source = (
        "def total(prices, rate):\n    result = 0\n    for price in prices:\n        if price > rate:\n"
        "            result += price * rate\n    return round(result, 2)\n"
    )
    renamed = source
    for old, new in (("total", "g"), ("prices", "xs"), ("price", "x"), ("rate", "k"), ("result", "acc")):
        renamed = re.sub(rf"\b{old}\b", new, renamed)
    other = "def total(prices, rate):\n    return {price: rate for price in sorted(prices) if price != rate}\n"
    samples = [sample_of(text, path=f"pkg/m{number}.py") for number, text in enumerate((source, renamed, other))]
    assert cluster_functions(samples) == [0, 0, 2]
