"""Licences: what repositories and files state, as SPDX, and whether it is permissive; a doubt is never permissive."""

import gzip
import importlib
import json

import pytest
from datatrove.data import Document

from datasets_builders.building.errors import ConfigError
from datasets_builders.building.steps import Removed
from datasets_builders.curation.license_filter import LicenseFilter, license_of_file
from datasets_builders.source_code.config import SourceCodeConfig
from datasets_builders.sources.license_files import is_statement_of_license, license_of_files, licenses_of_files
from datasets_builders.sources.license_notices import license_of_head
from datasets_builders.sources.license_texts import TEXTS_FILE, build_index, find_texts
from datasets_builders.sources.licenses import license_type

TEXTS = json.loads(gzip.decompress(TEXTS_FILE.read_bytes()))["texts"]
MIT = TEXTS["MIT"].replace("<year> <copyright holders>", "2020 Ada")
DEBIAN = "Files: *\nLicense: Expat\n\n" + "Comment: word\n\n" * 3000 + "Files: vendor/*\nLicense: GPL-3+\n"
GPL_TITLE = "GNU GENERAL PUBLIC LICENSE\n  Version 3, 29 June 2007\n\n Preamble\n The licenses for most software ..."
AGPL_TITLE = GPL_TITLE.replace("GNU", "GNU AFFERO")
GPL_NOTICE = (
    "This program is free software; you can redistribute it and/or modify it under the terms of the GNU General\n"
    "Public License as published by the Free Software Foundation; either version 2 of the License, or (at your\n"
    "option) any later version. See the GNU General Public License for more details.\n"
)
APACHE_NOTICE = (
    'Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except in compliance\n'
    "with the License. You may obtain a copy at http://www.apache.org/licenses/LICENSE-2.0. Software distributed\n"
    'under the License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND.\n'
)


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
        ("LicenseRef-Acme-Commercial OR BSD-3-Clause", "permissive"),
        ("LicenseRef-Acme-Commercial AND BSD-3-Clause", "non_permissive"),
        ("unknown", "no_license"),
        ("unrecognised", "non_permissive"),
        ("MIT AND unrecognised", "non_permissive"),
        ("Acme-Secret-1.0", "non_permissive"),
        ("(" * 300 + "MIT", "non_permissive"),
        ("MIT AND " * 1000 + "MIT", "non_permissive"),
    ],
)
def test_kinds(license, kind):
    assert license_type(license) == kind


