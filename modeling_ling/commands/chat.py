"""Talk to a model in a terminal: the answer appears as it is written, and the conversation is remembered."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

from modeling_ling.checkpoint_layout import check_name_on_hub
from modeling_ling.command_line import CommandFailedError

if TYPE_CHECKING:
    import torch
    from transformers import GenerationMixin, PreTrainedModel, PreTrainedTokenizerBase

HELP = "talk to a model"
EXAMPLE = "python -m modeling_ling chat outputs/quickstart/model --message 'Write a function that adds two numbers.'"
END_WORDS = {"/exit", "/quit"}
HELP_LINE = "/new forgets what was said, /exit or Ctrl-D ends"

Messages = list[dict[str, str]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("model", help="a folder with a model, or a name on the Hub")
    parser.add_argument("--message", metavar="TEXT", help="say this, print the answer, end")
    parser.add_argument("--system", metavar="TEXT", help="system prompt")
    parser.add_argument("--max-new-tokens", type=int, default=512, help="longest answer, in tokens")
    parser.add_argument("--temperature", type=float, default=0.0, help="0 takes the likeliest token each time")
    parser.add_argument("--revision", help="a branch, a tag or a commit of the Hub's repository")
    parser.add_argument(
        "--trust-remote-code",
        action="store_true",
        help="run the code that comes with a model of another family; Ling models need none",
    )


def run(options: argparse.Namespace) -> int:
    """Answer until the input ends."""
    if options.max_new_tokens < 1 or options.temperature < 0:
        raise ValueError("--max-new-tokens must be at least 1 and --temperature at least 0")
    model, tokenizer = load(options.model, options.revision, options.trust_remote_code)
    opening: Messages = [{"role": "system", "content": options.system}] if options.system else []
    settings = {"max_new_tokens": options.max_new_tokens, "do_sample": options.temperature > 0}
    if options.temperature > 0:
        settings["temperature"] = options.temperature
    if options.message is not None:
        answer(model, tokenizer, [*opening, {"role": "user", "content": options.message}], settings)
        return 0
    if sys.stdin.isatty():
        print(HELP_LINE)
    messages = list(opening)
    while (said := next_line()) is not None:
        if said == "/new":
            messages = list(opening)
        elif said:
            messages.append({"role": "user", "content": said})
            messages.append({"role": "assistant", "content": answer(model, tokenizer, messages, settings)})
    return 0


def next_line() -> str | None:
    """Return what the user types next, None at the end."""
    try:
        said = input("> " if sys.stdin.isatty() else "").strip()
    except EOFError:
        return None
    return None if said in END_WORDS else said


def load(name: str, revision: str | None, trust_remote_code: bool) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Return a model, on a GPU where there is one, and its tokenizer.

    Raises:
        CommandFailedError: the tokenizer has no chat template.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    if Path(name).is_dir():
        if not (Path(name) / "config.json").is_file():
            raise ValueError(f"{name} has no config.json, so it holds no model; give the folder that a training wrote")
    else:
        check_name_on_hub(name, "MODEL")
    where = {"revision": revision, "trust_remote_code": trust_remote_code}
    tokenizer = AutoTokenizer.from_pretrained(name, **where)
    if not tokenizer.chat_template:
        raise CommandFailedError(
            f"{name}: its tokenizer has no chat template; this model was not made for conversations"
        )
    model = AutoModelForCausalLM.from_pretrained(name, dtype="auto", **where).eval()
    return model.to("cuda" if torch.cuda.is_available() else "cpu"), tokenizer


def answer(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, messages: Messages, settings: dict[str, object]
) -> str:
    """Print the model's answer while it is written, and return it.

    Raises:
        CommandFailedError: the conversation has no room left in the model's context.
    """
    from transformers import TextStreamer

    text = str(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))
    prompt = tokenizer(text, add_special_tokens=False, return_tensors="pt").to(model.device)
    num_prompt_tokens = prompt["input_ids"].shape[1]
    limit = getattr(model.config, "max_position_embeddings", None)
    if limit and num_prompt_tokens >= limit:
        raise CommandFailedError(
            f"the conversation has {num_prompt_tokens:,} tokens and the model reads {limit:,}; /new starts another"
        )
    streamer = TextStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)
    ids = cast("GenerationMixin", model).generate(**prompt, **settings, streamer=streamer)
    return str(tokenizer.decode(cast("torch.Tensor", ids)[0, num_prompt_tokens:], skip_special_tokens=True))
