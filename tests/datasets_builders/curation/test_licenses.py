"""Licences: what repositories and files state, as SPDX, and whether it is permissive; a doubt is never permissive."""

import pytest
from datatrove.data import Document

from datasets_builders.building.steps import Removed
from datasets_builders.curation.license_filter import LicenseFilter
from datasets_builders.sources.licenses import (
    is_statement_of_license,
    license_of_files,
    license_type,
    spdx_of_head,
)

DEBIAN = "Files: *\nLicense: Expat\n\n" + "Comment: word\n\n" * 3000 + "Files: vendor/*\nLicense: GPL-3+\n"


@pytest.mark.parametrize(
    ("license", "kind"),
    [
        ("MIT", "permissive"),
        ("Unlicense", "permissive"),
        ("GPL-2.0-only", "non_permissive"),
        ("MIT OR GPL-2.0-only", "permissive"),
        ("MIT AND GPL-2.0-only", "non_permissive"),
        ("Apache-2.0 WITH LLVM-exception", "permissive"),
        ("GPL-2.0-only WITH Classpath-exception-2.0", "non_permissive"),
        ("unknown", "no_license"),
        ("unrecognised", "non_permissive"),
        ("Acme-Secret-1.0", "non_permissive"),
        ("(" * 300 + "MIT", "non_permissive"),
        ("MIT AND " * 1000 + "MIT", "non_permissive"),
    ],
)
def test_kinds(license, kind):
    assert license_type(license) == kind


@pytest.mark.parametrize(
    ("files", "license"),
    [
        ({"package.json": b'{"license": "UNLICENSED"}'}, "unrecognised"),
        (
            {"package.json": b'{"license": "SEE LICENSE IN x"}', "LICENSE": b"mozilla public license version 2.0"},
            "MPL-2.0",
        ),
        ({"PKG-INFO": b"Name: a\nLicense: UNKNOWN\n"}, "unknown"),
        ({"PKG-INFO": b"Name: a\nVersion: 1\n\nThe licences we read:\nLicense: MIT\n"}, "unknown"),
        ({"PKG-INFO": b"Name: a\r\nLicense-Expression: BSD-2-Clause\r\n\r\nx"}, "BSD-2-Clause"),
        ({"Cargo.toml": b'[package]\nlicense = "MIT OR Apache-2.0"\n'}, "MIT OR Apache-2.0"),
        ({"usr/share/doc/a/copyright": DEBIAN.encode()}, "GPL-3.0-or-later AND MIT"),
        ({"LICENSE": b"All rights reserved."}, "unrecognised"),
        ({}, "unknown"),
    ],
)
def test_what_files_state(files, license):
    assert all(map(is_statement_of_license, files))
    assert license_of_files(files) == license


@pytest.mark.parametrize(
    "path", ["src/LICENSE", "license.py", "usr/share/doc/a/examples/copyright", "node/package.json"]
)
def test_what_states_nothing_about_the_whole(path):
    assert not is_statement_of_license(path)


def test_the_tag_of_a_file_goes_before_its_repository():
    assert spdx_of_head("/* SPDX-License-Identifier: GPL-2.0-or-later */\n") == "GPL-2.0-or-later"
    assert spdx_of_head("\n" * 40 + "# SPDX-License-Identifier: MIT\n") is None
    text = "// SPDX-License-Identifier: MPL-2.0\n"
    for allowed, expected in (((), Removed), (("MPL-2.0",), Document)):
        doc = Document(text=text, id="1", metadata={"license": "MIT"})
        (outcome,) = LicenseFilter(["permissive"], allowed).process(doc)
        assert type(outcome) is expected
        assert (doc.metadata["license"], doc.metadata["license_type"]) == ("MPL-2.0", "non_permissive")
