"""How many session cookies a browser keeps. Pure."""

from collections.abc import Collection, Mapping

_MAX_NARROWED = 8
"""Narrowed sessions that a browser keeps."""
_MAX_TOTAL = 6000
"""Characters of all session cookies, beyond which the oldest narrowed ones are cleared: web.http_server refuses a
Cookie header of more than 8190 bytes."""


def names_to_clear(
    lengths: Mapping[str, int], issued_at: Mapping[str, float], replaced: Collection[str], new: str, base: str
) -> list[str]:
    """Returns the names of narrowed sessions to clear, the oldest first, so that with the cookie *new* there are few
    enough, and they are short enough.

    *lengths* are the characters of each cookie, *new* included; *base* is the name of sessions that are not narrowed.
    What has no time in *issued_at* cannot be decrypted and is cleared first. Nothing of *replaced* is cleared, because
    that would clear the cookie that has replaced it: another frame of the same page was lately given it.
    """
    narrowed = [name for name in lengths if name not in (new, base)]
    clearable = sorted(set(narrowed).difference(replaced), key=lambda name: (issued_at.get(name, 0.0), name))
    surplus = len(narrowed) + (new != base) - _MAX_NARROWED
    excess = sum(lengths.values()) - _MAX_TOTAL
    cleared = []
    for name in clearable:
        if surplus <= 0 and excess <= 0:
            break
        surplus -= 1
        excess -= lengths[name]
        cleared.append(name)
    return cleared
