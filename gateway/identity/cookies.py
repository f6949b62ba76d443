"""Reading one cookie out of raw ``Cookie`` headers, strictly. Pure.

aiohttp's parser trims Unicode space around names and reads quoted strings, so a neighbour under the same domain could
lay another cookie over ours. Here a name is matched byte for byte, and two that could be ours are none.
"""

import re
import unicodedata
from collections.abc import Iterable

_VALUE = re.compile(r"[A-Za-z0-9_=-]{16,4000}", re.ASCII)
_OTHER = re.compile(r"[^a-z0-9_-]", re.ASCII)


def read_cookie(headers: Iterable[str], name: str) -> str | None:
    """The value of the cookie *name*; None where it is absent, malformed, doubled, or disguised."""
    found = []
    for part in ";".join(headers).split(";"):
        key, separator, value = part.strip(" ").partition("=")
        if separator and key == name:
            found.append(value)
        elif _looks_like(key, name) or _looks_like(value.partition("=")[0], name):
            return None
    return found[0] if len(found) == 1 and _VALUE.fullmatch(found[0]) else None


def _looks_like(key: str, name: str) -> bool:
    """Whether a laxer reader would take *key* for *name*."""
    return _OTHER.sub("", unicodedata.normalize("NFKC", key).lower()) == name.lower()