METADATA = [
    ({"package.json": '{"license": "UNLICENSED"}'}, "unrecognised"),
    ({"package.json": '{"license": "UNLICENSED", "private": true}'}, "unknown"),
    ({"package.json": '{"license": {"type": "GPL-3.0", "url": "x"}}'}, "GPL-3.0-only"),
    ({"package.json": '{"licenses": [{"type": "MIT"}, {"type": "GPL-2.0"}]}'}, "GPL-2.0-only OR MIT"),
    ({"package.json": '{"license": "(MIT OR Apache-2.0)"}'}, "MIT OR Apache-2.0"),
    ({"package.json": '{"license": "SEE LICENSE IN x"}', "LICENSE": "mozilla public license version 2.0"}, "MPL-2.0"),
    ({"package.json": "[1"}, "unknown"),
    ({"composer.json": '{"license": ["LGPL-2.1-only", "MIT"]}'}, "LGPL-2.1-only OR MIT"),
    ({"PKG-INFO": "Name: a\nLicense: UNKNOWN\n"}, "unknown"),
    ({"PKG-INFO": "Name: a\nVersion: 1\n\nThe licences we read:\nLicense: MIT\n"}, "unknown"),
    ({"PKG-INFO": "Name: a\r\nLicense-Expression: BSD-2-Clause\r\n\r\nx"}, "BSD-2-Clause"),
    ({"PKG-INFO": "License: BSD, see LICENSE\nClassifier: License :: OSI Approved :: BSD License\n"}, "BSD-3-Clause"),
    (
        {"PKG-INFO": "Classifier: License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)\n"},
        "LGPL-3.0-only",
    ),
    ({"PKG-INFO": "Classifier: License :: Other/Proprietary License\n"}, "unrecognised"),
    ({"pyproject.toml": '[project]\nlicense = "GPL-3.0-or-later"\n'}, "GPL-3.0-or-later"),
    ({"pyproject.toml": '[project]\nlicense = {text = "MIT License"}\n'}, "MIT"),
    ({"pyproject.toml": '[project]\nlicense = {file = "LICENSE"}\n', "LICENSE": MIT}, "MIT"),
    ({"pyproject.toml": '[tool.poetry]\nlicense = "LGPL-3.0+"\n'}, "LGPL-3.0-or-later"),
    ({"setup.cfg": "[metadata]\nlicense = GPLv3\nlicense_files = LICENSE\n"}, "GPL-3.0-only"),
    ({"setup.py": 'setup(\n    license="LGPLv2+",\n)'}, "LGPL-2.0-or-later"),
    ({"setup.py": 'classifiers=["License :: OSI Approved :: MIT License"]'}, "MIT"),
    ({"Cargo.toml": '[package]\nlicense = "MIT/Apache-2.0"\n'}, "MIT OR Apache-2.0"),
    ({"Cargo.toml": '[workspace.package]\nlicense = "MPL-2.0"\n[package]\nlicense.workspace = true\n'}, "MPL-2.0"),
    ({"x.gemspec": "s.license = 'AGPL-3.0'\n"}, "AGPL-3.0-only"),
    ({"x.gemspec": "s.licenses = ['Ruby', 'BSD-2-Clause']\n"}, "BSD-2-Clause OR Ruby"),
    ({"x.gemspec": "s.license = 'APLv2'\n"}, "Apache-2.0"),
    ({"pom.xml": "<licenses><license><name>GNU LGPL 3</name></license></licenses>"}, "LGPL-3.0-only"),
    ({"DESCRIPTION": "Package: x\nLicense: GPL (>= 2) | file LICENSE\n"}, "GPL-2.0-or-later"),
    ({"DESCRIPTION": "Package: x\nLicense: MIT + file LICENSE\n"}, "MIT"),
    ({"x.cabal": "license:        BSD3\n"}, "BSD-3-Clause"),
    ({"x.rockspec": 'description = { license = "MIT/X11" }'}, "MIT"),
    ({"mix.exs": 'licenses: ["Apache-2.0"],'}, "Apache-2.0"),
    ({"a.csproj": "<PackageLicenseExpression>MS-PL</PackageLicenseExpression>"}, "MS-PL"),
    ({"__manifest__.py": "{'name': 'A', 'license': 'AGPL-3'}"}, "AGPL-3.0-only"),
    ({"package.xml": "<package><license>BSD</license></package>"}, "BSD-3-Clause"),
    (
        {"package.xml": '<license file="LICENSE">Apache License 2.0</license><license>GPLv3</license>'},
        "Apache-2.0 AND GPL-3.0-only",
    ),
    ({"package.xml": "<license>TODO: License declaration</license>"}, "unknown"),
    ({"project.clj": ':license {:url "https://opensource.org/licenses/MIT"\n :name "MIT License"}'}, "MIT"),
    ({"build.sbt": 'licenses += ("Apache-2.0", url("https://x.org"))'}, "Apache-2.0"),
    ({"conanfile.py": 'class A:\n    license = ("MIT", "BSL-1.0")\n'}, "MIT"),
    ({"dune-project": "(lang dune 2.0)\n(license ISC)\n"}, "ISC"),
    ({"CITATION.cff": "cff-version: 1.2.0\nlicense: AGPL-3.0-only\n"}, "AGPL-3.0-only"),
    ({"codemeta.json": '{"license": "https://spdx.org/licenses/Apache-2.0"}'}, "Apache-2.0"),
    ({"vcpkg.json": '{"license": null}'}, "unknown"),
    ({"shard.yml": "name: a\nlicense: MIT\n"}, "MIT"),
    ({"galaxy.yml": "license:\n  - GPL-3.0-or-later\n"}, "GPL-3.0-or-later"),
    ({"README.md": "# Tool\n\n## License\n\nReleased under the MIT license.\n"}, "MIT"),
    ({"README.rst": "Tool\n====\n\nLicense\n-------\n\nGNU GPL v3\n"}, "GPL-3.0-only"),
    ({"README.md": "# Tool\n\n## License\n\nMIT\n", "COPYING": GPL_TITLE}, "GPL-3.0-only"),
]
TOGETHER = [
    ({"LICENSE": AGPL_TITLE, "COPYING.icons": TEXTS["CC0-1.0"]}, "AGPL-3.0-only"),
    ({"LICENSE": MIT, "COPYING": GPL_TITLE}, "GPL-3.0-only AND MIT"),
    ({"LICENSE-MIT": MIT, "LICENSE-APACHE": TEXTS["Apache-2.0"]}, "Apache-2.0 AND MIT"),
    ({"LICENSE": TEXTS["Apache-2.0"], "THIRD-PARTY-LICENSES": GPL_TITLE}, "Apache-2.0"),
    ({"COPYING": GPL_TITLE, "COPYING.LESSER": "GNU LESSER " + GPL_TITLE[4:]}, "LGPL-3.0-only"),
    ({"package.json": '{"license": "MIT"}', "LICENSE": MIT + "\n\nBundled:\n" + GPL_NOTICE}, "MIT"),
    ({"LICENSE": MIT + "\n\nBundled:\n" + GPL_NOTICE}, "GPL-2.0-or-later AND MIT"),
    ({"LICENSE": "Dual licensed: choose either.\n\n" + MIT + "\n\n" + GPL_NOTICE}, "GPL-2.0-or-later OR MIT"),
    ({"package.json": '{"license": "MIT"}', "COPYING": GPL_TITLE}, "GPL-3.0-only AND MIT"),
    ({"package.json": '{"license": "(MIT OR GPL-3.0)"}', "COPYING": GPL_TITLE, "LICENSE": MIT}, "MIT OR GPL-3.0-only"),
    ({"LICENSE": '"Commons Clause"\nThe right to Sell the Software is not granted.\n' + MIT}, "unrecognised"),
    ({"LICENSE": MIT, "COMMONS-CLAUSE.md": "# Commons Clause\nno right to sell\n"}, "unrecognised"),
    ({"LICENSE": MIT.replace("granted, free of charge", "not granted")}, "unrecognised"),
    ({"LICENSE": MIT.replace("subject to", "for non-commercial purposes only, subject to")}, "unrecognised"),
    ({"LICENSE": TEXTS["Python-2.0"] + "\nUnlike the GPL, all licenses of Python ... GPL-compatible"}, "Python-2.0"),
    ({"LICENSE": MIT + "\n\n" + TEXTS["GPL-3.0-only"]}, "GPL-3.0-only AND MIT"),
    (
        {
            "COPYING.GPL": TEXTS["GPL-2.0-only"],
            "COPYING.MIT": MIT,
            "README.md": "# A\n## License\nMIT or GPL-2.0, at your choice.\n",
        },
        "GPL-2.0-only OR MIT",
    ),
    ({"LICENSE": MIT, "COPYRIGHT": "WCS is licensed under the MIT License. Produced under Contract DE-AC52."}, "MIT"),
    ({"LICENSE": "MIT"}, "MIT"),
    ({"LICENSE": "https://opensource.org/licenses/MIT"}, "MIT"),
    ({"LICENSE": "Available under: MIT license - http://datatables.net/license/mit"}, "MIT"),
    ({"LICENSE": "".join(f"> {line}\n" for line in MIT.splitlines())}, "MIT"),
    ({"LICENSE": MIT.encode("utf-16")}, "MIT"),
    ({"LICENSE": MIT.replace("\n", "\r\n")}, "MIT"),
    ({"LICENSE": "GPL version 3 or later, see COPYING.", "COPYING": GPL_TITLE}, "GPL-3.0-only AND GPL-3.0-or-later"),
    ({"LICENSES/GPL-3.0-or-later.txt": GPL_TITLE}, "GPL-3.0-only"),
    ({"docs/LICENSE": GPL_TITLE}, "GPL-3.0-only"),
    ({"GPL-LICENSE.txt": GPL_TITLE}, "GPL-3.0-only"),
    ({"gpl-3.0.txt": GPL_TITLE}, "GPL-3.0-only"),
    ({"LICENSE": "All rights reserved."}, "unrecognised"),
    ({"usr/share/doc/a/copyright": DEBIAN}, "GPL-3.0-or-later AND MIT"),
    (
        {"usr/share/doc/a/copyright": MIT + "\n\nThe Debian packaging is (C) Ada and is licensed under the GPL-3.\n"},
        "MIT",
    ),
    ({"usr/share/doc/a/copyright": "See /usr/share/common-licenses/LGPL-2.1 for its license.\n"}, "LGPL-2.1-only"),
    ({}, "unknown"),
]


