"""Whether a glob certainly matches whatever another one does.

How it works: all texts that the one may match are read at once, token by token, together with the places in the other
one that each may have reached. Of the characters between which neither distinguishes one stands for all. A comparison
that takes too many steps ends, as if the other one did not match.
"""

import re
from collections.abc import Iterable
from fnmatch import translate
from functools import lru_cache

_TOKEN = re.compile(r"\*++|\[!?+\]?+[^]]*+\]|.", re.DOTALL)
_MOST_STEPS = 2_000
_STEPS_TO_START = 20
"""What a comparison takes at least, in the time of steps."""
_LAST_CHARACTER = 0x10FFFF


def is_plain(glob: str) -> bool:
    """Whether *glob* matches itself alone."""
    return not any(character in glob for character in "*?[")


def can_match(glob: str, form: Iterable[str]) -> bool:
    """Whether *glob* matches a text of which each character is one of those that *form* has in its place."""
    tokens = _tokens(glob)
    places = _with_empty({0}, tokens)
    for characters in form:
        reached = {
            one for one in places if one < len(tokens) and any(_is(tokens[one], character) for character in characters)
        }
        places = _with_empty({one + (tokens[one] != "*") for one in reached}, tokens)
    return len(tokens) in places


class GlobCoverage:
    """Compares globs, each pair once, in so many *steps* for all of them: afterwards none is compared any more."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._results: dict[tuple[str, str], bool] = {}

    def covers(self, others: tuple[str, ...], glob: str) -> bool:
        """Whether one of *others*, which have wildcards, certainly matches whatever *glob* does."""
        sample = glob if is_plain(glob) else _sample(glob)
        if not others or sample is None or _compiled(others).match(sample) is None:
            return False
        if is_plain(glob):
            return True
        beginning = _beginning(glob)
        # Most differ in their first characters, before any wildcard, which is quickly seen.
        alike = [
            one for one in others if (first := _beginning(one)).startswith(beginning) or beginning.startswith(first)
        ]
        return any(self._is_covered(glob, other) for other in alike if _compiled((other,)).match(sample) is not None)

    def _is_covered(self, glob: str, other: str) -> bool:
        result = self._results.get((glob, other))
        if result is None and self._steps > 0:
            result, steps = _compare(glob, other)
            self._results[glob, other] = result
            self._steps -= steps + _STEPS_TO_START
        return bool(result)


def _compare(glob: str, other: str) -> tuple[bool, int]:
    """Returns whether *other* matches whatever *glob* does, and in how many steps that was determined."""
    tokens, others = _tokens(glob), _tokens(other)
    waiting = [(0, _with_empty({0}, others))]
    seen = set(waiting)
    steps = 0
    while waiting:
        place, places = waiting.pop()
        if not places or (place == len(tokens) and len(others) not in places) or steps > _MOST_STEPS:
            return False, steps
        if place == len(tokens):
            continue
        is_star = tokens[place].startswith("*")
        following = [(place + 1, places)] if is_star else []
        for character in _characters(tokens[place], other):
            steps += len(places)
            after = {one + (others[one] != "*") for one in places if one < len(others) and _is(others[one], character)}
            following.append((place if is_star else place + 1, _with_empty(after, others)))
        waiting += [one for one in following if one not in seen]
        seen.update(following)
    return True, steps


def _with_empty(places: set[int], tokens: tuple[str, ...]) -> frozenset[int]:
    """Returns *places* and the one behind each "*", which may stand for nothing."""
    return frozenset({*places, *(one + 1 for one in places if one < len(tokens) and tokens[one] == "*")})


@lru_cache(maxsize=10_000)
def _sample(glob: str) -> str | None:
    """Returns a text that *glob* matches. What does not match it does not match whatever *glob* does. None if *glob*
    matches nothing: a class of characters may stand for none, as "[a-Z]", whose range has the wrong order."""
    characters = [("\0",) if part == "*" else _characters(part, "") for part in _tokens(glob)]
    return "".join(map(min, characters)) if all(characters) else None


@lru_cache(maxsize=10_000)
def _compiled(globs: tuple[str, ...]) -> re.Pattern[str]:
    """Returns a pattern that matches what one of *globs* does: one search instead of one for each."""
    return re.compile("|".join(map(translate, globs)))


@lru_cache(maxsize=10_000)
def _beginning(glob: str) -> str:
    """Returns the characters before the first wildcard."""
    return re.split(r"[*?[]", glob, maxsplit=1)[0]


@lru_cache(maxsize=10_000)
def _tokens(glob: str) -> tuple[str, ...]:
    """Returns the parts of *glob* as fnmatch reads it: a bracket that does not close is a character."""
    return tuple(_TOKEN.findall(re.sub(r"\*+", "*", glob)))


@lru_cache(maxsize=10_000)
def _characters(part: str, other: str) -> frozenset[str]:
    """Returns characters that *part* may stand for, one of each kind that it or the glob *other* distinguishes."""
    if len(part) == 1 and part not in "*?":
        return frozenset(part)
    firsts = {0, *(ord(one) + more for one in f"{part}{other}" for more in (0, 1))}
    return frozenset(one for one in (chr(min(first, _LAST_CHARACTER)) for first in firsts) if _is(part, one))


@lru_cache(maxsize=100_000)
def _is(part: str, character: str) -> bool:
    """Whether *part* may stand for *character*."""
    if len(part) == 1:
        return part in ("*", "?", character)
    return re.match(translate(part), character) is not None
