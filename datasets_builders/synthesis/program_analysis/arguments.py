"""Section 2.4: calls to try on a function: those that people wrote, then others like them.

Types are guessed from annotations, defaults, names and use; the sandbox decides which guesses were right. Only
literals are passed, so that a call can be read, and the same seed gives the same calls.
"""

from __future__ import annotations

import ast
import hashlib
import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise

from datasets_builders.synthesis.program_analysis import argument_values as values
from datasets_builders.synthesis.program_analysis.call_sites import doctest_calls, is_literal
from datasets_builders.synthesis.program_analysis.extraction import FunctionSample, public_methods, word_list

# What a method or operation says about the type of the parameter it is applied to.
_METHOD_TYPES = {
    "str": word_list("""
        capitalize casefold center encode endswith expandtabs format isalnum isalpha isascii isdecimal isdigit
        isidentifier islower isnumeric isprintable isspace istitle isupper join ljust lower lstrip partition
        removeprefix removesuffix replace rfind rindex rjust rpartition rsplit rstrip split splitlines startswith strip
        swapcase title translate upper zfill
    """),
    "bytes": word_list("decode hex"),
    "list": word_list("append extend insert pop remove reverse sort"),
    "dict": word_list("get items keys setdefault update values"),
    "int": word_list("bit_length to_bytes"),
    "float": word_list("is_integer"),
}
_TYPE_OF_METHOD = {method: kind for kind, methods in _METHOD_TYPES.items() for method in methods}

_NAME_TYPES = {
    "str": word_list("""
        a2 c ch char delim delimiter doc encoding expr ext field filename fmt format header host key label line
        message mode mod modname module msg name netloc p part pat path pattern pathname prefix prompt query root s
        scheme sep separator source st string sub suffix tag text title token txt uri url val value word
    """),
    "int": word_list("""
        a base bits c code count depth day digits end height hour i idx index int integer k length level limit
        m maxsplit minute month n ndigits num number offset pos position precision rows second size start step stop
        tabsize times total width year
    """),
    "float": word_list("alpha b beta fraction g h h1 h2 hue l lambd m1 m2 mu q r ratio sigma saturation v x y z"),
    "list": word_list("""
        a args argv array chunks data elements files heap items iterable l lines list lst names parts paths
        population seq sequence words xs
    """),
    "bytes": word_list("b buf buffer byte bytes data payload raw"),
    "dict": word_list("attrs config d dct dict kwargs mapping namespace obj options params table"),
    "bool": word_list("flag force ignore_case keepends quiet recursive reverse strict verbose"),
}
_ANNOTATION_TYPES = {
    "str": "str", "int": "int", "float": "float", "bytes": "bytes", "bool": "bool", "list": "list", "List": "list",
    "Sequence": "list", "Iterable": "list", "tuple": "tuple", "Tuple": "tuple", "dict": "dict", "Dict": "dict",
    "Mapping": "dict", "set": "set", "Set": "set", "frozenset": "set", "None": "none", "Optional": "none",
}  # fmt: skip
_ANYTHING = ("str", "int", "list", "float", "strings", "bytes", "dict", "tuple", "bool", "none", "pairs")


