"""Cookies of the gateway: their attributes, and a strict reader of raw ``Cookie`` headers. Pure.

aiohttp's parser trims Unicode spaces around names and reads quoted strings, so that a site under the same parent domain
could replace our cookie by its own. Here a name is compared byte by byte, and if two cookies could be ours, neither is
used.
"""

import re
import unicodedata
from collections.abc import Iterable

_VALUE = re.compile(r"[A-Za-z0-9_=-]{16,4000}", re.ASCII)
_OTHER = re.compile(r"[^a-z0-9_-]", re.ASCII)


def read_cookie(headers: Iterable[str], name: str) -> str | None:
    """Returns the value of the cookie *name*, or None if it is absent, malformed or ambiguous."""
    values = []
    for part in ";".join(headers).split(";"):
        key, separator, value = part.strip(" ").partition("=")
        if separator and key == name:
            values.append(value)
        elif _resembles(key, name) or _resembles(value.partition("=")[0], name):
            return None
    return values[0] if len(values) == 1 and _VALUE.fullmatch(values[0]) else None


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
        """Returns the value of a Set-Cookie header. *max_age* is seconds; 0 deletes the cookie."""
        return f"{self.name}={value}; Max-Age={max_age}{self._attributes}"


def _resembles(key: str, name: str) -> bool:
    """Whether a less strict parser would read *key* as *name*."""
    return _OTHER.sub("", unicodedata.normalize("NFKC", key).lower()) == name.lower()
