"""Tools that find imports by other means, each asked about an unpacked project; see bench_imports.py."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[2] / "outputs" / "tools"
Edges = set[tuple[str, str]]
NPM = ("madge@8", "typescript@5", "dependency-cruiser@17")
C_EXTENSIONS = (".c", ".h", ".cc", ".cpp", ".hpp", ".hh", ".tpp")


class ToolMissing(Exception):
    """A tool is not on this machine; the message says how to get it."""


@dataclass(frozen=True)
class Found:
    """What a tool says of a folder: files that it looked at, and (importing, imported)."""

    files: frozenset[str]
    edges: Edges


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


def npm_command(name: str) -> Path:
    """Return a command of `NPM`, installed on first use into outputs/tools."""
    if not shutil.which("npm"):
        raise ToolMissing("install Node and npm")
    command = TOOLS / "node_modules" / ".bin" / name
    if not command.exists():
        TOOLS.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "install", "--silent", "--prefix", TOOLS, *NPM], check=True)
    return command


def madge(project: Path, source: str, *arguments: str) -> Found:
    """Ask madge."""
    command = npm_command("madge")
    words = [command, "--json", "--extensions", "js,mjs,cjs,jsx,ts,tsx", *arguments, "."]
    # Into a file: into a pipe it writes 64 KiB and exits.
    with tempfile.TemporaryFile("w+") as answer:
        subprocess.run(words, cwd=project / source, stdout=answer, stderr=subprocess.DEVNULL, check=True)
        answer.seek(0)
        found = json.load(answer)
    place = Path(source)
    edges = {
        (os.path.normpath(place / importer), os.path.normpath(place / imported))
        for importer, imports in found.items()
        for imported in imports
    }
    return Found(frozenset(os.path.normpath(place / importer) for importer in found), edges)


def cruiser(project: Path, source: str, *conditions: str) -> Found:
    """Ask dependency-cruiser, which knows `exports` of package.json, with conditions of the project's own."""
    options = {
        "tsPreCompilationDeps": True,
        "enhancedResolveOptions": {
            "exportsFields": ["exports"],
            "conditionNames": [*conditions, "types", "import", "require", "node", "default"],
            "extensions": [".ts", ".tsx", ".d.ts", ".js", ".mjs", ".cjs", ".jsx", ".json"],
        },
    }
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.json")
        config.write_text(json.dumps({"options": options}))
        words = [npm_command("depcruise"), "--config", config, "--output-type", "json", source]
        done = subprocess.run(words, cwd=project, capture_output=True, text=True, check=True)
    modules = [module for module in json.loads(done.stdout)["modules"] if (project / module["source"]).is_file()]
    # It takes JSON modules for files too.
    files = frozenset(module["source"] for module in modules if not module["source"].endswith(".json"))
    edges = {(module["source"], dependency["resolved"]) for module in modules for dependency in module["dependencies"]}
    return Found(
        files, {(importer, imported) for importer, imported in edges if imported in files and importer != imported}
    )


def rustc(project: Path, source: str) -> Found:
    """Ask the compiler which files it opens for each crate of a package; all of its features are on.

    Found are (first file of the crate, file): how modules lead to each other it does not say.
    """
    if not shutil.which("rustc"):
        raise ToolMissing("install Rust")
    package = next((project / source).glob("*/Cargo.toml")).parent
    manifest = tomllib.loads((package / "Cargo.toml").read_text())
    features = [word for name in manifest.get("features", {}) for word in ("--cfg", f'feature="{name}"')]
    edition = manifest["package"].get("edition", "2015")
    roots = [
        package / "src" / "lib.rs",
        *(path for name in ("tests", "examples") for path in package.glob(f"{name}/*.rs")),
    ]
    edges: Edges = set()
    for root in roots:
        with tempfile.TemporaryDirectory() as folder:
            listed = Path(folder, "files")
            words = [
                "rustc",
                "--test",
                f"--edition={edition}",
                "--cap-lints=allow",
                *features,
                f"--emit=dep-info={listed}",
            ]
            # What other packages should be here for is an error, after the list is written.
            subprocess.run([*words, root], capture_output=True)
            opened = listed.read_text().partition("\n")[0].partition(": ")[2].split() if listed.exists() else []
        names = [os.path.relpath(name, project) for name in opened if name.endswith(".rs")]
        edges |= {(os.path.relpath(root, project), name) for name in names}
    return Found(
        frozenset(path for edge in edges for path in edge),
        {(importer, imported) for importer, imported in edges if importer != imported},
    )


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
        package, end = decoder.raw_decode(text)
        packages.append(package)
        folders[package["ImportPath"]] = Path(package["Dir"]).relative_to(project).as_posix()
        text = text[end:].lstrip()
    for package in packages:
        folder = folders[package["ImportPath"]]
        for key in ("GoFiles", "CgoFiles", "TestGoFiles", "XTestGoFiles"):
            files |= {f"{folder}/{name}" for name in package.get(key) or ()}
        for key in ("Imports", "TestImports", "XTestImports"):
            edges |= {(folder, folders[path]) for path in package.get(key) or () if path in folders}
    return Found(frozenset(files), {(importer, imported) for importer, imported in edges if importer != imported})


def gcc(project: Path, source: str, *includes: str) -> Found:
    """Ask the preprocessor about every file alone: what it opens first (`. path`) is included directly."""
    if not shutil.which("g++"):
        raise ToolMissing("apt-get install g++")
    flags = [f"-I{project / include}" for include in includes] + [f"-I{sysconfig.get_paths()['include']}"]
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
            user, used = path_of(match[1]), path_of(match[2])
            if user and used and user != used:
                edges.add((user, used))
    return Found(frozenset(path.relative_to(project).as_posix() for path in paths), edges)
