"""Section 2.2.2, phase 1: import statements that say more than one literal, taken apart, one function per language."""

import posixpath
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tree_sitter import Node


class Import(NamedTuple):
    """One import of a file.

    Args:
        line (`int`): from 1.
        target (`str`): what is imported, as it is written, without quotes; empty where it is computed at run time.
        form (`str`): how: `import`, `from`, `call`, `quoted`, `angled`, `wildcard`, `typing` (of no effect at run
            time), `lazy` (inside a function), or the function's name.
        names (tuple of `str`): what is taken from the target (Python), or the name that it gets here (the others).
    """

    line: int
    target: str
    form: str = "import"
    names: tuple[str, ...] = ()


# A pattern of paths in JavaScript; `names` may hold a regular expression that they must match too.
GLOB = "glob"


def text_of(node: "Node") -> str:
    """Return the source text of a node."""
    return (node.text or b"").decode("utf-8", "replace")


def line_of(node: "Node") -> int:
    """Return the line that a node starts on, from 1."""
    return node.start_point.row + 1


def _children(node: "Node", *types: str) -> list["Node"]:
    return [child for child in node.named_children if child.type in types]


def _has(node: "Node", *types: str) -> bool:
    return any(child.type in types for child in node.children)


def python(node: "Node") -> Iterator[Import]:
    """Take apart `import a.b as c, d` and `from ..a import b, c as d`; see where they stand."""
    line, place = line_of(node), _python_place(node)
    names = tuple(_without_alias(child) for child in node.children_by_field_name("name"))
    module = node.child_by_field_name("module_name")
    if module is None:
        yield from (Import(line, name, place or "import") for name in names)
    else:
        yield Import(line, text_of(module).replace(" ", ""), place or "from", names)


def _without_alias(node: "Node") -> str:
    name = node.child_by_field_name("name") if node.type == "aliased_import" else node
    return text_of(name) if name is not None else ""


def _python_place(node: "Node") -> str:
    """Return `lazy` inside a function, `typing` under `if TYPE_CHECKING:` (not its `else`), else an empty string."""
    below, ancestor = node, node.parent
    while ancestor is not None:
        if ancestor.type == "function_definition":
            return "lazy"
        if ancestor.type == "if_statement" and below == ancestor.child_by_field_name("consequence"):
            condition = ancestor.child_by_field_name("condition")
            if condition is not None and text_of(condition).rpartition(".")[2] == "TYPE_CHECKING":
                return "typing"
        below, ancestor = ancestor, ancestor.parent
    return ""


def javascript(node: "Node") -> Iterator[Import]:
    """Take apart `import.meta.glob("./a/*.ts")` and `require.context("./a", true, /[.]js$/)`."""
    function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
    given = arguments.named_children if arguments is not None else []
    called = text_of(function) if function is not None else ""
    if called not in ("import.meta.glob", "require.context") or not given:
        return
    if called == "import.meta.glob":
        patterns = given[0].named_children if given[0].type == "array" else given[:1]
        for pattern in patterns:
            if pattern.type == "string" and not (text := text_of(pattern)[1:-1]).startswith("!"):
                yield Import(line_of(node), text, GLOB)
        return
    if given[0].type != "string":
        return
    is_deep = len(given) < 2 or text_of(given[1]) != "false"
    expression = given[2].child_by_field_name("pattern") if len(given) > 2 else None
    folder = text_of(given[0])[1:-1].rstrip("/")
    names = (text_of(expression),) if expression is not None else ()
    yield Import(line_of(node), f"{folder}/{'**/' if is_deep else ''}*", GLOB, names)


def computed_path(node: "Node") -> str:
    """Return the pattern of a path that is put together, such as `./a/${name}.js`; empty where its folder is not said.

    Source: ours; a bundler loads all files that such a pattern may mean (webpack's contexts, Vite's variables).
    """
    if node.type == "template_string":
        pattern = "".join(
            "*" if part.type == "template_substitution" else text_of(part) for part in node.named_children
        )
    elif node.type == "binary_expression":
        pattern = "".join(_operands(node))
    else:
        return ""
    start = pattern.partition("*")[0]
    has_folder = start.startswith(("./", "../", "/", "@/", "~/")) and "/" in start.lstrip("./@~")
    return pattern if has_folder and "*" in pattern else ""