class _Evidence(ast.NodeVisitor):
    """Collect votes for the type of each parameter, and the constants the function compares with."""

    def __init__(self, parameters: set[str]) -> None:
        self.votes: dict[str, defaultdict[str, float]] = {name: defaultdict(float) for name in parameters}
        self.constants: list[object] = []

    def _vote(self, node: ast.AST, kind: str, weight: float = 1.0) -> None:
        if isinstance(node, ast.Name) and node.id in self.votes:
            self.votes[node.id][kind] += weight

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._vote(node.value, _TYPE_OF_METHOD.get(node.attr, "object"), 3)
        self.generic_visit(node)

    def visit_For(self, node: ast.For) -> None:
        self._vote(node.iter, "pairs" if isinstance(node.target, ast.Tuple) else "list", 2)
        self._vote(node.iter, "str", 0.5)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self._vote(node.iter, "list", 2)
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
            self._vote(node.value, "dict", 3)
        else:
            self._vote(node.value, "list", 1)
            self._vote(node.value, "str", 1)
        self._vote(node.slice, "int", 1)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        for side, other in ((node.left, node.right), (node.right, node.left)):
            if isinstance(other, ast.Constant):
                self._vote(side, _type_of(other.value), 2)
            elif not isinstance(node.op, ast.Add | ast.Mod):
                self._vote(side, "int", 1)
                self._vote(side, "float", 0.5)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        sides = [node.left, *node.comparators]
        for left, right in pairwise(sides):
            for side, other in ((left, right), (right, left)):
                if isinstance(other, ast.Constant) and other.value is not None:
                    self._vote(side, _type_of(other.value), 2)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func.id if isinstance(node.func, ast.Name) else ""
        first = node.args[0] if node.args else None
        if called == "isinstance" and len(node.args) == 2:
            for part in ast.walk(node.args[1]):
                if isinstance(part, ast.Name) and part.id in _ANNOTATION_TYPES:
                    self._vote(node.args[0], _ANNOTATION_TYPES[part.id], 2)
        elif first is not None:
            if called in (
                "sorted",
                "sum",
                "enumerate",
                "list",
                "tuple",
                "iter",
                "min",
                "max",
                "set",
                "len",
                "any",
                "all",
            ):
                self._vote(first, "list", 2)
                self._vote(first, "str", 0.5)
            elif called in ("range", "abs", "chr", "divmod", "hex", "bin"):
                for argument in node.args:
                    self._vote(argument, "int", 2)
            elif called in ("ord", "int", "float"):
                self._vote(first, "str", 1)
            owner = node.func.value if isinstance(node.func, ast.Attribute) else None
            if isinstance(owner, ast.Name) and owner.id == "math":
                for argument in node.args:
                    self._vote(argument, "float", 2)
            elif isinstance(owner, ast.Constant | ast.Name) and not (
                isinstance(owner, ast.Name) and owner.id in self.votes
            ):
                for argument in node.args:
                    self._vote(argument, "str", 0.5)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str | int | float | bytes) and len(repr(node.value)) <= 24:
            self.constants.append(node.value)


def _type_of(value: object) -> str:
    return {"NoneType": "none"}.get(type(value).__name__, type(value).__name__)


def _definition(sample: FunctionSample) -> ast.FunctionDef | ast.ClassDef:
    node = ast.parse(sample.function).body[0]
    assert isinstance(node, ast.FunctionDef | ast.ClassDef)
    return node


def guess_types(node: ast.FunctionDef) -> tuple[dict[str, list[str]], list[object]]:
    """Rank the likely types of each parameter of a function.

    Args:
        node (`ast.FunctionDef`): the function.

    Returns:
        Two values: parameter name to type names, most likely first (empty when nothing is known); and the constants
        of the function's body, which make good arguments.
    """
    arguments = node.args
    parameters = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    evidence = _Evidence({parameter.arg for parameter in parameters})
    body = node.body[1:] if ast.get_docstring(node) else node.body
    for statement in body:
        evidence.visit(statement)
    for parameter in parameters:
        votes = evidence.votes[parameter.arg]
        for part in ast.walk(parameter.annotation) if parameter.annotation else ():
            name = part.id if isinstance(part, ast.Name) else str(part.value) if isinstance(part, ast.Constant) else ""
            if name in _ANNOTATION_TYPES:
                votes[_ANNOTATION_TYPES[name]] += 8
        bare = parameter.arg.lower().strip("_0123456789")
        for kind, names in _NAME_TYPES.items():
            if bare in names or parameter.arg.lower() in names:
                votes[kind] += 2
    for parameter, default in _defaults(arguments):
        if isinstance(default, ast.Constant):
            evidence.votes[parameter.arg][_type_of(default.value)] += 4 if default.value is not None else 1
    ranked = {
        name: [kind for kind, _ in sorted(votes.items(), key=lambda item: (-item[1], item[0])) if kind != "object"]
        for name, votes in evidence.votes.items()
    }
    return ranked, evidence.constants


