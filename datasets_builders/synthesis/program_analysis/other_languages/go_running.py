"""Section 2.4: Go in the sandbox: units share a package, so the names of each end in its number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from datasets_builders.synthesis.program_analysis.other_languages.go import PURE_PACKAGES
from datasets_builders.synthesis.program_analysis.other_languages.instrumentation import instrumented
from datasets_builders.synthesis.program_analysis.other_languages.running import (
    RUNTIME_FOLDER,
    Assembly,
    Place,
    Runner,
    Unit,
)
from datasets_builders.synthesis.program_analysis.other_languages.syntax import (
    Edit,
    edited,
    field_text,
    nodes_of,
    text_of,
    tree_of,
)
from evals.execution import Program

DRIVER = (RUNTIME_FOLDER / "driver.go").read_text(encoding="utf-8")
_OWN_IMPORTS = (
    *("encoding/json", "errors", "fmt", "math", "os", "reflect", "regexp", "slices", "sort", "strconv", "strings"),
    *("sync/atomic", "testing", "time", "unicode/utf8"),
)
_HEAD = re.compile(r'^package main\n|^import (?:"[^"]+"|\((?:\s*"[^"]+"\n)*\s*\))\n', re.MULTILINE)
# A name of each package, so that one that a unit does not use after all is no error.
_USED = {
    "bytes": "bytes.Equal", "cmp": "cmp.Compare[int]", "container/heap": "heap.Init", "container/list": "list.New",
    "encoding/hex": "hex.EncodeToString", "encoding/json": "json.Marshal", "errors": "errors.New",
    "fmt": "fmt.Sprint", "maps": "maps.Copy[map[int]int, map[int]int]", "math": "math.Sqrt", "math/big": "big.NewInt",
    "math/bits": "bits.Len", "os": "os.Exit", "path": "path.Base", "reflect": "reflect.DeepEqual",
    "regexp": "regexp.MustCompile", "slices": "slices.Reverse[[]int]", "sort": "sort.Strings",
    "strconv": "strconv.Itoa", "strings": "strings.Join", "sync/atomic": "atomic.AddInt64", "testing": "testing.Short",
    "time": "time.Now", "unicode": "unicode.IsDigit", "unicode/utf16": "utf16.Encode",
    "unicode/utf8": "utf8.ValidString",
}  # fmt: skip


class GoRunner(Runner):
    """Renames what units define; types lose the number where they are shown."""

    sandbox_language: ClassVar[str] = "go"
    units_per_program: ClassVar[int] = 256

    def assemble(self, units: Sequence[Unit], max_steps: int, max_chars: int) -> Assembly:
        """Return the program as a test binary, as the toolchain compiles them."""
        imports = dict.fromkeys(_OWN_IMPORTS)
        blocks, rows = [], []
        for number, unit in enumerate(units):
            code = unit.sample.code
            imports.update((path, None) for path in re.findall(r'"([\w/]+)"', code[:2000]) if path in PURE_PACKAGES)
            blocks.append(_unit(unit, number, code))
            names = ", ".join(f"__call{index}_u{number}" if call else "nil" for index, call in enumerate(unit.calls))
            check = f"__check_u{number}" if unit.check else "nil"
            rows.append(f"{{[]func() string{{{names}}}, {check}}},")
        head = ["package main", "import (", *(f'"{path}"' for path in imports), ")"]
        head += [f"var _ = {_USED[path]}" for path in imports]
        lines, places = list(head), {}
        for number, (text, calls) in enumerate(blocks):
            for offset, line in enumerate(text.split("\n")):
                lines.append(line)
                places["main_test.go", len(lines)] = Place(number, calls.get(offset, -1))
        lines += [
            "func TestMain(m *testing.M) {",
            f"__observeAll([]__unit{{{' '.join(rows)}}}, {max_steps}, {max_chars})",
            "}",
            DRIVER,
        ]
        return Assembly(Program("\n".join(lines), "go"), places)

    def blamed(self, message: str, assembly: Assembly) -> set[Place]:
        """Return what the compiler finds fault with: `./main_test.go:12:3: ...`."""
        found = re.findall(r"^\S*?(main_test\.go):(\d+):\d+: ", message, re.MULTILINE)
        places = (assembly.places.get((name, int(line))) for name, line in found)
        return {place for place in places if place is not None}


def _unit(unit: Unit, number: int, code: str) -> tuple[str, dict[int, int]]:
    """Return a unit's text with its names numbered, and which of its lines are calls."""
    if unit.is_counted:
        code = instrumented("Go", code, "__step({number});")
    code = _HEAD.sub("", _HEAD.sub("", code)).strip("\n")
    calls = {}
    lines = code.split("\n")
    for index, call in enumerate(unit.calls):
        if call:
            calls[len(lines)] = index
            lines.append(f"func __call{index}() string {{ return __show({call}) }}")
    if unit.check:
        body = unit.check.split("\n")
        start = next(index for index, line in enumerate(body) if line.startswith("func Test"))
        lines += ["func __check(t *__T) {", *body[start + 1 :]]
    return _renamed("\n".join(lines), f"_u{number}"), calls


def _renamed(code: str, suffix: str) -> str:
    """Return a text in which all that it declares at its top has a suffix."""
    shift = len("package main\n")
    root = tree_of("Go", f"package main\n{code}")
    names: set[str] = set()
    for node in root.named_children:
        if node.type == "function_declaration":
            names.add(field_text(node, "name"))
        elif node.type in ("const_declaration", "var_declaration", "type_declaration"):
            specs = [part for part in node.named_children if part.type.endswith(("_spec", "_alias"))]
            specs += [
                part for group in node.named_children if group.type.endswith("_list") for part in group.named_children
            ]
            names.update(text_of(name) for spec in specs for name in spec.children_by_field_name("name"))
    names -= {"_"}
    edits = []
    for node in nodes_of(root):
        if node.type in ("identifier", "type_identifier") and text_of(node) in names and not _is_field(node):
            edits.append(Edit(node.end_byte - shift, node.end_byte - shift, suffix))
    return edited(code.encode(), edits)


def _is_field(node: object) -> bool:
    """Return whether a name is that of a field in a literal of a struct, or of a type of another package."""
    from tree_sitter import Node

    assert isinstance(node, Node)
    parent = node.parent
    if parent is None:
        return False
    if parent.type == "qualified_type":
        return True
    pair = parent.parent if parent.type == "literal_element" else parent
    if pair is None or pair.type != "keyed_element" or pair.named_children[0] not in (parent, node):
        return False
    literal = pair.parent.parent if pair.parent is not None else None
    kind = literal.child_by_field_name("type") if literal is not None else None
    return kind is None or kind.type not in ("map_type", "array_type", "slice_type", "implicit_length_array_type")
