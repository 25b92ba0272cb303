"""Killed at any moment, a build asks nothing again that was answered, and ends in the same bytes."""

import pytest

from tests.datasets_builders.asking.killing import Killing

pytestmark = pytest.mark.slow  # 50 moments, with one and two workers: python tests/benchmarks/kill_asking.py


def test_a_killed_build_asks_nothing_again_that_had_arrived(tmp_path):
    whole, killed = Killing(tmp_path / "whole", 30), Killing(tmp_path / "killed", 30)
    with whole.server:
        assert whole.run().asked == 29 + 58
    with killed.server:
        runs = [killed.run(2, 0.01), killed.run(25), killed.run()]
        num_asked = len(killed.server.asked)
    assert [run.was_killed for run in runs] == [True, True, False]
    assert all(run.asked_again == 0 for run in runs) and runs[-1].kept >= 10
    assert num_asked <= 29 + 58 + 2 * 8, "what was out when it was killed is all that is asked twice"
    assert killed.shards() == whole.shards()
