"""What an earlier rule certainly matches of that which a later one names.

How it works: a rule names all combinations of the people, recordings, rooms, authors, names and networks that it
lists. Of each list an earlier rule covers some entries, whatever they stand for. A selection of entries is a number
with a bit for each, and such a number for each list is a block of combinations.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from ipaddress import ip_network
from typing import NamedTuple

from gateway.network import UNIX
from gateway.settings.glob_coverage import GlobCoverage, is_plain
from gateway.settings.grants import GrantSettings
from gateway.settings.model import Settings
from gateway.settings.named_people import Name, NamedPeople, Person
from gateway.settings.warnings.rules import CONDITIONS, GLOBS

Block = tuple[int, ...]
"""The selected people, and the selected entries of each of _LISTS. Whatever a rule does not list has one entry."""
_LISTS = ("recordings", *GLOBS, "networks")
_MOST_STEPS = 1_000_000


class Entry(NamedTuple):
    """The entry *text* of a rule's key *table*: which list of a block it is in, and its bits there."""

    place: int
    table: str
    text: str
    bits: int


class ComparedRule:
    """The rule *number*, with its lists as the engine compares them."""

    def __init__(self, number: int, grant: GrantSettings, people: NamedPeople) -> None:
        self.number, self.grant = number, grant
        self.conditions = [name for name in CONDITIONS if getattr(grant, name)]
        names = [(table, name) for table in ("groups", "subjects") for name in getattr(grant, table)]
        self.names = frozenset(people.compared(grant, name) for name in names)
        persons = {name: people.persons(grant, name) for name in names}
        bits: dict[Person, int] = {}
        for person in (one for some in persons.values() for one in some):
            bits.setdefault(person, 1 << len(bits))
        self.has_keys = any(person.is_key for person in bits)
        self.exact: defaultdict[Name, int] = defaultdict(int)
        self.folded: defaultdict[Name, int] = defaultdict(int)
        for person, bit in bits.items():
            for name in person.exact:
                self.exact[name] |= bit
            for name in person.folded:
                self.folded[name] |= bit
        self.lists = [_bits_of(grant, key) for key in _LISTS]
        self.globs = [tuple(text for text in texts if not is_plain(text)) for texts in self.lists]
        self.whole: Block = tuple((1 << max(count, 1)) - 1 for count in (len(bits), *map(len, self.lists)))
        self.entries = [Entry(0, *name, sum({bits[one] for one in some})) for name, some in persons.items()]
        for place, (key, texts) in enumerate(zip(_LISTS, self.lists, strict=True), 1):
            self.entries += [Entry(place, key, text, bit) for text, bit in texts.items()]


def _bits_of(grant: GrantSettings, key: str) -> dict[str, int]:
    """Returns the entries of a list, in the canonical form in which rules match (Unicode NFC), with a bit for each."""
    texts = dict.fromkeys(unicodedata.normalize("NFC", text) for text in getattr(grant, key))
    return {text: 1 << number for number, text in enumerate(texts)}


class RuleCoverage:
    """Compares the rules of *settings*, from the day *today* on."""

    def __init__(self, settings: Settings, today: date) -> None:
        people = NamedPeople(settings)
        self.rules = [ComparedRule(number, grant, people) for number, grant in enumerate(settings.grants)]
        self._by_name: defaultdict[Name, list[int]] = defaultdict(list)
        for rule in self.rules:
            for name in rule.names if rule.grant.recordings else ():
                self._by_name[name].append(rule.number)
        self._today = today
        self._globs = GlobCoverage(_MOST_STEPS)

    def earlier(self, rule: ComparedRule) -> Iterator[tuple[ComparedRule, Block]]:
        """Yields the rules before *rule* that match some of what it names, with that: first those that do on all days,
        then those that do from now on, each from the nearest to the first."""
        numbers = {one for name in rule.exact.keys() | rule.folded.keys() for one in self._by_name.get(name, ())}
        since = []
        for other in (self.rules[one] for one in sorted(numbers, reverse=True) if one < rule.number):
            first, last = other.grant.valid_from or date.min, other.grant.valid_until or date.max
            is_always = first <= (rule.grant.valid_from or date.min)
            if last < (rule.grant.valid_until or date.max) or not (is_always or first <= self._today):
                continue
            block = self._common(other, rule)
            if block is not None and is_always:
                yield other, block
            elif block is not None:
                since.append((other, block))
        yield from since

    def _common(self, earlier: ComparedRule, later: ComparedRule) -> Block | None:
        """Returns what *earlier* matches whenever *later* does, None if that is nothing."""
        masks = later.exact if earlier.grant.allow else later.folded
        people = 0
        for name in earlier.names & masks.keys():
            people |= masks[name]
        if not people or not self._has_facts_of(earlier, later):
            return None
        block = [people]
        for key, texts, others, globs, whole in zip(
            _LISTS, later.lists, earlier.lists, earlier.globs, later.whole[1:], strict=True
        ):
            selected = whole if not others or ("*" in others and texts) else 0
            for text, bit in () if selected else texts.items():
                if text in others or self._covers(key, text, others, globs):
                    selected |= bit
            if not selected:
                return None
            block.append(selected)
        return tuple(block)

    def _covers(self, key: str, text: str, others: dict[str, int], globs: tuple[str, ...]) -> bool:
        if key == "networks":
            return any(_contains(other, text) for other in others)
        return self._globs.covers(globs, text)

    def _has_facts_of(self, earlier: ComparedRule, later: ComparedRule) -> bool:
        """Whether a recording that has what *later* requires, apart from lists, has what *earlier* requires. What one
        account may not see, another account may."""
        mine, theirs = later.grant, earlier.grant
        if not earlier.conditions:
            return True
        if mine.account != theirs.account or not set(earlier.conditions) <= set(later.conditions):
            return False
        is_recent = theirs.created_within is None or (mine.created_within or 0) <= theirs.created_within
        return is_recent and all(
            key in mine.template and self._is_within(mine.template[key], glob) for key, glob in theirs.template.items()
        )

    def _is_within(self, glob: str, other: str) -> bool:
        glob, other = (unicodedata.normalize("NFC", text) for text in (glob, other))
        return glob == other or self._globs.covers(() if is_plain(other) else (other,), glob)


def _contains(network: str, other: str) -> bool:
    outer, inner = _span(network), _span(other)
    return outer[0] == inner[0] and outer[1] <= inner[1] and inner[2] <= outer[2]


@lru_cache(maxsize=10_000)
def _span(network: str) -> tuple[int, int, int]:
    """Returns the version of the addresses of *network*, the first and the last of them; 0 for a unix socket."""
    if network == UNIX:
        return 0, 0, 0
    parsed = ip_network(network)
    return parsed.version, int(parsed[0]), int(parsed[-1])
