#!/usr/bin/env bash
# The tests run against real programs and never skip for want of one: what is missing is installed, or named.
set -euo pipefail

# program, or file of a module : the Debian or Ubuntu package that has it
apache=/usr/lib/apache2/modules
# WebKitGTK plays by GStreamer, and H.264 and AAC by this plugin of it.
gstreamer=/usr/lib/$HOSTTYPE-linux-gnu/gstreamer-1.0
wanted=(
    chromium:chromium ffmpeg:ffmpeg nginx:nginx-light haproxy:haproxy apache2:apache2 prometheus:prometheus promtool:prometheus
    mpv:mpv cvlc:vlc-bin php:php-cli ruby:ruby java:openjdk-17-jdk-headless curl:curl jq:jq wget:wget git:git openssl:openssl systemd-analyze:systemd systemd-sysusers:systemd systemd-tmpfiles:systemd sqlite3:sqlite3 podman:podman man:man-db logrotate:logrotate unshare:util-linux setpriv:util-linux mount:mount node:nodejs npm:npm
    firefox-esr:firefox-esr WebKitWebDriver:webkit2gtk-driver $gstreamer/libgstlibav.so:gstreamer1.0-libav Xvfb:xvfb
    $apache/mod_shib.so:libapache2-mod-shib shibd:shibboleth-sp-utils
    $apache/mod_auth_mellon.so:libapache2-mod-auth-mellon $apache/mod_auth_openidc.so:libapache2-mod-auth-openidc
    slowhttptest:slowhttptest
    redis-server:redis-server redis-sentinel:redis-sentinel
    krb5kdc:krb5-kdc kadmin.local:krb5-admin-server kinit:krb5-user krb5-config:libkrb5-dev cc:gcc python3-config:python3-dev
    "$@"
)
# Debian keeps servers where a user's PATH does not look; Ubuntu's Chromium is a snap.
PATH=$PATH:/usr/sbin:/sbin:/snap/bin

missing() {
    local entry
    for entry in "${wanted[@]}"; do
        command -v "${entry%%:*}" >/dev/null || [ -e "${entry%%:*}" ] || echo "$entry"
    done
}

lacking=$(missing)
[ -n "$lacking" ] || exit 0

packages=$(sed 's/.*://' <<<"$lacking" | sort -u)
# VLC plays nothing without its plugins.
if grep -q '^vlc-bin$' <<<"$packages"; then packages+=$'\nvlc-plugin-base'; fi
packages="${packages//$'\n'/ } "

if ! command -v apt-get >/dev/null; then
    echo "tests/programs.sh: missing: $(sed 's/:.*//' <<<"$lacking" | tr '\n' ' ')" >&2
    echo "tests/programs.sh: install them by this system's own means (on Debian: $packages)" >&2
    exit 1
fi

if [ "$(id -u)" = 0 ]; then
    as_root=()
elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
    as_root=(sudo)
else
    echo "tests/programs.sh: the tests need programs that are not here; please run:" >&2
    echo "    sudo apt-get update && sudo apt-get install --no-install-recommends $packages" >&2
    exit 1
fi

echo "tests/programs.sh: installing $packages" >&2
# Services that come with the packages need not run: the tests start their own.
"${as_root[@]}" apt-get update -qq
if ! apt-cache show chromium >/dev/null 2>&1; then packages=${packages/#chromium /chromium-browser }; fi
# shellcheck disable=SC2086  # a list of words
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install -y -qq --no-install-recommends $packages >/dev/null

lacking=$(missing)
if [ -n "$lacking" ]; then
    echo "tests/programs.sh: still missing after installing: $(sed 's/:.*//' <<<"$lacking" | tr '\n' ' ')" >&2
    exit 1
fi
