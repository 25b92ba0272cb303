"""Check a repository on the Hub against this code: configuration, tensor names and shapes, tokenizer, prompts.

Downloads a few megabytes: of the weights only the headers, unless --weights is given. For users with a network; needs
no GPU.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from modeling_ling.checkpoint_layout import released_shapes

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    from modeling_ling.configuration_bailing_moe import BailingMoeConfig

HELP = "check a released checkpoint on the Hub against this code"
EXAMPLE = "python -m modeling_ling check-released --model inclusionAI/Ling-Coder-lite"
# Keys that the released class has and its modeling file never uses.
UNUSED_RELEASED_KEYS = {"use_sliding_window", "sliding_window", "max_window_layers"}
GENERIC_KEYS = {"architectures", "auto_map", "model_type", "torch_dtype", "dtype", "transformers_version"}
RELEASED_TOKEN_IDS = {
    "<|startoftext|>": 126080,
    "<|endoftext|>": 126081,
    "[CLS]": 126082,
    "[gMASK]": 126083,
    "<|reserved_token_0|>": 126084,
    "<|reserved_token_255|>": 126339,
    "<role>": 126340,
    "</role>": 126341,
}
CONVERSATION = [
    {"role": "system", "content": "You are Ling-Coder-Lite, an assistant created by CodeFuse-AI"},
    {"role": "user", "content": "Write  a\n function."},
    {"role": "assistant", "content": "def f(): ...\n"},
    {"role": "user", "content": "Shorter, please."},
]

Problems = list[str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--model", default="inclusionAI/Ling-Coder-lite", help="a name on the Hub")
    parser.add_argument("--revision", help="branch, tag or commit")
    parser.add_argument(
        "--weights", action="store_true", help="also load all weights (33.6 GB), generate, save, compare"
    )


def run(options: argparse.Namespace) -> int:
    """Run every check and print its outcome; 1 if any failed."""
    from huggingface_hub import hf_hub_download

    from modeling_ling.configuration_bailing_moe import BailingMoeConfig
    from modeling_ling.export import load_tokenizer

    config_path = hf_hub_download(options.model, "config.json", revision=options.revision)
    raw = json.loads(Path(config_path).read_text(encoding="utf-8"))
    config = BailingMoeConfig.from_dict(raw)
    tokenizer = load_tokenizer(options.model, options.revision)
    checks: list[tuple[str, Callable[[], Problems]]] = [
        ("config.json: every key is known", lambda: unknown_keys(raw)),
        (
            "weights: names and shapes",
            lambda: tensor_differences(config, remote_shapes(options.model, options.revision)),
        ),
        ("tokenizer: special tokens have the released ids", lambda: token_id_differences(tokenizer, config)),
        ("tokenizer: prompts equal those of this code", lambda: prompt_differences(tokenizer)),
    ]
    if options.weights:
        checks.append(
            ("weights: loaded, run and saved bit-exactly", lambda: round_trip(options.model, options.revision))
        )
    num_failed = 0
    for title, check in checks:
        problems = check()
        num_failed += bool(problems)
        print(f"{'FAILED' if problems else 'ok':<7}{title}", flush=True)
        for problem in problems:
            print(f"       {problem}")
    print(f"{options.model}: " + ("all checks passed" if not num_failed else f"{num_failed} checks failed"))
    return 1 if num_failed else 0


def unknown_keys(raw: dict[str, object]) -> Problems:
    """Return the keys of a config.json that this code does not know; values it cannot take raise when it is read."""
    from modeling_ling.configuration_bailing_moe import BailingMoeConfig

    ours = {field.name for field in fields(BailingMoeConfig)} | {"rope_scaling", "rope_theta"}
    known = ours | GENERIC_KEYS | UNUSED_RELEASED_KEYS
    problems = [f"unknown key {key}={raw[key]!r}: is it part of the function?" for key in sorted(set(raw) - known)]
    if raw.get("use_sliding_window"):
        problems.append("use_sliding_window=True, which the released code ignores, as this one does")
    return problems


def remote_shapes(repo_id: str, revision: str | None) -> dict[str, tuple[int, ...]]:
    """Return name and shape of every tensor of a repository, from the headers of its safetensors files.

    Raises:
        ValueError: the repository has no safetensors files.
    """
    from huggingface_hub import get_safetensors_metadata
    from huggingface_hub.errors import NotASafetensorsRepoError

    try:
        metadata = get_safetensors_metadata(repo_id, revision=revision)
    except NotASafetensorsRepoError as error:
        raise ValueError(f"{repo_id} has no safetensors files: its headers cannot be read without --weights") from error
    return {
        name: tuple(tensor.shape) for file in metadata.files_metadata.values() for name, tensor in file.tensors.items()
    }


def tensor_differences(config: BailingMoeConfig, found: dict[str, tuple[int, ...]]) -> Problems:
    """Return what a checkpoint has too little, too much, or in another shape than this configuration asks for."""
    expected = released_shapes(config)
    problems = [f"missing: {name} {expected[name]}" for name in sorted(expected.keys() - found.keys())]
    problems += [f"unknown: {name} {found[name]}" for name in sorted(found.keys() - expected.keys())]
    problems += [
        f"shape of {name}: {found[name]} there, {expected[name]} here"
        for name in sorted(expected.keys() & found.keys())
        if found[name] != expected[name]
    ]
    return _shortened(problems)


def token_id_differences(tokenizer: PreTrainedTokenizerBase | None, config: BailingMoeConfig) -> Problems:
    """Return special tokens whose ids are not those known of the released tokenizer."""
    if tokenizer is None:
        return ["no tokenizer.json"]
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in RELEASED_TOKEN_IDS}
    problems = [
        f"{token}: {ids[token]}, expected {known}" for token, known in RELEASED_TOKEN_IDS.items() if ids[token] != known
    ]
    if len(tokenizer) > config.vocab_size:
        problems.append(f"{len(tokenizer)} tokens, but vocab_size={config.vocab_size}")
    return problems


def prompt_differences(tokenizer: PreTrainedTokenizerBase | None) -> Problems:
    """Return prompts that the tokenizer's own template renders differently from ours."""
    if tokenizer is None or not tokenizer.chat_template:
        return []  # a base model has none
    from modeling_ling.tokenizer import chat_template

    problems = []
    for length in (1, 2, 4):
        messages = CONVERSATION[:length]
        render = partial(tokenizer.apply_chat_template, messages, tokenize=False, add_generation_prompt=True)
        theirs, ours = render(), render(chat_template=chat_template())
        if theirs != ours:
            problems.append(f"{length} messages: {theirs!r} there, {ours!r} here")
    return problems


