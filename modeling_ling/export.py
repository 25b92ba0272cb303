"""Write a model as the Hub expects it: weights in the released names, remote code, tokenizer, settings, card.

A source may be a folder or a name on the Hub: a released checkpoint, or one trained here.
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from huggingface_hub.errors import HfHubHTTPError
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from .accounting import count_checkpoint_tensors, weight_bytes
from .checkpoint_layout import parse_size, released_tensors, write_checkpoint
from .configuration_bailing_moe import BailingMoeConfig
from .model_card import CARD_FILE, write_card
from .modeling_bailing_moe import BailingMoeForCausalLM
from .serving import engine_warnings

HELP = "write the Hub-ready folder of a checkpoint, and push it on request"
EXAMPLE = "python -m modeling_ling export --from outputs/sft --to outputs/ling_model --push-to ORG/NAME"

REMOTE_CODE_FILES = (
    "configuration_bailing_moe.py",
    "modeling_bailing_moe.py",
    "experts.py",
    "losses.py",
    "quantization.py",
    "strict_loading.py",
)
AUTO_MAP = {
    "AutoConfig": "configuration_bailing_moe.BailingMoeConfig",
    "AutoModel": "modeling_bailing_moe.BailingMoeModel",
    "AutoModelForCausalLM": "modeling_bailing_moe.BailingMoeForCausalLM",
    "AutoModelForSequenceClassification": "modeling_bailing_moe.BailingMoeForSequenceClassification",
}


_IGNORED = ["*.partial", "checkpoint-*/**", "__pycache__/**"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="source", required=True, help="a checkpoint folder, or a name on the Hub")
    parser.add_argument("--from-revision", help="of the source on the Hub")
    parser.add_argument("--to", type=Path, required=True, help="the folder to write")
    parser.add_argument("--dtype", default="auto", choices=("auto", "float32", "bfloat16"), help="auto: as stored")
    parser.add_argument("--max-shard-size", default="5GB")
    parser.add_argument("--overwrite-card", action="store_true", help=f"replace a {CARD_FILE} that is there")
    parser.add_argument("--push-to", metavar="ORG/NAME", help="upload the folder in one commit; hf auth login first")
    parser.add_argument("--public", action="store_true", help="a repository that is created is private otherwise")
    parser.add_argument("--revision", help="branch to push to")
    parser.add_argument("--dry-run", action="store_true", help="say what would be written, and stop")


def run(options: argparse.Namespace) -> int:
    parse_size(options.max_shard_size)
    is_folder = Path(options.source).is_dir()
    if not is_folder and options.source.count("/") != 1:
        raise ValueError(f"--from {options.source}: no such folder, and no name on the Hub (ORG/NAME) either")
    if is_folder and options.to.exists() and options.to.samefile(options.source):
        raise ValueError(f"--to {options.to} is the source itself: write to another folder")
    revision = {"revision": options.from_revision} if options.from_revision else {}
    config = BailingMoeConfig.from_pretrained(options.source, **revision)
    gigabytes = weight_bytes(config) / 1e9
    print(f"{options.source}: {count_checkpoint_tensors(config):,} tensors, {gigabytes:.2f} GB in bfloat16")
    for engine, texts in engine_warnings(config).items():
        print(f"{engine} will not serve this model as it is: {'; '.join(texts)}")
    destination = f"{options.to}" + (f", then {options.push_to}" if options.push_to else "")
    if options.dry_run:
        print(f"would write weights, {', '.join(REMOTE_CODE_FILES)}, tokenizer, settings and card to {destination}")
        return 0
    model = BailingMoeForCausalLM.from_pretrained(options.source, dtype=options.dtype, **revision)
    tokenizer = load_tokenizer(options.source, **revision)
    export_model(model, tokenizer, options.to, max_shard_size=options.max_shard_size)
    if is_folder and not options.overwrite_card and (Path(options.source) / CARD_FILE).is_file():
        shutil.copyfile(Path(options.source) / CARD_FILE, options.to / CARD_FILE)
    elif options.overwrite_card or not (options.to / CARD_FILE).is_file():
        base_model = None if is_folder else options.source
        write_card(options.to, config, name=options.push_to or options.to.name, base_model=base_model)
    print(f"{options.to}: written" + ("" if tokenizer else "; the source has no tokenizer.json, so none is there"))
    if options.push_to:
        try:
            address = push_folder(options.to, options.push_to, private=not options.public, revision=options.revision)
        except HfHubHTTPError as error:
            status = error.response.status_code if error.response is not None else "no answer"
            raise ValueError(
                f"the Hub refused {options.push_to} ({status}): log in with `hf auth login` as someone who may write "
                f"there. The folder {options.to} is complete: the same command again pushes it"
            ) from error
        print(f"pushed: {address}")
    return 0


def load_tokenizer(source: str, **revision: str) -> PreTrainedTokenizerBase | None:
    """Return the tokenizer of a checkpoint as it is, or None where it has none."""
    try:
        return PreTrainedTokenizerFast.from_pretrained(source, **revision)
    except (OSError, ValueError):
        return None


def export_model(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase | None,
    folder: str | Path,
    *,
    state_dict: dict[str, torch.Tensor] | None = None,
    max_shard_size: str = "5GB",
) -> Path:
    """Write a Hub-ready folder that `AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)` loads.

    The special ids in the model's configuration and generation configuration are set from the tokenizer. The weights
    are written without a second copy of them in memory.

    Args:
        model (`BailingMoeForCausalLM`): unwrapped (no DDP or accelerate shell around it), not quantised.
        tokenizer (*optional*): saved beside it with its chat template; None leaves tokenizer files alone.
        folder: created if needed; other files in it stay.
        state_dict (*optional*): weights gathered by the caller (FSDP), in the runtime's names.
        max_shard_size (`str`): size of one safetensors file, such as "5GB".

    Returns:
        `Path`: the folder.

    Raises:
        ValueError: the tokenizer has more tokens than the model has rows, or the model is of another type.

    Source: ours; names and auto_map are those of the released repositories.
    """
    folder = Path(folder)
    if model.config.model_type != "bailing_moe":
        raise ValueError(f"export_model writes bailing_moe models, got model_type {model.config.model_type!r}")
    if getattr(model, "hf_quantizer", None) is not None:
        raise ValueError("export_model writes plain weights: load the model without quantization_config")
    ids = special_ids(model.config, tokenizer)
    tensors = model.state_dict() if state_dict is None else state_dict
    kept = ((name, tensor) for name, tensor in tensors.items() if not _is_tied(name, model.config))
    folder.mkdir(parents=True, exist_ok=True)
    write_checkpoint(released_tensors(kept), folder, parse_size(max_shard_size))
    for key, value in ids.items():
        setattr(model.config, key, value)
        setattr(model.generation_config, key, value)
    model.config.dtype = next(iter(tensors.values())).dtype
    write_settings(model.config, tokenizer, folder, model.generation_config)
    return folder


def special_ids(config: BailingMoeConfig, tokenizer: PreTrainedTokenizerBase | None) -> dict[str, int | None]:
    """Return bos, eos and pad ids: the tokenizer's, or without one the configuration's own.

    Raises:
        ValueError: the tokenizer has more tokens than the model has rows.
    """
    names = ("bos_token_id", "eos_token_id", "pad_token_id")
    if tokenizer is None:
        return {name: getattr(config, name) for name in names}
    if len(tokenizer) > config.vocab_size:
        raise ValueError(
            f"the tokenizer has {len(tokenizer)} tokens but the model only vocab_size={config.vocab_size} "
            "rows: build the model with load_preset(..., vocab_size=len(tokenizer)) or more"
        )
    return {name: getattr(tokenizer, name) for name in names}


def write_settings(
    config: BailingMoeConfig,
    tokenizer: PreTrainedTokenizerBase | None,
    folder: Path,
    generation_config: GenerationConfig,
) -> None:
    """Write everything of a Hub-ready folder but weights and card: settings, tokenizer, remote code."""
    config.architectures = ["BailingMoeForCausalLM"]
    config.save_pretrained(folder)
    generation_config.save_pretrained(folder)
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)
        # transformers 5 writes a class name that older releases and other engines do not know; it reads this one too.
        _update_json(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"})
    for name in REMOTE_CODE_FILES:
        source = Path(__file__).parent / name
        if not (folder / name).exists() or not source.samefile(folder / name):
            shutil.copyfile(source, folder / name)
    _update_json(folder / "config.json", {"auto_map": AUTO_MAP})


def push_folder(folder: Path, repo_id: str, *, private: bool = True, revision: str | None = None) -> str:
    """Upload a Hub-ready folder in one commit, so that nobody ever pulls half of it.

    Args:
        repo_id (`str`): ORG/NAME; created if it does not exist.
        private (`bool`): of a repository that is created here.
        revision (`str`, *optional*): a branch, created if needed; by default the main one.

    Returns:
        `str`: the address of the commit.

    Raises:
        huggingface_hub.errors.HfHubHTTPError: no token, or one without the right to write there.
    """
    from huggingface_hub import HfApi

    api = HfApi()
    repo_id = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
    if revision:
        api.create_branch(repo_id, branch=revision, exist_ok=True)
    return api.upload_folder(
        repo_id=repo_id, folder_path=folder, revision=revision, commit_message="Upload model", ignore_patterns=_IGNORED
    ).commit_url


def _is_tied(name: str, config: BailingMoeConfig) -> bool:
    return config.tie_word_embeddings and name == "lm_head.weight"


def _update_json(path: Path, values: dict[str, object]) -> None:
    content = json.loads(path.read_text(encoding="utf-8")) | values
    temporary = path.with_suffix(".json.partial")
    temporary.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    temporary.replace(path)


__all__ = ["AUTO_MAP", "REMOTE_CODE_FILES", "export_model", "push_folder", "special_ids", "write_settings"]
