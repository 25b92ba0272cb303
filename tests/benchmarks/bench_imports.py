"""Import graphs against tools that find imports by other means: precision and recall of the edges between files.

make corpus && pip install grimp==3.19 && python tests/benchmarks/bench_imports.py [--show 10]

| language | tool | what it is |
| --- | --- | --- |
| Python | grimp | the import graph behind import-linter; with Python's own finders |
| JavaScript, TypeScript | madge | npm; parses with detectives, resolves as Node and TypeScript do |
| TypeScript | cruiser | dependency-cruiser, npm; knows `exports` of package.json |
| Rust | rustc | files that the compiler opens for a crate, against those that modules lead to; `use` is not compared |
| Go | go list | the go command; packages, so that edges are compared between folders |
| C, C++ | gcc -H | the preprocessor, every file alone; branches that it does not take are not seen |
| Java | jdeps | compiled classes; also what is used without an import, but not constants: the compiler copies them |

An edge of ours is right when the tool has it, one of the tool's is found when we have it; both only among files that
the tool looked at. Edges that we alone have are counted by rule, to be judged: --show prints them. A tool that is not
here is said and left out.
"""

import argparse
import posixpath
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from datasets_builders.repositories.files import read_repository
from datasets_builders.repositories.graph import ImportGraph, build_graph
from datasets_builders.sources.folder_config import ALWAYS_EXCLUDED
from datasets_builders.sources.folders import FolderSource
from tests.benchmarks.import_tools import (
    TOOLS,
    Edges,
    Found,
    ToolMissing,
    cruiser,
    gcc,
    go_list,
    grimp,
    jdeps,
    madge,
    rustc,
)

ROOT = Path(__file__).resolve().parents[2]
# Projects that no test and no rule here was made with; with --unseen, from outputs/unseen: pip download --no-deps
# --no-binary NAME NAME, npm pack NAME, apt-get download NAME.
UNSEEN_FOLDER = ROOT / "outputs" / "unseen"
CRATES = "usr/share/cargo/registry"


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
    ("rxjs-*.tgz", "TypeScript", cruiser, ("src",)),
    ("zod-*.tgz", "TypeScript", cruiser, ("src", "@zod/source")),
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
    ("librust-itoa-dev*.deb", "Rust", rustc, (CRATES,)),
    ("librust-regex-dev*.deb", "Rust", rustc, (CRATES,)),
    # Of these: cd outputs/tools && apt-get download librust-{nom,rayon,serde,syn,tokio}-dev
    ("librust-nom-dev*.deb", "Rust", rustc, (CRATES,)),
    ("librust-rayon-dev*.deb", "Rust", rustc, (CRATES,)),
    ("librust-serde-dev*.deb", "Rust", rustc, (CRATES,)),
    ("librust-syn-dev*.deb", "Rust", rustc, (CRATES,)),
    ("librust-tokio-dev*.deb", "Rust", rustc, (CRATES,)),
]

