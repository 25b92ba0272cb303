"""Section 2.4: functions of a file cut out with what they need of it, in any language that has a dialect.

As for Python, a function must run outside of its file: it is taken with the constants, types, helpers and imports of
the standard library that it reaches, and refused with a reason where it reaches for more.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, ClassVar

from datasets_builders.curation.syntax.parsing import ParseTooCostly
from datasets_builders.synthesis.program_analysis.extraction import Refusal
from datasets_builders.synthesis.program_analysis.other_languages.sample import (
    ExtractionLimits,
    Parameter,
    ProgramSample,
    Unusable,
)
from datasets_builders.synthesis.program_analysis.other_languages.syntax import nodes_of, text_of, tree_of

if TYPE_CHECKING:
    from tree_sitter import Node

MAX_SEEN_CALLS = 12


@dataclass
class Definition:
    """Something that a file defines, by the names it binds.

    Args:
        names: that it binds.
        node (`Node`): its syntax.
        text (`str`): as it stands in a program of its own.
        uses: names of the file or of the language that it reads.
        kind (`str`): function, constant, type or import.
        refusal: (reason, detail) why it cannot be part of a program; none where it can.
        parameters, result, docstring: of a function.
        is_asked_about (`bool`): whether questions are asked about it.
        owner (`str`): the class around it, where programs have one.
        soft_uses: names that it may read, or that are names of fields: they count where the file defines them.
        receiver, method (`str`): of a method that stands outside of its type.
        selects: names behind dots.
        is_of_object (`bool`): of a method, whether it is called on an object of its class.
        is_looked_into (`bool`): whether `uses`, `selects` and `refusal` are known yet.
    """

    names: tuple[str, ...]
    node: Node
    text: str
    uses: frozenset[str]
    kind: str
    refusal: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    result: str = ""
    docstring: str = ""
    is_asked_about: bool = False
    owner: str = ""
    soft_uses: frozenset[str] = frozenset()
    receiver: str = ""
    method: str = ""
    selects: frozenset[str] = frozenset()
    is_of_object: bool = False
    is_looked_into: bool = True


@dataclass
class SourceFile:
    """The definitions of a file, and what else its programs need."""

    definitions: list[Definition]
    imports: dict[str, str] = field(default_factory=dict)


@dataclass
class Module:
    """A file taken apart, and its definitions by the names they bind."""

    path: str
    root: Node
    file: SourceFile
    bindings: dict[str, list[Definition]]


# A definition in its module, by the places of both, which are the same however often a file is parsed.
Key = tuple[str, int, tuple[str, ...]]


class Links(ABC):
    """Follows the imports of one function from module to module."""

    @abstractmethod
    def follow(
        self, module: Module, statement: Definition, name: str, user: Definition
    ) -> list[tuple[Module, Definition]]:
        """Return what an imported name stands for.

        Args:
            module (`Module`): where it is imported.
            statement (`Definition`): by what.
            name (`str`): in that module.
            user (`Definition`): what reads the name.

        Raises:
            Unusable: it is another package's, or cannot be told.
        """

    @abstractmethod
    def in_order(self, found: list[tuple[Module, Definition]]) -> list[Definition]:
        """Return definitions so that a module stands behind those it imports, with what binds its own names for them.

        Raises:
            Unusable: two modules bind one name to different things.
        """


class Dialect(ABC):
    """What is particular to a language: its definitions, programs, literals and the way it is run."""

    language: ClassVar[str]
    tag: ClassVar[str]
    fence: ClassVar[str]
    literal_nodes: ClassVar[frozenset[str]]
    argument_node: ClassVar[str] = "arguments"
    allows_overloads: ClassVar[bool] = False
    known_names: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def read(self, root: Node) -> SourceFile:
        """Return what a file defines."""

    def look_into(self, definition: Definition) -> None:
        """Note what a definition uses, where reading the file has left that for when it is needed."""
        definition.is_looked_into = True

    @abstractmethod
    def program(self, file: SourceFile, context: list[Definition], target: Definition) -> tuple[str, str, str]:
        """Return a program in three parts: what stands before the function, the function, what stands behind it."""

    def called(self, target: Definition) -> str:
        """Return what stands before the brackets of a call."""
        return target.names[0]

    def is_known(self, name: str, file: SourceFile) -> bool:
        """Return whether a file may read a name that it does not define: one that it imports."""
        return False

    def is_literal(self, node: Node) -> bool:
        """Return whether an argument is a literal, nested ones included."""
        return all(part.type in self.literal_nodes for part in nodes_of(node) if part.is_named)

    def as_snippet(self, call: str) -> str:
        """Return a text in which a call stands alone."""
        return call


def module_of(path: str) -> str:
    """Return a path without its extension, which names a module where a language has no names of its own for them."""
    return str(PurePosixPath(path.replace("\\", "/")).with_suffix(""))


def read_module(dialect: Dialect, source: str, path: str) -> Module:
    """Return a file taken apart.

    Raises:
        ParseTooCostly: the text makes the parser work far more than code does.
    """
    root = tree_of(dialect.language, source)
    file = dialect.read(root)
    bindings: dict[str, list[Definition]] = {}
    for definition in file.definitions:
        for name in definition.names:
            bindings.setdefault(name, []).append(definition)
    return Module(path, root, file, bindings)


def extract(
    dialect: Dialect, source: str, path: str, limits: ExtractionLimits | None = None
) -> Iterator[ProgramSample | Refusal]:
    """Yield every function of a file that questions can be asked about, or the reason why not.

    Args:
        dialect (`Dialect`): of the file's language.
        source (`str`): the file's text.
        path (`str`): its path.
        limits (`ExtractionLimits`, *optional*): sizes.

    Yields:
        `ProgramSample` or `Refusal`, in source order; one `Refusal` named for the file where it cannot be read.
    """
    try:
        module = read_module(dialect, source, path)
    except ParseTooCostly as error:
        yield Refusal(path, "parse_too_costly", str(error))
        return
    yield from extract_from_module(dialect, module, limits)


def extract_from_module(
    dialect: Dialect,
    module: Module,
    limits: ExtractionLimits | None = None,
    links: Callable[[], Links] | None = None,
) -> Iterator[ProgramSample | Refusal]:
    """Yield every function of a module that questions can be asked about, or the reason why not.

    Args:
        dialect (`Dialect`): of the module's language.
        module (`Module`): the module.
        limits (`ExtractionLimits`, *optional*): sizes.
        links (*optional*): makes, for each function, what follows its imports; without it, imports of other files
            are refused.
    """
    limits = limits or ExtractionLimits()
    calls = cache(lambda: _seen_calls(dialect, module.root))  # of a file whose functions are all refused, never
    for target in module.file.definitions:
        if target.is_asked_about:
            try:
                yield _extract(dialect, module, target, limits, calls, links() if links else None)
            except Unusable as unusable:
                reason, *detail = unusable.args
                yield Refusal(target.names[0], reason, *detail)


def _extract(
    dialect: Dialect,
    module: Module,
    target: Definition,
    limits: ExtractionLimits,
    calls: Callable[[], dict[str, list[str]]],
    links: Links | None,
) -> ProgramSample:
    num_lines = target.text.count("\n") + 1
    if num_lines < limits.min_function_lines and len(target.text) < 60:
        raise Unusable("too_short", f"{num_lines} lines")
    if num_lines > limits.max_function_lines:
        raise Unusable("too_long", f"{num_lines} lines")
    if not dialect.allows_overloads and len(module.bindings[target.names[0]]) > 1:
        raise Unusable("bound_more_than_once", target.names[0])
    *context, target = closure(dialect, module, target, links, limits.max_code_chars)
    before, function, after = dialect.program(module.file, context, target)
    called = dialect.called(target)
    sample = ProgramSample(
        language=dialect.language,
        name=target.names[0],
        called=called,
        module=module_of(module.path),
        path=module.path,
        function=function,
        before=before,
        after=after,
        docstring=target.docstring,
        helpers=tuple(helper.names[0] for helper in context if helper.kind == "function"),
        parameters=target.parameters,
        result=target.result,
        seen_calls=tuple(f"{called}{arguments}" for arguments in calls().get(target.names[0], ())[:MAX_SEEN_CALLS]),
    )
    if len(sample.code) > limits.max_code_chars:
        raise Unusable("closure_too_large", f"{len(sample.code)} characters")
    return sample


def closure(
    dialect: Dialect, module: Module, target: Definition, links: Links | None, max_chars: int
) -> list[Definition]:
    """Return the definitions that a function needs, in the order of the program, itself the last.

    Raises:
        Unusable: it needs what no program of its own can have, or more than `max_chars` characters.
    """
    found = {_key(module, target): (module, target)}
    queue = [(module, target)]
    num_chars = 0
    while queue:
        home, definition = queue.pop()
        if not definition.is_looked_into:
            dialect.look_into(definition)
        if definition.refusal:
            raise Unusable(*definition.refusal)
        num_chars += len(definition.text)
        if num_chars > max_chars:
            raise Unusable("closure_too_large", f"more than {max_chars} characters")
        for name in sorted(definition.uses | definition.soft_uses):
            others = home.bindings.get(name)
            if others is None:
                if name in definition.soft_uses:
                    continue
                if name not in dialect.known_names and not dialect.is_known(name, home.file):
                    raise Unusable("unresolved_name", name)
                continue
            for other in others:
                is_imported = links is not None and other.kind == "import"
                reached = links.follow(home, other, name, definition) if links and is_imported else [(home, other)]
                for place, needed in reached:
                    if _key(place, needed) not in found and needed.owner == target.owner:
                        found[_key(place, needed)] = (place, needed)
                        queue.append((place, needed))
        if not queue:
            queue.extend(_methods_in_use(module, found))
    del found[_key(module, target)]
    if links is not None:
        return links.in_order([*found.values(), (module, target)])
    context = [definition for _, definition in found.values()]
    return [*sorted(context, key=lambda definition: definition.node.start_byte), target]


def _key(module: Module, definition: Definition) -> Key:
    return module.path, definition.node.start_byte, definition.names


def _methods_in_use(module: Module, found: dict[Key, tuple[Module, Definition]]) -> list[tuple[Module, Definition]]:
    """Return, and note, the methods of types in use that something in use may call."""
    names = {name for _, definition in found.values() for name in definition.names}
    selected = {name for _, definition in found.values() for name in definition.selects}
    methods = {
        key: (module, definition)
        for definition in module.file.definitions
        if definition.receiver in names
        and definition.method in selected
        and (key := _key(module, definition)) not in found
    }
    found.update(methods)
    return list(methods.values())


def comment_text(comments: Sequence[str]) -> str:
    """Return the words of comments without their marks."""
    lines = []
    for comment in comments:
        for line in re.sub(r"^/\*+|\*+/$", "", comment.strip()).splitlines():
            lines.append(re.sub(r"^\s*(?://[/!]?|\*)?[ \t]?", "", line).rstrip())
    return "\n".join(lines).strip()


def comments_before(node: Node) -> list[str]:
    """Return the comments that stand directly before a node."""
    comments: list[str] = []
    line = node.start_point[0]
    previous = node.prev_named_sibling
    while previous is not None and "comment" in previous.type and line - previous.end_point[0] <= 1:
        comments.insert(0, text_of(previous))
        line = previous.start_point[0]
        previous = previous.prev_named_sibling
    return comments


def _seen_calls(dialect: Dialect, root: Node) -> dict[str, list[str]]:
    """Return the argument lists of calls with literals, by the name called: from comments first, then from code."""
    calls: dict[str, list[str]] = {}
    for node in nodes_of(root):
        if "comment" in node.type:
            text = text_of(node)
            if "(" in text and len(text) < 20_000:
                for snippet in _calls_in_prose(text):
                    tree = tree_of(dialect.language, dialect.as_snippet(snippet))
                    for part in nodes_of(tree):
                        _note_call(dialect, part, calls)
    for node in nodes_of(root):
        _note_call(dialect, node, calls)
    return calls


def _calls_in_prose(text: str) -> Iterator[str]:
    text = re.sub(r"\n[ \t]*(?:\*|//)?", "\n", text)
    for found in re.finditer(r"[A-Za-z_$][\w$.]*\(", text):
        depth, at = 0, found.end() - 1
        for end in range(at, min(len(text), at + 300)):
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            if depth == 0:
                yield text[found.start() : end + 1]
                break


def _note_call(dialect: Dialect, node: Node, calls: dict[str, list[str]]) -> None:
    arguments = node.child_by_field_name("arguments")
    if arguments is None or arguments.has_error or arguments.type != dialect.argument_node:
        return
    called = node.child_by_field_name("function") or node.child_by_field_name("name")
    if called is None:
        return
    name = re.split(r"[.:>]", text_of(called))[-1]
    if not re.fullmatch(r"[A-Za-z_$][\w$]*", name):
        return
    if all(dialect.is_literal(argument) for argument in arguments.named_children):
        text = " ".join(text_of(arguments).split()) if "\n" in text_of(arguments) else text_of(arguments)
        known = calls.setdefault(name, [])
        if text not in known and len(known) < 4 * MAX_SEEN_CALLS:
            known.append(text)
