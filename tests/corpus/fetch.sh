#!/usr/bin/env bash
# Real projects in as many languages as package clients offer, as the archives that those clients download:
#   bash tests/corpus/fetch.sh outputs/corpus
# Nothing is installed, built or unpacked. What a client cannot get is said and left out.
set -uo pipefail
folder=${1:-outputs/corpus}
mkdir -p "$folder" && cd "$folder" || exit 1

missing=()
fetch() { # fetch NAME COMMAND...: once; a file .done-NAME remembers it
    local name=$1
    shift
    [ -e ".done-$name" ] && return
    if "$@" >".log-$name" 2>&1; then touch ".done-$name" && rm -f ".log-$name"; else missing+=("$name"); fi
}

# Python; C, C++, Java and C# in the others
for name in flask==3.1.2 requests==2.32.5 networkx==3.6 pygments==2.21.0 click==8.3.1 attrs==25.4.0 \
    brotli==1.2.1 hiredis==3.5.0 pybind11==3.1.0 py4j==0.10.9.9 jpype1==1.7.1 pythonnet==3.2.1; do
    fetch "pypi-${name%%=*}" python3 -m pip download --quiet --no-deps --no-binary :all: "$name"
done
# Notebooks, in a folder of their own: the archives beside it are sources of code
mkdir -p notebooks
for name in nbconvert==7.17.2 nbformat==5.11.1 papermill==2.7.0 nbclient==0.10.2 seaborn==0.13.2; do
    fetch "notebooks-${name%%=*}" python3 -m pip download --quiet --no-deps --no-binary :all: --dest notebooks "$name"
done
# JavaScript, TypeScript; Java, Kotlin and C++ in the last two
for name in lodash@4.17.21 express@5.1.0 zod@4.1.12 rxjs@7.8.2 date-fns@4.1.0 @capacitor/android@7.4.3 expo-modules-core@3.0.20; do
    fetch "npm-$(echo "${name%@*}" | tr -d @ | tr / -)" npm pack --silent "$name"
done
# Go, Rust, PHP, Ruby, Lua, Shell; C and C++ headers
for name in golang-github-gorilla-mux-dev golang-golang-x-text-dev librust-regex-dev librust-itoa-dev \
    php-symfony-console ruby-rack lua-penlight bash-completion libeigen3-dev nlohmann-json3-dev libutfcpp-dev \
    golang-github-spf13-cobra-dev golang-github-stretchr-testify-dev ruby-sinatra ruby-rspec-core php-twig php-monolog \
    debootstrap lua-socket libfmt-dev; do
    fetch "deb-$name" apt-get download "$name"
done
# C, C++, Java and C# as source packages. Most machines' sources of apt have no deb-src lines: a second list has them, in
# a folder of its own.
own=$(mktemp -d) && trap 'rm -rf "$own"' EXIT
mkdir -p "$own/parts" "$own/lists/partial" "$own/cache/archives/partial"
cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | sed -n 's/^deb\([ \t]\)/deb-src\1/p' >"$own/sources.list"
for file in /etc/apt/sources.list.d/*.sources; do
    [ -e "$file" ] && sed 's/^Types:.*/Types: deb-src/' "$file" >"$own/parts/$(basename "$file")"
done
with_sources=(-o Dir::Etc::SourceList="$own/sources.list" -o Dir::Etc::SourceParts="$own/parts"
    -o Dir::State::Lists="$own/lists" -o Dir::Cache="$own/cache")
fetch "list-of-source-packages" apt-get "${with_sources[@]}" update
for name in zlib cjson lz4 tinyxml2 jsoup newtonsoft-json; do
    fetch "source-$name" apt-get "${with_sources[@]}" source --download-only --quiet "$name"
done
rm -f .done-list-of-source-packages

echo "$(find . -maxdepth 1 -type f ! -name '.*' ! -name '*.dsc' | wc -l) archives, $(du -sh . | cut -f1) in $folder"
[ ${#missing[@]} -eq 0 ] || echo "not fetched (see $folder/.log-NAME): ${missing[*]}"
