"""What ranks of one process hand on to each other."""

import os

import pytest

from datasets_builders.building.kept import hand_on, kept_between_ranks, take_over
from datasets_builders.curation.syntax.steps import SyntaxCheck


class Thing:
    closed = 0

    def close(self) -> None:
        self.closed += 1


def test_what_is_handed_on_is_taken_over_once_and_closed_in_the_end() -> None:
    first, second = Thing(), Thing()
    with kept_between_ranks():
        hand_on("parser", first)
        hand_on("parser", second)  # there is one already
        assert (first.closed, second.closed) == (0, 1)
        assert take_over("parser", Thing) is first
        assert take_over("parser", Thing) is not first
        hand_on("parser", first)
        hand_on("model", second)
    assert (first.closed, second.closed) == (1, 2)


def test_without_a_next_rank_and_after_an_error_nothing_stays_open() -> None:
    alone, kept = Thing(), Thing()
    hand_on("parser", alone)
    with pytest.raises(KeyError), kept_between_ranks():
        hand_on("parser", kept)
        raise KeyError
    assert alone.closed == kept.closed == 1


def test_ranks_of_one_process_share_the_process_of_the_parsers() -> None:
    pids = []
    with kept_between_ranks():
        for rank in range(2):
            step = SyntaxCheck()
            step.begin(rank, 2)
            assert step._parser is not None
            assert step._parser.read("Python", "x = 1\n")["error_fraction"] == 0
            assert step._parser._child is not None
            pids.append(step._parser._child.pid)
            step.end()
        os.kill(pids[0], 0)  # it is there
    assert pids[0] == pids[1]
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
