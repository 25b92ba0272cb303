"""What is told while a stage runs where there is no terminal: in lines, by what the steps tell of themselves."""

import re
import threading

from datasets_builders.building import progress


def test_lines_tell_what_steps_tell_with_the_time_left(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.01)
    (tmp_path / "00000").write_text("30")
    (tmp_path / "00001").write_text("20")
    lines, told = [], threading.Event()

    def report(line):
        lines.append(line)
        told.set()

    with progress.progress_bar("topics: find", tmp_path, 100, [lambda: "", lambda: "7 answers, $0.02"], report):
        assert told.wait(10)
    assert re.fullmatch(
        r"topics: find: 50 documents, [\d,]+ a second; 7 answers, \$0\.02; about 0 h 0 min left of 100 documents",
        lines[0],
    )


def test_steps_that_have_nothing_to_tell_are_counted_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.001)
    (tmp_path / "00000").write_text("30")
    lines, told = [], threading.Event()

    def report(line):
        lines.append(line)
        told.set()

    with progress.progress_bar("read", tmp_path, None, [lambda: ""], report):
        assert told.wait(10)
    assert re.fullmatch(r"read: 30 documents, [\d,]+ a second", lines[0])
