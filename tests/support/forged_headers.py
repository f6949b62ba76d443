"""Headers by which a client might name its user, its groups or its path, in every spelling that a front may pass on."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Protocol

VALUE = "forged"

FRONTS = (
    *("X-Forwarded-User", "X-Forwarded-Groups", "X-Forwarded-Email", "X-Forwarded-Preferred-Username"),
    *("X-Auth-Request-User", "X-Auth-Request-Groups", "X-Remote-User", "Remote-User", "Remote-Groups"),
    *("Cf-Access-Jwt-Assertion", "X-Pomerium-Jwt-Assertion", "X-Forwarded-Uri", "X-Original-Uri"),
)
"""Names that the gateway, its recipes or the documents of identity-aware proxies use."""

APACHE = ("X-Forwarded-User", "X-Forwarded-Groups", "X-Gateway-Secret", "X-Forwarded-Uri", "X-Original-Uri")
"""Names that the gateway reads behind Apache."""

MODULES = (
    *("Remote-User", "isMemberOf", "eppn", "Shib-Session-ID", "Shib-Identity-Provider", "AJP_isMemberOf"),
    *("MELLON_NAME_ID", "MELLON_groups", "OIDC_CLAIM_groups", "OIDC_CLAIM_preferred_username", "OIDC_access_token"),
)
"""Variables of Apache and of its modules."""


class Headers(Protocol):
    """Headers of a request as a backend received them."""

    def items(self) -> Iterable[tuple[str, str]]:
        """Returns each name and value."""


def spellings(name: str) -> Iterator[str]:
    """Yields *name* with each of its separators as a hyphen and as an underscore, in three cases."""
    words = name.replace("_", "-").split("-")
    for separators in product("-_", repeat=len(words) - 1):
        joined = words[0] + "".join(map("".join, zip(separators, words[1:], strict=True)))
        yield from dict.fromkeys((joined, joined.lower(), joined.upper()))


def forged(name: str, value: str = VALUE) -> list[tuple[str, str]]:
    """Returns headers with *name* in every spelling, each twice."""
    return [(spelling, value) for spelling in spellings(name) for _ in range(2)]


def batches(names: Iterable[str], value: str = VALUE) -> Iterator[list[tuple[str, str]]]:
    """Yields the forged headers of all *names*, as many at a time as every server accepts in one request."""
    headers = [header for name in names for header in forged(name, value)]
    for start in range(0, len(headers), 80):
        yield headers[start : start + 80]


def arrived(headers: Headers, names: Iterable[str], value: str = VALUE) -> Mapping[str, str]:
    """Returns those of *headers* that are one of *names* in any spelling and contain *value*."""
    canonical = {_canonical(name) for name in names}
    return {name: text for name, text in headers.items() if _canonical(name) in canonical and value in text}


def _canonical(name: str) -> str:
    return name.lower().replace("_", "-")
