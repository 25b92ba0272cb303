"""The pipeline of the guide runs as it is printed."""

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_steps_stand_in_a_pipeline_of_datatroves(tmp_path):
    code = re.findall(r"```python\n(.*?)```", (ROOT / "datasets_builders" / "README.md").read_text(), re.DOTALL)
    texts = {
        "a": "def add(a, b):\n    return a + b\n\n\nprint(add(1, 2), 'ann@corp-mail.com')\n",
        "b": "def broken(:\n",
    }
    rows = [{"text": text, "id": name, "metadata": {"language": "Python"}} for name, text in texts.items()]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    environment = {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    ended = subprocess.run(
        [sys.executable, "-c", code[-1]], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    written = gzip.decompress((tmp_path / "out" / "00000.jsonl.gz").read_bytes()).decode().splitlines()
    (row,) = map(json.loads, written)
    assert row["id"] == "a" and "corp-mail" not in row["text"] and row["metadata"]["num_functions"] == 1