@pytest.mark.parametrize(("files", "license"), METADATA + TOGETHER)
def test_what_files_state(files, license):
    raw = {path: text if isinstance(text, bytes) else text.encode() for path, text in files.items()}
    assert license_of_files({path: text for path, text in raw.items() if is_statement_of_license(path)}) == license


@pytest.mark.parametrize(
    "path", ["license.py", "LICENSE_HEADER", "usr/share/doc/a/examples/copyright", "COPYING.icons"]
)
def test_what_states_nothing_about_code(path):
    assert not is_statement_of_license(path)


@pytest.mark.parametrize(
    "name",
    [
        "0BSD",
        "AFL-3.0",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "BlueOak-1.0.0",
        "CC0-1.0",
        "ISC",
        "MIT",
        "MIT-0",
        "NCSA",
        "PSF-2.0",
        "PostgreSQL",
        "UPL-1.0",
        "Unlicense",
        "WTFPL",
        "Zlib",
        "curl",
    ],
)
def test_permissive_texts_of_the_spdx_list(name):
    holders = TEXTS[name].replace("<copyright holders>", "Ada & Bob").replace("<year>", "2020")
    found = find_texts(f"Something 1.2\n\nCopyright (c) 2019-2021 Ada\n{holders}")
    assert (found.names, found.is_changed) == ((name,), False)


