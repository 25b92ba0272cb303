"""Section 2.1, data transformation: bytes of whatever encoding become text, which is written as UTF-8."""

import codecs
import re

# UTF-32 first: its little-endian mark starts with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# A declaration in the first two lines, as Python (PEP 263), Ruby, Emacs, Vim and XML understand it, or in HTML's head.
_DECLARED = re.compile(rb"coding[:=][ \t]*[\"']?([-\w.]{2,30})")
_DECLARED_IN_HTML = re.compile(rb"(?i)<meta\s[^<>]{0,200}?charset\s*=\s*[\"']?([-\w]{2,30})")
_HTML_HEAD_BYTES = 1024
# What the detector calls an encoding (a superset where there is one) -> Python's codec. What it finds besides these is
# in no code: those few bytes are cp1252, or nearly.
_CODECS = {
    **{f"WINDOWS-{page}": f"cp{page}" for page in range(1250, 1259)},
    **dict.fromkeys(("ISO-8859-1", "ASCII"), "cp1252"),
    **dict.fromkeys(("ISO-8859-2", "ISO-8859-4"), "iso8859_2"),
    **dict.fromkeys(("KOI8-R", "KOI8-U"), "koi8_u"),
    **dict.fromkeys(("TIS-620", "ISO-8859-11"), "cp874"),
    **dict.fromkeys(("EUC-KR", "UHC"), "cp949"),
    "ISO-8859-5": "iso8859_5",
    "ISO-8859-6": "iso8859_6",
    "ISO-8859-7": "iso8859_7",
    "ISO-8859-8": "cp1255",
    "ISO-8859-9": "cp1254",
    "ISO-8859-13": "cp1257",
    "ISO-8859-15": "iso8859_15",
    "ISO-8859-16": "cp1250",
    "IBM866": "cp866",
    "MACCYRILLIC": "mac_cyrillic",
    "GB18030": "gb18030",
    "BIG5": "big5hkscs",
    "SHIFT_JIS": "cp932",
    "EUC-JP": "euc_jp",
    "JOHAB": "johab",
}
# Of one alphabet: a detector that counts letters tells them apart only in long texts. By how often code is in them.
_LATIN = ("cp1252", "mac_roman", "cp1250", "iso8859_2")
# Alphabets whose letters stand in words as Latin ones do.
_WITH_WORDS = frozenset(
    (*_LATIN, "cp1254", "cp1257", "iso8859_15", "cp1251", "koi8_u", "cp866", "iso8859_5", "cp1253", "iso8859_7")
)
# What no word has: controls, signs between letters, a large letter behind a small one, signs that hardly anybody types.
_ODD = re.compile(
    "[\x80-\x9f]|(?<=[^\\W\\d_])[^\\w\\s\x00-\x7f’](?=[^\\W\\d_])|(?<=[a-zß-öø-ÿ])[À-ÖØ-ÞŐŁŹŻŠŚĆČĎŃŇŘŤŽĘĚĂĄŞŢŘ]|"
    "[ªºˆ‰†‡¤¬¦¨¸˜˛¯˝˘˙ˇ´\ue000-\uf8ff]"  # noqa: RUF001
)
# First bytes of the characters that both of these call common; short texts of the one are often taken for the other.
_COMMON_LEADS = {"gb18030": (0xB0, 0xD7), "big5hkscs": (0xA4, 0xC6)}
_PAIR = re.compile(rb"[\x81-\xfe][\x40-\x7e\x80-\xfe]")
_BEYOND_ASCII = bytes(range(0x80, 0x100))
# Of what is not ASCII: more is no text. A few odd signs may stand alone in a file.
MAX_ODD_FRACTION, MAX_ODD_ALONE = 0.1, 3
MIN_ZERO_FRACTION = 0.3  # of every other byte of UTF-16 in which code is written
DETECTION_BYTES = 100_000


