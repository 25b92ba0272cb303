"""Section 3.2: where a stage begins. `init_from` takes the weights of the stage before; `resume_from` takes everything.

The learning rates of Table 1 do not join at the stages' edges, so a new stage takes weights (and, on request, optimizer
moments), never a schedule or a position in the data.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from modeling_ling.hub_reading import hub_failure
from recipes.running.causal_models import LING_TYPE, is_ling, load_any_config, load_other_model
from recipes.running.recipe_loading import RecipeError
from recipes.running.run_folder import find_checkpoints, require_finished
from recipes.running.sharded_checkpoints import is_sharded, read_moments, shard_as

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    from modeling_ling.configuration_bailing_moe import BailingMoeConfig
    from modeling_ling.geometry import Geometry
    from modeling_ling.modeling_bailing_moe import BailingMoeForCausalLM
    from recipes.running.stage_keys import StageArguments

PRESET_PREFIX = "preset:"


def load_optimizer_moments(optimizer: torch.optim.Optimizer, folder: Path, model: torch.nn.Module | None = None) -> int:
    """Give an optimizer the moments of the last checkpoint of an earlier stage; its learning rates stay as they are.

    Args:
        optimizer: over the same parameters in the same order.
        folder: the earlier stage's output folder.
        model: whose parameters these are; needed where one of the two stages is sharded.

    Returns:
        Number of parameters that received moments.

    Raises:
        RecipeError: no checkpoint there, or its parameters differ.

    Source: ours; OLMo 3 carries moments from stage to stage in the same way.
    """
    import torch

    checkpoints = find_checkpoints(folder)
    if checkpoints and is_sharded(checkpoints[-1]) and model is not None:
        return read_moments(model, optimizer, checkpoints[-1])
    if not checkpoints or not (checkpoints[-1] / "optimizer.pt").is_file():
        raise RecipeError(
            f"init_optimizer: true, but {folder} holds no whole checkpoint with optimizer.pt. Keep the last checkpoint "
            "of the stage before (save_total_limit), or set init_optimizer: false."
        )
    # Mapped: where this stage is sharded, every process reads its share of it alone.
    saved = torch.load(checkpoints[-1] / "optimizer.pt", map_location="cpu", weights_only=True, mmap=True)
    current = optimizer.state_dict()
    sizes = [[len(group["params"]) for group in state["param_groups"]] for state in (saved, current)]
    if sizes[0] != sizes[1]:
        raise RecipeError(
            f"init_optimizer: the optimizer in {checkpoints[-1]} has groups of {sizes[0]} tensors, this model "
            f"has {sizes[1]}. Set init_optimizer: false."
        )
    parameters = [tensor for group in optimizer.param_groups for tensor in group["params"]]
    states = {place: shard_as(parameters[place], state) for place, state in saved["state"].items()}
    optimizer.load_state_dict({"state": states, "param_groups": current["param_groups"]})
    return len(states)


def split_revision(name: str) -> tuple[str, str | None]:
    """Split org/name@revision; a local folder is taken as it is."""
    if Path(name).is_dir() or "@" not in name:
        return name, None
    repository, revision = name.rsplit("@", 1)
    return repository, revision


def load_config(init_from: str, vocab_size: int | None = None) -> BailingMoeConfig:
    """Return the configuration that a stage starts with, without any weights.

    Args:
        init_from: `preset:NAME`, a model folder, or org/name[@revision].
        vocab_size: tokens of the tokenizer; used by presets only.

    Returns:
        A BailingMoeConfig, or another causal model's.

    Raises:
        RecipeError: nothing to be found under that name, or no causal model.
    """
    from modeling_ling.presets import load_preset

    if init_from.startswith(PRESET_PREFIX):
        try:
            return load_preset(init_from.removeprefix(PRESET_PREFIX), vocab_size=vocab_size)
        except (KeyError, ValueError, FileNotFoundError) as error:
            raise RecipeError(f"init_from: {init_from!r}: {error}") from error
    name, revision = split_revision(init_from)
    try:
        return cast("BailingMoeConfig", load_any_config(name, revision or "main"))
    except OSError as error:
        raise RecipeError(
            f"init_from: no model at {init_from!r}. Give preset:tiny, the output_dir of the stage before (run it "
            f"first), or org/name[@revision] on the Hub. ({hub_failure(error) or str(error).splitlines()[0]})"
        ) from error


def geometry_for_plan(arguments: StageArguments) -> Geometry | BailingMoeConfig:
    """Return the sizes that a plan counts with: of init_from, or plan_preset's where that stage has not run yet.

    Args:
        arguments: the recipe's keys.

    Returns:
        `Geometry`, or the configuration of a model on the Hub; the vocabulary is the tokenizer's where there is one.

    Raises:
        RecipeError: nothing to be found under that name.
    """
    from modeling_ling.geometry import Geometry

    vocab_size = None
    tokenizer_file = Path(arguments.tokenizer) / "tokenizer.json"
    if tokenizer_file.is_file():
        from tokenizers import Tokenizer

        vocab_size = Tokenizer.from_file(str(tokenizer_file)).get_vocab_size(with_added_tokens=True)
    init_from = arguments.init_from
    config_file = Path(init_from) / "config.json"
    if config_file.is_file():
        values = json.loads(config_file.read_text(encoding="utf-8"))
        return Geometry.from_values(values) if values.get("model_type") == LING_TYPE else load_config(init_from)
    is_hub_name = init_from.count("/") == 1 and not Path(init_from).parent.is_dir()
    if is_hub_name and not init_from.startswith(PRESET_PREFIX) and not arguments.plan_preset:
        return load_config(init_from, vocab_size)
    preset = init_from if init_from.startswith(PRESET_PREFIX) else arguments.plan_preset or f"{PRESET_PREFIX}tiny"
    if not preset.startswith(PRESET_PREFIX):
        return load_config(preset, vocab_size)
    try:
        return Geometry.of_preset(preset.removeprefix(PRESET_PREFIX), vocab_size)
    except ValueError as error:
        raise RecipeError(f"init_from: {preset!r}: {error}") from error


def starting_config(
    init_from: str, tokenizer: PreTrainedTokenizerBase, overrides: dict[str, Any] | None = None
) -> BailingMoeConfig:
    """Return the configuration of the model that `load_model` gives, without its weights.

    Args:
        init_from: see `load_config`.
        tokenizer: gives the number of tokens and the end and pad ids.
        overrides: configuration keys that the recipe sets.

    Returns:
        A BailingMoeConfig.

    Raises:
        RecipeError: no such model, one of a run that has not finished, or one with fewer rows of embedding than the
            tokenizer has tokens.
    """
    require_finished(init_from)
    vocab_size = len(tokenizer)
    config = load_config(init_from, vocab_size)
    if is_ling(config):
        config.eos_token_id, config.pad_token_id = tokenizer.eos_token_id, tokenizer.pad_token_id
        for key, value in (overrides or {}).items():
            setattr(config, key, value)
    if config.vocab_size < vocab_size:
        raise RecipeError(
            f"init_from: {init_from} knows {config.vocab_size} tokens, the tokenizer has {vocab_size}. Use the "
            "tokenizer that the model was trained with."
        )
    return config


def check_model_fits(settings: StageArguments, config: BailingMoeConfig, tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse a recipe whose rows the model it begins with does not understand.

    Args:
        settings: of the recipe.
        config: of the model.
        tokenizer: of the data.

    Raises:
        RecipeError: rows longer than the model has positions, or ids of another tokenizer than the model's own.
    """
    if settings.sequence_length > config.max_position_embeddings:
        settings.refuse(
            "sequence_length",
            f"{settings.init_from} has {config.max_position_embeddings} positions",
            "Shorten the rows, or extend the model first.",
        )
    if settings.init_from.startswith(PRESET_PREFIX):
        return
    try:
        own = load_tokenizer(settings.init_from)
    except RecipeError:
        return  # weights alone
    different = _differing_parts(own, tokenizer)
    if different:
        settings.refuse(
            "tokenizer",
            f"it gives other ids than the tokenizer in {settings.init_from} ({', '.join(different)} differ)",
            "Use the one that the model was trained with.",
        )


