"""How many session cookies a browser keeps. Pure.

A response that deletes cookies may arrive after one that was made later and sets one of them anew: the frames of a page
exchange their tickets at the same moment, over several connections. So the redirect that answers a ticket deletes only
what may make the next requests too long, and the response to the request that follows what is more than eight: by then
the other frames' tickets have been exchanged too.
"""

import math
from collections.abc import Mapping

MOST = 8
"""Narrowed sessions that a browser keeps."""
_LONGEST_WITH_NEW = 6000
"""Characters of all session cookies after a ticket that adds one: other frames of the page may add theirs."""
_ROOM_FOR_A_PAGE = 4600
"""Characters of a Cookie header with nine session cookies: if it has no more, sixteen of them, eight and those of a
page of eight frames, are less than 8190 bytes."""


def limits_of_ticket(lengths: Mapping[str, int], others: int, longest: int, *, is_new: bool) -> tuple[float, float]:
    """Returns how many narrowed sessions there may be after a ticket, and how many characters all session cookies may
    have. *lengths* are their characters, *others* those of other cookies, *longest* those of a Cookie header.

    The browser did not have the ticket's cookie if *is_new*: then the other frames of the page add as many. If they
    renew theirs, as when a page is loaded again, nothing is added.
    """
    if not is_new:
        return math.inf, longest - others
    most = MOST if sum(lengths.values()) + others > _ROOM_FOR_A_PAGE else math.inf
    return most, min(_LONGEST_WITH_NEW, longest - others)


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
