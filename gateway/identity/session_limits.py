"""How many session cookies a browser keeps. Pure.

A response that deletes cookies may arrive after one that was made later and sets one of them anew: the frames of a page
exchange their tickets at the same moment, over several connections. So the redirect that answers a ticket deletes no
more than what would keep the next request from being accepted, and the response to that request the surplus: by then
the other frames' tickets have been exchanged too.
"""

from collections.abc import Mapping

MOST = 8
"""Narrowed sessions that a browser keeps."""
LONGEST = 7000
"""Characters of all session cookies that a browser keeps, if they are more than two."""
LONGEST_REQUEST = 8000
"""Characters of all session cookies of one request: web.http_server refuses a Cookie header of more than 8190 bytes."""


def names_to_clear(
    lengths: Mapping[str, int],
    issued_at: Mapping[str, float],
    own: str,
    base: str,
    *,
    most: float = MOST,
    longest: int = LONGEST,
) -> list[str]:
    """Returns the names of narrowed sessions to clear, the oldest first, so that with the cookie *own* there are at
    most *most*, and all cookies have at most *longest* characters.

    *lengths* are the characters of each cookie, *own* included; *base* is the name of sessions that are not narrowed.
    *issued_at* is when the session began that the browser has by now under each name: another frame of the same page
    may just have been given it. What has no time in it cannot be decrypted and is cleared first.
    """
    narrowed = [name for name in lengths if name not in (own, base)]
    surplus = len(narrowed) + (own != base) - most
    excess = sum(lengths.values()) - longest
    cleared = []
    for name in sorted(narrowed, key=lambda name: (issued_at.get(name, 0.0), name)):
        if surplus <= 0 and excess <= 0:
            break
        surplus -= 1
        excess -= lengths[name]
        cleared.append(name)
    return cleared