def test_texts_that_resemble_permissive_ones_are_told_apart():
    for name in ("OSL-3.0", "Sleepycat", "CC-BY-SA-3.0", "BSD-3-Clause-No-Nuclear-License"):
        assert find_texts(TEXTS[name]).names == (name,)


HEADS = [
    ("/* SPDX-License-Identifier: GPL-2.0-or-later */", "GPL-2.0-or-later"),
    ("// spdx-license-identifier: mpl-2.0", "MPL-2.0"),
    (";; SPDX-License-Identifier: GPL-3.0-or-later", "GPL-3.0-or-later"),
    ("<!-- SPDX-License-Identifier: (MIT OR Apache-2.0) -->", "MIT OR Apache-2.0"),
    ("# SPDX-License-Identifier: LicenseRef-Qt-Commercial OR BSD-3-Clause", "LicenseRef-Qt-Commercial OR BSD-3-Clause"),
    ("// Copyright A\n" * 60 + "// SPDX-License-Identifier: MPL-2.0", "MPL-2.0"),
    ('(comment 2 "SPDX-License-Identifier: CERN-OHL-S-2.0")', "CERN-OHL-S-2.0"),
    ('"""Adds headers."""\n\nHEADER = "SPDX-License-Identifier: GPL-3.0-or-later"', None),
    ("# SPDX-License-Identifier: MIT\n\nidentifier = 'SPDX-License-Identifier: LicenseRef-Proprietary'", "MIT"),
    (f"/*\n{GPL_NOTICE}*/", "GPL-2.0-or-later"),
    (
        "\n".join(f"# {line}" for line in GPL_NOTICE.replace("General", "Lesser General").splitlines()),
        "LGPL-2.0-or-later",
    ),
    ("/*\n * " + APACHE_NOTICE.replace("\n", "\n * ") + "*/", "Apache-2.0"),
    ("/*\n * " + MIT.replace("\n", "\n * ") + "\n */", "MIT"),
    ("// Licensed under the GPL-2 or later.", "GPL-2.0-or-later"),
    (
        "// This file is placed under the conditions of the GNU Library\n// General Public License, version 2",
        "LGPL-2.0-only",
    ),
    ("// This Source Code Form is subject to the terms of the Mozilla Public\n// License, v. 2.0.", "MPL-2.0"),
    ("/**\n * Dual licensed under GPLv2 & MIT\n */", "GPL-2.0-only OR MIT"),
    (
        "// dual licensed under the terms of the Apache License, Version\n// 2.0, and the BSD License.",
        "Apache-2.0 OR BSD-3-Clause",
    ),
    ("# Licensed under the MIT or GPL-3 license", "GPL-3.0-only OR MIT"),
    ("# Released under the MIT license; parts are under the GPL-3", "GPL-3.0-only AND MIT"),
    ("/* @license MIT */", "MIT"),
    ("unit a;\n\n{========\n this unit is published under the terms of the GPL\n}", "GPL-1.0-or-later"),
    ('# pragma\n"""\n@license Copyright (c) Curve.Fi, 2020 - all rights reserved\n"""', "unrecognised"),
    ("{ ====\n this unit is published under the terms of the GPL\n}\nunit a;", "GPL-1.0-or-later"),
    ("# Copyright: This module has been placed in the public domain.", "LicenseRef-scancode-public-domain"),
    ("# addresses of the public domain are looked up", None),
    (
        "// Licensed under the Apache License, Version 2.0 <LICENSE-APACHE> or the MIT license <LICENSE-MIT>, at your\n"
        "// option. This file may not be copied, modified, or distributed except according to those terms.",
        "Apache-2.0 OR MIT",
    ),
    (
        "// Use of this source code is governed by a BSD-style license that can be found in the LICENSE file.",
        "BSD-3-Clause",
    ),
    ("# License: https://www.gnu.org/licenses/agpl-3.0.html", "AGPL-3.0-only"),
    ("/* ACME PROPRIETARY AND CONFIDENTIAL. Unauthorized copying is strictly prohibited. */", "unrecognised"),
    ("# Copyright (c) Ada. All rights reserved.\n# (see COPYING)", None),
    ("# Reads GPL-compatible formats under any license", None),
    ("template gpl;\n// gpl of lists\ngpl();", None),
    ("#define SGI_GPL2_IRQ 2 /* the license of General Purpose lines */", None),
    ("# by ada@mit.edu, see the license", None),
    ("x = 1\n" * 60 + "# Licensed under the GPL-3", None),
    ("#include <linux/module.h>\n" + "int x;\n" * 60 + 'MODULE_LICENSE("GPL v2");', "GPL-2.0-only"),
    ('MODULE_LICENSE("Dual MIT/GPL");', "GPL-2.0-only OR MIT"),
    ('MODULE_LICENSE("Proprietary");', "unrecognised"),
    ("import os\n\n__license__ = 'GPL v3'", "GPL-3.0-only"),
    ('__license__ = "see LICENSE"', None),
    ("local m = {\n  _LICENSE = [[\n    MIT LICENSE\n\n" + MIT + "]]\n}", "MIT"),
    ("// This file is distributed under the University of Illinois Open Source\n// License. See LICENSE.TXT.", "NCSA"),
    ("# Licensed under a Creative Commons Attribution-NonCommercial-ShareAlike 4.0 license", "CC-BY-NC-SA-4.0"),
    ("# Taken from https://stackoverflow.com/a/123, CC BY-SA 3.0", "CC-BY-SA-3.0"),
    ("// Licensed under the PolyForm Noncommercial License 1.0.0", "PolyForm-Noncommercial-1.0.0"),
    ("/* ORACLE PROPRIETARY/CONFIDENTIAL. Use is subject to license terms. */", "unrecognised"),
    ("/* Copyright 2019 ACME. ACME Confidential. Do not distribute. */", "unrecognised"),
    ("/* your use is governed by its license: you may not use, modify, copy or publish it */", "unrecognised"),
    ("# Confidential clients and public clients of OAuth", None),
    ("# Tasks that do not fit are kept; see the license", None),
    ('"""Tells whether a file is licensed under the GNU General Public License."""', None),
    ("/* a.h - v2.28 - public domain image loader */", "LicenseRef-scancode-public-domain"),
    (
        "// made available under the terms of the Eclipse Public License v. 2.0 which is available at\n"
        "// https://www.eclipse.org/legal/epl-2.0, or the Apache License, Version 2.0\n"
        "// which is available at https://www.apache.org/licenses/LICENSE-2.0.",
        "Apache-2.0 OR EPL-2.0",
    ),
    (
        "# licensed under both the MIT license found in the LICENSE_MIT file in the root directory and the Apache\n"
        "# License, Version 2.0 found in the LICENSE_APACHE file",
        "Apache-2.0 AND MIT",
    ),
]


