"""A teacher that is started here: a stand-in for vLLM's command, run by datatrove's own server class."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from datatrove.data import Document

from datasets_builders.asking import Asking, Teacher, check_teacher
from datasets_builders.asking.spawned import _running
from datasets_builders.building.errors import ConfigError
from tests.datasets_builders.asking.test_client import Repeat

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
VLLM = """#!{python}
import json, os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

model, flags = sys.argv[2], sys.argv[3:]
open({told!r}, "a").write(json.dumps([os.getpid(), *sys.argv[1:]]) + "\\n")
if "--broken=1" in flags:
    sys.exit("no GPU")


class Handler(BaseHTTPRequestHandler):
    def answer(self, value):
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        self.answer({{"data": [{{"id": model}}]}})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        message = {{"content": asked["messages"][0]["content"] + " from " + asked["model"]}}
        self.answer({{"choices": [{{"message": message, "finish_reason": "stop"}}]}})

    def log_message(self, *words):
        pass


print("Uvicorn running on", flush=True)
ThreadingHTTPServer(("127.0.0.1", int(flags[flags.index("--port") + 1])), Handler).serve_forever()
"""
ASK = """
import sys, time
from datatrove.data import Document
from datasets_builders.asking import Asking, Teacher
from tests.datasets_builders.asking.test_client import Repeat
asking = Asking([Teacher("tiny", spawn={"server": "vllm"})], sys.argv[1])
print([outcome.text for outcome in Repeat(asking).outcomes_of([Document("a", "a")])], flush=True)
time.sleep(60)
"""


@pytest.fixture
def vllm(tmp_path, monkeypatch):
    """Install the stand-in; gives the file in which it tells of each start."""
    (tmp_path / "packages" / "vllm").mkdir(parents=True)
    (tmp_path / "packages" / "vllm" / "__init__.py").touch()
    metadata = tmp_path / "packages" / "vllm-0.0.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: vllm\nVersion: 0.0\n")
    command = tmp_path / "bin" / "vllm"
    command.parent.mkdir()
    told = tmp_path / "started"
    command.write_text(VLLM.format(python=sys.executable, told=str(told)))
    command.chmod(0o755)
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
    yield told
    while _running:
        _running.popitem()[1].stop()


def is_running(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def ask(folder, texts, **spawn):
    asking = Asking([Teacher("tiny", spawn={"server": "vllm"} | spawn)], str(folder))
    return [outcome.text for outcome in Repeat(asking).outcomes_of([Document(text, text) for text in texts])]


def test_a_server_is_started_once_for_all_steps_of_a_process_and_stopped(tmp_path, vllm):
    flags = {"tp": 2, "max_model_len": 4096, "gpu_memory_utilization": 0.8, "enforce_eager": True}
    assert ask(tmp_path / "one", ["a", "b"], **flags) == ["a from tiny", "b from tiny"]
    assert ask(tmp_path / "two", ["c"], **flags) == ["c from tiny"]
    (line,) = vllm.read_text().splitlines()
    process, *words = json.loads(line)
    assert words[:2] == ["serve", "tiny"] and words[words.index("--max-model-len") + 1] == "4096"
    assert {"--tensor-parallel-size=2", "--gpu-memory-utilization=0.8", "--enforce-eager"} <= set(words)
    assert is_running(process)
    next(iter(_running.values())).stop()
    assert not is_running(process)


def test_a_server_does_not_outlive_a_process_that_is_killed(tmp_path, vllm):
    path = f"{ROOT}:{tmp_path / 'packages'}"
    words = [sys.executable, "-c", ASK, str(tmp_path / "answers")]
    asking = subprocess.Popen(words, env=os.environ | {"PYTHONPATH": path}, stdout=subprocess.PIPE, text=True)
    assert asking.stdout.readline() == "['a from tiny']\n"
    (process, *_) = json.loads(vllm.read_text())
    asking.send_signal(signal.SIGKILL)
    asking.wait()
    asking.stdout.close()
    deadline = time.monotonic() + 20
    while is_running(process) and time.monotonic() < deadline:
        os.sched_yield()
    assert not is_running(process)


def test_what_is_not_there_is_told(tmp_path, vllm):
    with pytest.raises(ConfigError, match="its server did not start"):
        ask(tmp_path, ["a"], broken=1)
    with pytest.raises(ConfigError, match="sglang is not installed here; install it"):
        check_teacher(Teacher("m", spawn={"server": "sglang"}))
    with pytest.raises(ConfigError, match="spawn names no server"):
        check_teacher(Teacher("m", spawn={"tp": 2}))