def _operands(node: "Node") -> Iterator[str]:
    for child in node.named_children:
        if child.type == "binary_expression":
            yield from _operands(child)
        else:
            yield text_of(child)[1:-1] if child.type == "string" else "*"


def go(node: "Node") -> Iterator[Import]:
    """Take apart `x "a/b"`, where the name may be left out, `_` or `.`."""
    name, path = node.child_by_field_name("name"), node.child_by_field_name("path")
    if path is not None:
        yield Import(line_of(node), text_of(path).strip('"`'), "import", (text_of(name),) if name else ())


def ruby(node: "Node") -> Iterator[Import]:
    """Take apart `require "a"`, `require_relative`, `load` and `autoload :A, "a"`.

    A path that is put together from the file's own folder (`__dir__`, `__FILE__`) has the form `folder`. `autoload`
    without a path is ActiveSupport's, which calls files after the constants.
    """
    form, arguments = text_of(node.child_by_field_name("method") or node), node.child_by_field_name("arguments")
    places = arguments.named_children if arguments is not None else []
    place = places[-1] if places else None
    receiver = node.child_by_field_name("receiver")
    if place is None or (receiver is not None and text_of(receiver) not in ("Kernel", "self")):
        return  # such as YAML.load
    text, literals = text_of(place), _literals(place)
    if place.type == "string" and not _has_below(place, "interpolation"):
        yield Import(line_of(node), "".join(literals), "require" if form == "autoload" else form)
    elif form == "autoload" and place.type == "simple_symbol":
        yield Import(line_of(node), _called_after(node, text.removeprefix(":")), "require")
    elif literals and ("__dir__" in text or "__FILE__" in text):
        # `expand_path("../a", __FILE__)` counts from the file itself.
        is_of_file = "__FILE__" in text and "dirname" not in text
        target = "/".join(literals).lstrip("/").removeprefix("../" if is_of_file else "")
        yield Import(line_of(node), target, "folder")
    else:
        yield Import(line_of(node), "", form)


def _called_after(node: "Node", constant: str) -> str:
    """Return the path that ActiveSupport's `autoload :Constant` stands for, in the modules and blocks around it.

    Source: ActiveSupport::Autoload (`autoload_under`, `autoload_at`) and the rules of its `underscore`.
    """
    parts, folder, around = [constant], "", node.parent
    while around is not None:
        if around.type in ("module", "class"):
            parts.insert(0, text_of(around.child_by_field_name("name") or around))
        elif around.type == "call" and (method := around.child_by_field_name("method")) is not None:
            given = "".join(_literals(around.child_by_field_name("arguments") or method))
            if text_of(method) == "autoload_at":
                return given
            if text_of(method) == "autoload_under":
                folder = given
        around = around.parent
    words = re.sub(r"([A-Z\d]+)([A-Z][a-z])|([a-z\d])([A-Z])", r"\1\3_\2\4", "/".join(parts).replace("::", "/"))
    return posixpath.join(posixpath.dirname(words.lower()), folder, posixpath.basename(words.lower()))


def java(node: "Node") -> Iterator[Import]:
    """Take apart `import [static] a.b.C;` and `import a.b.*;`."""
    for name in _children(node, "scoped_identifier", "identifier")[:1]:
        yield _of_package(node, text_of(name), is_wildcard=_has(node, "asterisk"))


def kotlin(node: "Node") -> Iterator[Import]:
    """Take apart `import a.b.C [as D]` and `import a.b.*`."""
    for name in _children(node, "qualified_identifier", "identifier")[:1]:
        alias = "".join(text_of(part) for part in _children(node, "identifier") if part != name)
        yield _of_package(node, text_of(name).replace("`", ""), is_wildcard=_has(node, "*"), alias=alias)


def _of_package(node: "Node", target: str, is_wildcard: bool, alias: str = "") -> Import:
    if is_wildcard:
        return Import(line_of(node), target, "wildcard")
    return Import(line_of(node), target, "import", (alias or target.rpartition(".")[2],))