@pytest.mark.parametrize(("head", "license"), HEADS)
def test_what_the_head_of_a_file_states(head, license):
    assert license_of_head(f"{head}\n\ncode(1)\n") == license


def test_a_folder_governs_what_lies_below_it():
    files = {
        "LICENSE": MIT,
        "contrib/readline/COPYING": GPL_TITLE,
        "packages/a/package.json": '{"license": "Apache-2.0"}',
        "packages/b/package.json": '{"name": "b"}',
        "y.js.license": "SPDX-License-Identifier: MPL-2.0",
        "dist/a.js.LICENSE.txt": "/*! a 1.0 */",
        "REUSE.toml": '[[annotations]]\npath = ["art/**", "x.c"]\nSPDX-License-Identifier = "CC-BY-SA-4.0"\n',
    }
    licenses = licenses_of_files({path: text.encode() for path, text in files.items() if is_statement_of_license(path)})
    found = {path: licenses.of(path) for path in ("a.c", "contrib/a.c", "contrib/readline/s/a.c", "packages/a/i.js")}
    assert found == {
        "a.c": "MIT",
        "contrib/a.c": "MIT",
        "contrib/readline/s/a.c": "GPL-3.0-only",
        "packages/a/i.js": "Apache-2.0",
    }
    assert [licenses.of(path) for path in ("packages/b/i.js", "art/b/a.js", "x.c")] == [
        "MIT",
        "CC-BY-SA-4.0",
        "CC-BY-SA-4.0",
    ]
    assert (licenses.of("y.js"), licenses.of("dist/a.js")) == ("MPL-2.0", "MIT")
    debian = "Format: x\n\nFiles: *\nLicense: MIT\n\nFiles: lib/*\nLicense: GPL-2\n\nFiles: debian/*\nLicense: GPL-3\n"
    licenses = licenses_of_files({"COPYRIGHT": debian.encode()})
    assert (licenses.of("a.c"), licenses.of("lib/a.c"), licenses.of("debian/a.c")) == ("MIT", "GPL-2.0-only", "MIT")


