"""Section 2.4 (refactoring): f-strings, `str.format` and `%`."""

from __future__ import annotations

import ast
import re
import string

from datasets_builders.synthesis.program_analysis.rewriting.patterns import (
    Found,
)
from datasets_builders.synthesis.program_analysis.source_text import (
    Edit,
    SourceText,
)


def format_to_f_string(root: ast.FunctionDef, source: SourceText) -> Found:
    """Look for '...'.format(a, b) and '... %s' % (a, b) of plain fields."""
    for node in ast.walk(root):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
            template, values = node.func.value, node.args
            if node.keywords or not isinstance(template, ast.Constant) or not isinstance(template.value, str):
                continue
            fields = list(string.Formatter().parse(template.value)) if _is_formattable(template.value) else []
            if any(name not in (None, "") or conversion for _, name, _, conversion in fields):
                continue
            specs = [f":{spec}" if spec else "" for _, name, spec, _ in fields if name is not None]
            pattern = r"\{(?::[^{}]*)?\}"
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant):
            template = node.left
            values = node.right.elts if isinstance(node.right, ast.Tuple) else [node.right]
            if not isinstance(template.value, str) or set("{}") & set(template.value):
                continue
            if isinstance(node.right, ast.Name | ast.Call | ast.Attribute) and template.value.count("%") != 1:
                continue
            specs = [""] * template.value.count("%s")
            pattern = "%s"
            if template.value.count("%") != len(specs):
                continue
        else:
            continue
        text = source.slice(template)
        quoted = re.fullmatch(r"(['\"])[^'\"\\\n]*\1", text)
        if not specs or len(specs) != len(values) or quoted is None or any(isinstance(v, ast.Starred) for v in values):
            continue
        parts = [source.slice(value) for value in values]
        if any(set("'\"\\{}#\n!") & set(part) for part in parts):
            continue
        filled = iter(f"{{{part}{spec}}}" for part, spec in zip(parts, specs, strict=True))
        made = "f" + re.sub(pattern, lambda _, filled=filled: next(filled), text)  # type: ignore[misc]
        yield [Edit("", source.start(node), source.end(node), made)], {"expression": source.slice(node)}


def _is_formattable(text: str) -> bool:
    try:
        return bool(list(string.Formatter().parse(text)))
    except ValueError:
        return False


def f_string_to_format(root: ast.FunctionDef, source: SourceText) -> Found:
    """Look for an f-string on one line with plain names."""
    for node in ast.walk(root):
        if not isinstance(node, ast.JoinedStr) or node.lineno != node.end_lineno:
            continue
        text = source.slice(node)
        fields = re.findall(r"\{(\w+)(:[^{}]*)?\}", text)
        num_values = sum(isinstance(value, ast.FormattedValue) for value in node.values)
        if not re.fullmatch(r"f(['\"])[^'\"\\]*\1", text) or "{{" in text or "}}" in text:
            continue
        if fields and len(fields) == num_values:
            template = re.sub(r"\{\w+(:[^{}]*)?\}", lambda found: f"{{{found[1] or ''}}}", text[1:])
            made = f"{template}.format({', '.join(name for name, _ in fields)})"
            yield [Edit("", source.start(node), source.end(node), made)], {"expression": text}
