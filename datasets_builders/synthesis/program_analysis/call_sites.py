"""Section 2.4: calls that people wrote, with arguments that are known: in tests, in doctests and elsewhere in the code.

A call counts if its arguments are literals, or names that stand for one literal there: a constant of the module, a
variable of the function, a parameter of a parametrized test.
"""

from __future__ import annotations

import ast
import doctest
from collections.abc import Iterator

MAX_CALLS_PER_NAME = 12
MAX_CALL_CHARS = 200
MAX_PARAMETER_SETS = 12
Environment = dict[str, ast.expr]


def is_literal(node: ast.expr) -> bool:
    """Return whether an expression is a literal."""
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, MemoryError, RecursionError, SyntaxError):
        return False
    return True


def literal_calls(tree: ast.Module) -> dict[str, list[str]]:
    """Return the calls with known arguments in a file.

    Args:
        tree (`ast.Module`): the file.

    Returns:
        `dict`: name of the called function or class to the texts of the calls, in order, `f(1, key="a")`. Of
        `module.f(1)` the module is left out; `C(1).method(2)` is a call of `C`.
    """
    found: dict[str, dict[str, None]] = {}
    constants = _constants(tree.body)
    for scope, environments in _scopes(tree, constants):
        for node in scope:
            if not isinstance(node, ast.Call):
                continue
            for environment in environments:
                name, text = _call_text(node, environment)
                if name and len(text) <= MAX_CALL_CHARS:
                    texts = found.setdefault(name, {})
                    if len(texts) < MAX_CALLS_PER_NAME:
                        texts[text] = None
    return {name: list(texts) for name, texts in found.items()}


def doctest_calls(docstring: str) -> dict[str, list[str]]:
    """Return the calls with known arguments in the examples of a docstring, as `literal_calls` does."""
    if ">>>" not in docstring:
        return {}
    try:
        examples = doctest.DocTestParser().get_examples(docstring)
        return literal_calls(ast.parse("".join(example.source for example in examples)))
    except (ValueError, SyntaxError):
        return {}


def _scopes(tree: ast.Module, constants: Environment) -> Iterator[tuple[list[ast.AST], list[Environment]]]:
    """Yield the nodes of every function, and of the module without them, with what its names stand for."""
    functions: list[tuple[ast.AST, Environment]] = []

    def own_nodes(root: ast.AST, environment: Environment) -> list[ast.AST]:
        nodes: list[ast.AST] = []
        queue = list(ast.iter_child_nodes(root))
        while queue:
            node = queue.pop()
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                functions.append((node, environment))
                continue
            nodes.append(node)
            queue.extend(ast.iter_child_nodes(node))
        nodes.reverse()
        return nodes

    yield own_nodes(tree, constants), [constants]
    while functions:
        function, outer = functions.pop()
        assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        arguments = function.args
        parameters = {each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
        inner = {name: value for name, value in outer.items() if name not in parameters}
        inner |= _constants(function.body)
        environments = [inner | values for values in _parameter_sets(function)] or [inner]
        yield own_nodes(function, inner), environments


def _constants(body: list[ast.stmt]) -> Environment:
    """Return the names that stand for one literal in a body."""
    values: Environment = {}
    several = set()
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                if node.id in values:
                    several.add(node.id)
                values.setdefault(node.id, ast.Name(node.id, ast.Load()))
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            if isinstance(target, ast.Name):
                values[target.id] = statement.value
    return {name: value for name, value in values.items() if name not in several and is_literal(value)}


def _parameter_sets(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[Environment]:
    """Return what `pytest.mark.parametrize` gives a test's parameters."""
    sets: list[Environment] = []
    for decorator in function.decorator_list:
        if not isinstance(decorator, ast.Call) or len(decorator.args) < 2:
            continue
        if not ast.unparse(decorator.func).endswith("parametrize"):
            continue
        names = _parameter_names(decorator.args[0])
        values = decorator.args[1]
        if not names or not isinstance(values, ast.List | ast.Tuple):
            continue
        # One name in a text takes the values as they are; names in a list take rows of them.
        is_bare = isinstance(decorator.args[0], ast.Constant) and len(names) == 1
        for row in values.elts[:MAX_PARAMETER_SETS]:
            parts = [row] if is_bare else row.elts if isinstance(row, ast.Tuple | ast.List) else []
            if len(parts) == len(names):
                sets.append({name: part for name, part in zip(names, parts, strict=True) if is_literal(part)})
    return sets


def _parameter_names(node: ast.expr) -> list[str]:
    if not is_literal(node):
        return []
    value = ast.literal_eval(node)
    parts = value.split(",") if isinstance(value, str) else value
    return [str(part).strip() for part in parts] if isinstance(parts, list | tuple) else []


def _call_text(node: ast.Call, environment: Environment) -> tuple[str, str]:
    """Return the name that is called and the text of the call, both empty if an argument is not known."""
    function = node.func
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Call):
        # A method of an object made in place.
        name, made = _call_text(function.value, environment)
        arguments = _arguments_text(node, environment)
        return (name, f"{made}.{function.attr}({arguments})") if name and arguments is not None else ("", "")
    if isinstance(function, ast.Name):
        name = function.id
    elif isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        name = function.attr
    else:
        return "", ""
    arguments = _arguments_text(node, environment)
    return (name, f"{name}({arguments})") if arguments is not None else ("", "")


def _arguments_text(node: ast.Call, environment: Environment) -> str | None:
    parts = []
    for argument in node.args:
        value = environment.get(argument.id, argument) if isinstance(argument, ast.Name) else argument
        if not is_literal(value):
            return None
        parts.append(ast.unparse(value))
    for keyword in node.keywords:
        value = keyword.value
        value = environment.get(value.id, value) if isinstance(value, ast.Name) else value
        if keyword.arg is None or not is_literal(value):
            return None
        parts.append(f"{keyword.arg}={ast.unparse(value)}")
    return ", ".join(parts)
