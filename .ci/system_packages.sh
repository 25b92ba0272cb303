#!/usr/bin/env bash
# The system packages that the project uses, for Debian and Ubuntu; does nothing where they are there already.
#   bash .ci/system_packages.sh            install what is missing, as root or by sudo
#   bash .ci/system_packages.sh --check    say what is missing; status 1 if anything is
set -euo pipefail

# command that shows it is there : package
NEEDED=(bwrap:bubblewrap)

missing=()
for pair in "${NEEDED[@]}"; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing+=("${pair##*:}")
done
if [ "${#missing[@]}" -eq 0 ]; then
    exit 0
fi
if [ "${1:-}" = --check ]; then
    echo "Missing: ${missing[*]}. Run: bash .ci/system_packages.sh"
    exit 1
fi

install_with() {
    "$@" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "$@" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" -eq 0 ]; then
    install_with env
elif command -v apt-get >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    install_with sudo
else
    echo "Missing system packages: ${missing[*]}. Install them with your package manager, for example:"
    echo "  sudo apt-get install ${missing[*]}"
    echo "Going on without: generated code is then isolated by user namespaces, Landlock and seccomp where the kernel"
    echo "allows them, and is not run at all where it does not."
fi
