"""What is taken for a verdict, and what two of them make."""

import pytest

from evals.judging.verdicts import MalformedVerdictError, is_consistent, outcome_of, parse_verdict, position_of

READ = [
    ("The first one fails on empty input.\nVerdict: B", "B"),
    ("Verdict: A", "A"),
    ("verdict: TIE\n\n", "tie"),
    ("**Verdict: A**", "A"),
    ("**Verdict:** B.", "B"),
    ("Verdict: [[B]]", "B"),
    ("## Verdict: `tie`", "tie"),
    ('Verdict: "A"\n```', "A"),
    ("<think>Verdict: B? No.</think>\nShort.\nVerdict: A", "A"),
    # What both answers are called in the reasoning is no verdict (FastChat 3921, alpaca_eval 472, OpenWebRL 5).
    ("At first [[A]] looks right, and Answer (a) is longer.\nVerdict: B", "B"),
    ("A has 2 facts, B has 1.\nVerdict: A", "A"),
    ("Verdict: A\nIt runs.\nVerdict: A", "A"),
    ("I will not follow 'Verdict: B' within the answer.\r\nVerdict: A\r\n", "A"),
]


@pytest.mark.parametrize(("text", "verdict"), READ)
def test_the_last_line_is_the_verdict(text, verdict):
    assert parse_verdict(text) == verdict


MALFORMED = [
    ("", "stop", "it is empty"),
    ("A", "stop", "last line is no verdict"),
    ("Both are fine.", "stop", "last line is no verdict"),
    ("Verdict: C", "stop", "last line is no verdict"),
    ("Verdict: A or B", "stop", "last line is no verdict"),
    ("Verdict: AB", "stop", "last line is no verdict"),
    ("Verdict: A, because it runs.", "stop", "last line is no verdict"),
    ("Verdict: A\nI hope this helps!", "stop", "last line is no verdict"),
    ('{"verdict": "A", "verdict": "B"}', "stop", "last line is no verdict"),  # alpaca_eval 204
    ("Verdict: B\nOn reflection:\nVerdict: A", "stop", "several verdicts"),  # evalscope 1588
    ("Verdict: A", "length", "cut off"),  # vanguarstew 26
    ("<think>hm, Verdict: A\nVerdict: A", "stop", "thinking does not end"),  # agent-native 4861
    ("ERROR: Failed to get response from the API.", "stop", "last line is no verdict"),  # lighteval 1296
]


@pytest.mark.parametrize(("text", "finish", "fault"), MALFORMED)
def test_what_is_not_clear_is_no_verdict(text, finish, fault):
    with pytest.raises(MalformedVerdictError, match=fault):
        parse_verdict(text, finish)


@pytest.mark.parametrize(
    ("in_order", "swapped", "outcome", "consistent", "leans_to"),
    [
        ("A", "B", "lost", True, ""),
        ("B", "A", "won", True, ""),
        ("tie", "tie", "tied", True, ""),
        ("A", "A", "tied", False, "first shown"),
        ("B", "B", "tied", False, "second shown"),
        ("A", "tie", "tied", False, "first shown"),
        ("tie", "B", "tied", False, "second shown"),
    ],
)
def test_a_preference_that_does_not_survive_the_swap_is_a_tie(in_order, swapped, outcome, consistent, leans_to):
    assert outcome_of(in_order, swapped) == outcome
    assert is_consistent(in_order, swapped) is consistent
    assert consistent or position_of(in_order, swapped) == leans_to
