#!/usr/bin/env bash
# Builds the image of deploy/Containerfile without a registry, runs it and asks its health check (`make image-test`; as root,
# 3 to 10 minutes). Debian's own Python takes the place of the python image, and wheels of this machine's that of the index.
set -euo pipefail
cd "$(dirname "$0")/.."
tests/programs.sh buildah:buildah debootstrap:debootstrap

work=$(mktemp -d)
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
buildah=(buildah --root "$work/storage" --runroot "$work/run")
gateway=
cleanup() {
    [ -z "$gateway" ] || stop || true
    "${buildah[@]}" rm --all >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT

mkdir "$work/base" "$work/wheels" "$work/etc"
rootfs=${BASE:-$work/rootfs}   # BASE: a directory that debootstrap has filled already
[ -d "$rootfs" ] || debootstrap --variant=minbase --include=python3,python3-venv bookworm "$rootfs" >/dev/null
tar -C "$rootfs" -cf "$work/base/base.tar" .
printf 'FROM scratch\nADD base.tar /\nRUN ln -sf /usr/bin/python3 /usr/local/bin/python\n' >"$work/base/Containerfile"
image=$(sed -n 's/^FROM \(\S*\).*/\1/p' deploy/Containerfile | head -1)
"${buildah[@]}" build --quiet --tag "docker.io/library/$image" "$work/base"

version=$(chroot "$rootfs" python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
.venv/bin/python - >"$work/requirements" <<'PYTHON'
import tomllib
from pathlib import Path
project = tomllib.loads(Path("pyproject.toml").read_text())
required = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["redis"]]
# redis wants it before Python 3.11.3, and Debian 12 has 3.11.2.
required.append("async-timeout")
print(*required, *project["build-system"]["requires"], sep="\n")
PYTHON
.venv/bin/python -m pip download --quiet --only-binary :all: --python-version "$version" --dest "$work/wheels" \
    --constraint constraints.txt --requirement "$work/requirements"
printf '[global]\nno-index = true\nfind-links = /wheels\n' >"$work/etc/pip.conf"

build() {
    "${buildah[@]}" build --quiet --pull-never --format "$1" --tag "$2" --build-arg EXTRAS=redis \
        --build-arg "VALT_GATEWAY_COMMIT=$(git rev-parse HEAD)" \
        --build-arg "SOURCE_DATE_EPOCH=$(git show --no-patch --format=%ct HEAD)" \
        --volume "$work/wheels:/wheels:ro" --volume "$work/etc/pip.conf:/etc/pip.conf:ro" --file deploy/Containerfile .
}
build docker localhost/valt-gateway
"${buildah[@]}" inspect --type image localhost/valt-gateway | grep -q '"Healthcheck": {' || { echo "no health check"; exit 1; }

container=$("${buildah[@]}" from --pull-never localhost/valt-gateway)
inside() { "${buildah[@]}" run "$container" -- "$@"; }
inside valt-gateway version | grep "$(git rev-parse HEAD)"
[ "$(inside id -u)" = 10001 ]
inside valt-gateway init compose --to /tmp/written >/dev/null
inside valt-gateway check-config --without-secrets --config /tmp/written/gateway.toml
inside sh -c 'valt-gateway demo --port 18080 --portal-port 18090 --admin-port 9464 & echo $! >/tmp/pid; wait' >"$work/log" 2>&1 &
gateway=$!
stop() { inside sh -c 'kill $(cat /tmp/pid)' && wait "$gateway"; gateway=; }
# The health check, as the Containerfile has it, alive and then not.
check=$(sed -n 's/^    CMD \["python", "-c", "\(.*\)"\]$/\1/p' deploy/Containerfile)
for _ in $(seq 60); do inside python -c "$check" 2>/dev/null && break; sleep 1; done
inside python -c "$check"
stop
if inside python -c "$check" 2>/dev/null; then echo "healthy although the gateway has ended"; exit 1; fi
echo "the image runs as 10001, and its health check follows the gateway"
