"""The fields of TrainingArguments, SFTConfig and DPOConfig, read from the libraries' source without importing them.

Importing them costs five seconds and torch; a plan needs their names, types and defaults only. A test compares what is
read here with the classes themselves.
"""

from __future__ import annotations

import ast
import importlib.util
import types
import typing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_PLAIN_TYPES = {"int": int, "float": float, "str": str, "bool": bool, "dict": dict, "list": list, "Any": Any}
# A class of the library's own: an enumeration, whose members are written as texts.
_OTHER_TYPE = str
# Class -> the module that defines it, in the order in which later fields override earlier ones.
_CLASSES = {
    "pretrain": (("transformers.training_args", "TrainingArguments"),),
    "distill": (("transformers.training_args", "TrainingArguments"),),
    "sft": (
        ("transformers.training_args", "TrainingArguments"),
        ("trl.trainer.base_config", "_BaseConfig"),
        ("trl.trainer.sft_config", "SFTConfig"),
    ),
    "dpo": (
        ("transformers.training_args", "TrainingArguments"),
        ("trl.trainer.base_config", "_BaseConfig"),
        ("trl.trainer.dpo_config", "DPOConfig"),
    ),
}


@dataclass(frozen=True)
class LibraryField:
    """One field: its type, `str` where that is an enumeration, and its default, None where it is computed."""

    hint: Any
    default: Any


@cache
def library_fields(kind: str) -> dict[str, LibraryField]:
    """Return the fields that the libraries give a kind of training, by name.

    Args:
        kind (`str`): pretrain, sft or dpo.

    Raises:
        ModuleNotFoundError: transformers or TRL is not installed.
    """
    found: dict[str, LibraryField] = {}
    for module, class_name in _CLASSES[kind]:
        found |= _fields_of(_source_of(module), class_name)
    return found


def _source_of(module: str) -> Path:
    package, *rest = module.split(".")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    return Path(next(iter(spec.submodule_search_locations)), *rest).with_suffix(".py")


def _fields_of(path: Path, class_name: str) -> dict[str, LibraryField]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name == class_name:
            return {
                line.target.id: LibraryField(_hint_of(line.annotation), _default_of(line.value))
                for line in node.body
                if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
                if not ast.unparse(line.annotation).startswith("ClassVar") and not _is_no_argument(line.value)
            }
    raise LookupError(f"{path} defines no class {class_name}: this version of the library is not known")


def _hint_of(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant) and node.value is None:
        return type(None)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _hint_of(ast.parse(node.value, mode="eval").body)
    if isinstance(node, ast.Name):
        return _PLAIN_TYPES.get(node.id, _OTHER_TYPE)
    if isinstance(node, ast.BinOp):
        return typing.Union[_hint_of(node.left), _hint_of(node.right)]  # noqa: UP007 - of values, not of names
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        return _subscript(node.value.id, node.slice)
    return Any


def _subscript(name: str, inner: ast.expr) -> Any:
    if name == "Literal":
        return typing.Literal[ast.literal_eval(inner)]
    if name == "Optional":
        return typing.Union[_hint_of(inner), None]  # noqa: UP007
    if name == "list":
        return types.GenericAlias(list, (_hint_of(inner),))
    return _PLAIN_TYPES.get(name, _OTHER_TYPE)


def _is_no_argument(value: ast.expr | None) -> bool:
    """Whether a field is declared with `init=False`."""
    return isinstance(value, ast.Call) and any(
        keyword.arg == "init" and isinstance(keyword.value, ast.Constant) and keyword.value.value is False
        for keyword in value.keywords
    )


def _default_of(value: ast.expr | None) -> Any:
    if isinstance(value, ast.Call):
        given = {keyword.arg: keyword.value for keyword in value.keywords}
        factory = given.get("default_factory")
        value = factory.body if isinstance(factory, ast.Lambda) else given.get("default")
    try:
        return None if value is None else ast.literal_eval(value)
    except ValueError:
        return None


__all__ = ["LibraryField", "library_fields"]
