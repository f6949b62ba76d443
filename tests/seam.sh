#!/usr/bin/env bash
# Runs the whole test suite with the oldest and with the newest aiohttp that pyproject.toml allows. `make test` runs it
# with the one in constraints.txt.
set -euo pipefail
cd "$(dirname "$0")/.."

python=.venv/bin/python
allowed=$(sed -n 's/^ *"aiohttp\(>=[0-9.]*,<[0-9.]*\)".*/\1/p' pyproject.toml)
oldest=${allowed#>=}
oldest=${oldest%%,*}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

run_with() {
    "$python" -m pip install --quiet --disable-pip-version-check --no-deps --target "$folder/$1" "$2"
    PYTHONPATH=$folder/$1 "$python" -c 'import aiohttp; print("tests/seam.sh: aiohttp", aiohttp.__version__)'
    PYTHONPATH=$folder/$1 "$python" -m pytest -q --numprocesses 2 --dist loadfile --no-loadscope-reorder
}

run_with oldest "aiohttp==$oldest"
run_with newest "aiohttp$allowed"
