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

BOS_TOKEN = "<|startoftext|>"
EOS_TOKEN = "<|endoftext|>"
ROLE_START, ROLE_END = "<role>", "</role>"

# The splitting pattern of the family: contractions, words, single digits, punctuation, line ends, spaces.
SPLIT_PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
)

# The markers the released checkpoints were trained with are unknown; these are our choice, and configurable.
FIM_MARKERS: dict[str, str] = {
    "prefix": "<|reserved_token_0|>",
    "suffix": "<|reserved_token_1|>",
    "middle": "<|reserved_token_2|>",
    "pad": "<|reserved_token_3|>",
}


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


def fim_marker_ids(tokenizer: PreTrainedTokenizerBase, markers: Mapping[str, str] | None = None) -> dict[str, int]:
    """Return the ids of the fill-in-the-middle markers: keys prefix, suffix, middle, pad.

    Args:
        markers (*optional*): marker names; by default those saved with the tokenizer, else `FIM_MARKERS`.

    Raises:
        ValueError: a missing marker, one that does not encode to exactly one id, or two with the same id.

    Source: paper 3.2 names the objective, not the markers; reserved tokens are ours.
    """
    names = dict(markers or tokenizer.init_kwargs.get("fim_markers") or FIM_MARKERS)
    if set(names) != set(FIM_MARKERS):
        raise ValueError(f"FIM markers need exactly the keys {sorted(FIM_MARKERS)}, got {sorted(names)}")
    ids: dict[str, int] = {}
    for role, name in names.items():
        encoded = tokenizer.encode(name, add_special_tokens=False)
        if len(encoded) != 1:
            raise ValueError(
                f"FIM marker {role}={name!r} encodes to {len(encoded)} ids in this tokenizer: name one existing "
                "special token, such as '<|reserved_token_0|>'"
            )
        ids[role] = encoded[0]
    if len(set(ids.values())) != len(ids):
        raise ValueError(f"FIM markers must be four different tokens, got {names}")
    return ids


def encode_text(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Tokenize text as data: no special token is parsed in it and none is added.

    Source: ours; a literal "<|endoftext|>" in a corpus must not end a document.
    """
    return encode_texts(tokenizer, [text])[0]


def encode_texts(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """Tokenize many texts as `encode_text` does, in one parallel call."""
    if not texts:
        return []
    encoded = tokenizer(list(texts), add_special_tokens=False, split_special_tokens=True, return_attention_mask=False)
    return encoded["input_ids"]


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
        `dict`: `input_ids` and `assistant_mask` (1 on assistant contents and on the closing end token).

    Raises:
        ValueError: a role or a content of the wrong kind, with its position.

    Source: the released chat template; parsing contents as data is ours.
    """
    input_ids: list[int] = []
    assistant_mask: list[int] = []

    def append(ids: list[int], is_assistant: bool) -> None:
        input_ids.extend(ids)
        assistant_mask.extend([int(is_assistant)] * len(ids))

    for position, message in enumerate(messages):
        role, content = _role_name(message, position), message.get("content")
        if not isinstance(content, str):
            raise ValueError(f"message {position}: content must be a string, got {type(content).__name__}")
        append(_encode_role(tokenizer, role), False)
        append(encode_text(tokenizer, content), role == "ASSISTANT")
        if role == "ASSISTANT" and position == len(messages) - 1 and not add_generation_prompt:
            append(_token_ids(tokenizer, EOS_TOKEN), True)
    if add_generation_prompt:
        append(_encode_role(tokenizer, "ASSISTANT"), False)
    return {"input_ids": input_ids, "assistant_mask": assistant_mask}


def _role_name(message: Mapping[str, str], position: int) -> str:
    role = message.get("role")
    if not isinstance(role, str) or not re.fullmatch(r"[A-Za-z_]+", role):
        raise ValueError(f"message {position}: role must be letters and underscores, got {role!r}")
    return "HUMAN" if role.lower() == "user" else role.upper()


def _encode_role(tokenizer: PreTrainedTokenizerBase, role: str) -> list[int]:
    start, end = _token_ids(tokenizer, ROLE_START, ROLE_END)
    return [start, *encode_text(tokenizer, role), end]


def _token_ids(tokenizer: PreTrainedTokenizerBase, *tokens: str) -> list[int]:
    ids = tokenizer.convert_tokens_to_ids(list(tokens))
    return ids if isinstance(ids, list) else [ids]


__all__ = [
    "BOS_TOKEN",
    "EOS_TOKEN",
    "FIM_MARKERS",
    "chat_template",
    "encode_chat",
    "encode_text",
    "encode_texts",
    "fim_marker_ids",
    "special_tokens",
    "train_tokenizer",
]
