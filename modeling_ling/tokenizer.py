"""Section 3.1: the tokenizer of the Ling family: byte-level BPE with the released special tokens and chat format.

The released vocabulary cannot be rebuilt; `AutoTokenizer` loads it as it is. What is trained here has the same
construction (the family's splitting pattern, byte-level BPE, special tokens after the learned ones, in the released
order), so that everything downstream works with either.

One difference: the released tokenizer normalises to NFC, so that a decomposed accent decodes to its composed form and
the string literals of a program can change. Ours gives every input back exactly; `unicode_normalization="NFC"` is as
released.

Corpus text and message content are data. Tokenise them with `encode_text` and `encode_chat`: there a literal
"<role>" or "<|endoftext|>" stays text and cannot forge a turn or a document end.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from .fill_in_the_middle import FIM_MARKERS, fim_marker_ids
from .text_encoding import SPLIT_PATTERN, text_encoder

BOS_TOKEN = "<|startoftext|>"
EOS_TOKEN = "<|endoftext|>"
ROLE_START, ROLE_END = "<role>", "</role>"
ASSISTANT_ROLE = "ASSISTANT"
_ROLE = re.compile(r"[A-Za-z_]+")


def special_tokens(num_reserved_tokens: int) -> list[str]:
    """Return the released special tokens in the order of their ids, with this many reserved ones (released: 256)."""
    return [
        BOS_TOKEN,
        EOS_TOKEN,
        "[CLS]",
        "[gMASK]",
        *(f"<|reserved_token_{index}|>" for index in range(num_reserved_tokens)),
        ROLE_START,
        ROLE_END,
        "<|arithmetic_start|>",
        "<|arithmetic_end|>",
        "<|number_start|>",
        "<|number_end|>",
    ]


def chat_template() -> str:
    """Return the chat template: prompts as released; in training the end token after a last assistant turn.

    What ends an earlier answer is the `<role>` of the message after it. It belongs to the answer's generation block, so
    that a model learns to end every answer; `export_model` makes both tokens end a generation.

    Source: the released template; the generation markers and the end token are ours (the released template has
    neither, and the released fine-tuning recipes append the end token outside it).
    """
    return (Path(__file__).parent / "chat_template.jinja").read_text(encoding="utf-8").strip()


def train_tokenizer(
    texts: Iterable[str],
    vocab_size: int,
    *,
    num_reserved_tokens: int = 16,
    min_frequency: int = 2,
    unicode_normalization: str | None = None,
    fim_markers: Mapping[str, str] = FIM_MARKERS,
    show_progress: bool = False,
) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer with the released special tokens.

    Args:
        texts: the corpus, one string per document.
        vocab_size (`int`): upper bound of all ids, special tokens included. A small corpus can end below it:
            `len(tokenizer)` is the true number.
        num_reserved_tokens (`int`): reserved tokens; 256 in the release, 16 by default to leave room for text.
        min_frequency (`int`): a pair is merged only if it occurs this often.
        unicode_normalization (`str`, *optional*): None gives every input back byte by byte; "NFC", as released,
            composes decomposed accents.
        fim_markers: names of the prefix, suffix, middle and pad markers; saved with the tokenizer.

    Returns:
        `PreTrainedTokenizerFast`: eos = pad = "<|endoftext|>", chat template set.

    Raises:
        ValueError: the vocabulary has no room for bytes and special tokens, an unknown normalization, or a marker
            that is not one token.

    Source: paper 3.1; the special tokens and the pattern are those of the Ling 1.x tokenizers.
    """
    specials = special_tokens(num_reserved_tokens)
    smallest = len(pre_tokenizers.ByteLevel.alphabet()) + len(specials)
    if vocab_size < smallest:
        raise ValueError(
            f"vocab_size={vocab_size} is too small: 256 bytes and {len(specials)} special tokens need {smallest}"
        )
    if unicode_normalization not in ("NFC", None):
        raise ValueError(f"unicode_normalization={unicode_normalization!r} is unknown: use 'NFC' or None")
    tokenizer = Tokenizer(models.BPE())
    if unicode_normalization == "NFC":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(specials),
        min_frequency=min_frequency,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=show_progress,
    )
    tokenizer.train_from_iterator(texts, trainer=trainer)
    # Added after training, so that they get the ids behind the learned ones, as in the release.
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in specials])
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS_TOKEN,
        eos_token=EOS_TOKEN,
        pad_token=EOS_TOKEN,
        cls_token="[CLS]",
        clean_up_tokenization_spaces=False,
        fim_markers=dict(fim_markers),
    )
    wrapped.chat_template = chat_template()
    fim_marker_ids(wrapped)
    return wrapped


