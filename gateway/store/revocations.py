"""Revocations as the commands see them, from outside the gateway's process: they list, write and undo them.

How it works: nothing in the state is ever lowered or removed before it expires, because several processes have it in
memory and would write it again. So what undoes a revocation is an entry of its own, with the time of the last
revocation that it undoes; a later revocation counts. Times are Unix seconds.
"""

from collections.abc import Mapping
from math import inf
from typing import NamedTuple

from gateway.model import fold_name

_LATER = 0.001
"""Seconds. A revocation after one that was undone is later than that, even by a clock that is behind."""
_MARGIN = 40 * 24 * 3600.0
"""Seconds that an undoing outlasts the revocation, which a process with another clock may still know."""


class Revocation(NamedTuple):
    """What *name*, a subject or a revocation key, was issued at or before *at* is void until *until*."""

    name: str
    at: float
    until: float


class StoredRevocations(NamedTuple):
    """The entries of the state by their names: the time of each, and its expiry. Spellings that `fold_name` maps to
    the same text are one name."""

    revoked: Mapping[str, tuple[float, float]]
    undone: Mapping[str, tuple[float, float]]

    def in_force(self, now: float) -> list[Revocation]:
        """Returns the revocations that count at *now*, the latest first; one for each name, as last spelled."""
        latest: dict[str, Revocation] = {}
        for name, (at, until) in self.revoked.items():
            folded = fold_name(name)
            other = latest.get(folded, Revocation(name, at, until))
            spelled = name if (at, name != folded) > (other.at, other.name != folded) else other.name
            latest[folded] = Revocation(spelled, max(at, other.at), max(until, other.until))
        undone = self._undone()
        counting = [one for key, one in latest.items() if one.until > now and one.at > undone.get(key, -inf)]
        return sorted(counting, key=lambda one: one.at, reverse=True)

    def next_time(self, name: str, at: float) -> float:
        """Returns the time of a revocation of *name* that is made at *at*."""
        return max(at, self._undone().get(fold_name(name), -inf) + _LATER)

    def undoing(self, name: str, now: float) -> Revocation | None:
        """Returns the entry that undoes the revocation of *name*, or None if none is in force at *now*."""
        for one in self.in_force(now):
            if fold_name(one.name) == fold_name(name):
                return Revocation(fold_name(name), one.at, one.until + _MARGIN)
        return None

    def _undone(self) -> dict[str, float]:
        """Returns the times of the last revocations that are undone, by folded name."""
        times: dict[str, float] = {}
        for name, (at, _) in self.undone.items():
            times[fold_name(name)] = max(at, times.get(fold_name(name), -inf))
        return times
