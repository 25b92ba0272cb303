"""Import graphs against tools that find imports by other means: precision and recall of the edges between files.

make corpus && pip install grimp==3.19 && python tests/benchmarks/bench_imports.py [--show 10]

| language | tool | what it is |
| --- | --- | --- |
| Python | grimp | the import graph behind import-linter; with Python's own finders |
| JavaScript, TypeScript | madge | npm; parses with detectives, resolves as Node and TypeScript do |
| Go | go list | the go command; packages, so that edges are compared between folders |
| C, C++ | gcc -H | the preprocessor, every file alone; branches that it does not take are not seen |
| Java | jdeps | compiled classes; also what is used without an import, but not constants: the compiler copies them |

An edge of ours is right when the tool has it, one of the tool's is found when we have it; both only among files that
the tool looked at. Edges that we alone have are counted by rule, to be judged: --show prints them. A tool that is not
here is said and left out.
"""

import argparse
import json
import os
import posixpath
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from datasets_builders.repositories.files import read_repository
from datasets_builders.repositories.graph import ImportGraph, build_graph
from datasets_builders.source_code.folder import ALWAYS_EXCLUDED
from datasets_builders.sources.folders import FolderSource

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "outputs" / "tools"
Edges = set[tuple[str, str]]
MADGE = ("madge@8", "typescript@5")
C_EXTENSIONS = (".c", ".h", ".cc", ".cpp", ".hpp", ".hh", ".tpp")


class ToolMissing(Exception):
    """A tool is not on this machine; the message says how to get it."""


