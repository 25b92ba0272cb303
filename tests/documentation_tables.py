"""Tables of fields in the READMEs of the builders, written from their dataclasses.

    python tests/documentation_tables.py

A README marks the place of a table by `<!-- fields of BUILDER -->` (or `<!-- common fields -->`) and
`<!-- end of fields -->`; a test compares what stands between them with what this would write.
"""

import importlib
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_TABLE = re.compile(r"(<!-- (?:fields of (?P<builder>\w+)|common fields) -->\n).*?(<!-- end of fields -->)", re.S)


def readmes() -> list[Path]:
    """Return the READMEs that have such tables."""
    paths = sorted((ROOT / "datasets_builders").rglob("README.md"))
    return [path for path in paths if _TABLE.search(path.read_text(encoding="utf-8"))]


def with_tables(text: str) -> str:
    """Return a README with its tables written anew."""
    return _TABLE.sub(lambda found: found[1] + field_table(found["builder"]) + found[3], text)


def field_table(builder: str | None) -> str:
    """Return the fields of a builder beyond the common ones, or the common ones, as Markdown."""
    from datasets_builders.__main__ import BUILDERS
    from datasets_builders.building.config import BuilderConfig, describe_fields

    common = {name for name, *_ in describe_fields(BuilderConfig)}
    if builder is None:
        rows = describe_fields(BuilderConfig)
    else:
        module, _, name = BUILDERS[builder][0].partition(":")
        config_class = getattr(importlib.import_module(module), name).config_class
        rows = [row for row in describe_fields(config_class) if row[0] not in common]
    lines = ["| field | default | meaning |", "| --- | --- | --- |"]
    lines += [f"| `{name}` | {_cell(default)} | {_cell(text, code=False)} |" for name, _, default, text in rows]
    return "\n".join(lines) + "\n"


def _cell(text: str, code: bool = True) -> str:
    text = text.replace("|", "\\|")
    if not code:
        return text.replace("<", "&lt;")
    return "" if text in ("''", "None") else f"`{text}`"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    for path in readmes():
        path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")
        print(path.relative_to(ROOT))
