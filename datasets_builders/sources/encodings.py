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
# A declaration in the first two lines, as Python (PEP 263), Ruby, Emacs and Vim understand it.
_DECLARED = re.compile(rb"coding[:=][ \t]*([-\w.]{2,30})")
# The legacy encodings that source code is found in. A wider choice makes short files look like what nobody uses.
LEGACY_ENCODINGS = (
    *("cp1252", "cp1250", "cp1251", "koi8_r", "iso8859_15", "cp1253", "cp1254", "mac_roman"),
    *("gb18030", "big5", "shift_jis", "euc_jp", "euc_kr", "cp949"),
)
DETECTION_BYTES = 100_000


def decode(raw: bytes) -> tuple[str, str] | None:
    """Return the text of a file and its encoding (a Python codec's name), or None where no encoding fits.

    A byte order mark decides, then UTF-8, then what the file declares, then charset-normalizer's choice among
    `LEGACY_ENCODINGS`. The mark is not part of the text. UTF-8 with a few broken bytes is in no other encoding: a
    guess would turn every character of it that is not ASCII into two or three wrong ones.

    Args:
        raw (`bytes`): the whole file.
    """
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return _decoded(raw[len(mark) :], encoding)
    if (found := _decoded(raw, "utf-8")) or b"\0" in raw:
        return found
    first_lines = b"\n".join(raw[:2000].split(b"\n", 2)[:2])
    if (declared := _DECLARED.search(first_lines)) and (found := _decoded(raw, declared[1].decode("ascii"))):
        return found
    if _is_damaged_utf8(raw):
        return None
    from charset_normalizer import from_bytes

    best = from_bytes(raw[:DETECTION_BYTES], cp_isolation=list(LEGACY_ENCODINGS)).best()
    return _decoded(raw, best.encoding) if best else None


def _is_damaged_utf8(raw: bytes) -> bool:
    """Return whether more of what is not ASCII is UTF-8 than is not."""
    beyond_ascii = sum(byte > 0x7F for byte in raw)
    whole = raw.decode("utf-8", "ignore").encode("utf-8")
    broken = len(raw) - len(whole)
    return broken < beyond_ascii - broken


def _decoded(raw: bytes, encoding: str) -> tuple[str, str] | None:
    try:
        name = codecs.lookup(encoding).name
        text = raw.decode(name)
    except (LookupError, UnicodeError, ValueError):
        return None
    # Codecs such as rot13 or hex give what is no text.
    return (text, name) if isinstance(text, str) else None