def decode(raw: bytes) -> tuple[str, str] | None:
    """Return the text of a file and its encoding (a Python codec's name), or None where no encoding fits.

    A byte order mark decides, then UTF-8, then what the file declares, then the zeros of UTF-16, then what uchardet's
    statistics find, held against what words look like. The mark is not part of the text. UTF-8 with a few broken bytes
    is in no other encoding, which would turn every character of it that is not ASCII into two or three wrong ones: in
    place of the broken ones stands U+FFFD.

    Args:
        raw (`bytes`): the whole file.
    """
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            body = raw[len(mark) :]
            return _decoded(body, encoding) or (_mended(body) if encoding == "utf-8" else None)
    if found := _decoded(raw, "utf-8"):
        return _decoded(raw, _zeros_of_utf16(raw)) or found if b"\0" in raw else found
    if b"\0" in raw:
        return _decoded(raw, _zeros_of_utf16(raw))
    if (declared := _declared(raw)) and (found := _decoded(raw, declared)):
        return found
    return _mended(raw) or _by_statistics(raw)


def _declared(raw: bytes) -> str:
    first_lines = b"\n".join(raw[:2000].split(b"\n", 2)[:2])
    match = _DECLARED.search(first_lines) or _DECLARED_IN_HTML.search(raw[:_HTML_HEAD_BYTES])
    return match[1].decode("ascii") if match else ""


def _zeros_of_utf16(raw: bytes) -> str:
    """Return the kind of UTF-16 without a mark in which every other byte of ASCII is zero, or an empty string."""
    head = raw[:DETECTION_BYTES]
    half = len(head) // 2 or 1
    even, odd = head[::2].count(0) / half, head[1::2].count(0) / half
    if max(even, odd) < MIN_ZERO_FRACTION or min(even, odd) > 0.01:
        return ""
    return "utf-16-le" if odd > even else "utf-16-be"


def _mended(raw: bytes) -> tuple[str, str] | None:
    """Return damaged UTF-8, or None where more of what is not ASCII is no UTF-8 than is."""
    beyond_ascii = len(raw) - len(raw.translate(None, _BEYOND_ASCII))
    broken = len(raw) - len(raw.decode("utf-8", "ignore").encode("utf-8"))
    return (raw.decode("utf-8", "replace"), "utf-8") if broken < beyond_ascii - broken else None


def _by_statistics(raw: bytes) -> tuple[str, str] | None:
    import cchardet

    head = raw[:DETECTION_BYTES]
    beyond_ascii = head.translate(None, bytes(range(0x80)))
    guess = _CODECS.get(str(cchardet.detect(head)["encoding"]).upper(), "")
    if guess in _COMMON_LEADS:
        guess = max(_COMMON_LEADS, key=lambda encoding: (_common_fraction(head, encoding), encoding == guess))
    if guess and guess not in _WITH_WORDS and (found := _decoded(raw, guess)):
        return found
    # One accent tells nothing of the language: it is in the commonest encoding.
    order = ("cp1252", guess, *_LATIN) if len(set(beyond_ascii)) == 1 else (guess, *_LATIN)
    decoded = [found for encoding in dict.fromkeys(order) if (found := _decoded(raw, encoding))]
    odd = [len(_ODD.findall(text[:DETECTION_BYTES])) for text, _ in decoded]
    least = min(odd, default=len(beyond_ascii))
    return decoded[odd.index(least)] if least <= MAX_ODD_ALONE + MAX_ODD_FRACTION * len(beyond_ascii) else None


def _common_fraction(raw: bytes, encoding: str) -> float:
    """Return how much of the characters of two bytes, signs apart, is common in an encoding."""
    first, last = _COMMON_LEADS[encoding]
    leads = [pair[0] for pair in _PAIR.findall(raw) if pair[0] >= 0xA4]
    return sum(first <= lead <= last for lead in leads) / max(len(leads), 1)


def _decoded(raw: bytes, encoding: str) -> tuple[str, str] | None:
    try:
        name = codecs.lookup(encoding).name
        text = raw.decode(name)
    except (LookupError, UnicodeError, ValueError):
        return None
    # Codecs such as rot13 or hex give what is no text.
    return (text, name) if isinstance(text, str) else None
