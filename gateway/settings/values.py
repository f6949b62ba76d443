"""The values an operator writes: durations, addresses, URLs, secrets. Each says what is wrong and how to write it."""

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from gateway.model import Secret

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_TAKEN = frozenset(
    {"connection", "content-length", "cookie", "forwarded", "host", "range", "transfer-encoding", "x-forwarded-for"}
)
"""Headers that mean something else: what anybody may send for other reasons says nothing of who he is."""
_PICTURES = frozenset({".svg", ".png", ".webp", ".jpg", ".jpeg"})
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)


def fault(reason: str, remedy: str) -> PydanticCustomError:
    """A fault of a value, in words for the operator."""
    return PydanticCustomError("fault", "{reason}", {"reason": reason, "remedy": remedy})


def seconds(value: Any) -> float:
    """The seconds of a duration such as "30s"."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise fault("is not a duration", 'write a number and a unit in quotes: "30s", "5m", "8h" or "90d"')
    return float(match[1]) * _UNITS[match[2]]


def _secret(value: Any) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str) or not value:
        raise fault(
            "is empty or no text", "give the secret itself, or name a file with …_file or a variable with …_env"
        )
    return Secret(value)


def is_loopback(url: str) -> bool:
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
        raise fault("has a path", "give scheme, host and port alone: the gateway answers at the root")
    return _guarded(value.rstrip("/"))


def _guarded(value: str) -> str:
    if urlsplit(_url(value)).scheme == "http" and not is_loopback(value):
        raise fault("is plain http and not loopback", "use https: what is told here decides who may see what")
    return value


def _guarded_or_empty(value: str) -> str:
    return _guarded(value) if value else value


def _network(value: Any) -> str:
    if value == "unix":
        return "unix"
    try:
        network = ipaddress.ip_network(value)
    except ValueError:
        raise fault("is not an address or network", 'write it as "10.0.0.5/32" (no host bits), or "unix"') from None
    if network.prefixlen == 0:
        raise fault("is everybody", "list the addresses of your own proxies alone")
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


def _header(value: str) -> str:
    if _HEADER.fullmatch(value) is None:
        raise fault("is not a header's name", "use letters, digits and hyphens, as in X-Forwarded-User")
    if value.lower() in _TAKEN:
        raise fault("has another meaning in HTTP", "use a header that says this alone, as X-Forwarded-User does")
    return value


def _header_or_empty(value: str) -> str:
    return _header(value) if value else value


def _picture(value: Path) -> Path:
    if value.suffix.lower() not in _PICTURES:
        raise fault("is not a picture's file", "name one that ends in .svg, .png, .webp, .jpg or .jpeg")
    if not os.access(value, os.R_OK) or not value.is_file():
        raise fault("is not there or cannot be read", "name a file that the service may read")
    return value


def _valt_user(value: Any) -> str | int:
    if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
        raise fault("is no VALT user", "give a user name in quotes, or a user id")
    return value


_DURATION_SCHEMA = {"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s|m|h|d)$"}
_STRING = {"type": "string"}

Duration = Annotated[float, BeforeValidator(seconds), WithJsonSchema(_DURATION_SCHEMA)]
SecretText = Annotated[Secret, BeforeValidator(_secret), WithJsonSchema(_STRING)]
Url = Annotated[str, AfterValidator(_url)]
Origin = Annotated[str, AfterValidator(_origin)]
GuardedUrl = Annotated[str, AfterValidator(_guarded)]
OptionalGuardedUrl = Annotated[str, AfterValidator(_guarded_or_empty)]
Network = Annotated[str, BeforeValidator(_network), WithJsonSchema(_STRING)]
Listen = Annotated[str, AfterValidator(_listen)]
HostPort = Annotated[str, AfterValidator(_host_port)]
HeaderName = Annotated[str, AfterValidator(_header)]
OptionalHeaderName = Annotated[str, AfterValidator(_header_or_empty)]
Picture = Annotated[Path, AfterValidator(_picture)]
ValtUser = Annotated[
    str | int, BeforeValidator(_valt_user), WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "integer"}]})
]
