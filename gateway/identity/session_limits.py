"""How many session cookies a browser keeps. Pure.

A response that deletes cookies may arrive after one that was made later and sets one of them anew: the frames of a page
exchange their tickets at the same moment, over several connections. So the redirect that answers a ticket deletes only
by length, for the sake of the next requests, and the response to the request that follows by number: by then the other
frames' tickets have been exchanged too.
"""

import math
from collections.abc import Mapping

MOST = 8
"""Narrowed sessions that a browser keeps."""
_LONGEST_WITH_NEW = 6000
"""Characters of all session cookies after a ticket that adds one: other frames of the page may add theirs."""
_LONGEST_HEADER = 8100
"""Characters of a Cookie header: web.http_server refuses one of more than 8190 bytes."""


def longest(others: int, *, is_new: bool) -> int:
    """Returns how many characters all session cookies may have after a ticket, whose cookie the browser did not have
    before if *is_new*, beside *others* of other cookies."""
    return min(_LONGEST_WITH_NEW if is_new else _LONGEST_HEADER, _LONGEST_HEADER - others)


def names_to_clear(
    lengths: Mapping[str, int],
    issued_at: Mapping[str, float],
    own: str,
    base: str,
    *,
    most: float = math.inf,
    longest: float = math.inf,
) -> list[str]:
    """Returns the names of narrowed sessions to clear, the oldest first and *own* never, so that there are at most
    *most*, and all cookies have at most *longest* characters.

    *lengths* are the characters of each cookie; *base* is the name of sessions that are not narrowed. *issued_at* is
    when the session began that the browser has by now under each name: another frame of the same page may just have
    been given it. What has no time in it cannot be decrypted and is cleared first.
    """
    surplus = len(lengths.keys() - {base}) - most
    excess = sum(lengths.values()) - longest
    cleared = []
    for name in sorted(lengths.keys() - {own, base}, key=lambda name: (issued_at.get(name, 0.0), name)):
        if surplus <= 0 and excess <= 0:
            break
        surplus -= 1
        excess -= lengths[name]
        cleared.append(name)
    return cleared
