#!/usr/bin/env bash
# HTML documentation about programming and about other things, as Debian packages, 470 MB:
#   bash tests/corpus/fetch_pages.sh outputs/pages
# Nothing is installed or unpacked. What cannot be got is said and left out.
set -uo pipefail
folder=${1:-outputs/pages}
mkdir -p "$folder" && cd "$folder" || exit 1

missing=()
for name in \
    `# about programming` \
    abs-guide allegro5-doc ant-doc antlr4-doc clang-14-doc cmake-doc cython-doc fp-docs-3.2.2 git-doc junit4-doc \
    libboost1.74-doc libeigen3-doc libgtk-3-doc libsfml-doc lua5.1-doc mypy-doc nim-doc nodejs-doc numba-doc \
    octave-doc postgresql-doc-15 python-celery-doc python-django-doc python-flask-doc python-jinja2-doc python-lxml-doc \
    python-peewee-doc python-psycopg2-doc python-pygame-doc python-sqlalchemy-doc python3.11-doc r-doc-html sqlite3-doc \
    swi-prolog-doc \
    `# about other things, or about some of both` \
    anarchism apache2-doc aptitude-doc-en asymptote-doc beets-doc bind9-doc borgbackup-doc colobot-dev-doc \
    debian-edu-doc-en debian-faq debian-handbook debian-history debian-policy debian-reference-en denemo-doc \
    developers-reference doublecmd-help-en ecasound-doc enigma-doc eqonomize-doc exim4-doc-html \
    fontforge-doc fwbuilder-doc gimp-help-en gnucash-docs gnumed-doc graphviz-doc gsequencer-doc \
    harden-doc hplip-doc httrack-doc installation-guide-amd64 jargon junior-doc keepass2-doc khal-doc \
    kicad-doc-en libreoffice-help-en-us lifelines-doc lilypond-doc-html mame-doc maxima-doc mopidy-doc \
    ntpsec-doc nut-doc openshot-qt-doc pelican-doc planner-doc postfix-doc; do
    compgen -G "${name}_*.deb" >/dev/null && continue
    apt-get download "$name" >".log-$name" 2>&1 && rm -f ".log-$name" || missing+=("$name")
done

echo "$(find . -maxdepth 1 -name '*.deb' | wc -l) packages, $(du -sh . | cut -f1) in $folder"
[ ${#missing[@]} -eq 0 ] || echo "not fetched (see $folder/.log-NAME): ${missing[*]}"
