"""The types of addresses: URLs, origins, networks, listeners, host and port. Each fault has a reason and a remedy."""

import ipaddress
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from gateway.settings.values import fault

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def is_loopback(url: str) -> bool:
    """Whether *url*'s host is this machine."""
    return (urlsplit(url).hostname or "") in _LOOPBACK


def _url(value: str) -> str:
    try:
        split = urlsplit(value)
        valid = split.scheme in ("http", "https") and bool(split.hostname) and split.port != 0
    except ValueError:
        valid = False
    else:
        valid = valid and not (split.username or split.query or split.fragment) and value.isascii()
    if not valid:
        raise fault("is not a plain http(s) URL", 'write it as "https://host.example.edu"')
    return value


def _origin(value: str) -> str:
    split = urlsplit(_url(value))
    if split.path not in ("", "/"):
        raise fault("has a path", "give only scheme, host and port: the gateway answers at the root")
    return _https_url(value.rstrip("/"))


def _https_url(value: str) -> str:
    if urlsplit(_url(value)).scheme == "http" and not is_loopback(value):
        raise fault("is plain http and not loopback", "use https: access decisions depend on it")
    return value


def _https_url_or_empty(value: str) -> str:
    return _https_url(value) if value else value


def _network(value: Any) -> str:
    if value == "unix":
        return "unix"
    try:
        network = ipaddress.ip_network(value)
    except ValueError:
        raise fault("is not an address or network", 'write it as "10.0.0.5/32" (no host bits), or "unix"') from None
    if network.prefixlen == 0:
        raise fault("contains every address", "list only the addresses of your own proxies")
    return str(network)


def _listen(value: str) -> str:
    if value.startswith("unix:") and len(value) > 5:
        return value
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise fault(
            "is not an address to listen on", 'write it as "127.0.0.1:8080", "[::1]:8080" or "unix:/run/x.sock"'
        )
    return value


def _host_port(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) <= 65535 or "/" in value:
        raise fault("is not host:port", 'write it as "media.example.edu:8000"')
    return value.lower()


Url = Annotated[str, AfterValidator(_url)]
Origin = Annotated[str, AfterValidator(_origin)]
HttpsUrl = Annotated[str, AfterValidator(_https_url)]
"""https, or http of loopback."""
OptionalHttpsUrl = Annotated[str, AfterValidator(_https_url_or_empty)]
Network = Annotated[str, BeforeValidator(_network), WithJsonSchema({"type": "string"})]
Listen = Annotated[str, AfterValidator(_listen)]
HostPort = Annotated[str, AfterValidator(_host_port)]
