#!/usr/bin/env bash
# Environments of their own for benchmarks whose programs need other package versions than this project.
#   bash evals/environments.sh bigcodebench            3 GB; Python 3.11 or earlier
#   PYTHON=python3.10 bash evals/environments.sh ds1000  8 GB
# They lie where the toolchains lie, and their tasks find them there; LING_BIGCODEBENCH_PYTHON and LING_DS1000_PYTHON
# name interpreters of other ones. To add a package: FOLDER/bin/python -m pip install ... (the scripts beside it do not run).
set -euo pipefail

folder="${LING_TOOLCHAINS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/ling-coder-recipes/toolchains}/environments"
name="${1:-}"
requirements="$(dirname "$0")/environments/$name.txt"
if [ -z "$name" ] || [ ! -f "$requirements" ]; then
    echo "usage: bash evals/environments.sh NAME; names: $(cd "$(dirname "$0")/environments" && ls | sed 's/\.txt$//' | tr '\n' ' ')" >&2
    exit 2
fi
# Built beside its place and renamed, so that a broken installation is never taken for a whole one.
rm -rf "$folder/$name.incomplete"
mkdir -p "$folder"
"${PYTHON:-python3}" -m venv "$folder/$name.incomplete"
"$folder/$name.incomplete/bin/python" -m pip install --quiet --requirement "$requirements"
rm -rf "${folder:?}/$name"
mv "$folder/$name.incomplete" "$folder/$name"
echo "$folder/$name/bin/python"
