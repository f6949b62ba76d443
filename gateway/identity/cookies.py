"""Cookies of the gateway: their attributes, and a strict reader of raw ``Cookie`` headers. Pure.

aiohttp's parser trims Unicode spaces around names and reads quoted strings, so that a site under the same parent domain
could replace our cookie by its own. Here a name is compared byte by byte, and if two cookies could be ours, neither is
used.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator

_VALUE = re.compile(r"[A-Za-z0-9_=-]{16,4000}", re.ASCII)
_OTHER = re.compile(r"[^a-z0-9_\n-]+", re.ASCII)


def read_cookie(headers: Iterable[str], name: str) -> str | None:
    """Returns the value of the cookie *name*, or None if it is absent, malformed or ambiguous."""
    return read_cookies(headers, re.compile(re.escape(name))).get(name)


def read_cookies(headers: Iterable[str], names: re.Pattern[str]) -> dict[str, str]:
    """Returns the values of the cookies whose names match *names*, without those that are malformed or ambiguous."""
    values: dict[str, list[str]] = {}
    others: list[str] = []
    for key, separator, value in _pairs(headers):
        if separator and names.fullmatch(key):
            values.setdefault(key, []).append(value)
        else:
            others += key, value.partition("=")[0]
    if not values:
        return {}
    lookalikes = _normalize(others)
    return {
        name: matching[0]
        for name, matching in values.items()
        if len(matching) == 1 and _VALUE.fullmatch(matching[0]) and name.lower() not in lookalikes
    }


def read_every_cookie(headers: Iterable[str], names: re.Pattern[str]) -> list[tuple[str, str]]:
    """Returns names and values of all cookies whose names match *names*, also of ambiguous ones, which prove nothing: a
    sign-out ends them all."""
    return [(key, value) for key, separator, value in _pairs(headers) if separator and names.fullmatch(key)]


def select_last(cookies: Iterable[tuple[str, str]], values: re.Pattern[str], most: int) -> list[tuple[str, str]]:
    """Returns those of *cookies*, pairs of name and value, whose values match *values*; the last *most* if there are
    more, because a browser sends those last that it was given last (RFC 6265, section 5.4).

    A client may send hundreds of names that match a pattern, each of which costs a decryption or a digest. *most* is to
    be as many as fit into a Cookie header, so that no cookie hides another of the same browser.
    """
    return [(name, value) for name, value in cookies if values.fullmatch(value)][-most:]


def _pairs(headers: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Yields name, separator and value of each cookie; without a separator there is only a name."""
    for part in ";".join(headers).split(";"):
        key, separator, value = part.strip(" ").partition("=")
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1]  # RFC 6265, section 4.1.1: some HTTP libraries send a value in quotes
        yield key, separator, value


class Cookie:
    """A cookie for the whole site, which scripts cannot read. *secure*: whether the public URL is https; the name then
    has the prefix ``__Host-``. *cross_site*: whether pages of other sites may send it, partitioned by site."""

    def __init__(self, name: str, *, secure: bool, cross_site: bool = False) -> None:
        self.name = f"__Host-{name}" if secure else name
        same_site = "SameSite=None; Partitioned" if cross_site else "SameSite=Lax"
        self._attributes = f"; Path=/; HttpOnly; {same_site}" + ("; Secure" if secure else "")

    def read(self, headers: Iterable[str]) -> str | None:
        """Returns the value in raw ``Cookie`` headers, as `read_cookie` does."""
        return read_cookie(headers, self.name)

    def set_header(self, value: str, max_age: int) -> str:
        """Returns the value of a Set-Cookie header. *max_age* is seconds."""
        return f"{self.name}={value}; Max-Age={max_age}{self._attributes}"

    def clear_header(self) -> str:
        """Returns the value of the Set-Cookie header that deletes the cookie."""
        return self.set_header("", 0)


def _normalize(keys: Iterable[str]) -> set[str]:
    """Returns the names as which a less strict parser would read *keys*, in lower case.

    All at once: a client may send thousands. No header contains a line feed, and no other character becomes one.
    """
    return set(_OTHER.sub("", unicodedata.normalize("NFKC", "\n".join(keys)).lower()).split("\n"))
