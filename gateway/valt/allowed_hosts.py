"""What a download URL of VALT's must look like before anything is fetched from it or anybody sent to it. Pure.

The URL comes from a server's answer, so it is checked as if a stranger had written it: a strict ASCII grammar, two
parsers that agree on scheme, host and port, a host that is the API's own (any port) or one that is listed, and a scheme
no weaker than the API's. It is then used byte for byte as VALT gave it.
"""

import base64
import binascii
import json
import math
import re
from dataclasses import dataclass
from urllib.parse import unquote, unquote_plus, urlsplit

from yarl import URL

from gateway.errors import LinkRefusedError
from gateway.model import Link, Secret

_MAX_URL = 8192
# RFC 3986's characters and no others; no fragment. A quote or a backslash is where parsers part ways.
_GRAMMAR = re.compile(
    r"(https?)://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9\-._~!$&'()*+,;=:@%/?]*)", re.ASCII
)
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """Where links may lead. *api_host* on any port; *media_hosts* are ``host:port``."""

    scheme: str
    api_host: str
    media_hosts: frozenset[str]

    @classmethod
    def of(cls, base_url: str, media_hosts: "tuple[str, ...] | list[str]") -> "AllowedHosts":
        base = URL(base_url)
        return cls(base.scheme, (base.host or "").lower(), frozenset(host.lower() for host in media_hosts))

    def allow(self, scheme: str, host: str, port: int) -> bool:
        if self.scheme == "https" and scheme != "https":
            return False
        return host == self.api_host or f"{host}:{port}" in self.media_hosts or f"[{host}]:{port}" in self.media_hosts

    def sources(self) -> list[str]:
        """The same as sources of a Content-Security-Policy (CSP 3, 2.3.1), in which ``http`` allows https as well.
        Its grammar has no IPv6 addresses: where one is among the hosts, the scheme alone must do."""
        hosts = [f"{self.api_host}:*", *sorted(self.media_hosts)]
        if any(host.count(":") > 1 for host in hosts):
            return [f"{self.scheme}:"]
        return [f"{self.scheme}://{host}" for host in hosts]


def read_link(raw: str, places: AllowedHosts, fetched_at: float) -> Link:
    """The Link of VALT's *raw* URL. LinkRefusedError if it leads where it may not."""
    match = _GRAMMAR.fullmatch(raw) if len(raw) <= _MAX_URL else None
    if match is None:
        raise LinkRefusedError("VALT's link is not a plain http(s) URL")
    split, url = urlsplit(raw), URL(raw, encoded=True)
    try:
        here = (split.scheme, (split.hostname or "").lower(), split.port or _PORTS[split.scheme])
        there = (url.scheme, (url.host or "").lower(), url.port)
    except ValueError:
        raise LinkRefusedError("VALT's link has a port that is none") from None
    if here != there:
        raise LinkRefusedError("two parsers read VALT's link differently")
    if not places.allow(*here):
        raise LinkRefusedError(
            f"VALT's link names {here[0]}://{here[1]}:{here[2]}, which valt.media_hosts does not list"
        )
    query = dict(part.partition("=")[::2] for part in split.query.split("&"))
    return Link(Secret(raw), _expiry(query.get("access_token", "")), _filename(query.get("filename")), fetched_at)


def _expiry(token: str) -> float | None:
    """The ``exp`` of a JWT that is not ours to verify; None where it has none that is a finite number."""
    parts = token.split(".")
    try:
        payload = parts[1] if len(parts) == 3 else ""
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        expiry = float(claims["exp"]) if type(claims["exp"]) in (int, float) else math.nan
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError, binascii.Error):
        return None
    return expiry if math.isfinite(expiry) else None


def _filename(encoded: str | None) -> str | None:
    """The name VALT meant: encoded twice (spaces to ``+``, then ``+`` to ``%2B``; valt-api.md, 2.3)."""
    if not encoded:
        return None
    name = unquote_plus(unquote(encoded))
    name = "".join("_" if c in '/\\:*?"<>|' or not c.isprintable() else c for c in name).strip(" .")
    return name[:200] or None
