"""Whether a rule can decide at all after those before it: the first rule that matches decides."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import product
from math import prod

from gateway.model import fold_name
from gateway.network import contains_network
from gateway.settings.faults import Fault
from gateway.settings.grants import GrantSettings
from gateway.settings.model import Settings
from gateway.settings.warnings.rules import CONDITIONS, GLOBS
from gateway.validity import SERVICE_KEY_PROVIDER

_MOST_PARTS = 1000
_NONE: frozenset[str] = frozenset()
_WILDCARD = re.compile(r"[*?]|\[!?+\]?+[^]]*\]")


def order_faults(settings: Settings) -> Iterator[Fault]:
    """Yields a fault for each rule that earlier ones keep from ever deciding, without lines."""
    for number, shadows in enumerate(_shadows_of_names(settings)):
        if shadows and None not in shadows.values():
            others = sorted({one for ones in shadows.values() for one in ones or ()})
            names = ", ".join(settings.grants[one].name for one in others)
            reason = f"can never decide: {names} {'matches' if len(others) == 1 else 'match'} whenever it does"
            remedy, needed = "move it before that one, or remove it", tuple(f"grants.{one}" for one in others)
            yield Fault(f"grants.{number}", None, reason, remedy, needed)


def _refusals_of_nobody(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each rule that refuses several, of whom earlier rules decide about some alone."""
    for number, shadows in enumerate(_shadows_of_names(settings)):
        grant = settings.grants[number]
        if grant.allow or None not in shadows.values():
            continue
        for (table, name), ones in shadows.items():
            allowing = [settings.grants[one] for one in sorted(ones or ()) if settings.grants[one].allow]
            if allowing:
                reason = f"refuses {name[:64]!r} nothing: {allowing[0].name}, before it, matches whenever it does"
                yield Fault(f"grants.{number}.{table}", None, reason, "move the rule before that one")


def _shadows_of_names(settings: Settings) -> list[dict[tuple[str, str], set[int] | None]]:
    """Returns for each rule, by table and name of its people, which earlier rules together match whatever it does for
    them; None if they do not. A rule for nobody or nothing has no such names."""
    providers = frozenset({*(provider.name for provider in settings.identity), SERVICE_KEY_PROVIDER})
    by_name: defaultdict[str, list[int]] = defaultdict(list)
    groups = {f"{SERVICE_KEY_PROVIDER}#{key.name}": key.groups for key in settings.service_keys}
    result = []
    for number, grant in enumerate(settings.grants):
        people = [("groups", name) for name in grant.groups] + [("subjects", name) for name in grant.subjects]
        own = {fold_name(name) for _, listed in people for name in (listed, *groups.get(listed, ()))}
        numbers = {one for name in own for one in (*by_name["*"], *by_name[name], *by_name[name.partition("#")[2]])}
        earlier = [(one, settings.grants[one]) for one in sorted(numbers, reverse=True)]
        result.append(_shadows_of(grant, people, earlier, providers, groups) if earlier else dict.fromkeys(people))
        for name in {fold_name(name) for _, name in people}:
            by_name[name].append(number)
    return result


def _shadows_of(
    grant: GrantSettings,
    people: Sequence[tuple[str, str]],
    earlier: Sequence[tuple[int, GrantSettings]],
    providers: frozenset[str],
    groups: Mapping[str, tuple[str, ...]],
) -> dict[tuple[str, str], set[int] | None]:
    """Returns which *earlier* rules together match whatever *grant* does, for each of its *people*: table and name.
    *groups* are those of service keys, by their name with its provider."""
    shadows: dict[tuple[str, str], set[int]] = {one: set() for one in people}
    for part in _parts(grant):
        if not shadows:
            break
        left = set(shadows)
        for number, one in earlier:
            if left and _has_conditions_of(one, part):
                matched = {
                    (table, name)
                    for table, name in left
                    if _has_person(one, table, name, providers)
                    or (
                        table == "subjects"
                        and any(_has_person(one, "groups", its, _NONE) for its in groups.get(name, ()))
                    )
                }
                left -= matched
                for person in matched:
                    shadows[person].add(number)
        for person in left:
            del shadows[person]
    return {person: shadows.get(person) for person in people}


def _parts(grant: GrantSettings) -> Iterator[GrantSettings]:
    """Yields rules that together match what *grant* does, each with one recording and one glob of each condition;
    *grant* itself if they are too many to compare, or if it can never match."""
    keys = ("recordings", *GLOBS, "networks")
    lists = [[{key: (entry,)} for entry in getattr(grant, key)] or [{}] for key in keys]
    if not grant.recordings or prod(map(len, lists)) > _MOST_PARTS:
        yield grant
        return
    for chosen in product(*lists):
        yield grant.model_copy(update={key: value for one in chosen for key, value in one.items()})


