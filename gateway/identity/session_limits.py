"""How many session cookies a browser keeps. Pure.

The frames of a page exchange their tickets at the same moment, over several connections, so that a response knows of
the other frames' cookies or not. So a ticket leaves the older narrowed sessions half of the room that its own cookie
does not take: then the k cookies of a page are all kept, in whatever order the responses arrive, beside as many old
ones as there is room for, if 2k - 1 of them fit into a Cookie header. A session that is not narrowed has but one
cookie, however many frames have tickets for it, and leaves all the room.
"""

from collections.abc import Mapping

MOST = 8
"""Narrowed sessions that a browser keeps, but for those of a page that is loading."""


def names_to_clear(
    lengths: Mapping[str, int], issued_at: Mapping[str, float], *, most: int, longest: float
) -> list[str]:
    """Returns the names of narrowed sessions to clear, the oldest first, so that at most *most* remain, whose cookies
    have at most *longest* characters.

    *lengths* are the characters of each cookie, *issued_at* is when its session began. What has no time in it cannot be
    decrypted and is cleared first.
    """
    surplus, excess = len(lengths) - most, sum(lengths.values()) - longest
    cleared = []
    for name in sorted(lengths, key=lambda name: (issued_at.get(name, 0.0), name)):
        if surplus <= 0 and excess <= 0:
            break
        surplus -= 1
        excess -= lengths[name]
        cleared.append(name)
    return cleared
