"""After sign-in the redirect leads to a page of this gateway only, whatever the link says."""

import random
import re
from urllib.parse import quote, urljoin, urlsplit

import pytest

from gateway.web.handlers.login import own_path

_PIECES = (
    *("/", "//", "\\", "/\\", "\\/", ":", "https:", "https://", "HtTpS:", "javascript:", "data:", "@", "evil.test"),
    *("evil.test/", "localhost:8080@evil.test", "recordings", "/recordings/a", "/videos/b", "..", "/../", "/./"),
    *(".", "%2f", "%5c", "%2e%2e", "%09", "%0d%0a", "\t", "\r\n", "\n", "\0", " ", "\u2028", "\uff0f", "\u3002"),
    *("?", "#", ";", "&", "?t=90", "%", "%25%32%66", "[::1]", "xn--", "\u200b"),
)


def payloads(count: int) -> list[str]:
    """Returns the same payloads at each call: every second begins like a page of ours, every third is encoded again."""
    dice = random.Random(6)
    texts = ["".join(dice.choices(_PIECES, k=dice.randint(1, 6))) for _ in range(count)]
    texts[::2] = [
        dice.choice(("/", "/?", "/recordings", "/recordings/a", "/recordings/a?t=")) + text for text in texts[::2]
    ]
    return [quote(text, safe="") if number % 3 == 0 else text for number, text in enumerate(texts)]


def as_browsers_read(text: str) -> str:
    """Normalises as the URL standard does before parsing: removes tabs and newlines, and turns backslashes round."""
    stripped = "".join(character for character in text.strip() if character not in "\t\r\n")
    path, mark, query = stripped.partition("?")
    return path.replace("\\", "/") + mark + query


@pytest.mark.promise("sign-in-10")
def test_ten_thousand_hostile_payloads_lead_to_own_pages_only() -> None:
    for payload in payloads(10_000):
        target = own_path(payload)
        completed = urlsplit(urljoin("https://recordings.example.edu/oauth2/callback", as_browsers_read(target)))
        assert (completed.scheme, completed.netloc) == ("https", "recordings.example.edu"), payload
        assert completed.path == "/" or completed.path.startswith("/recordings"), payload
        assert target == "/" or target == payload
        assert re.fullmatch(r"[!-~]+", target), payload