@dataclass(frozen=True)
class Found:
    """What a tool says of a folder: files that it looked at, and (importing, imported)."""

    files: frozenset[str]
    edges: Edges


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack an sdist, an npm tarball or a .deb; return the folder that holds the project."""
    folder.mkdir(parents=True)
    if archive.suffix == ".deb":
        subprocess.run(["dpkg-deb", "-x", archive, folder], check=True)
        return folder
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    inner = list(folder.iterdir())
    return inner[0] if len(inner) == 1 else folder


def grimp(project: Path, source: str, package: str) -> Found:
    """Ask grimp."""
    try:
        import grimp as library
    except ImportError:
        raise ToolMissing("pip install grimp") from None
    root = project / source
    sys.path.insert(0, str(root))
    try:
        graph = library.build_graph(package, cache_dir=None)
    finally:
        sys.path.remove(str(root))

    def path_of(module: str) -> str:
        base = root / module.replace(".", "/")
        path = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
        return path.relative_to(project).as_posix()

    edges = {
        (path_of(module), path_of(other))
        for module in graph.modules
        for other in graph.find_modules_directly_imported_by(module)
    }
    return Found(frozenset(map(path_of, graph.modules)), edges)


def madge(project: Path, source: str, *arguments: str) -> Found:
    """Ask madge, installed on first use into outputs/tools."""
    if not shutil.which("npm"):
        raise ToolMissing("install Node and npm")
    command = TOOLS / "node_modules" / ".bin" / "madge"
    if not command.exists():
        TOOLS.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "install", "--silent", "--prefix", TOOLS, *MADGE], check=True)
    words = [command, "--json", "--extensions", "js,mjs,cjs,jsx,ts,tsx", *arguments, "."]
    # Into a file: into a pipe it writes 64 KiB and exits.
    with tempfile.TemporaryFile("w+") as answer:
        subprocess.run(words, cwd=project / source, stdout=answer, stderr=subprocess.DEVNULL, check=True)
        answer.seek(0)
        found = json.load(answer)
    place = Path(source)
    edges = {
        (os.path.normpath(place / one), os.path.normpath(place / other))
        for one, others in found.items()
        for other in others
    }
    return Found(frozenset(os.path.normpath(place / one) for one in found), edges)


def go_list(project: Path, source: str, package: str) -> Found:
    """Ask the go command, in the way of folders below GOPATH, which needs no network."""
    if not shutil.which("go"):
        raise ToolMissing("apt-get install golang-go")
    environment = {**os.environ, "GOPATH": str(project / source), "GO111MODULE": "off", "GOFLAGS": ""}
    done = subprocess.run(
        ["go", "list", "-e", "-json", f"{package}/..."],
        cwd=project / source,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    decoder, text, edges, files = json.JSONDecoder(), done.stdout.lstrip(), set(), set()
    folders: dict[str, str] = {}
    packages = []
    while text:
        one, end = decoder.raw_decode(text)
        packages.append(one)
        folders[one["ImportPath"]] = Path(one["Dir"]).relative_to(project).as_posix()
        text = text[end:].lstrip()
    for one in packages:
        folder = folders[one["ImportPath"]]
        for key in ("GoFiles", "CgoFiles", "TestGoFiles", "XTestGoFiles"):
            files |= {f"{folder}/{name}" for name in one.get(key) or ()}
        for key in ("Imports", "TestImports", "XTestImports"):
            edges |= {(folder, folders[other]) for other in one.get(key) or () if other in folders}
    return Found(frozenset(files), {(one, other) for one, other in edges if one != other})


def gcc(project: Path, source: str, *includes: str) -> Found:
    """Ask the preprocessor about every file alone: what it opens first (`. path`) is included directly."""
    if not shutil.which("g++"):
        raise ToolMissing("apt-get install g++")
    flags = [f"-I{project / one}" for one in includes] + [f"-I{sysconfig.get_paths()['include']}"]
    files = sorted(path for path in (project / source).rglob("*") if path.suffix in C_EXTENSIONS)
    edges, looked = set(), set()
    for path in files:
        language = "c" if path.suffix == ".c" else "c++"
        done = subprocess.run(
            ["g++", "-H", "-E", "-x", language, *flags, path, "-o", os.devnull], capture_output=True, text=True
        )
        if re.search(r"fatal error: .*: No such file", done.stderr):
            continue  # what stands behind an include that is not here was not looked at
        name = path.relative_to(project).as_posix()
        looked.add(name)
        for match in re.finditer(r"^(\.+) (\S+)$", done.stderr, re.MULTILINE):
            target = Path(os.path.normpath(match[2]))
            if len(match[1]) == 1 and target.is_relative_to(project):
                edges.add((name, target.relative_to(project).as_posix()))
            elif target.is_relative_to(project):
                # Guarded headers are opened once: what an earlier header opened is not named a second time.
                edges.add((f"?{name}", target.relative_to(project).as_posix()))
    return Found(frozenset(looked), edges)


def jdeps(project: Path, source: str) -> Found:
    """Compile the classes, of a module of the JDK (`module:NAME`) in the place of the running one's, and ask jdeps.

    Nested classes belong to the file of their outermost.
    """
    if not (shutil.which("javac") and shutil.which("jdeps")):
        raise ToolMissing("apt-get install default-jdk-headless")
    module = source.removeprefix("module:")
    if module != source:
        with zipfile.ZipFile(next(project.rglob("src.zip"))) as sources:
            names = [name for name in sources.namelist() if name.startswith(f"{module}/")]
            sources.extractall(project, names)
    root = project / module
    paths = sorted(path for path in root.rglob("*.java") if path.name != "module-info.java")
    place = ["--patch-module", f"{module}={root}"] if module != source else []
    with tempfile.TemporaryDirectory() as classes:
        subprocess.run(["javac", "-nowarn", *place, "-d", classes, *paths], check=True, capture_output=True)
        done = subprocess.run(["jdeps", "-v", classes], check=True, capture_output=True, text=True)
    top = root.parent if root.name == "org" else root
    by_class = {path.relative_to(top).with_suffix("").as_posix().replace("/", "."): path for path in paths}

    def path_of(name: str) -> str | None:
        path = by_class.get(name.partition("$")[0])
        return path.relative_to(project).as_posix() if path else None

    edges = set()
    for line in done.stdout.splitlines():
        if match := re.match(r"\s+(\S+)\s+->\s+(\S+)", line):
            one, other = path_of(match[1]), path_of(match[2])
            if one and other and one != other:
                edges.add((one, other))
    return Found(frozenset(path.relative_to(project).as_posix() for path in paths), edges)


# Archive, language, tool, its arguments. Of npm packages the sources are compared, not what was built of them.
CASES: list[tuple[str, str, Callable[..., Found], tuple[str, ...]]] = [
    ("flask-*.tar.gz", "Python", grimp, ("src", "flask")),
    ("requests-*.tar.gz", "Python", grimp, ("src", "requests")),
    ("click-*.tar.gz", "Python", grimp, ("src", "click")),
    ("attrs-*.tar.gz", "Python", grimp, ("src", "attr")),
    ("networkx-*.tar.gz", "Python", grimp, (".", "networkx")),
    ("pygments-*.tar.gz", "Python", grimp, (".", "pygments")),
    ("jpype1-*.tar.gz", "Python", grimp, (".", "jpype")),
    ("express-*.tgz", "JavaScript", madge, (".",)),
    ("lodash-*.tgz", "JavaScript", madge, (".",)),
    ("date-fns-*.tgz", "JavaScript", madge, (".",)),
    ("rxjs-*.tgz", "TypeScript", madge, ("src",)),
    ("zod-*.tgz", "TypeScript", madge, ("src",)),
    ("golang-github-gorilla-mux*.deb", "Go", go_list, ("usr/share/gocode", "github.com/gorilla/mux")),
    ("golang-golang-x-text*.deb", "Go", go_list, ("usr/share/gocode", "golang.org/x/text")),
    ("golang-github-spf13-cobra*.deb", "Go", go_list, ("usr/share/gocode", "github.com/spf13/cobra")),
    ("golang-github-stretchr-testify*.deb", "Go", go_list, ("usr/share/gocode", "github.com/stretchr/testify")),
    ("brotli-*.tar.gz", "C", gcc, ("c", "c/include")),
    ("hiredis-*.tar.gz", "C", gcc, ("vendor",)),
    ("nlohmann-json3-dev*.deb", "C++", gcc, ("usr/include", "usr/include")),
    ("pybind11-*.tar.gz", "C++", gcc, ("include", "include")),
    ("libfmt-dev*.deb", "C++", gcc, ("usr/include", "usr/include")),
    ("jpype1-*.tar.gz", "Java", jdeps, ("native/jpype_module/src/main/java/org",)),
    # 47 MB, of the running JDK's version: cd outputs/tools && apt-get download openjdk-17-source
    ("openjdk-*-source*.deb", "Java", jdeps, ("module:java.logging",)),
    ("openjdk-*-source*.deb", "Java", jdeps, ("module:jdk.httpserver",)),
    ("openjdk-*-source*.deb", "Java", jdeps, ("module:java.rmi",)),
    ("openjdk-*-source*.deb", "Java", jdeps, ("module:java.prefs",)),
]


def ours(graph: ImportGraph, tool: Callable[..., Found], files: Iterable[str]) -> Edges:
    """Return our edges among files, in the tool's terms: jdeps sees uses without an import, go list folders."""
    looked = set(files)
    edges = {
        (edge.importing, edge.imported)
        for edge in graph.edges
        if edge.importing in looked and edge.imported in looked
        if tool is jdeps or not (edge.is_weak and edge.rule == "same_package")
    }
    if tool is go_list:
        edges = {(posixpath.dirname(one), posixpath.dirname(other)) for one, other in edges}
    return {(one, other) for one, other in edges if one != other}