GO = "usr/share/gocode"
UNSEEN: list[tuple[str, str, Callable[..., Found], tuple[str, ...]]] = [
    ("httpx-*.tar.gz", "Python", grimp, (".", "httpx")),
    ("scrapy-*.tar.gz", "Python", grimp, (".", "scrapy")),
    ("celery-*.tar.gz", "Python", grimp, (".", "celery")),
    ("sphinx-*.tar.gz", "Python", grimp, (".", "sphinx")),
    ("starlette-*.tar.gz", "Python", grimp, (".", "starlette")),
    ("marshmallow-*.tar.gz", "Python", grimp, ("src", "marshmallow")),
    ("sqlalchemy-*.tar.gz", "Python", grimp, ("lib", "sqlalchemy")),
    ("preact-*.tgz", "JavaScript", cruiser, ("src",)),
    ("axios-*.tgz", "JavaScript", cruiser, ("lib",)),
    ("three-*.tgz", "JavaScript", cruiser, ("examples/jsm",)),
    ("three-*.tgz", "JavaScript", cruiser, ("src",)),
    ("ajv-*.tgz", "TypeScript", cruiser, ("lib",)),
    ("immer-*.tgz", "TypeScript", cruiser, ("src",)),
    ("reduxjs-toolkit-*.tgz", "TypeScript", cruiser, ("src",)),
    ("mobx-*.tgz", "TypeScript", cruiser, ("src",)),
    ("effect-*.tgz", "TypeScript", cruiser, ("src",)),
    ("react-native-gesture-handler-*.tgz", "TypeScript", cruiser, ("src",)),
    ("golang-github-gin-gonic*.deb", "Go", go_list, (GO, "github.com/gin-gonic/gin")),
    ("golang-github-spf13-viper*.deb", "Go", go_list, (GO, "github.com/spf13/viper")),
    ("golang-go.uber-zap*.deb", "Go", go_list, (GO, "go.uber.org/zap")),
    ("golang-github-prometheus-client*.deb", "Go", go_list, (GO, "github.com/prometheus/client_golang")),
    ("golang-github-hashicorp-hcl*.deb", "Go", go_list, (GO, "github.com/hashicorp/hcl")),
    ("golang-github-sirupsen*.deb", "Go", go_list, (GO, "github.com/sirupsen/logrus")),
    ("psutil-*.tar.gz", "C", gcc, ("psutil", ".")),
    ("lz4-*.tar.gz", "C", gcc, ("lz4libs", "lz4libs")),
    ("openjdk-*-source*.deb", "Java", jdeps, ("module:java.sql",)),
    ("openjdk-*-source*.deb", "Java", jdeps, ("module:java.management",)),
    ("openjdk-*-source*.deb", "Java", jdeps, ("module:jdk.jshell",)),
    ("openjdk-*-source*.deb", "Java", jdeps, ("module:java.compiler",)),
    ("librust-chrono*.deb", "Rust", rustc, (CRATES,)),
    ("librust-hyper*.deb", "Rust", rustc, (CRATES,)),
    ("librust-image*.deb", "Rust", rustc, (CRATES,)),
    ("librust-nix*.deb", "Rust", rustc, (CRATES,)),
    ("librust-serde-json*.deb", "Rust", rustc, (CRATES,)),
    ("librust-regex-automata*.deb", "Rust", rustc, (CRATES,)),
    ("librust-clap-dev*.deb", "Rust", rustc, (CRATES,)),
    ("librust-tower*.deb", "Rust", rustc, (CRATES,)),
    # A second round, 2026-12-01.
    ("werkzeug-*.tar.gz", "Python", grimp, ("src", "werkzeug")),
    ("trio-*.tar.gz", "Python", grimp, ("src", "trio")),
    ("cattrs-*.tar.gz", "Python", grimp, ("src", "cattrs")),
    ("tornado-*.tar.gz", "Python", grimp, (".", "tornado")),
    ("fonttools-*.tar.gz", "Python", grimp, ("Lib", "fontTools")),
    ("msgpack-*.tar.gz", "Python", grimp, (".", "msgpack")),
    ("knex-*.tgz", "JavaScript", cruiser, ("lib",)),
    ("handlebars-*.tgz", "JavaScript", cruiser, ("lib",)),
    ("matter-js-*.tgz", "JavaScript", cruiser, ("src",)),
    ("passport-*.tgz", "JavaScript", cruiser, ("lib",)),
    ("winston-*.tgz", "JavaScript", cruiser, ("lib",)),
    ("bootstrap-*.tgz", "JavaScript", cruiser, ("js/src",)),
    ("apache-arrow-*.tgz", "TypeScript", cruiser, ("src",)),
    ("ethers-*.tgz", "TypeScript", cruiser, ("src.ts",)),
    ("tanstack-query-core-*.tgz", "TypeScript", cruiser, ("src",)),
    ("lottie-react-native-*.tgz", "TypeScript", cruiser, ("src",)),
    ("react-native-maps-*.tgz", "TypeScript", cruiser, ("src",)),
    ("react-native-permissions-*.tgz", "TypeScript", cruiser, ("src",)),
    ("golang-github-go-chi-chi*.deb", "Go", go_list, (GO, "github.com/go-chi/chi")),
    ("golang-github-jackc-pgx-v4*.deb", "Go", go_list, (GO, "github.com/jackc/pgx/v4")),
    ("golang-github-pelletier-go-toml-dev*.deb", "Go", go_list, (GO, "github.com/pelletier/go-toml")),
    ("uthash-dev*.deb", "C", gcc, ("usr/include", "usr/include")),
    ("libuv1-dev*.deb", "C", gcc, ("usr/include", "usr/include")),
    ("libsdl2-dev*.deb", "C", gcc, ("usr/include/SDL2", "usr/include/SDL2")),
    ("libspdlog-dev*.deb", "C++", gcc, ("usr/include", "usr/include")),
    ("librange-v3-dev*.deb", "C++", gcc, ("usr/include", "usr/include")),
    ("libasio-dev*.deb", "C++", gcc, ("usr/include", "usr/include")),
    ("librust-anyhow-dev*.deb", "Rust", rustc, (CRATES,)),
    ("librust-reqwest-dev*.deb", "Rust", rustc, (CRATES,)),
    ("librust-petgraph-dev*.deb", "Rust", rustc, (CRATES,)),
]


