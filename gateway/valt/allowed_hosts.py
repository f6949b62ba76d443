"""Parsing of VALT's download URLs and the check of the host that they name. Pure.

The URL comes from a response, so it is checked like any untrusted input before anything is fetched from it or any
client redirected to it: a strict ASCII grammar; two parsers that agree on scheme, host and port; a host that is the
API's own (on any port) or listed; and https if the API uses https. The URL is then used byte for byte as VALT sent it.
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
_MAX_FILENAME = 255
"""Bytes in UTF-8, the extension included: the limit of most file systems."""
_MAX_EXTENSION = 16
"""Bytes after the last dot that count as an extension."""
# The characters of RFC 3986 alone, without a fragment: parsers disagree about quotes and backslashes.
_GRAMMAR = re.compile(
    r"(https?)://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9\-._~!$&'()*+,;=:@%/?]*)", re.ASCII
)
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """The hosts that links may name: *api_host* on any port, and *media_hosts*, which are ``host:port``."""

    scheme: str
    api_host: str
    media_hosts: frozenset[str]

    @classmethod
    def of(cls, base_url: str, media_hosts: "tuple[str, ...] | list[str]") -> "AllowedHosts":
        """Returns the allowed hosts of the API at *base_url*. An IPv6 address among *media_hosts* is in brackets."""
        base = URL(base_url)
        return cls(base.scheme, (base.host or "").lower(), frozenset(host.lower() for host in media_hosts))

    def allows(self, scheme: str, host: str, port: int) -> bool:
        """Whether a link may name this host. *host* is in lower case; an IPv6 address has no brackets."""
        if self.scheme == "https" and scheme != "https":
            return False
        return host == self.api_host or f"{host}:{port}" in self.media_hosts or f"[{host}]:{port}" in self.media_hosts

    def csp_sources(self) -> list[str]:
        """Returns the allowed hosts as sources of a Content-Security-Policy (CSP 3, 2.3.1); ``http`` includes https.

        CSP's grammar has no IPv6 addresses: if one of the hosts is such an address, the scheme alone is returned.
        """
        hosts = [f"{self.api_host}:*", *sorted(self.media_hosts)]
        if any(host.count(":") > 1 for host in hosts):
            return [f"{self.scheme}:"]
        return [f"{self.scheme}://{host}" for host in hosts]


def parse_link(raw: str, allowed_hosts: AllowedHosts, fetched_at: float) -> Link:
    """Returns the Link of VALT's URL *raw*, fetched at that monotonic second.

    Raises LinkRefusedError if the URL is malformed or ambiguous, or names a host that is not allowed.
    """
    match = _GRAMMAR.fullmatch(raw) if len(raw) <= _MAX_URL else None
    if match is None:
        raise LinkRefusedError("VALT's link is not a plain http(s) URL")
    try:
        split, url = urlsplit(raw), URL(raw, encoded=True)
        scheme, host, port = split.scheme, (split.hostname or "").lower(), split.port or _DEFAULT_PORTS[split.scheme]
        yarl_origin = (url.scheme, (url.host or "").lower(), url.port)
    except ValueError:
        raise LinkRefusedError("VALT's link has an invalid host or port") from None
    if yarl_origin != (scheme, host, port):
        raise LinkRefusedError("VALT's link is ambiguous: two URL parsers disagree about its host")
    if url.raw_path_qs != raw[len(f"{split.scheme}://{split.netloc}") :]:  # yarl drops the "?" of an empty query
        raise LinkRefusedError("VALT's link cannot be requested byte for byte")
    if not allowed_hosts.allows(scheme, host, port):
        raise LinkRefusedError(f"VALT's link names {scheme}://{host}:{port}, which valt.media_hosts does not list")
    query = dict(part.partition("=")[::2] for part in split.query.split("&"))
    return Link(Secret(raw), _expiry(query.get("access_token", "")), _filename(query.get("filename")), fetched_at)


def _expiry(token: str) -> float | None:
    """The ``exp`` of a JWT, whose signature only VALT can verify; None if there is none that is a finite number."""
    parts = token.split(".")
    try:
        payload = parts[1] if len(parts) == 3 else ""
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        expiry = float(claims["exp"]) if type(claims["exp"]) in (int, float) else math.nan
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError, binascii.Error):
        return None
    return expiry if math.isfinite(expiry) else None


def _filename(encoded: str | None) -> str | None:
    """The decoded file name, safe on every file system, or None. VALT encodes it twice: spaces to ``+``, then ``+`` to
    ``%2B`` (VALT: API Download Recording Video). A name that is too long loses the end of its stem, and keeps its
    extension."""
    if not encoded:
        return None
    name = unquote_plus(unquote(encoded))
    name = "".join("_" if c in '/\\:*?"<>|' or not c.isprintable() else c for c in name).strip(" ").rstrip(" .")
    stem, dot, extension = name.rpartition(".")
    if not dot or len(extension.encode()) > _MAX_EXTENSION:
        stem, dot, extension = name, "", ""
    stem = stem.lstrip(" .") or ("video" if dot else "")
    stem = stem.encode()[: _MAX_FILENAME - len((dot + extension).encode())].decode(errors="ignore").rstrip(" .")
    return stem + dot + extension or None
