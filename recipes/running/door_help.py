"""Section 3.2: what `--help` of recipes/{pretrain,sft,dpo}.py and recipes.distill prints: our keys, then others'.

Read from the sources, without importing what trains: 700 lines of TrainingArguments, most of which a recipe may not
write, would hide the forty keys that matter.
"""

from __future__ import annotations

import textwrap
import typing
from collections.abc import Iterable
from dataclasses import MISSING, Field, fields
from typing import Any

from recipes.running.library_fields import library_fields
from recipes.running.library_keys import refused_keys
from recipes.running.recipe_keys import KEY_CLASSES
from recipes.running.recipe_loading import describe_hint
from recipes.running.stage_keys import StageArguments

HELP_FLAGS, HELP_ALL_FLAGS = ("-h", "--help"), ("--help_all", "--help-all")
WIDTH, INDENT = 100, " " * 6
NAMES = {
    "pretrain": "pre-training",
    "sft": "supervised fine-tuning",
    "dpo": "preference optimisation",
    "distill": "models that judge texts",
}
# What a kind is run by, where that is no script of its own.
MODULES = {"distill": "recipes.distill"}


def wants_help(arguments: Iterable[str]) -> bool:
    """Return whether a command line asks for help."""
    return any(argument in (*HELP_FLAGS, *HELP_ALL_FLAGS) for argument in arguments)


def door_help(kind: str, arguments: Iterable[str] = ()) -> str:
    """Return the help of a kind's script.

    Args:
        kind: pretrain, sft or dpo.
        arguments: the command line; with --help_all the libraries' keys are explained too, and those that are refused.
    """
    key_class = KEY_CLASSES[kind]
    shared = {field.name for field in fields(StageArguments)}
    own = [field for field in fields(key_class) if field.init and field.name != "recipe_path"]
    hints = typing.get_type_hints(key_class)
    refused = refused_keys(kind, library_fields(kind), {field.name for field in own})
    library = {name: field for name, field in library_fields(kind).items() if name not in refused and name not in hints}
    program = f"-m {MODULES[kind]}" if kind in MODULES else f"recipes/{kind}.py"
    lines = [
        f"usage: python {program} --config RECIPE.yaml [--key value ...]",
        "       accelerate launch --config_file recipes/accelerate_configs/cpu.yaml "
        f"{program} --config RECIPE.yaml [--key value ...]",
        "",
        "Any key of a recipe is a flag too, with hyphens or underscores, and a flag overrides the recipe.",
        "",
        f"Keys of {NAMES[kind]}:",
        *(line for field in own if field.name not in shared for line in _of_field(field, hints)),
        "",
        "Keys of every stage:",
        *(line for field in own if field.name in shared for line in _of_field(field, hints)),
        "",
        "Keys of transformers and TRL that act here too:",
    ]
    if not any(argument in HELP_ALL_FLAGS for argument in arguments):
        lines += textwrap.wrap(", ".join(library), WIDTH, initial_indent="  ", subsequent_indent="  ")
        lines += ["", "--help_all lists these with their defaults, and those that are refused with the reasons."]
        return "\n".join(lines)
    lines += [
        f"  --{name} {describe_hint(field.hint)}" + ("" if field.default is None else f" (default: {field.default})")
        for name, field in library.items()
    ]
    lines += ["", "Keys of theirs that are refused:"]
    for name, reason in refused.items():
        lines += textwrap.wrap(f"{name}: {reason}", WIDTH, initial_indent="  ", subsequent_indent=INDENT)
    return "\n".join(lines)


def _of_field(field: Field[Any], hints: dict[str, Any]) -> list[str]:
    default = field.default if field.default_factory is MISSING else field.default_factory()
    shown = "" if default in (None, "") or default is MISSING else f" (default: {default})"
    words = f"{field.metadata.get('help', '')}{shown}"
    head = f"  --{field.name} {describe_hint(hints[field.name])}"
    return [head, *textwrap.wrap(words, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT)]


__all__ = ["door_help", "wants_help"]
