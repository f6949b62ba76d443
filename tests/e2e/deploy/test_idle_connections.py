"""No shipped front keeps an idle connection so long that the gateway may close it under a request."""

import re
from pathlib import Path

import pytest

from gateway.web.http_server import KEEPALIVE_TIMEOUT

DEPLOY = Path(__file__).parents[3] / "deploy"
SETTINGS = {
    "Caddyfile": r"^\s*keepalive (\d+)s$",
    "forward-auth/Caddyfile": r"^\s*keepalive (\d+)s$",
    "traefik-valt-gateway.yml": r"^\s*idleConnTimeout: (\d+)s$",
    "envoy.yaml": r"idle_timeout: (\d+)s }$",
    "forward-auth/envoy.yaml": r"idle_timeout: (\d+)s }$",
    "apache-mellon.conf": r"ProxyPass / .* ttl=(\d+)$",
    "apache-openidc.conf": r"ProxyPass / .* ttl=(\d+)$",
    "apache-shib.conf": r"ProxyPass / .* ttl=(\d+)$",
}
"""The other files have defaults that are low enough: nginx 60 seconds (``keepalive_timeout`` of an upstream), HAProxy 5
(``pool-purge-delay``). Traefik's forwardAuth cannot be set: it sends GET requests, which Go repeats."""


@pytest.mark.parametrize("name", SETTINGS)
def test_a_front_closes_an_idle_connection_before_the_gateway_does(name: str) -> None:
    seconds_in_file = re.findall(SETTINGS[name], (DEPLOY / name).read_text(), re.MULTILINE)
    assert seconds_in_file, "the setting is missing"
    assert all(int(seconds) <= KEEPALIVE_TIMEOUT - 10 for seconds in seconds_in_file)