def _differing_parts(first: PreTrainedTokenizerBase, second: PreTrainedTokenizerBase) -> list[str]:
    """Return the parts in which two tokenizers differ that decide ids."""
    states = [json.loads(tokenizer.backend_tokenizer.to_str()) for tokenizer in (first, second)]
    for state in states:
        state["added_tokens"] = {token["content"]: token["id"] for token in state["added_tokens"]}
    parts = ("model", "added_tokens", "normalizer", "pre_tokenizer")
    return [part.replace("_", " ") for part in parts if states[0].get(part) != states[1].get(part)]


def load_model(
    init_from: str,
    tokenizer: PreTrainedTokenizerBase,
    dtype: torch.dtype,
    seed: int,
    overrides: dict[str, Any] | None = None,
) -> BailingMoeForCausalLM:
    """Return the model that a stage starts with: fresh from a preset, or the weights of the stage before.

    Args:
        init_from: see `load_config`.
        tokenizer: gives the number of tokens and the end and pad ids.
        dtype: of the parameters.
        seed: of the fresh weights.
        overrides: configuration keys that the recipe sets.

    Returns:
        A BailingMoeForCausalLM, or another causal model, in training mode.

    Raises:
        RecipeError: see `starting_config`.
    """
    import torch

    from modeling_ling import BailingMoeForCausalLM

    config = starting_config(init_from, tokenizer, overrides)
    if init_from.startswith(PRESET_PREFIX):
        torch.manual_seed(seed)
        model = BailingMoeForCausalLM(config)
        model.to(dtype=dtype)  # type: ignore[call-arg]  # transformers' wrapper of it loses self
    elif not is_ling(config):
        other = load_other_model(*split_revision(init_from), config, dtype)
        model = cast(BailingMoeForCausalLM, other)
    else:
        name, revision = split_revision(init_from)
        loaded = BailingMoeForCausalLM.from_pretrained(
            name, revision=revision, config=config, dtype=dtype, check_finite=True
        )
        model = cast(BailingMoeForCausalLM, loaded)
    return model.train()


def load_tokenizer(folder: str) -> PreTrainedTokenizerBase:
    """Return the tokenizer of a run.

    Args:
        folder: a tokenizer folder, a model folder, or org/name[@revision].

    Returns:
        A PreTrainedTokenizerFast.

    Raises:
        RecipeError: nothing there.
    """
    from transformers import AutoTokenizer

    name, revision = split_revision(folder)
    if not (Path(name) / "tokenizer.json").is_file() and Path(name).is_absolute():
        raise RecipeError(f"tokenizer: {name} has no tokenizer.json. Train one with modeling_ling.tokenizer first.")
    try:
        return cast("PreTrainedTokenizerBase", AutoTokenizer.from_pretrained(name, revision=revision or "main"))
    except (OSError, ValueError) as error:
        raise RecipeError(
            f"tokenizer: no tokenizer at {folder!r}. Give a folder with tokenizer.json, or org/name[@revision]. "
            f"({hub_failure(error) or str(error).splitlines()[0]})"
        ) from error