def compare(found: Found, mine: Edges, tool: Callable[..., Found]) -> tuple[Edges, Edges, Edges]:
    """Return edges of both, of ours alone, of the tool alone."""
    theirs = {(one, other) for one, other in found.edges if not one.startswith("?")}
    both, alone = mine & theirs, mine - theirs
    if tool is gcc:
        theirs = {(one, other) for one, other in theirs if other in found.files}
        opened = {(one, other) for one, other in alone if (f"?{one}", other) in found.edges}
        both, alone = both | opened, alone - opened
    return both, alone, theirs - mine


def main() -> None:
    """Print a line per project and, with --show, the edges that only one side has."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, default=ROOT / "outputs" / "corpus")
    parser.add_argument("--only", default="", help="archives whose name contains this")
    parser.add_argument("--show", type=int, default=0, help="disagreements to print per project")
    options = parser.parse_args()
    header = ("project", "language", "tool", "files", "both", "ours", "theirs", "precision", "recall")
    print("| {} |\n| {} |".format(" | ".join(header), " | ".join(["---"] * 3 + ["---:"] * 6)))
    shown: list[str] = []
    sums: dict[tuple[str, str], list[int]] = {}
    for pattern, language, tool, arguments in CASES:
        found_archives = [one for folder in (options.corpus, TOOLS) for one in sorted(folder.glob(pattern))]
        archive = next(iter(found_archives), None)
        if archive is None or options.only not in archive.name:
            if archive is None:
                shown.append(f"not compared: {pattern} is not in {options.corpus}; nor in {TOOLS}: see CASES")
            continue
        with tempfile.TemporaryDirectory() as temporary:
            project = unpack(archive, Path(temporary).resolve() / "project")
            try:
                found = tool(project, *arguments)
            except ToolMissing as error:
                shown.append(f"not compared: {archive.name}: {error}")
                continue
            source = FolderSource(project, ALWAYS_EXCLUDED)
            graph = build_graph(read_repository(source, archive.name))
        both, alone, missed = compare(found, ours(graph, tool, found.files), tool)
        counts = [len(found.files), len(both), len(alone), len(missed)]
        sums[language, tool.__name__] = [
            one + other for one, other in zip(sums.get((language, tool.__name__), [0] * 4), counts, strict=True)
        ]
        module = " ".join(one for one in arguments if one.startswith("module:")).removeprefix("module:")
        print(_line(module or archive.name.partition("_")[0], language, tool.__name__, counts), flush=True)
        rules = Counter(edge.rule for edge in graph.edges if (edge.importing, edge.imported) in alone)
        shown += [f"{archive.name}: only ours, by rule: {name} {count}" for name, count in rules.most_common()]
        shown += [f"{archive.name}: only ours: {one} -> {other}" for one, other in sorted(alone)[: options.show]]
        shown += [f"{archive.name}: only theirs: {one} -> {other}" for one, other in sorted(missed)[: options.show]]
    for (language, name), counts in sums.items():
        print(_line("all", language, name, counts))
    print("\n".join(shown))


def _line(project: str, language: str, tool: str, counts: list[int]) -> str:
    files, both, alone, missed = counts
    precision, recall = (f"{both / (both + other):.3f}" if both + other else "" for other in (alone, missed))
    return f"| {project} | {language} | {tool} | {files} | {both} | {alone} | {missed} | {precision} | {recall} |"


if __name__ == "__main__":
    main()
