"""`status` tells of a build by its files: what is done, how fast, what is left, and what failed."""

import json
import os
import time

import pytest

from datasets_builders.__main__ import main
from datasets_builders.building import builder as building
from datasets_builders.stand_ins.arithmetic import ArithmeticBuilder, ArithmeticConfig


@pytest.fixture
def stopped(tmp_path, monkeypatch):
    """A build that broke before its last stage."""

    def broken(self, *arguments):
        raise OSError("no more")

    monkeypatch.setattr(building.Builder, "_run_write_stage", broken)
    config = ArithmeticConfig(output_dir=str(tmp_path / "out"), num_documents=40, num_tasks=4)
    with pytest.raises(OSError, match="no more"):
        ArithmeticBuilder(config).run()
    monkeypatch.undo()
    return tmp_path / "out"


def test_stages_stand_in_their_order(stopped, capsys):
    plan = stopped / ".build" / "plan.json"
    stages = json.loads(plan.read_text())
    assert stages == [["compute", 4], ["deduplicate", 4], ["write", 1]]
    plan.write_text(json.dumps(stages[::-1]))  # theirs, not that of the alphabet
    assert main(["status", str(stopped)]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[2:]] == ["write", "deduplicate", "compute"]


def test_a_build_that_stopped_and_the_same_finished(stopped, capsys):
    assert main(["status", str(stopped)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("arithmetic: stopped; the same command continues it\n")
    stages = [line.split()[:3] for line in printed.splitlines()[2:]]
    assert stages == [["compute", "4/4", "40"], ["deduplicate", "4/4", "40"], ["write", "0/1"]]
    assert main(["arithmetic", f"output_dir={stopped}", "num_documents=40", "num_tasks=4"]) == 0
    capsys.readouterr()
    assert main(["status", str(stopped)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("arithmetic: finished, train: 40 rows\n")
    assert [line.split()[:3] for line in printed.splitlines()[2:]][2] == ["write", "1/1", "40"]


def test_what_is_left_follows_from_what_was_done(stopped, capsys):
    state = stopped / ".build"
    (state / "executor" / "deduplicate" / "completions" / "00003").unlink()
    (state / "progress" / "deduplicate" / "00003").unlink()
    counted = sum(int(path.read_text()) for path in (state / "progress" / "deduplicate").iterdir())
    os.utime(state / "executor" / "deduplicate" / "executor.json", (time.time() - 100, time.time() - 100))
    assert main(["status", str(stopped)]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("deduplicate"))
    assert line.split()[1] == "3/4"
    assert f"{counted} of 40" in line
    expected = round(100 * (40 - counted) / counted)
    assert any(f"{seconds} s" in line for seconds in range(expected - 2, expected + 3))


def test_a_part_that_failed_is_shown_with_the_end_of_its_log(stopped, capsys):
    folder = stopped / ".build" / "executor" / "deduplicate"
    (folder / "completions" / "00002").unlink()
    (folder / "slurm_logs").mkdir()
    for name in ("7_1.out", "7_2.out"):  # part 1 was run again and is done
        (folder / "slurm_logs" / name).write_text("working\nTraceback (most recent call last):\nMemoryError\n")
    assert main(["status", str(stopped)]) == 1
    printed = capsys.readouterr().out
    assert "7_2.out:" in printed and "  MemoryError" in printed and "7_1.out" not in printed
    assert main(["status", str(stopped.parent)]) == 2
    assert "holds no build" in capsys.readouterr().err