def encode_text(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Tokenize text as data: no special token is parsed in it and none is added.

    Source: ours; a literal "<|endoftext|>" in a corpus must not end a document.
    """
    return encode_texts(tokenizer, [text])[0]


def encode_texts(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """Tokenize many texts as `encode_text` does."""
    return text_encoder(tokenizer).encode_all(texts)


def encode_chat(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Mapping[str, str]], add_generation_prompt: bool = False
) -> dict[str, list[int]]:
    """Tokenize a conversation: the template's parts with special tokens, the contents as data.

    For contents that hold no special token's text the ids equal
    `tokenizer.apply_chat_template(messages, tokenize=True, add_generation_prompt=...)`.

    Args:
        messages: dictionaries with `role` (letters and underscores) and `content` (a string).
        add_generation_prompt (`bool`): end with the assistant's role, to be continued. Without it, a last assistant
            turn is closed by the end token.

    Returns:
        `dict`: `input_ids` and `assistant_mask` (1 on assistant contents and on what ends them: the end token, or the
        `<role>` of the message after).

    Raises:
        ValueError: a role or a content of the wrong kind, with its position.

    Source: the released chat template; parsing contents as data is ours.
    """
    for position, message in enumerate(messages):
        content = message.get("content")
        if not isinstance(content, str):
            raise ValueError(f"message {position}: content must be a string, got {type(content).__name__}")
    roles = [role_name(message, position) for position, message in enumerate(messages)]
    contents = [message["content"] for message in messages]
    input_ids, spans = ChatEncoder(tokenizer).encode(roles, contents, add_generation_prompt=add_generation_prompt)
    assistant_mask = [0] * len(input_ids)
    for start, end in spans:
        assistant_mask[start:end] = [1] * (end - start)
    return {"input_ids": input_ids, "assistant_mask": assistant_mask}


class ChatEncoder:
    """Encodes many conversations; keeps the ids of roles and of words.

    Args:
        tokenizer: with the special tokens of the family.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._text = text_encoder(tokenizer)
        self._role_start, self._role_end, self.end_id = _token_ids(tokenizer, ROLE_START, ROLE_END, EOS_TOKEN)
        self._roles: dict[str, list[int]] = {}

    def role_ids(self, role: str) -> list[int]:
        """Return what stands before a message of this role, its first token left out."""
        if role not in self._roles:
            self._roles[role] = [*self._text.encode(role), self._role_end]
        return self._roles[role]

    def encode(
        self,
        roles: Sequence[str],
        contents: Sequence[str],
        learned: Sequence[bool] | None = None,
        add_generation_prompt: bool = False,
    ) -> tuple[list[int], list[tuple[int, int]]]:
        """Return the ids of one conversation and where it is learned.

        Args:
            roles: as the template writes them: `role_name`.
            contents: one for each role.
            learned: whether an assistant's message is a target; all are by default.
            add_generation_prompt: see `encode_chat`.

        Returns:
            ids, and (start, end) of each answer with what ends it.
        """
        last = len(roles) - 1
        input_ids: list[int] = []
        spans: list[tuple[int, int]] = []
        for position, (role, content) in enumerate(zip(roles, contents, strict=True)):
            input_ids.append(self._role_start)
            input_ids += self.role_ids(role)
            start = len(input_ids)
            input_ids += self._text.encode(content)
            if role != ASSISTANT_ROLE:
                continue
            if position == last and not add_generation_prompt:
                input_ids.append(self.end_id)
                end = len(input_ids)
            else:
                end = len(input_ids) + 1  # the next message's <role>
            if learned is None or learned[position]:
                spans.append((start, end))
        if add_generation_prompt:
            input_ids += [self._role_start, *self.role_ids(ASSISTANT_ROLE)]
        return input_ids, spans


def role_name(message: Mapping[str, str], position: int) -> str:
    """Return a message's role as the template writes it: HUMAN for user, the others in capitals.

    Raises:
        ValueError: no role, or one that is not letters and underscores.
    """
    role = message.get("role")
    if not isinstance(role, str) or not _ROLE.fullmatch(role):
        raise ValueError(f"message {position}: role must be letters and underscores, got {role!r}")
    return "HUMAN" if role.lower() == "user" else role.upper()


def _token_ids(tokenizer: PreTrainedTokenizerBase, *tokens: str) -> list[int]:
    ids = tokenizer.convert_tokens_to_ids(list(tokens))
    return ids if isinstance(ids, list) else [ids]


__all__ = [
    "ASSISTANT_ROLE",
    "BOS_TOKEN",
    "EOS_TOKEN",
    "ROLE_START",
    "SPLIT_PATTERN",
    "ChatEncoder",
    "chat_template",
    "encode_chat",
    "encode_text",
    "encode_texts",
    "role_name",
    "special_tokens",
    "train_tokenizer",
]
