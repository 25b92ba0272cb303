"""Section 2.4: functions of JavaScript and TypeScript that use other files of their package, as one program.

What a name imported from another file stands for is found there, and taken along as if it stood in the function's own
file: modules behind those they import, names that differ bound anew. What other packages export is not followed.
"""

from __future__ import annotations

import posixpath
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from datasets_builders.curation.syntax.parsing import ParseTooCostly
from datasets_builders.repositories.files import RepositoryFiles
from datasets_builders.repositories.resolution.javascript import JavaScriptRules
from datasets_builders.repositories.resolution.rules import EXTERNAL
from datasets_builders.repositories.statements import Import
from datasets_builders.synthesis.program_analysis.extraction import Refusal
from datasets_builders.synthesis.program_analysis.other_languages.extraction import (
    Definition,
    Dialect,
    Links,
    Module,
    extract_from_module,
    read_module,
)
from datasets_builders.synthesis.program_analysis.other_languages.javascript import names_of, refusal_of, uses_of
from datasets_builders.synthesis.program_analysis.other_languages.javascript_modules import (
    ASSIGNED,
    DEFAULT,
    WHOLE,
    Export,
    Exports,
    ImportedName,
    exports_of,
    imported_names,
    members_of,
    name_of_module,
)
from datasets_builders.synthesis.program_analysis.other_languages.sample import (
    ExtractionLimits,
    ProgramSample,
    Unusable,
)

if TYPE_CHECKING:
    from tree_sitter import Node

MAX_MODULES = 24  # of one program
MAX_KEPT = 256  # modules whose trees are in memory at once
# The same module as compilers write it for either way of importing.
BUILDS = (".js", ".mjs", ".cjs")


class Package:
    """The files of a repository in one language, by path, and what they export to one another.

    Args:
        name (`str`): of the repository.
        texts: of its files, by path.
        dialect (`Dialect`): of JavaScript or TypeScript.
    """

    def __init__(self, name: str, texts: Mapping[str, str], dialect: Dialect) -> None:
        self.texts, self.dialect = dict(texts), dialect
        self._rules = JavaScriptRules(RepositoryFiles(name, self.texts, dict.fromkeys(texts, dialect.language)), {})
        self._modules: OrderedDict[str, tuple[Module, Exports]] = OrderedDict()

    def functions(self, path: str, limits: ExtractionLimits | None = None) -> Iterator[ProgramSample | Refusal]:
        """Yield the functions of a file, or why one is refused, as `extract` does."""
        try:
            module, _ = self.module(path)
        except ParseTooCostly as error:
            yield Refusal(path, "parse_too_costly", str(error))
            return
        yield from extract_from_module(self.dialect, module, limits, lambda: PackageLinks(self))

    def module(self, path: str) -> tuple[Module, Exports]:
        """Return a file taken apart, and what it exports.

        Raises:
            ParseTooCostly: the text makes the parser work far more than code does.
        """
        if path not in self._modules:
            module = read_module(self.dialect, self.texts[path], path)
            self._modules[path] = module, exports_of(module.root)
            if len(self._modules) > MAX_KEPT:
                self._modules.popitem(last=False)
        self._modules.move_to_end(path)
        return self._modules[path]

    def find(self, importer: str, target: str) -> str:
        """Return the path of the file that an import means.

        Raises:
            Unusable: it is another package's, or not here.
        """
        resolution = self._rules.resolve(importer, Import(1, target))
        if resolution == EXTERNAL:
            raise Unusable("import_not_pure", target)
        if resolution.paths:
            return resolution.paths[0]
        base, extension = posixpath.splitext(posixpath.normpath(posixpath.join(posixpath.dirname(importer), target)))
        for build in BUILDS if extension in BUILDS else ():
            if base + build in self.texts:
                return base + build
        raise Unusable("import_not_found", target)


