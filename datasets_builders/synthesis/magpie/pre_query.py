"""Section 2.4.1: the pre-query template of any model, derived from the chat template of its tokenizer.

A user message that holds a marker is rendered; what stands before the marker is all that the model is given, and what
stands behind it ends a user's turn. A list of templates by model name is not needed, and a default system prompt, with
which a model was trained, is kept as its template has it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from datasets_builders.building.errors import ConfigError

MARKER = "LINGMARKER7F3A"
# Templates that print a date would make another prompt every day: it is this one, for all.
FIXED_DATE = date(2025, 3, 20)
# A template's own call of the clock finds this in its place.
_FIXED_CLOCK = (
    "{%- macro strftime_now(format) -%}{{ format"
    + "".join(
        f" | replace('{code}', '{FIXED_DATE.strftime(code)}')" for code in ("%Y", "%m", "%d", "%b", "%B", "%A", "%y")
    )
    + " }}{%- endmacro -%}"
)
Message = dict[str, str]
# What opens or closes a turn: <|im_end|>, <end_of_turn>, [/INST], <｜Assistant｜>, <role>.
_SPECIAL = re.compile(r"<[|｜]?[^<>\s]{1,40}[|｜]?>|\[/?[A-Z_]{2,20}\]")


@dataclass(frozen=True)
class PreQuery:
    """What a model is given so that it writes a user's message.

    Args:
        prompt (`str`): everything before the user's first character.
        end (`str`): what stands behind the user's last character, up to the head of the answer.
        stops (tuple of `str`): texts at which the message ends, the surest first.
        system_place (`str`): `own_turn`, `user_turn` where the template has no place for a system prompt, or `none`.
    """

    prompt: str
    end: str
    stops: tuple[str, ...]
    system_place: str


class ChatTemplate:
    """A chat template with the special tokens that it prints.

    Args:
        text (`str`): Jinja, as in `chat_template.jinja` or `tokenizer_config.json`; it runs in a sandbox.
        special_tokens (mapping): such as `bos_token`, by name.
        adds_bos (`bool`): whether the tokenizer puts the beginning-of-sequence token before every text by itself; the
            server does it then, and the prompt must not.
        adds_eos (`bool`): whether it puts the end token behind every text by itself, behind which nothing comes.
    """

    def __init__(
        self,
        text: str,
        special_tokens: Mapping[str, str] | None = None,
        *,
        adds_bos: bool = False,
        adds_eos: bool = False,
    ) -> None:
        self.text, self.special_tokens = text, dict(special_tokens or {})
        self.adds_bos, self.adds_eos = adds_bos, adds_eos

    @classmethod
    def of(cls, name: str, adds_special_tokens: bool = True) -> ChatTemplate:
        """Return the template of a tokenizer, by folder or Hub id.

        Args:
            name: of the tokenizer.
            adds_special_tokens: whether the server lets the tokenizer add tokens to a raw prompt, as most do; not where
                a teacher's `extra` has `add_special_tokens: false`.

        Raises:
            ConfigError: there is no such tokenizer, or it has no chat template.
        """
        from transformers import AutoTokenizer

        try:
            tokenizer: Any = AutoTokenizer.from_pretrained(name)
            text = tokenizer.get_chat_template()
        except (OSError, ValueError) as error:
            raise ConfigError(f"tokenizer: {name} cannot be used: {error}") from None
        given = {key: str(value) for key, value in tokenizer.special_tokens_map.items() if isinstance(value, str)}
        encoded = tokenizer("x", add_special_tokens=adds_special_tokens).input_ids
        adds_bos = tokenizer.bos_token_id is not None and encoded[:1] == [tokenizer.bos_token_id]
        adds_eos = tokenizer.eos_token_id is not None and encoded[-1:] == [tokenizer.eos_token_id]
        return cls(text, given, adds_bos=adds_bos, adds_eos=adds_eos)

    def render(self, messages: Sequence[Message], add_generation_prompt: bool = False) -> str:
        """Return a conversation as the model reads it, on a fixed date.

        Raises:
            ConfigError: the template refuses these messages.
        """
        from jinja2 import TemplateError
        from transformers.utils.chat_template_utils import render_jinja_template

        variables: dict[str, Any] = {"date_string": FIXED_DATE.strftime("%d %b %Y"), **self.special_tokens}
        try:
            rendered: Any = render_jinja_template(
                [list(messages)],
                chat_template=_FIXED_CLOCK + self.text,
                add_generation_prompt=add_generation_prompt,
                **variables,
            )
        except (TemplateError, TypeError, ValueError) as error:
            raise ConfigError(f"the chat template refuses the conversation: {error}") from None
        return str(rendered[0][0])

    def pre_query(self, system: str = "", turns: Sequence[Message] = ()) -> PreQuery:
        """Return what makes the model write a user's message, the first or the next one.

        Args:
            system (`str`): names the kind of conversation; empty leaves the template its default.
            turns: an earlier conversation, which ends with an answer.

        Raises:
            ConfigError: the template shows no user message, or shows it twice; the tokenizer ends every text.
        """
        if self.adds_eos:
            raise ConfigError(
                "the tokenizer puts the end token behind every text, so that nothing can come behind a prompt; give "
                "the teacher extra: {add_special_tokens: false}, which vLLM and SGLang understand"
            )
        place, head = "none", ""
        messages: list[Message] = [*turns, {"role": "user", "content": MARKER}]
        if system:
            place, messages = "own_turn", [{"role": "system", "content": system}, *messages]
        try:
            rendered = self.render(messages, add_generation_prompt=True)
        except ConfigError:
            if not system:
                raise
            rendered = ""
        if system and system.strip() not in rendered:
            # Gemma's template raises and others leave it out: the user's turn opens with it, as Mistral's does.
            place, head = "user_turn", f"{system.strip()}\n\n"
            first = {"role": "user", "content": head + messages[1]["content"]}
            rendered = self.render([first, *messages[2:]], add_generation_prompt=True)
        if rendered.count(MARKER) != 1:
            raise ConfigError(
                f"the chat template shows a user message {rendered.count(MARKER)} times, not once: "
                "it cannot be cut before it"
            )
        prompt, _, end = rendered.partition(MARKER)
        if not prompt.strip():
            raise ConfigError("the chat template puts nothing before a user message; Magpie needs a head of the turn")
        bos = self.special_tokens.get("bos_token", "")
        if self.adds_bos and bos and prompt.startswith(bos):
            prompt = prompt.removeprefix(bos)
        return PreQuery(prompt, end, _stops(end, self.special_tokens), place)


def _stops(end: str, special_tokens: Mapping[str, str]) -> tuple[str, ...]:
    """Return where a user's message ends: at the first mark behind it, the whole head of the answer, the end token."""
    special = _SPECIAL.search(end)
    stops = [special[0]] if special else []
    stripped = end.strip()
    if not special and stripped:
        # "User: ...\n\nAssistant:" has no special tokens: the line break belongs to the mark.
        stops.append(f"\n{stripped.splitlines()[0]}" if end[:1].isspace() else stripped.splitlines()[0])
    eos = special_tokens.get("eos_token", "")
    return tuple(dict.fromkeys(stop for stop in (*stops, eos) if stop))