def order_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each rule that refuses after all that allow, which is refused without it. One for everybody
    and everything may end the rules."""
    yield from _refusals_of_nobody(settings)
    numbers = [number for number, grant in enumerate(settings.grants) if grant.allow]
    for number, grant in enumerate(settings.grants):
        if numbers and number > numbers[-1] and not _is_for_everything(grant):
            reason = "has no effect: the first rule that matches decides, and no later one allows what this refuses"
            yield Fault(f"grants.{number}.allow", None, reason, "move it before the rules that it is to restrict")


def _is_for_everything(grant: GrantSettings) -> bool:
    """Whether *grant* matches all people and recordings, everywhere."""
    conditions = any(getattr(grant, name) for name in CONDITIONS) or grant.networks
    return "*" in grant.subjects and "*" in grant.recordings and not conditions


def is_plain(glob: str) -> bool:
    """Whether *glob* matches itself alone."""
    return not any(character in glob for character in "*?[")


def _has_conditions_of(earlier: GrantSettings, later: GrantSettings) -> bool:
    """Whether *earlier*, for the same people, certainly matches whenever *later* does."""
    return (
        bool(later.recordings)
        and all(_is_covered(glob, earlier.recordings) for glob in later.recordings)
        and _has_details_of(earlier, later)
        and _has_places_of(earlier, later)
        and (earlier.valid_from or date.min) <= (later.valid_from or date.min)
        and (later.valid_until or date.max) <= (earlier.valid_until or date.max)
    )


def _has_person(earlier: GrantSettings, table: str, name: str, providers: frozenset[str]) -> bool:
    """Whether *earlier* is certainly for *name*, which stands in a later rule's *table*."""
    if "*" in earlier.subjects:
        return True
    if name == "*" and table == "subjects":
        return False
    own_providers = providers if table == "subjects" else _NONE
    names, exact = getattr(earlier, table), earlier.allow  # a rule that refuses folds names
    (folded,) = _folded((name,), own_providers, exact)
    return not _folded(names, own_providers, exact).isdisjoint({folded, _without_provider(folded, own_providers)})


def _without_provider(name: str, providers: frozenset[str]) -> str:
    provider, separator, subject = name.partition("#")
    return subject if separator and provider in providers else name


@lru_cache(maxsize=10_000)
def _folded(names: tuple[str, ...], providers: frozenset[str], exact: bool) -> frozenset[str]:
    """Returns *names* as a rule compares them: as they stand if *exact*, else in one spelling, but for the names of
    *providers* in front of them."""
    if exact:
        return frozenset(names)
    parts = [(name, *name.partition("#")) for name in names]
    return frozenset(
        f"{provider}#{fold_name(subject)}" if separator and provider in providers else fold_name(name)
        for name, provider, separator, subject in parts
    )


def _has_details_of(earlier: GrantSettings, later: GrantSettings) -> bool:
    """Whether a recording that has the details of *later* has those of *earlier*. A recording that one account may not
    see, another account may."""
    given = [name for name in CONDITIONS if getattr(earlier, name)]
    within = earlier.created_within is None or (
        later.created_within is not None and later.created_within <= earlier.created_within
    )
    globs = all(
        getattr(later, name) and all(_is_covered(glob, getattr(earlier, name)) for glob in getattr(later, name))
        for name in set(given).intersection(GLOBS)
    )
    template = all(
        key in later.template and _is_covered(later.template[key], (glob,)) for key, glob in earlier.template.items()
    )
    same = ("author_is_me", "shared_with_me")
    flags = all(getattr(later, name) for name in same if getattr(earlier, name))
    return within and globs and template and flags and (not given or earlier.account == later.account)


def _has_places_of(earlier: GrantSettings, later: GrantSettings) -> bool:
    if not earlier.networks:
        return True
    return bool(later.networks) and all(contains_network(earlier.networks, one) for one in later.networks)


def _is_covered(glob: str, globs: tuple[str, ...]) -> bool:
    """Whether one of *globs* certainly matches whatever *glob* does. If its wildcards are matched by a "*" of the other
    one, whatever they stand for is too; a single character also by a "?"."""
    if "*" in globs or glob in globs:
        return True
    if is_plain(glob):
        return any(fnmatchcase(glob, other) for other in _with_wildcards(globs))
    text = _WILDCARD.sub(lambda match: "*" if match[0] == "*" else "\0", glob)
    ignored = str.maketrans("", "", "*" if "*" in text else "*?")
    return any(is_plain(other.translate(ignored)) and fnmatchcase(text, other) for other in _with_wildcards(globs))


@lru_cache(maxsize=10_000)
def _with_wildcards(globs: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(glob for glob in globs if not is_plain(glob))
