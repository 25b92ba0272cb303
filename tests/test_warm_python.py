"""A forked command is what an interpreter of its own would be."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests import warm_python
from tests.conftest import HOME_PREFIX
from tests.hub_server import HubServer

ROOT = Path(__file__).parents[1]
TELL = """import json, os, sys
print(json.dumps([sys.argv, os.getcwd(), os.environ.get("LING_TOLD"), os.getsid(0) == os.getpid(), sys.path[:2]]))
print(__name__, sys.stdin.read())
print("an error", file=sys.stderr)
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def both_ways(tmp_path):
    """Run a command forked and not, in a folder of its own; returns what became of it, which must be equal."""

    def run(*words, **options):
        options = {"capture_output": True, "text": True, "cwd": tmp_path} | options
        command = [sys.executable, *map(str, words)]
        forked, plain = warm_python.run(command, **options), subprocess.run(command, **options)
        assert (forked.returncode, forked.stdout) == (plain.returncode, plain.stdout), forked.stderr
        return forked.returncode, forked.stdout, forked.stderr, plain.stderr

    return run


@pytest.mark.parametrize("form", ["-c", "-m", "script"])
def test_words_folder_variables_files_and_exit_code_are_its_own(both_ways, tmp_path, form):
    (tmp_path / "tell.py").write_text(TELL)
    words = {"-c": ("-c", TELL), "-m": ("-m", "tell"), "script": ("tell.py",)}[form]
    variables = os.environ | {"LING_TOLD": "this", "PYTHONPATH": str(tmp_path / "first")}
    code, out, forked_errors, errors = both_ways(
        *words, "3", "word", env=variables, input="stdin", start_new_session=True
    )
    assert code == 3 and '"this", true' in out and out.endswith("__main__ stdin\n")
    assert forked_errors == errors == "an error\n"


def test_what_goes_wrong_is_told_alike(both_ways, tmp_path):
    assert both_ways("-m", "no_such_module_here")[2].endswith("No module named no_such_module_here\n")
    assert both_ways("-c", "raise SystemExit('a message')")[2] == "a message\n"
    code, _, forked, plain = both_ways("-c", "import atexit; atexit.register(print, 'end'); {}['key']")
    assert code == 1
    assert forked.splitlines()[-1] == plain.splitlines()[-1] == "KeyError: 'key'"


def test_it_is_this_process_s_child_and_gets_its_signals(tmp_path):
    code = "import os, time; print(os.getppid(), flush=True); time.sleep(60)"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with warm_python.Popen([sys.executable, "-c", code], **pipes) as process:
        assert int(process.stdout.readline()) == os.getpid()
        process.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in process.communicate(timeout=60)[1]
        assert process.returncode == -signal.SIGINT


def test_a_command_with_other_variables_that_a_library_reads_once_is_not_forked(tmp_path):
    here = dict(warm_python._HERE)  # tests before this one may have set some
    assert warm_python.could_be_forked(here | {"PATH": "", "PYTHONPATH": "/elsewhere", "SLURM_JOB_ID": "1"}, "builders")
    of_the_hub = here | HubServer(tmp_path).env(tmp_path)
    assert warm_python.could_be_forked(of_the_hub, "clients")
    assert not warm_python.could_be_forked(of_the_hub, "builders")
    for name in ("PYTHONHASHSEED", "OMP_NUM_THREADS", "HF_HOME"):
        assert not warm_python.could_be_forked(here | {name: "7"}, "builders")


def test_where_nothing_can_be_forked_commands_and_servers_are_interpreters_of_their_own(monkeypatch):
    asked = []
    monkeypatch.setattr(warm_python, "_ask", lambda *request: asked.append(request))
    monkeypatch.setattr(warm_python, "_servers", {})
    monkeypatch.setattr(warm_python, "FORKS", False)
    code = "import sys; print('pyarrow' in sys.modules); sys.exit(3)"
    ended = warm_python.run([sys.executable, "-c", code], env=warm_python._HERE, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (3, "False\n")
    warm_python.fork_server()
    assert asked == [] and warm_python._servers == {}


def test_what_a_library_sets_as_it_is_imported_does_not_keep_later_commands_from_being_forked():
    import sklearn  # noqa: F401 - as lighteval does, in whichever test asks a model first

    left = {name: value for name, value in os.environ.items() if name.startswith("KMP_")}
    assert len(left) >= 2
    assert warm_python.could_be_forked(warm_python._HERE | left, "builders")


def test_a_process_of_tests_has_a_home_of_its_own_in_all_that_it_has_imported():
    from huggingface_hub import constants

    home = os.environ["HF_HOME"]
    assert home == constants.HF_HOME
    homes = {
        (module.__name__, name, str(value))
        for module in list(sys.modules.values())
        for name, value in list(vars(module).items())
        if issubclass(type(value), str | Path) and HOME_PREFIX in str(value) and value != HOME_PREFIX
    }
    assert homes
    assert [found for found in homes if home not in found[2]] == []


def test_another_home_reaches_texts_and_paths_below_it_alone(monkeypatch):
    module = ModuleType("constants")
    vars(module).update(HOME="/a/home", CACHE=Path("/a/home/hub"), OTHER="/a/homes", NUMBER=3)
    monkeypatch.setitem(sys.modules, "constants", module)
    warm_python.move_home("/a/home", "/b")
    expected = {"HOME": "/b", "CACHE": Path("/b/hub"), "OTHER": "/a/homes", "NUMBER": 3}
    assert expected.items() <= vars(module).items()


def test_what_tests_import_is_imported_for_all_workers_but_what_is_rewritten(tmp_path):
    (tmp_path / "test_a.py").write_text(
        "from colorsys import (\n    hls_to_rgb,  # (a comment)\n    rgb_to_hls\n)\nimport tests.small_bert, pytest\n"
        "import no_such_module\nfrom . import beside\nif True:\n    import plistlib\n"
        "import zipapp as s, stringprep  # told\n"
    )
    (tmp_path / "helper.py").write_text("import wave\n")
    code = (
        "import sys; from tests import warm_python; warm_python.import_for_tests(sys.argv[1:]); "
        "print([*sorted({'colorsys', 'tests.small_bert', 'plistlib', 'stringprep', 'wave'} & set(sys.modules))])"
    )
    ended = subprocess.run([sys.executable, "-c", code, tmp_path], cwd=ROOT, capture_output=True, text=True)
    assert ended.stdout.splitlines()[-1] == "['colorsys', 'stringprep']", ended.stderr


def test_huge_pages_keep_what_the_memory_holds():
    code = (
        "from tests.warm_python import use_huge_pages; held = [str(number) for number in range(10**6)]; "
        "before = hash(tuple(held)); use_huge_pages(); print(before == hash(tuple(held)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True).stdout == b"True\n"
