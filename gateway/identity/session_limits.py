"""How many session cookies a browser keeps. Pure."""

from collections.abc import Mapping

_MAX_NARROWED = 8
"""Narrowed sessions that a browser keeps."""
_MAX_TOTAL = 6000
"""Characters of all session cookies, beyond which the oldest narrowed ones are cleared: web.http_server refuses a
Cookie header of more than 8190 bytes."""


def names_to_clear(lengths: Mapping[str, int], issued_at: Mapping[str, float], new: str, base: str) -> list[str]:
    """Returns the names of narrowed sessions to clear, the oldest first, so that with the cookie *new* there are few
    enough, and they are short enough.

    *lengths* are the characters of each cookie, *new* included; *base* is the name of sessions that are not narrowed.
    *issued_at* is when the session began that the browser has by now under each name: another frame of the same page
    may just have been given it. What has no time in it cannot be decrypted and is cleared first.
    """
    narrowed = [name for name in lengths if name not in (new, base)]
    surplus = len(narrowed) + (new != base) - _MAX_NARROWED
    excess = sum(lengths.values()) - _MAX_TOTAL
    cleared = []
    for name in sorted(narrowed, key=lambda name: (issued_at.get(name, 0.0), name)):
        if surplus <= 0 and excess <= 0:
            break
        surplus -= 1
        excess -= lengths[name]
        cleared.append(name)
    return cleared