def test_a_file_of_a_folder_that_is_around_all_has_its_licence():
    assert licenses_of_files({"owner-repo-0a1b2c/LICENSE": MIT.encode()}).of("owner-repo-0a1b2c/src/a.c") == "MIT"


def test_the_tag_of_a_file_goes_before_its_repository():
    text = "// SPDX-License-Identifier: MPL-2.0\n"
    for allowed, expected in (((), Removed), (("MPL-2.0",), Document)):
        doc = Document(text=text, id="1", metadata={"license": "MIT"})
        (outcome,) = LicenseFilter(["permissive"], allowed).process(doc)
        assert type(outcome) is expected
        assert (doc.metadata["license"], doc.metadata["license_type"]) == ("MPL-2.0", "non_permissive")


def test_of_both_at_the_head_of_a_file_the_choice_of_its_package_holds():
    assert license_of_file("Apache-2.0 AND MPL-2.0", "MPL-2.0 OR Apache-2.0") == "MPL-2.0 OR Apache-2.0"
    assert license_of_file("GPL-3.0-only AND MIT", "MIT OR GPL-3.0-or-later") == "MIT OR GPL-3.0-or-later"
    assert license_of_file("GPL-3.0-only AND MIT", "MIT OR Apache-2.0") == "GPL-3.0-only AND MIT"
    assert license_of_file(None, "MIT") == "MIT"


def test_a_licence_that_is_given_must_be_one():
    with pytest.raises(ConfigError, match=r"'Apache' is no SPDX expression; did you mean Apache-2\.0\?"):
        SourceCodeConfig(output_dir="x", license="Apache")
    assert SourceCodeConfig(output_dir="x", license="MIT OR LicenseRef-Ours").license == "MIT OR LicenseRef-Ours"


def test_the_index_of_texts_is_ready_where_workers_are_forked():
    build_index.cache_clear()
    for name in LicenseFilter.preloaded:
        importlib.reload(importlib.import_module(name))
    assert build_index.cache_info().currsize == 1
