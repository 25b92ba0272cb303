"""The runner behind the quickstart: what is skipped, what is run again, and what a failure says."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from recipes.quickstart.step_runner import Step, StepFailedError, StepRunner


def python_step(name: str, code: str) -> Step:
    return Step(name, f"run {name}", (sys.executable, "-c", code))


def test_a_second_run_skips_what_is_done(tmp_path, capsys):
    marker = tmp_path / "marker"
    step = python_step("append", f"open({str(marker)!r}, 'a').write('x')")
    StepRunner(tmp_path).run([step])
    records = StepRunner(tmp_path).run([step])
    assert marker.read_text() == "x"
    assert "done before" in capsys.readouterr().out
    assert records[0].seconds > 0
    assert records[0].peak_memory_bytes >= 0


def test_a_changed_step_runs_again_and_so_do_the_steps_after_it(tmp_path):
    marker = tmp_path / "marker"
    append = python_step("append", f"open({str(marker)!r}, 'a').write('x')")
    StepRunner(tmp_path).run([python_step("first", "pass"), append])
    StepRunner(tmp_path).run([python_step("first", "print('changed')"), append])
    assert marker.read_text() == "xx"


def test_steps_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match="same name"):
        StepRunner(tmp_path).run([python_step("sft", "pass"), python_step("sft", "pass")])


def test_a_failing_step_shows_the_end_of_its_log_and_is_tried_again(tmp_path):
    broken = python_step("broken", "import sys; print('the disk is full'); sys.exit(3)")
    for _ in range(2):
        with pytest.raises(StepFailedError, match="the disk is full") as failure:
            StepRunner(tmp_path).run([broken])
    assert "status 3" in str(failure.value)
    assert "finished steps are kept" in str(failure.value)


def test_memory_and_processor_time_of_a_step_count_its_children(tmp_path):
    child = "import time; block = bytearray(120 << 20)\nwhile time.process_time() < 0.5: pass\ntime.sleep(2.5)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    record = StepRunner(tmp_path).run([python_step("parent", parent)])[0]
    assert record.peak_memory_bytes > 120 << 20
    assert 0.4 < record.processor_seconds < 5


def test_ctrl_c_ends_the_step_and_its_children(tmp_path):
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    child = f"import time, os; open({str(ready)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    step_code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    program = (
        "import sys\nfrom pathlib import Path\nfrom recipes.quickstart.step_runner import Step, StepRunner\n"
        f"StepRunner(Path({str(tmp_path)!r})).run([Step('long', 'wait', (sys.executable, '-c', {step_code!r}))])\n"
    )
    root = Path(__file__).parents[3]
    runner = subprocess.Popen([sys.executable, "-c", program], cwd=root, stderr=subprocess.PIPE)
    pids: list[int] = []
    reader = threading.Thread(target=lambda: pids.append(int(ready.read_text())))
    reader.start()
    reader.join(30)
    runner.send_signal(signal.SIGINT)
    assert b"KeyboardInterrupt" in runner.communicate(timeout=30)[1]
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_a_status_that_a_step_accepts_is_no_failure_and_not_run_again(tmp_path):
    marker = tmp_path / "marker"
    command = python_step("order", f"import sys; open({str(marker)!r}, 'a').write('x'); sys.exit(3)").command
    for _ in range(2):
        StepRunner(tmp_path).run([Step("order", "order", command, accepts=(3,))])
    assert marker.read_text() == "x"
    with pytest.raises(StepFailedError, match="status 3"):
        StepRunner(tmp_path / "other").run([Step("order", "order", command)])


def test_a_second_failure_does_not_show_what_the_first_one_said(tmp_path):
    said = []
    for problem in ("no datatrove here", "no benchmark there"):
        with pytest.raises(StepFailedError, match=problem) as failure:
            StepRunner(tmp_path).run([python_step("broken", f"import sys; sys.exit('{problem}')")])
        said.append(str(failure.value))
    assert "no datatrove" not in said[1]
    assert "no datatrove" in (tmp_path / "logs" / "broken.log").read_text()
