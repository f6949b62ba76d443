#!/usr/bin/env bash
# The gateway reaches below aiohttp's public face in one module, and beside it in a few: tried here with the oldest and
# the newest aiohttp that pyproject.toml allows. The rest of the tests run with the one in constraints.txt.
set -euo pipefail
cd "$(dirname "$0")/.."

python=.venv/bin/python
oldest=$(sed -n 's/^ *"aiohttp>=\([0-9.]*\)".*/\1/p' pyproject.toml)
pinned=$(sed -n 's/^aiohttp==//p' constraints.txt)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

try() {
    "$python" -m pip install --quiet --disable-pip-version-check --no-deps --target "$folder/$1" "$2"
    local version
    version=$(PYTHONPATH=$folder/$1 "$python" -c 'import aiohttp; print(aiohttp.__version__)')
    if [ "$version" = "$pinned" ]; then
        echo "tests/seam.sh: the $1 aiohttp is the pinned $version"
        return
    fi
    echo "tests/seam.sh: the $1 aiohttp, $version"
    PYTHONPATH=$folder/$1 "$python" -m pytest -q tests/unit/web/test_the_wire.py tests/unit/web/test_answered_at_once.py tests/unit/web/test_cohort.py \
        tests/unit/web/test_cors.py tests/unit/delivery \
        tests/e2e/test_proxied_bytes.py tests/e2e/test_tls.py tests/e2e/test_request_flow.py
}

try oldest "aiohttp==$oldest"
try newest "aiohttp>=$oldest"
