"""Section 2.3.1: formulas of web pages as TeX."""

from __future__ import annotations

from typing import Any

# MathML with its source, KaTeX and MathJax (which hold it), Wikipedia's pictures, scripts of MathJax 2.
FORMULAS = (
    ".katex, .MathJax, .MathJax_Display, mjx-container, .mwe-math-element, math, script[type^='math/tex'], "
    "img.tex, img.latex, img.mwe-math-fallback-image-inline, img.mwe-math-fallback-image-display"
)
# One of these stands in every page that has a formula.
FORMULA_SIGNS = ("katex", "mathjax", "mjx-", "mwe-math", "<math", "math/tex", "latex", 'tex"', "tex'", "=tex")


def formula_of(element: Any) -> tuple[str, int] | None:
    """Return the TeX of a formula between dollar signs, or None where the page does not hold it.

    Args:
        element (`ElementNode`): one that `FORMULAS` matches.
    """
    source = _source_of(element)
    if source is None:
        return None
    source = " ".join(source.split())
    if source.startswith("{\\displaystyle") and source.endswith("}"):
        source = source[len("{\\displaystyle") : -1].strip()
    return (f"$${source}$$" if _is_display(element) else f"${source}$", 0) if source else ("", 0)


def _source_of(element: Any) -> str | None:
    if element.tag == "script":
        return str(element.text)
    annotation = element.query_selector("annotation[encoding='application/x-tex']")
    if annotation is not None:
        return str(annotation.text)
    for name in ("alttext", "alt"):
        if element.getattr(name):
            return str(element.getattr(name))
    picture = element.query_selector("img[alt]")
    return str(picture.getattr("alt")) if picture is not None else None


def _is_display(element: Any) -> bool:
    if element.tag == "script":
        return "mode=display" in (element.getattr("type") or "")
    names = element.getattr("class") or ""
    parent = element.parent
    return (
        element.getattr("display") in ("block", "true")
        or any(name in names for name in ("display", "Display"))
        or (parent is not None and "katex-display" in (parent.getattr("class") or ""))
    )
