"""Section 2.2.1: the licence of a folder of code, by its licence file."""

import re
from pathlib import Path

LICENSE_FILE_NAMES = ("license", "licence", "copying", "unlicense")
LICENSE_HEAD_BYTES = 20_000
_SPDX = re.compile(r"SPDX-License-Identifier:\s*([A-Za-z0-9.+-]+)")
# SPDX name -> words that all stand in the text, with runs of white space as one blank. First match wins, so that a
# licence that quotes another one comes before it.
KNOWN_TEXTS = (
    ("AGPL-3.0", ("gnu affero general public license", "version 3")),
    ("LGPL-3.0", ("gnu lesser general public license", "version 3")),
    ("LGPL-2.1", ("gnu lesser general public license", "version 2.1")),
    ("GPL-3.0", ("gnu general public license", "version 3")),
    ("GPL-2.0", ("gnu general public license", "version 2")),
    ("MPL-2.0", ("mozilla public license", "version 2.0")),
    ("Apache-2.0", ("apache license", "version 2.0")),
    ("PSF-2.0", ("python software foundation license version 2",)),
    ("Unlicense", ("this is free and unencumbered software released into the public domain",)),
    ("CC0-1.0", ("creative commons", "cc0 1.0")),
    ("MIT", ("permission is hereby granted, free of charge", "the above copyright notice and this permission notice")),
    ("ISC", ("permission to use, copy, modify, and/or distribute this software", "the above copyright notice")),
    ("BSD-3-Clause", ("redistribution and use in source and binary forms", "neither the name")),
    ("BSD-2-Clause", ("redistribution and use in source and binary forms", "the following conditions")),
)


def recognise_license(text: str) -> str | None:
    """Return the SPDX name of a licence text, or None.

    Args:
        text (`str`): of a licence file.

    Source: ours; the words are those of the licences.
    """
    if tag := _SPDX.search(text):
        return tag.group(1)
    plain = " ".join(text.lower().split())
    return next((name for name, words in KNOWN_TEXTS if all(word in plain for word in words)), None)


def license_of_folder(root: Path) -> str:
    """Return the SPDX name of the licence file at the top of a folder, or "unknown".

    Source: ours.
    """
    for path in sorted(root.iterdir()):
        if path.is_file() and path.name.lower().partition(".")[0] in LICENSE_FILE_NAMES:
            with path.open("rb") as file:
                found = recognise_license(file.read(LICENSE_HEAD_BYTES).decode("utf-8", "replace"))
            if found:
                return found
    return "unknown"