def scala(node: "Node") -> Iterator[Import]:
    """Take apart `import a.b.C, d._` and `import a.{B, C => D, _}`; Scala 3 writes `*` and `as`."""
    line = line_of(node)
    parts: list[str] = []

    def single() -> Iterator[Import]:
        if parts:
            yield Import(line, ".".join(parts), "import", (parts[-1],))

    for child in node.children:
        if child.type == ",":
            yield from single()
            parts = []
        elif child.type in ("identifier", "stable_identifier"):
            parts.append(text_of(child))
        elif child.type == "namespace_wildcard":
            yield Import(line, ".".join(parts), "wildcard")
            parts = []
        elif child.type == "namespace_selectors":
            yield from _scala_selectors(line, ".".join(parts), child)
            parts = []
    yield from single()


def _scala_selectors(line: int, package: str, node: "Node") -> Iterator[Import]:
    for child in node.named_children:
        if child.type == "namespace_wildcard":
            yield Import(line, package, "wildcard")
        elif child.type == "identifier":
            yield Import(line, f"{package}.{text_of(child)}", "import", (text_of(child),))
        elif name := child.child_by_field_name("name"):
            alias = child.child_by_field_name("alias")
            yield Import(line, f"{package}.{text_of(name)}", "import", (text_of(alias) if alias else "",))


def csharp(node: "Node") -> Iterator[Import]:
    """Take apart `using A.B;`, `using static A.B.C;` and `using X = A.B.C;`; `global` holds for the repository."""
    alias = node.child_by_field_name("name")
    for name in _children(node, "qualified_name", "identifier", "alias_qualified_name", "generic_name"):
        if name == alias:
            continue
        target = text_of(name).removeprefix("global::")
        if alias is not None:
            yield Import(line_of(node), target.partition("<")[0], "alias", (text_of(alias),))
        elif _has(node, "static"):
            yield Import(line_of(node), target, "static")
        else:
            yield Import(line_of(node), target, "global" if _has(node, "global") else "namespace")


def rust(node: "Node") -> Iterator[Import]:
    """Take apart `mod a;`, `use a::{b, c as d};` and `extern crate a;`.

    The target of `use` is a whole path, behind the inline modules that it stands in (`b>` for `mod b { ... }`).
    """
    line = line_of(node)
    within = "".join(f"{name}>" for name in _inline_modules(node))
    name = node.child_by_field_name("name")
    if node.type == "use_declaration":
        argument = node.child_by_field_name("argument")
        form = "pub use" if _has(node, "visibility_modifier") else "use"
        for path, given in _rust_paths(argument, "") if argument is not None else ():
            yield Import(line, within + path.replace("r#", ""), form, (given.replace("r#", ""),))
    elif name is not None and node.type == "mod_item":
        own_name = text_of(name).removeprefix("r#")
        paths, is_always = _path_attributes(node)
        yield from (Import(line, within + path, "mod path", (own_name,)) for path in paths)
        if not is_always:
            yield Import(line, within + own_name, "mod else" if paths else "mod", (own_name,))
    elif name is not None:
        alias = node.child_by_field_name("alias")
        yield Import(line, text_of(name), "crate", (text_of(alias),) if alias else ())


def _inline_modules(node: "Node") -> list[str]:
    """Return the inline modules around a node, outermost first; one that has `#[path]` as `name=folder`."""
    names: list[str] = []
    ancestor = node.parent
    while ancestor is not None:
        if ancestor.type == "mod_item" and (name := ancestor.child_by_field_name("name")):
            paths, _ = _path_attributes(ancestor)
            own_name = text_of(name).removeprefix("r#")
            names.insert(0, f"{own_name}={paths[0]}" if paths else own_name)
        ancestor = ancestor.parent
    return names