def _defaults(arguments: ast.arguments) -> Iterator[tuple[ast.arg, ast.expr]]:
    positional = [*arguments.posonlyargs, *arguments.args]
    yield from zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True)
    for parameter, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is not None:
            yield parameter, default


def known_calls(sample: FunctionSample) -> dict[str, str]:
    """Return the calls of a function that people wrote, and where they stand.

    Args:
        sample (`FunctionSample`): the function, with the calls found in its repository.

    Returns:
        `dict`: the expression to doctest, test or call_site; doctests first, then tests.
    """
    node = _definition(sample)
    calls = dict.fromkeys(doctest_calls(sample.docstring).get(sample.name, []), "doctest")
    for origin, call in sorted(sample.known_calls, key=lambda known: known[0] != "test"):
        calls.setdefault(call, origin)
    if isinstance(node, ast.ClassDef):
        # Making an object alone gives no value.
        return {call: origin for call, origin in calls.items() if _is_method_call(call)}
    wrap = _wrapper(node)
    return {wrap(call): origin for call, origin in calls.items() if not _is_method_call(call)}


def _is_method_call(call: str) -> bool:
    node = ast.parse(call, mode="eval").body
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)


def candidate_calls(sample: FunctionSample, seed: int = 0, num_calls: int = 48) -> list[str]:
    """Return calls to try on a function or on the methods of a class: those that people wrote first, then others.

    A generator is called inside `list(...)`, so that it has a value.

    Args:
        sample (`FunctionSample`): the function.
        seed (`int`): the calls are a function of the seed and the function alone.
        num_calls (`int`): how many to return at most.

    Returns:
        `list[str]`: distinct expressions, for example `f(3, 'a')` or `Stack([1]).push(2)`.
    """
    node = _definition(sample)
    digest = hashlib.sha256(f"{seed}\0{sample.module}\0{sample.name}\0{sample.function}".encode()).digest()
    rng = random.Random(digest)
    known = known_calls(sample)
    # Room is left for values that nobody wrote down: they reach the branches that examples leave out.
    calls = dict.fromkeys(list(known)[: max(num_calls // 2, 1)])
    generate = _class_calls(node, rng) if isinstance(node, ast.ClassDef) else _function_calls(node, list(known), rng)
    for attempt in range(4 * num_calls):
        if len(calls) >= num_calls:
            break
        calls.setdefault(generate(attempt))
    return list(calls)[:num_calls]


class _Arguments:
    """Draws the arguments of a function.

    Args:
        node (`ast.FunctionDef`): the function.
        skipped (`int`): how many of its first parameters are not given: 1 for `self`.
        rng (`random.Random`): source of chance.
        seen (`list[str]`): calls that people wrote.
    """

    def __init__(self, node: ast.FunctionDef, skipped: int, rng: random.Random, seen: list[str] | None = None) -> None:
        self.node, self.rng = node, rng
        self.ranked, self.constants = guess_types(node)
        self.optional = {parameter.arg for parameter, _ in _defaults(node.args)}
        self.positional = [parameter.arg for parameter in (*node.args.posonlyargs, *node.args.args)][skipped:]
        self.seen: dict[str, list[object]] = {}
        for call in seen or ():
            for name, value in _values_of(call, self.positional):
                self.seen.setdefault(name, []).append(value)

    def draw(self, attempt: int) -> str:
        """Return the text between the brackets of a call."""
        node, rng = self.node, self.rng
        texts = []
        by_keyword = False
        for name in [*self.positional, *(parameter.arg for parameter in node.args.kwonlyargs)]:
            by_keyword = by_keyword or name not in self.positional
            if name in self.optional and rng.random() < 0.55:
                by_keyword = True
                continue
            value = self.value(name, attempt)
            texts.append(f"{name}=" * by_keyword + values.literal_text(value))
        if node.args.vararg is not None:
            kind = rng.choice(("str", "int"))
            texts += [
                repr(values.make(kind, "", self.constants, rng, size=1))
                for _ in range(rng.randint(0, 3))
                if not by_keyword
            ]
        return ", ".join(texts)

    def value(self, name: str, attempt: int) -> object:
        """Draw a value of a parameter: one that people gave, another of its type, or one of a likely type."""
        rng = self.rng
        size = 1 + attempt // 12
        if seen := self.seen.get(name):
            example = rng.choice(seen)
            draw = rng.random()
            if draw < 0.35:
                return example
            if draw < 0.8:
                return values.similar(example, name, self.constants, rng, size)
        # Constants of the body reach branches that random values miss.
        return values.make(_choose(self.ranked[name], rng), name, self.constants, rng, size=size)


def _values_of(call: str, positional: list[str]) -> Iterator[tuple[str, object]]:
    """Yield the parameters of a call that someone wrote, with their values."""
    node = ast.parse(call, mode="eval").body
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "list":
        node = node.args[0]
    if isinstance(node, ast.Call):
        pairs = list(zip(positional, node.args, strict=False))
        pairs += [(keyword.arg, keyword.value) for keyword in node.keywords if keyword.arg]
        for name, argument in pairs:
            if is_literal(argument):
                yield name, ast.literal_eval(argument)


def _function_calls(node: ast.FunctionDef, known: list[str], rng: random.Random) -> Callable[[int], str]:
    arguments = _Arguments(node, 0, rng, known)
    wrap = _wrapper(node)
    return lambda attempt: wrap(f"{node.name}({arguments.draw(attempt)})")


def _class_calls(node: ast.ClassDef, rng: random.Random) -> Callable[[int], str]:
    """Return what draws a call of a method on a fresh object."""
    maker = _maker(node)
    made = _Arguments(maker, 1, rng) if maker is not None else None
    methods = list(public_methods(node))
    arguments = {}
    for method in methods:
        decorators = {ast.unparse(decorator) for decorator in method.decorator_list}
        arguments[method.name] = _Arguments(method, 0 if "staticmethod" in decorators else 1, rng), decorators

    def draw(attempt: int) -> str:
        method = methods[attempt % len(methods)]
        drawn, decorators = arguments[method.name]
        owner = node.name
        if not decorators & {"staticmethod", "classmethod"}:
            owner = f"{node.name}({made.draw(attempt) if made else ''})"
        if decorators & {"property", "functools.cached_property", "cached_property"}:
            return f"{owner}.{method.name}"
        return _wrapper(method)(f"{owner}.{method.name}({drawn.draw(attempt)})")

    return draw


def _maker(node: ast.ClassDef) -> ast.FunctionDef | None:
    """Return the function whose parameters are those of making an object, as far as the class says."""
    for part in node.body:
        if isinstance(part, ast.FunctionDef) and part.name == "__init__":
            return part
    if any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
        fields = [part for part in node.body if isinstance(part, ast.AnnAssign) and "ClassVar" not in ast.unparse(part)]
        parameters = ", ".join(ast.unparse(part) for part in fields)
        try:
            made = ast.parse(f"def __init__(self, {parameters}): pass").body[0]
        except SyntaxError:  # a field without a default after one with it: keyword-only, or inherited
            return None
        return made if isinstance(made, ast.FunctionDef) else None
    return None


def _wrapper(node: ast.FunctionDef) -> Callable[[str], str]:
    return (lambda call: f"list({call})") if _is_generator(node) else (lambda call: call)


def _choose(ranked: list[str], rng: random.Random) -> str:
    """Prefer the likeliest type, but leave every type a chance: the sandbox corrects wrong guesses."""
    if not ranked or rng.random() < 0.05:
        return rng.choice(_ANYTHING)
    return ranked[min(int(-math.log(1 - rng.random()) * 0.6), len(ranked) - 1)]


def _is_generator(node: ast.FunctionDef) -> bool:
    queue: list[ast.AST] = list(node.body)
    while queue:
        part = queue.pop()
        if isinstance(part, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(part, ast.FunctionDef | ast.Lambda | ast.ClassDef | ast.GeneratorExp):
            queue.extend(ast.iter_child_nodes(part))
    return False