def round_trip(repo_id: str, revision: str | None) -> Problems:
    """Load all weights, run and generate, write them again, and compare file contents tensor by tensor."""
    import torch
    from huggingface_hub import snapshot_download

    from modeling_ling.export import export_model
    from modeling_ling.modeling_bailing_moe import BailingMoeForCausalLM

    folder = Path(snapshot_download(repo_id, revision=revision))
    model = cast(BailingMoeForCausalLM, BailingMoeForCausalLM.from_pretrained(folder, dtype="auto")).eval()
    ids = torch.arange(16)[None]
    with torch.no_grad():
        problems = [] if model(ids).logits.isfinite().all() else ["logits are not finite"]
    if model.generate(ids, max_new_tokens=4, min_new_tokens=4, do_sample=False).shape[1] != 20:
        problems.append("generation did not give 4 tokens")
    with tempfile.TemporaryDirectory() as again:
        export_model(model, None, again)
        saved = _tensor_files(Path(again))
        for name, path in _tensor_files(folder).items():
            if name not in saved or not torch.equal(_read(path, name), _read(saved[name], name)):
                problems.append(f"not saved bit-exactly: {name}")
    return _shortened(problems)


def _tensor_files(folder: Path) -> dict[str, Path]:
    from safetensors import safe_open

    files: dict[str, Path] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as content:
            files |= dict.fromkeys(content.keys(), path)
    return files


def _read(path: Path, name: str) -> torch.Tensor:
    from safetensors import safe_open

    with safe_open(path, "pt") as content:
        return content.get_tensor(name)


def _shortened(problems: Iterable[str], limit: int = 10) -> Problems:
    problems = list(problems)
    return problems[:limit] + ([f"and {len(problems) - limit} more"] if len(problems) > limit else [])


__all__ = ["prompt_differences", "tensor_differences", "token_id_differences", "unknown_keys"]
