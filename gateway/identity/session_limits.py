"""How many session cookies a browser keeps. Pure.

The frames of a page exchange their tickets at the same moment, over several connections, so that a response knows of
the other frames' cookies or not. So a ticket leaves the older narrowed sessions as many characters as three more such
cookies do not need, but half of what there is at least. Then all cookies of a page are kept, in whatever order the
responses arrive, if those of a page of k frames fit into a Cookie header 2k - 1 times, or, for five frames and more,
k + 7 times. A session that is not narrowed has one cookie, however many frames have tickets for it, and leaves all.
"""

from collections.abc import Mapping

MOST = 8
"""Narrowed sessions that a browser keeps, but for those of a page that is loading."""


def longest_beside(own: int, room: int) -> float:
    """Returns how many characters the older narrowed cookies may have beside a new one of *own* characters, which
    leaves *room*."""
    return max(room - 3 * own, room / 2)


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
