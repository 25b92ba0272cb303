"""Does the model compute the same on every minor version of transformers that setup.py admits?

    make check-transformers                # every minor, about 5 minutes on two cores
    make check-transformers ONLY=newest    # what CI does beside the tests of the pinned version

The wheels come by name from the package index into outputs/transformers/X.Y, alone: torch and everything else are those
of the environment, except what a version demands otherwise. On each one the model's tests of parity, behaviour and
generation run, and a small model generates in eight ways: the tokens must be those of the loop without a cache, and of
the other versions. Exit code 1: a version fails, or differs.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, PathDistribution, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "outputs" / "transformers"
OLDEST = Version("5.17")
TESTS = ("test_reference_parity.py", "test_generation.py", "test_model_behaviour.py", "test_transformers_contract.py")
# What a version of transformers may ask for in another version than the environment has.
COMPANIONS = ("huggingface-hub", "tokenizers", "safetensors")
# Each way of generating has to give what another gives, the loop if none is named; beams are compared by version only.
REFERENCE = "loop without cache"
PEERS = {"padded": "rows alone", "rows alone": None, "beam": None}


@dataclass
class Result:
    """What one version of transformers gave."""

    release: str
    tests: str = ""
    seconds: float = 0.0
    tokens: dict[str, list[list[int]]] = field(default_factory=dict)
    error: str = ""


def admitted_releases() -> list[str]:
    """Return the newest release of every admitted minor version, the oldest first.

    Raises:
        RuntimeError: the package index does not answer.
    """
    command = [sys.executable, "-m", "pip", "index", "versions", "transformers"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"Available versions: (.*)", answer.stdout)
    if not found:
        raise RuntimeError(f"the package index does not answer: {answer.stderr.strip().splitlines()[-1:]}")
    newest: dict[tuple[int, int], Version] = {}
    for release in map(Version, found[1].split(", ")):
        if OLDEST <= release < Version("6") and not release.is_prerelease:
            minor = (release.major, release.minor)
            newest[minor] = max(release, newest.get(minor, release))
    return [str(newest[minor]) for minor in sorted(newest)]


def install(release: str) -> Path | None:
    """Lay a release into its folder, with those companions that the environment has in an unfit version.

    Returns:
        `Path`: the folder for PYTHONPATH; None where the environment itself has this release.
    """
    if version("transformers") == release:
        return None
    folder = FOLDER / ".".join(release.split(".")[:2])
    if not (folder / f"transformers-{release}.dist-info").is_dir():
        subprocess.run(["rm", "-rf", str(folder)], check=True)
        pip_install(folder, [f"transformers=={release}"])
    distribution = PathDistribution(folder / f"transformers-{release}.dist-info")
    unfit = []
    for requirement in map(Requirement, distribution.requires or ()):
        if requirement.name in COMPANIONS and requirement.marker is None:
            try:
                fits = requirement.specifier.contains(version(requirement.name))
            except PackageNotFoundError:
                fits = False
            if not fits and not list(folder.glob(f"{requirement.name.replace('-', '_')}-*.dist-info")):
                unfit.append(f"{requirement.name}{requirement.specifier}")
    if unfit:
        pip_install(folder, unfit)
    return folder


def pip_install(folder: Path, requirements: Iterable[str]) -> None:
    options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--target", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, *requirements], check=True)


def check(release: str) -> Result:
    """Run the tests and generate with one release."""
    result, start = Result(release), time.monotonic()
    folder = install(release)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), *([str(folder)] if folder else [])]),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "OMP_NUM_THREADS": "1",
    }
    generated = python(["-c", f"import transformers as t; assert t.__version__ == {release!r}"], environment)
    if generated.returncode == 0:
        generated = python(["-m", "tests.versions.generate_tokens"], environment)
    if generated.returncode == 0:
        result.tokens = json.loads(generated.stdout.splitlines()[-1])
    else:
        result.error = "\n".join(generated.stderr.strip().splitlines()[-8:])
    tests = [str(ROOT / "tests" / "modeling_ling" / name) for name in TESTS]
    ran = python(["-m", "pytest", "-q", "-p", "no:cacheprovider", *tests], environment)
    lines = ran.stdout.strip().splitlines()
    result.tests = re.sub(r" in .*", "", lines[-1]).strip("= ") if lines else "did not start"
    if ran.returncode:
        result.error += "\n".join(line for line in lines if line.startswith(("FAILED", "ERROR")))
    result.seconds = time.monotonic() - start
    return result


def python(arguments: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    streams = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}  # nothing may wait for an answer
    return subprocess.run(command, **streams, check=False, cwd=ROOT, env=environment)


def row(result: Result, reference: dict[str, list[list[int]]]) -> tuple[str, bool]:
    """Return one line of the table, and whether everything in it is right."""
    verdicts = []
    for name, expected in reference.items():
        found = result.tokens.get(name)
        by_itself = PEERS.get(name, REFERENCE)
        right = found == expected and (by_itself is None or is_start(found, result.tokens[by_itself]))
        verdicts.append("same" if right else "none" if found is None else "DIFFERENT")
    cells = [result.release, *verdicts, result.tests, f"{result.seconds:.0f}"]
    return "| " + " | ".join(cells) + " |", not result.error and set(verdicts) == {"same"}


def is_start(found: list[list[int]] | None, others: list[list[int]]) -> bool:
    return found is not None and found == others[: len(found)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="RELEASE", help="one release, such as 5.24.0, or newest")
    options = parser.parse_args()
    try:
        releases = admitted_releases()
    except RuntimeError as error:
        if options.only != "newest":
            print(error, file=sys.stderr)
            return 2
        releases = [version("transformers")]
        print(f"{error}; the installed {releases[0]} is checked instead")
    if options.only:
        releases = releases[-1:] if options.only == "newest" else [options.only]
    results = []
    for release in releases:
        results.append(check(release))
        print(f"{release}: {results[-1].tests}, {results[-1].seconds:.0f} s", file=sys.stderr, flush=True)
    reference = next((result.tokens for result in reversed(results) if result.tokens), {})
    columns = ["transformers", *reference, "tests", "seconds"]
    print(f"torch {version('torch')}, {sys.platform}; tokens compared with the loop and with the newest version\n")
    print("| " + " | ".join(columns) + " |\n|" + " --- |" * len(columns))
    all_right = bool(reference)
    for result in results:
        line, is_right = row(result, reference)
        print(line)
        all_right &= is_right
    for result in results:
        if result.error:
            print(f"\n{result.release}:\n{result.error}")
    return 0 if all_right else 1


if __name__ == "__main__":
    raise SystemExit(main())