class PackageLinks(Links):
    """Follows the imports of one function through its package."""

    def __init__(self, package: Package) -> None:
        self.package = package
        self._imports: dict[str, list[str]] = {}  # which modules a module imports, in the order in which it uses them
        self._aliases: dict[tuple[str, str], str] = {}  # (module, name there) to the name of what it stands for
        # (module, place of a definition) to what it reads of whole modules: (object, member, name of what that is)
        self._members: dict[tuple[str, int], list[tuple[str, str, str]]] = {}
        self._values: dict[tuple[str, int], Definition] = {}

    def follow(
        self, module: Module, statement: Definition, name: str, user: Definition
    ) -> list[tuple[Module, Definition]]:
        """Return the definitions of another file that an imported name stands for."""
        imported = next((found for found in imported_names(statement.node) if found.local == name), None)
        if imported is None:  # a declaration whose other part is a `require`
            raise Unusable(*statement.refusal)
        other, exports = self._module(module.path, imported.target)
        if imported.exported != WHOLE:
            return self._bound(module, imported, *self._named(other, exports, imported.exported))
        while (whole := exports.names.get(ASSIGNED)) and whole.target:
            other, exports = self._module(other.path, whole.target)
        members = members_of(user.node, name)
        if whole and not (members and members <= exports.names.keys()):
            return self._bound(module, imported, *self._named(other, exports, ASSIGNED))
        if members is None:
            raise Unusable("module_as_value", name)
        read = self._members.setdefault((module.path, user.node.start_byte), [])
        found = []
        for member in sorted(members):
            definitions, bound = self._named(other, exports, member)
            if bound in names_of(user.node)[1]:
                raise Unusable("names_collide", bound)
            read.append((name, member, bound))
            found += definitions
        return found

    def in_order(self, found: list[tuple[Module, Definition]]) -> list[Definition]:
        """Return the definitions, a module behind those it imports, with what binds its own names for them."""
        root = found[-1][0].path
        ranks = {path: rank for rank, path in enumerate(self._depth_first(root))}
        texts: dict[str, dict[str, list[str]]] = {}  # by name and module
        placed = []
        for module, definition in found:
            text = self._text(module, definition)
            for name in definition.names:
                texts.setdefault(name, {}).setdefault(module.path, []).append(text)
            placed.append((ranks[module.path], 1, definition.node.start_byte, replace(definition, text=text)))
        target = placed[-1][-1]
        made: dict[str, str] = {}
        for (path, name), other in sorted(self._aliases.items(), key=lambda item: (ranks[item[0][0]], item[0][1])):
            text = f"const {name} = {other};"
            if made.setdefault(name, text) != text or name in texts:
                raise Unusable("names_collide", name)
            alias = Definition((name,), target.node, text, frozenset(), "constant")
            placed.append((ranks[path], 0, len(placed), alias))
        for name, by_module in sorted(texts.items()):
            first, *others = by_module.values()
            if any(other != first for other in others):
                raise Unusable("names_collide", name)
        placed.sort(key=lambda place: place[:3])
        unique = {(definition.names, definition.text): definition for *_, definition in placed}
        return [*(definition for definition in unique.values() if definition is not target), target]

    def _text(self, module: Module, definition: Definition) -> str:
        """Return a definition's text, members of whole modules by their own names: `(0, _other.f)(1)` is `f(1)`."""
        text = definition.text
        for name, member, bound in self._members.get((module.path, definition.node.start_byte), ()):
            read = rf"{re.escape(name)}\s*\.\s*{re.escape(member)}(?![\w$])"
            # In a replacement a name has nothing to escape: its only sign is the dollar.
            text = re.sub(rf"\(0, {read}\)|(?<![\w$.]){read}", bound, text)
        return text

    def _depth_first(self, root: str) -> list[str]:
        order: dict[str, None] = {}
        waiting, begun = [(root, False)], set[str]()
        while waiting:
            path, is_done = waiting.pop()
            if is_done:
                order.setdefault(path)
            elif path not in begun:
                begun.add(path)
                waiting.append((path, True))
                waiting.extend((other, False) for other in reversed(self._imports.get(path, [])))
        return list(order)

    def _module(self, importer: str, target: str) -> tuple[Module, Exports]:
        path = self.package.find(importer, target)
        if path not in self.package.texts:
            raise Unusable("other_language", target)
        others = self._imports.setdefault(importer, [])
        if path not in others:
            others.append(path)
        if len({path for paths in self._imports.values() for path in paths}) > MAX_MODULES:
            raise Unusable("closure_too_large", f"more than {MAX_MODULES} files")
        try:
            return self.package.module(path)
        except ParseTooCostly as error:
            raise Unusable("parse_too_costly", str(error)) from error

    def _bound(
        self, module: Module, imported: ImportedName, definitions: list[tuple[Module, Definition]], name: str
    ) -> list[tuple[Module, Definition]]:
        """Note a name that differs from that of what it stands for."""
        if name != imported.local:
            if any(_is_only_type(definition) for _, definition in definitions):
                raise Unusable("renamed_type", imported.local)
            self._aliases[module.path, imported.local] = name
        return definitions

    def _named(
        self, module: Module, exports: Exports, name: str, seen: set[tuple[str, str]] | None = None
    ) -> tuple[list[tuple[Module, Definition]], str]:
        """Return what a module exports under a name, and the name of that in its own module."""
        seen = set() if seen is None else seen
        if (module.path, name) in seen:  # modules that export one another's names again
            raise Unusable("not_exported", name)
        seen.add((module.path, name))
        export = exports.names.get(name) or (exports.names.get(ASSIGNED) if name == DEFAULT else None)
        if export is None:
            return self._starred(module, exports, name, seen)
        if export.value is not None:
            definition = self._value(module, name, export.value)
            return [(module, definition)], definition.names[0]
        if export.target:
            return self._again(module, export, seen)
        definitions = module.bindings.get(export.local)
        if not definitions:
            raise Unusable("not_exported", name)
        if definitions[0].kind == "import":  # imported, then exported by its name here
            found = next((found for found in imported_names(definitions[0].node) if found.local == export.local), None)
            if found is None:
                raise Unusable("not_exported", name)
            return self._again(module, Export(target=found.target, exported=found.exported), seen)
        return [(module, definition) for definition in definitions], export.local

    def _again(
        self, module: Module, export: Export, seen: set[tuple[str, str]]
    ) -> tuple[list[tuple[Module, Definition]], str]:
        other, exports = self._module(module.path, export.target)
        if export.exported == WHOLE and ASSIGNED not in exports.names:
            raise Unusable("module_as_value", export.target)
        return self._named(other, exports, ASSIGNED if export.exported == WHOLE else export.exported, seen)

    def _starred(
        self, module: Module, exports: Exports, name: str, seen: set[tuple[str, str]]
    ) -> tuple[list[tuple[Module, Definition]], str]:
        found: dict[tuple[str, int], tuple[list[tuple[Module, Definition]], str]] = {}
        for target in exports.stars:
            other, others = self._module(module.path, target)
            try:
                definitions, bound = self._named(other, others, name, seen)
            except Unusable as unusable:
                if unusable.args[0] != "not_exported":
                    raise
            else:
                home, definition = definitions[0]
                found[home.path, definition.node.start_byte] = definitions, bound
        if len(found) != 1:  # of two different ones by a name neither is exported
            raise Unusable("not_exported", name)
        return next(iter(found.values()))

    def _value(self, module: Module, name: str, value: Node) -> Definition:
        """Return a value that its module exports without a name, under one."""
        key = (module.path, value.start_byte)
        if key not in self._values:
            own = value.child_by_field_name("name")
            shown = (own.text or b"").decode() if own is not None and "function" in value.type else ""
            bound = shown or (name_of_module(module.path) if name in (DEFAULT, ASSIGNED) else name)
            text = (value.text or b"").decode("utf-8", "replace")
            is_function = value.type in ("function_expression", "arrow_function")
            self._values[key] = Definition(
                (bound,),
                value,
                text if shown else f"const {bound} = {text};",
                uses_of(value) - {bound},
                "function" if is_function else "constant",
                refusal_of(value),
            )
        return self._values[key]


def _is_only_type(definition: Definition) -> bool:
    return definition.node.type in ("interface_declaration", "type_alias_declaration")
