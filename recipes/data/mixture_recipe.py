"""Section 3.2, Table 1: the `mixture` key of a recipe, the one key with levels below it.

    mixture:
      ratios: {code: 0.70, natural_language: 0.20, math: 0.10}      # shares of all tokens
      code: {raw: 0.94, related: 0.05, synthetic: 0.01}             # shares within code
      files: {code.raw: [my_project.ds, stack.ds]}                  # only where a source has other files

A group without a line of its own is one source. The source code.raw is read from code_raw.ds in the `tokenized` folder.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets_builders.building.strict_yaml import exact_int
from recipes.data.mixture_ratios import MixtureSource, global_ratios
from recipes.data.window_order import BlockOrder
from recipes.reporting.planning import SourcePlan
from recipes.running.recipe_loading import RecipeError

RATIOS_KEY, FILES_KEY = "ratios", "files"


def _check_ratios(value: Any, where: str) -> dict[str, float]:
    if not isinstance(value, dict) or not value:
        raise RecipeError(f"{where}: {value!r} must map names to shares, {{code: 0.7, math: 0.3}} for example.")
    for name, ratio in value.items():
        if not isinstance(ratio, (int, float)) or isinstance(ratio, bool):
            raise RecipeError(f"{where}.{name}: {ratio!r} must be a number between 0 and 1.")
        if not 0 <= ratio <= 1:
            raise RecipeError(f"{where}.{name}: {ratio} is not between 0 and 1. Table 1's per cents are written 0.70.")
    total = sum(value.values())
    if abs(total - 1.0) > 1e-6:
        listed = ", ".join(f"{name} {ratio:g}" for name, ratio in value.items())
        raise RecipeError(f"{where}: the shares sum to {total:g}, not to 1 ({listed}). Change one of them.")
    return {name: float(ratio) for name, ratio in value.items()}


def read_mixture(
    mixture: dict[str, Any], tokenized: Path, fim_sources: Sequence[str], recipe_path: str = ""
) -> tuple[list[MixtureSource], dict[str, float]]:
    """Turn the key's value into sources and group ratios.

    Args:
        mixture: the value of `mixture`.
        tokenized: folder with data/NAME.ds.
        fim_sources: names of the sources that also get the fill-in-the-middle objective.
        recipe_path: for messages.

    Returns:
        (sources with paths, group ratios).

    Raises:
        RecipeError: unknown key, wrong type, shares that do not sum to 1, or a name that no source has.

    Source: paper Table 1; the layout is ours.
    """
    where = f"{recipe_path}: mixture" if recipe_path else "mixture"
    groups = _check_ratios(mixture.get(RATIOS_KEY), f"{where}.{RATIOS_KEY}")
    allowed = {RATIOS_KEY, FILES_KEY, *groups}
    for key in mixture:
        if key not in allowed:
            near = difflib.get_close_matches(str(key), allowed, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Give it a share under {RATIOS_KEY}."
            raise RecipeError(f"{where}: unknown key {key!r}. {hint}")
    shares: list[tuple[str, str, float]] = []
    for group in groups:
        if group in mixture:
            inner = _check_ratios(mixture[group], f"{where}.{group}")
            shares.extend((f"{group}.{name}", group, ratio) for name, ratio in inner.items())
        else:
            shares.append((group, group, 1.0))
    names = [name for name, _, _ in shares]
    files = mixture.get(FILES_KEY) or {}
    for key, wanted in ((f"{where}.{FILES_KEY}", files), ("fim_sources", fim_sources)):
        for name in wanted:
            if name not in names:
                raise RecipeError(f"{key}: {name!r} is no source of the mixture. The sources are {', '.join(names)}.")
    sources = []
    for name, group, ratio in shares:
        chosen = files.get(name, [name.replace(".", "_") + ".ds"])
        chosen = [chosen] if isinstance(chosen, str) else chosen
        paths = tuple(Path(file) if Path(file).is_absolute() else tokenized / "data" / file for file in chosen)
        sources.append(MixtureSource(name, paths, group, ratio, is_code=name in fim_sources))
    return sources, groups


def plan_sources(
    sources: Sequence[MixtureSource],
    group_ratios: dict[str, float],
    *,
    num_windows: int,
    sequence_length: int,
    block_rows: int,
    seed: int,
    corpus_tokens: Mapping[str, Any],
) -> list[SourcePlan]:
    """Return the tokens wanted, planned and available per source, before anything is packed.

    Args:
        sources: with paths that need not exist yet.
        group_ratios: group to share.
        num_windows: rows of the stage.
        sequence_length: tokens of a row; padding is not known yet.
        block_rows: rows that are shuffled among each other.
        seed: of the order.
        corpus_tokens: sizes of sources as the recipe states them, for want of their files.

    Returns:
        One plan per source; available_tokens is None where a file is missing and no size is stated.

    Raises:
        RecipeError: a size is stated of what is no source, or is none.

    Source: paper Table 1.
    """
    names = [source.name for source in sources]
    for name, tokens in corpus_tokens.items():
        if name not in names:
            raise RecipeError(f"corpus_tokens: {name!r} is no source of the mixture. They are {', '.join(names)}.")
        if (exact_int(tokens) or 0) < 1:
            raise RecipeError(f"corpus_tokens: {name}: {tokens!r} is no number of tokens.")
    ratios = global_ratios(sources, group_ratios)
    order = BlockOrder(ratios, num_windows, block_rows, seed)
    plans = []
    for number, (source, share) in enumerate(zip(sources, ratios, strict=True)):
        metadata = [path.with_name(path.name + ".metadata") for path in source.paths]
        available, is_stated = exact_int(corpus_tokens.get(source.name)), source.name in corpus_tokens
        if all(path.is_file() for path in metadata):
            available = sum(int(json.loads(path.read_text(encoding="utf-8"))["num_tokens"]) for path in metadata)
            is_stated = False
        wanted = round(share * num_windows * sequence_length)
        planned = order.windows_of(number) * sequence_length
        plans.append(SourcePlan(source.name, share, wanted, available, planned, is_stated))
    return plans
