"""After sign-in nobody is sent elsewhere, whatever a link asks for."""

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
    """Always the same ones; every second begins as our own pages do, every third is encoded once more."""
    dice = random.Random(6)
    made = ["".join(dice.choices(_PIECES, k=dice.randint(1, 6))) for _ in range(count)]
    made[::2] = [
        dice.choice(("/", "/?", "/recordings", "/recordings/a", "/recordings/a?t=")) + text for text in made[::2]
    ]
    return [quote(text, safe="") if number % 3 == 0 else text for number, text in enumerate(made)]


def as_browsers_read(text: str) -> str:
    """What the URL standard does before it parses: tabs and newlines go, a backslash is a slash."""
    kept = "".join(character for character in text.strip() if character not in "\t\r\n")
    path, mark, query = kept.partition("?")
    return path.replace("\\", "/") + mark + query


@pytest.mark.promise("sign-in-10")
def test_of_ten_thousand_payloads_none_leads_to_another_site_or_away_from_our_own_pages() -> None:
    for payload in payloads(10_000):
        led = own_path(payload)
        completed = urlsplit(urljoin("https://recordings.example.edu/oauth2/callback", as_browsers_read(led)))
        assert (completed.scheme, completed.netloc) == ("https", "recordings.example.edu"), payload
        assert completed.path == "/" or completed.path.startswith("/recordings"), payload
        assert led == "/" or led == payload
        assert re.fullmatch(r"[!-~]+", led), payload