def ours(graph: ImportGraph, tool: Callable[..., Found], found: Found) -> Edges:
    """Return our edges among a tool's files in its terms: uses without an import, folders, or files of a crate."""
    looked = found.files
    edges = {
        (edge.importing, edge.imported)
        for edge in graph.edges
        if edge.importing in looked and edge.imported in looked
        if tool is jdeps or not (edge.is_weak and edge.rule == "same_package")
    }
    if tool is rustc:
        return _crates(graph, {root for root, _ in found.edges})
    if tool is go_list:
        edges = {(posixpath.dirname(importer), posixpath.dirname(imported)) for importer, imported in edges}
    return {(importer, imported) for importer, imported in edges if importer != imported}


def _crates(graph: ImportGraph, roots: Iterable[str]) -> Edges:
    """Return (first file of a crate, file that its modules lead to)."""
    modules: dict[str, set[str]] = {}
    for edge in graph.edges:
        if edge.rule in ("rust_mod", "rust_include"):
            modules.setdefault(edge.importing, set()).add(edge.imported)
    edges: Edges = set()
    for root in roots:
        waiting = [root]
        while waiting:
            new = {
                imported
                for imported in modules.get(waiting.pop(), ())
                if imported != root and (root, imported) not in edges
            }
            edges |= {(root, imported) for imported in new}
            waiting += new
    return edges


def compare(found: Found, mine: Edges, tool: Callable[..., Found]) -> tuple[Edges, Edges, Edges]:
    """Return edges of both, of ours alone, of the tool alone."""
    theirs = {(importer, imported) for importer, imported in found.edges if not importer.startswith("?")}
    both, alone = mine & theirs, mine - theirs
    if tool is gcc:
        theirs = {(importer, imported) for importer, imported in theirs if imported in found.files}
        opened = {(importer, imported) for importer, imported in alone if (f"?{importer}", imported) in found.edges}
        both, alone = both | opened, alone - opened
    return both, alone, theirs - mine


def main() -> None:
    """Print a line per project and, with --show, the edges that only one side has."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, default=ROOT / "outputs" / "corpus")
    parser.add_argument("--only", default="", help="archives whose name contains this")
    parser.add_argument("--show", type=int, default=0, help="disagreements to print per project")
    parser.add_argument("--unseen", action="store_true", help="compare the projects of UNSEEN instead")
    options = parser.parse_args()
    header = ("project", "language", "tool", "files", "both", "ours", "theirs", "precision", "recall")
    print("| {} |\n| {} |".format(" | ".join(header), " | ".join(["---"] * 3 + ["---:"] * 6)))
    shown: list[str] = []
    sums: dict[tuple[str, str], list[int]] = {}
    for pattern, language, tool, arguments in UNSEEN if options.unseen else CASES:
        folders = (UNSEEN_FOLDER,) if options.unseen else (options.corpus, TOOLS)
        found_archives = [path for folder in folders for path in sorted(folder.glob(pattern))]
        archive = next(iter(found_archives), None)
        if archive is None or options.only not in archive.name:
            if archive is None:
                shown.append(
                    f"not compared: {pattern} is not in {' or '.join(map(str, folders))}: see CASES and UNSEEN"
                )
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
        both, alone, missed = compare(found, ours(graph, tool, found), tool)
        counts = [len(found.files), len(both), len(alone), len(missed)]
        sums[language, tool.__name__] = [
            total + count for total, count in zip(sums.get((language, tool.__name__), [0] * 4), counts, strict=True)
        ]
        module = " ".join(argument for argument in arguments if argument.startswith("module:")).removeprefix("module:")
        print(_line(module or archive.name.partition("_")[0], language, tool.__name__, counts), flush=True)
        rules = Counter(edge.rule for edge in graph.edges if (edge.importing, edge.imported) in alone)
        shown += [f"{archive.name}: only ours, by rule: {name} {count}" for name, count in rules.most_common()]
        shown += [
            f"{archive.name}: only ours: {importer} -> {imported}"
            for importer, imported in sorted(alone)[: options.show]
        ]
        shown += [
            f"{archive.name}: only theirs: {importer} -> {imported}"
            for importer, imported in sorted(missed)[: options.show]
        ]
    for (language, name), counts in sums.items():
        print(_line("all", language, name, counts))
    print("\n".join(shown))


def _line(project: str, language: str, tool: str, counts: list[int]) -> str:
    files, both, alone, missed = counts
    precision, recall = (f"{both / (both + other):.3f}" if both + other else "" for other in (alone, missed))
    return f"| {project} | {language} | {tool} | {files} | {both} | {alone} | {missed} | {precision} | {recall} |"


if __name__ == "__main__":
    main()
