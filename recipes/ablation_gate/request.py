"""Section 2.1: what an ablation study is asked for, and the recipes of its two groups.

The control group goes on with the recipe's own mixture. The experimental group takes half of its tokens from the
candidate and half from that same mixture, for as many tokens, from the same checkpoint, in the same order of seeds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recipes.running.recipe_loading import RecipeError

if TYPE_CHECKING:
    from recipes.running.recipe_keys import PretrainKeys

CONTROL, EXPERIMENT = "control", "experiment"
ARMS = (CONTROL, EXPERIMENT)
CANDIDATE_SOURCE = "candidate"
CANDIDATE_SHARE = 0.5


@dataclass(frozen=True)
class Request:
    """An ablation study.

    Args:
        recipe: of a pre-training stage: its mixture, its checkpoint (init_from) and its optimizer.
        candidate: token files of the data that are studied.
        output: folder of the runs, the report and the verdict.
        held_out: name to a token file, or to a dataset folder, that nothing was trained on.
        held_out_split: of those folders.
        max_held_out: documents scored of each.
        tokens: that every run trains on; the recipe's train_tokens by default.
        num_seeds: pairs of runs.
        tasks: benchmarks that `evals run` scores.
        evals_options: further arguments of `evals run`.
        candidate_fim: whether the candidate gets the fill-in-the-middle objective too.
        dataset: folder of the dataset that the candidate's tokens are of; the verdict is put beside its card.
        launch_config: of `accelerate launch`; None trains in this process.
        keys: further keys of the recipe, for both groups, as on its command line.
    """

    recipe: Path
    candidate: tuple[Path, ...]
    output: Path
    held_out: Mapping[str, Path] = field(default_factory=dict)
    held_out_split: str = "validation"
    max_held_out: int = 1000
    tokens: int | None = None
    num_seeds: int = 4
    tasks: str | None = None
    evals_options: tuple[str, ...] = ("--base",)
    candidate_fim: bool = False
    dataset: Path | None = None
    launch_config: Path | None = None
    keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.held_out and not self.tasks:
            raise RecipeError("nothing is measured: give --held-out NAME=PATH, or --tasks, or both")
        if self.num_seeds < 1:
            raise RecipeError(f"--seeds is {self.num_seeds}: at least one pair of runs is needed")
        for path in self.candidate:
            if not path.with_name(path.name + ".metadata").is_file():
                raise RecipeError(f"--candidate: {path} is no token file: build it by `datasets_builders tokenized`")

    def arms(self) -> list[tuple[str, int]]:
        """Return group and seed of every run, pair by pair."""
        return [(arm, seed) for seed in range(self.num_seeds) for arm in ARMS]

    def run_folder(self, arm: str, seed: int) -> Path:
        """Return where a run's model comes to lie."""
        return self.output / f"{arm}-{seed}"

    def recipe_keys(self) -> list[str]:
        """Return the keys that both groups have beyond the recipe's."""
        tokens = [] if self.tokens is None else ["--train_tokens", str(self.tokens)]
        return [*self.keys, *tokens]

    def settings(self) -> PretrainKeys:
        """Return the control group's keys.

        Raises:
            RecipeError: the recipe cannot be used, or is of another kind than pre-training.
        """
        from recipes.running.plan_settings import settings_for_plan
        from recipes.running.recipe_keys import PretrainKeys

        kind, settings = settings_for_plan(str(self.recipe), self.recipe_keys())
        if not isinstance(settings, PretrainKeys):
            raise RecipeError(f"{self.recipe} is a recipe of {kind}: data are studied in pre-training. Give stage 2's.")
        return settings

    def overrides(self, arm: str, seed: int, settings: PretrainKeys) -> list[str]:
        """Return the command line of a run behind `--config RECIPE`.

        Args:
            arm: control or experiment.
            seed: of the pair.
            settings: the control group's.
        """
        arguments = [*self.recipe_keys(), "--data_seed", str(seed), "--output_dir", str(self.run_folder(arm, seed))]
        if arm == CONTROL:
            return arguments
        arguments += ["--mixture", json.dumps(self.mixed(settings.shares))]
        if self.candidate_fim:
            arguments += ["--fim_sources", *settings.fim_sources, CANDIDATE_SOURCE]
        return arguments

    def mixed(self, shares: Mapping[str, Any]) -> dict[str, Any]:
        """Return a recipe's `mixture` of which half the tokens come from the candidate.

        Source: paper 2.1 (1:1 with the sampled original dataset).
        """
        if CANDIDATE_SOURCE in shares["ratios"]:
            raise RecipeError(f"mixture: a group of the recipe is named {CANDIDATE_SOURCE!r}; give it another name")
        halved = {group: ratio * (1 - CANDIDATE_SHARE) for group, ratio in shares["ratios"].items()}
        files = {**(shares.get("files") or {}), CANDIDATE_SOURCE: [str(path.resolve()) for path in self.candidate]}
        # Last, so that the other sources keep their numbers and with them the order of their windows.
        return {**shares, "ratios": {**halved, CANDIDATE_SOURCE: CANDIDATE_SHARE}, "files": files}

    def identity(self, settings: PretrainKeys) -> dict[str, Any]:
        """Return what all runs of a study share; seeds, tasks and held-out data can be added to one."""
        return {
            "recipe": _digest(self.recipe.read_bytes()),
            "init_from": settings.init_from,
            "keys": list(self.recipe_keys()),
            "train_tokens": settings.train_tokens,
            "mixture": settings.shares,
            "candidate": candidate_fingerprint(self.candidate),
            "candidate_fim": self.candidate_fim,
        }


def named_paths(texts: Sequence[str]) -> dict[str, Path]:
    """Turn `NAME=PATH` texts into a mapping.

    Raises:
        RecipeError: one has no name, a name is given twice, or nothing is at a path.
    """
    named: dict[str, Path] = {}
    for text in texts:
        name, separator, path = text.partition("=")
        if not separator or not name or name in named:
            raise RecipeError(f"--held-out: {text!r} must be NAME=PATH, each name once: code=outputs/held_out")
        if not Path(path).exists():
            raise RecipeError(f"--held-out: {name}: there is nothing at {path}")
        named[name] = Path(path)
    return named


def candidate_fingerprint(paths: tuple[Path, ...]) -> str:
    """Return a hash of the candidate's token files, from what their builder recorded."""
    from recipes.data.token_store import TokenStore

    return _digest("".join(TokenStore(path).fingerprint() for path in paths).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
