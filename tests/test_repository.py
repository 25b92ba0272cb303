"""What holds for the repository as a whole: who may import whom, and what must not be in it."""

import ast
import re
import subprocess
import sys
from collections.abc import Collection
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import SLOWEST, SLOWEST_ROWS, seconds_of_files

ROOT = Path(__file__).parents[1]
LAYERS = ["modeling_ling", "evals", "datasets_builders", "recipes"]  # each may import those before it


SANDBOX_PROGRAMS = {
    "evals/execution/fork_server_inside.py",
    "evals/execution/inside.py",
    "datasets_builders/synthesis/program_analysis/sandbox_driver.py",
    "recipes/adapting/driver_of_tests.py",
}


def python_files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imported_packages(path: Path) -> set[str]:
    packages: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            packages |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            packages.add(node.module.split(".")[0])
    return packages


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_go_one_way(layer):
    forbidden = {*LAYERS[LAYERS.index(layer) + 1 :], "tests"}
    wrong = {str(path): found for path in python_files(layer) if (found := imported_packages(path) & forbidden)}
    assert not wrong


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported_modules(path: Path, known: Collection[str]) -> set[str]:
    """Return the modules of ours that a file imports, under TYPE_CHECKING and inside functions too.

    `from package import name` is an import of `package.name` where that is a module, else of the package itself.
    """
    name, modules = module_name(path), set()
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            names = {f"{base}.{alias.name}" for alias in node.names}
            modules |= names & set(known)
            if names - set(known):
                modules.add(base)
    return modules & set(known) - {name}


def test_no_module_imports_itself_by_way_of_others():
    paths = {module_name(path): path for layer in LAYERS for path in python_files(layer)}
    graph = {name: imported_modules(path, paths) for name, path in paths.items()}
    assert sum(map(len, graph.values())) > 500
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("import circle: " + " -> ".join(reversed(error.args[1])))


def test_the_executor_needs_the_standard_library_only():
    allowed = {*sys.stdlib_module_names, "evals"}
    wrong = {
        str(path): extra for path in python_files("evals/execution") if (extra := imported_packages(path) - allowed)
    }
    assert not wrong


def test_benchmark_rows_load_without_torch_and_lighteval():
    wrong = {
        str(path): found
        for path in python_files("evals/benchmarks")
        if (found := imported_packages(path) & {"torch", "lighteval", "transformers"})
    }
    assert not wrong


def test_what_is_installed_has_all_files(tmp_path):
    """An installation that is not editable has the prompts, queries, recipes and programs beside the code, too."""
    command = [sys.executable, "setup.py", "--quiet", "build", "--build-base", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    tracked = subprocess.run(["git", "ls-files", *LAYERS], cwd=ROOT, check=True, capture_output=True, text=True)
    built = {str(path.relative_to(tmp_path / "lib")) for path in (tmp_path / "lib").rglob("*")}
    assert set(tracked.stdout.split()) - built == set()


def test_top_level_holds_what_the_design_names():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    folders = {name.split("/")[0] for name in tracked if "/" in name and not name.startswith(".")}
    assert folders <= {*LAYERS, "tests"}


def test_no_secret_and_no_path_of_a_home_is_tracked():
    pattern = re.compile(r"hf_[A-Za-z0-9]{20,}|ghp_[A-Za-z0-9]{20,}|/home/[a-z]+/|AKIA[0-9A-Z]{16}")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    texts = {name: (ROOT / name).read_text(encoding="utf-8", errors="replace") for name in tracked}
    assert not [name for name, text in texts.items() if pattern.search(text) and name != "tests/test_repository.py"]


@pytest.mark.parametrize("layer", LAYERS)
def test_code_evaluates_and_unpickles_nothing(layer):
    """Text from outside is data: eval, exec and pickle stay inside the sandbox's own runner."""
    wrong = []
    for path in python_files(layer):
        # These run as text that is given to an interpreter; the project imports none of them.
        if path.relative_to(ROOT).as_posix() in SANDBOX_PROGRAMS:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"eval", "exec"}:
                wrong.append(f"{path}:{node.lineno}")
        if imported_packages(path) & {"pickle", "cloudpickle", "dill", "marshal", "shelve"}:
            wrong.append(f"{path} imports a pickler")
    assert not wrong


def test_programs_of_the_sandbox_are_imported_nowhere():
    stems = {Path(name).stem for name in SANDBOX_PROGRAMS}
    for path in (path for folder in [*LAYERS, "tests"] for path in python_files(folder)):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            assert not stems & {part for name in [module, *names] for part in name.split(".")}, path


def test_a_docstring_with_a_source_names_it():
    bare = re.compile(r"^\s*Source: ours\.$", re.M)
    assert not [str(path) for layer in LAYERS for path in python_files(layer) if bare.search(path.read_text())]


_SUPERLATIVE = re.compile(r"_?(LARGEST|SMALLEST|LEAST|MOST|LONGEST)_\w+$")


@pytest.mark.parametrize("layer", [*LAYERS, "tests"])
def test_names_are_the_field_s(layer):
    """A constant is MAX_ or MIN_, and a loop variable is named for the thing."""
    wrong = []
    for path in python_files(layer):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.For | ast.comprehension):
                targets = [name for name in ast.walk(node.target) if isinstance(name, ast.Name)]
                wrong += [f"{path}:{name.lineno}: {name.id}" for name in targets if name.id == "one"]
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and _SUPERLATIVE.match(node.id):
                wrong.append(f"{path}:{node.lineno}: {node.id}")
    assert not wrong


def test_the_table_of_costly_tests_names_files_that_there_are():
    """Their order among all tests is read from it."""
    seconds = seconds_of_files(SLOWEST.read_text(encoding="utf-8"))
    assert len(seconds) == SLOWEST_ROWS
    assert [name for name in seconds if not (ROOT / name).is_file()] == []
