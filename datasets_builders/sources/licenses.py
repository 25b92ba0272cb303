"""Sections 2.1 and 2.2.1: licences as SPDX expressions, and whether one is permissive.

Names are SPDX's. Their categories are ScanCode's, as the Stack v2 uses them: "permissive" (with public domain),
"non_permissive", and "no_license" where none is stated. What files state is read in `license_files.py`.
"""

from collections.abc import Iterable
from functools import cache, lru_cache

LICENSE_TYPES = ("permissive", "non_permissive", "no_license")
UNKNOWN = "unknown"  # none is stated
UNRECOGNIZED = "unrecognised"  # a text that is none of the known
MAX_EXPRESSION_CHARACTERS = 500
CACHED_EXPRESSIONS = 10_000
# Debian's short names and older spellings -> SPDX.
_ALIASES = {
    "expat": "MIT",
    "mit/x11": "MIT",
    "bsd3": "BSD-3-Clause",
    "bsd2": "BSD-2-Clause",
    "public-domain": "LicenseRef-scancode-public-domain",
    "perl_5": "Artistic-1.0-Perl OR GPL-1.0-or-later",
    "bsd-3-clause": "BSD-3-Clause",
    "bsd-2-clause": "BSD-2-Clause",
    "psf": "PSF-2.0",
    "apache 2.0": "Apache-2.0",
    "apache-2": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "gpl-2": "GPL-2.0-only",
    "gpl-2+": "GPL-2.0-or-later",
    "gpl-3": "GPL-3.0-only",
    "gpl-3+": "GPL-3.0-or-later",
    "lgpl-2.1+": "LGPL-2.1-or-later",
    "lgpl-3+": "LGPL-3.0-or-later",
    "mpl-2": "MPL-2.0",
    "mit license": "MIT",
    "isc license": "ISC",
}
_PERMISSIVE = ("Permissive", "Public Domain")


@cache
def _licensing():  # type: ignore[no-untyped-def]
    from license_expression import get_spdx_licensing

    return get_spdx_licensing()


@cache
def _categories() -> dict[str, str]:
    """Return ScanCode's category by SPDX name in small letters."""
    from license_expression import get_license_index

    return {
        key.lower(): license["category"]
        for license in get_license_index()
        for key in (license.get("spdx_license_key"), *license.get("other_spdx_license_keys", ()))
        if key
    }


def is_known(name: str) -> bool:
    """Return whether the kind of a licence is known by its SPDX name."""
    return name.lower() in _categories()


def all_of(expressions: Iterable[str]) -> str:
    """Return one SPDX expression for licences that hold together; what is no expression stays as it is written."""
    return _joined(expressions, "AND")


def any_of(expressions: Iterable[str]) -> str:
    """Return one SPDX expression for licences of which one may be chosen."""
    return _joined(expressions, "OR")


def _joined(expressions: Iterable[str], operator: str) -> str:
    ordered = sorted(set(expressions))
    if len(ordered) == 1:
        return ordered[0]
    joined = f" {operator} ".join(f"({expression})" for expression in ordered)
    try:
        return str(_licensing().parse(joined).simplify())
    except Exception:  # of several kinds, see spdx_expression
        return joined


@lru_cache(CACHED_EXPRESSIONS)
def spdx_expression(stated: str) -> str | None:
    """Return what a package states as an SPDX expression, or None where it is none.

    Args:
        stated (`str`): such as `MIT`, `Apache 2.0`, `GPL-2+ OR Artistic-2.0`.

    Source: SPDX 2.3, annex D, by the library license-expression.
    """
    if len(stated) > MAX_EXPRESSION_CHARACTERS:
        return None
    words = _ALIASES.get(stated.strip().lower()) or " ".join(
        _ALIASES.get(word.lower(), word) for word in stated.split()
    )
    try:
        parsed = _licensing().parse(words, validate=True, strict=False)
    except Exception:  # the library raises errors of several kinds for what is no expression
        return None
    return str(parsed) if parsed is not None else None


def is_expression(written: str) -> bool:
    """Return whether a text is an SPDX expression as it stands: of names of the list, and of `LicenseRef-` ones."""
    return all(is_known(key) or key.startswith("LicenseRef-") for key in keys_of(written) or [""])


def keys_of(expression: str) -> list[str]:
    """Return the SPDX names in an expression; what is none has none."""
    try:
        parsed = _licensing().parse(expression)
    except Exception:  # of several kinds, see spdx_expression
        return []
    return [str(key) for key in _licensing().license_keys(parsed)] if parsed is not None else []


@lru_cache(CACHED_EXPRESSIONS)
def license_type(license: str) -> str:
    """Return permissive, non_permissive or no_license.

    Of alternatives (OR) the best counts, of parts that hold together (AND) the worst; an exception (WITH) only adds
    permissions. What is stated but not known counts as non_permissive.

    Args:
        license (`str`): an SPDX expression, "unknown" or "unrecognised".

    Source: StarCoder2 2.1 (three kinds; ScanCode's categories Permissive and Public Domain).
    """
    if not license or license == UNKNOWN:
        return "no_license"
    try:
        parsed = _licensing().parse(spdx_expression(license) or license[: MAX_EXPRESSION_CHARACTERS + 1])
    except Exception:  # of several kinds, see spdx_expression
        return "non_permissive"
    return "permissive" if _is_permissive(parsed) else "non_permissive"


def _is_permissive(node: object) -> bool:
    from license_expression import LicenseWithExceptionSymbol

    if isinstance(node, LicenseWithExceptionSymbol):
        return _is_permissive(node.license_symbol)
    operator = getattr(node, "operator", "").strip()
    if operator == "OR":
        return any(map(_is_permissive, node.args))  # type: ignore[attr-defined]
    if operator == "AND":
        return all(map(_is_permissive, node.args))  # type: ignore[attr-defined]
    return _categories().get(str(node).lower()) in _PERMISSIVE