def _path_attributes(node: "Node") -> tuple[list[str], bool]:
    """Return what `#[path = "..."]` and `#[cfg_attr(..., path = "...")]` before a module say, and whether always."""
    found: list[str] = []
    is_always = False
    before = node.prev_named_sibling
    while before is not None and before.type in ("attribute_item", "line_comment", "block_comment"):
        attribute = next(iter(before.named_children), None)
        if attribute is not None and attribute.type == "attribute":
            value, arguments = attribute.child_by_field_name("value"), attribute.child_by_field_name("arguments")
            if value is not None and text_of(attribute).startswith("path"):
                found.append(text_of(value).strip('"'))
                is_always = True
            elif arguments is not None and text_of(attribute).startswith("cfg_attr"):
                parts = arguments.children
                found += [
                    text_of(parts[at + 2]).strip('"')
                    for at in range(len(parts) - 2)
                    if text_of(parts[at]) == "path" and text_of(parts[at + 1]) == "="
                ]
        before = before.prev_named_sibling
    return found[::-1], is_always


def _rust_paths(node: "Node", prefix: str) -> Iterator[tuple[str, str]]:
    """Give (path, name here) of everything that a tree of `use` names."""
    if node.type == "use_list":
        for child in node.named_children:
            yield from _rust_paths(child, prefix)
    elif node.type == "scoped_use_list":
        path, inner = node.child_by_field_name("path"), node.child_by_field_name("list")
        if inner is not None:
            yield from _rust_paths(inner, _joined(prefix, text_of(path) if path else ""))
    elif node.type == "use_as_clause":
        path, alias = node.child_by_field_name("path"), node.child_by_field_name("alias")
        if path is not None:
            yield _joined(prefix, text_of(path)), text_of(alias) if alias else ""
    elif node.type == "use_wildcard":
        yield _joined(prefix, text_of(node).removesuffix("*").removesuffix("::")), "*"
    elif node.type == "self":
        yield prefix or "self", prefix.rpartition("::")[2]
    elif node.type in ("identifier", "scoped_identifier", "crate", "super"):
        yield _joined(prefix, text_of(node)), text_of(node).rpartition("::")[2]


def _joined(prefix: str, path: str) -> str:
    path = "".join(path.split()).removeprefix("::")
    return f"{prefix}::{path}" if prefix and path else prefix or path


def php(node: "Node") -> Iterator[Import]:
    r"""Take apart `use A\{B, C as D};`, `use function A\f;` and `require __DIR__ . '/b.php';`."""
    line = line_of(node)
    if node.type != "namespace_use_declaration":
        yield _php_file(node)
        return
    prefix = "".join(f"{text_of(part)}\\" for part in _children(node, "namespace_name"))
    group = node.child_by_field_name("body") or node
    for clause in _children(group, "namespace_use_clause"):
        alias = clause.child_by_field_name("alias")
        names = [name for name in clause.named_children if name != alias and name.type in ("name", "qualified_name")]
        for name in names[:1]:
            target = (prefix + text_of(name)).lstrip("\\")
            yield Import(line, target, "use", (text_of(alias) if alias else target.rpartition("\\")[2],))


def _php_file(node: "Node") -> Import:
    """Return an include of a literal below the file's folder (form `folder`) or below any (`include`)."""
    text = "".join(text_of(node).split())
    literals = _literals(node)
    if len(literals) != 1:
        return Import(line_of(node), "", "include")
    literal = literals[0]
    if "__DIR__" in text or "__FILE__" in text:
        # dirname(__DIR__), dirname(__FILE__, 2): each goes one folder up.
        ups = text.count("dirname(") - ("__FILE__" in text)
        return Import(line_of(node), "../" * ups + literal.lstrip("/\\"), "folder")
    is_alone = not _has_below(node, "binary_expression", "variable_name", "function_call_expression")
    return Import(line_of(node), literal, "include" if is_alone else "tail")


def _literals(node: "Node") -> list[str]:
    if any(child.type == "escape_sequence" for child in node.named_children):
        parts = [part for part in node.named_children if part.type in ("string_content", "escape_sequence")]
        return ["".join(map(text_of, parts))]
    if node.type in ("string_content", "string_value"):
        return [text_of(node)]
    return [literal for child in node.named_children for literal in _literals(child)]


def _has_below(node: "Node", *types: str) -> bool:
    return any(child.type in types or _has_below(child, *types) for child in node.named_children)
