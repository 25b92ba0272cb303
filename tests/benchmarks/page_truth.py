"""What the pages of `make pages` are about, by package and folder, as somebody says who knows the packages.

About programming is what explains programming languages, libraries and tools of those who write programs; using an
application, setting up a server or a system is not, however technical. Addresses are `PACKAGE.test/path`.
"""

from datasets_builders.code_related.web_pages.addresses import AddressPatterns

# Sites by kind; each kind has histograms and limits of its own.
KINDS = {
    "language": [
        "abs-guide.test/*", "asymptote-doc.test/*", "clang-14-doc.test/*", "cython-doc.test/*", "fp-docs-3.2.2.test/*",
        "lua5.1-doc.test/*", "maxima-doc.test/*", "nim-doc.test/*", "nodejs-doc.test/*", "octave-doc.test/*",
        "postgresql-doc-15.test/*", "python3.11-doc.test/*", "r-doc-html.test/*", "rust.test/*",
        "swi-prolog-doc.test/*", "sqlite3-doc.test/*", "mypy-doc.test/*",
    ],
    "library": [
        "allegro5-doc.test/*", "ant-doc.test/*", "antlr4-doc.test/*", "cmake-doc.test/*", "colobot-dev-doc.test/*",
        "git-doc.test/*", "graphviz-doc.test/*", "junit4-doc.test/*", "libboost*.test/*", "libeigen3-doc.test/*",
        "libgtk-3-doc.test/*", "libsfml-doc.test/*", "numba-doc.test/*", "python-*.test/*",
    ],
    "server": [
        "apache2-doc.test/*", "bind9-doc.test/*", "exim4-doc-html.test/*", "fwbuilder-doc.test/*", "ntpsec-doc.test/*",
        "nut-doc.test/*", "postfix-doc.test/*", "mopidy-doc.test/*", "harden-doc.test/*",
    ],
    "system": [
        "aptitude-doc-en.test/*", "borgbackup-doc.test/*", "debian-*.test/*", "developers-reference.test/*",
        "installation-guide-amd64.test/*", "hplip-doc.test/*",
    ],
    "application": [
        "anarchism.test/*", "beets-doc.test/*", "denemo-doc.test/*", "doublecmd-help-en.test/*", "ecasound-doc.test/*",
        "enigma-doc.test/*", "eqonomize-doc.test/*", "fontforge-doc.test/*", "gimp-help-en.test/*",
        "gnucash-docs.test/*", "gnumed-doc.test/*", "gsequencer-doc.test/*", "httrack-doc.test/*", "jargon.test/*",
        "junior-doc.test/*", "keepass2-doc.test/*", "khal-doc.test/*", "kicad-doc-en.test/*",
        "libreoffice-help-en-us.test/*", "lifelines-doc.test/*", "lilypond-doc-html.test/*", "mame-doc.test/*",
        "openshot-qt-doc.test/*", "pelican-doc.test/*", "planner-doc.test/*",
    ],
}  # fmt: skip
# Of sites that are not about programming, the folders that are.
_PROGRAMMING = AddressPatterns([
    *KINDS["language"], *KINDS["library"],
    "libreoffice-help-en-us.test/*sbasic*", "libreoffice-help-en-us.test/*/scripting/*",
    "apache2-doc.test/*/developer/*", "beets-doc.test/*/dev/*", "mopidy-doc.test/*/api/*",
    "borgbackup-doc.test/*/internals/*", "borgbackup-doc.test/*/development*", "fontforge-doc.test/*/scripting/*",
    "fontforge-doc.test/*/techref/*", "nut-doc.test/*developer*", "nut-doc.test/*new-drivers*",
    "keepass2-doc.test/*plg_*", "keepass2-doc.test/*script*", "gsequencer-doc.test/*/api/*",
    "lilypond-doc-html.test/*/extending/*", "httrack-doc.test/*plug*", "httrack-doc.test/*dev*",
    "pelican-doc.test/*plugins*", "pelican-doc.test/*internals*",
])  # fmt: skip
# Of those that are, the pages that are not: licences, lists of who did it, how to install.
_OTHERS = AddressPatterns([
    "*/*license*", "*/*copyright*", "*/*authors*", "*/*acknowledg*", "*/*credits*", "*/*legalnotice*",
    "git-doc.test/*/relnotes/*", "postgresql-doc-15.test/*/release-*", "postgresql-doc-15.test/*/biblio*",
])  # fmt: skip


def is_about_programming(url: str) -> bool:
    """Return whether a page is about programming, by its address alone."""
    return _PROGRAMMING.match(url) and not _OTHERS.match(url)
