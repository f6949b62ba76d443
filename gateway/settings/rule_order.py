"""Whether a rule can decide at all after those before it: the first rule that matches decides."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
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
_WILDCARD = re.compile(r"[*?]|\[!?\]?[^]]*\]")


def order_faults(settings: Settings) -> Iterator[Fault]:
    """Yields a fault for each rule that earlier ones keep from ever deciding, without lines."""
    for number, shadows in enumerate(_shadows_of_names(settings)):
        if shadows and None not in shadows.values():
            others = sorted({one for ones in shadows.values() for one in ones or ()})
            names = ", ".join(f"grants.{one} ({settings.grants[one].name})" for one in others)
            reason = f"can never decide: {names} {'matches' if len(others) == 1 else 'match'} whenever it does"
            yield Fault(f"grants.{number}", None, reason, "move it before that one, or remove it")


def _refusals_of_nobody(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each rule that refuses several, of whom earlier rules decide about some alone."""
    for number, shadows in enumerate(_shadows_of_names(settings)):
        grant = settings.grants[number]
        decided = {key: ones for key, ones in shadows.items() if ones} if None in shadows.values() else {}
        for (table, name), ones in () if grant.allow else decided.items():
            allowing = [settings.grants[one] for one in sorted(ones or ()) if settings.grants[one].allow]
            if allowing:
                reason = f"refuses {name[:64]!r} nothing: {allowing[0].name}, before it, matches whenever it does"
                yield Fault(f"grants.{number}.{table}", None, reason, "move the rule before that one")


def _shadows_of_names(settings: Settings) -> list[dict[tuple[str, str], set[int] | None]]:
    """Returns for each rule, by table and name of its people, which earlier rules together match whatever it does for
    them; None if they do not. A rule for nobody or nothing has no such names."""
    providers = {*(provider.name for provider in settings.identity), SERVICE_KEY_PROVIDER}
    by_name: defaultdict[str, list[int]] = defaultdict(list)
    result = []
    for grant in settings.grants:
        shadows: dict[tuple[str, str], set[int] | None] = {}
        people = [("groups", name) for name in grant.groups] + [("subjects", name) for name in grant.subjects]
        for table, name in people:
            own = fold_name(name)
            earlier = sorted({*by_name["*"], *by_name[own], *by_name[own.partition("#")[2]]})
            person = grant.model_copy(update={"groups": (), "subjects": (), table: (name,)})
            shadows[table, name] = _shadows_of(person, [(one, settings.grants[one]) for one in earlier], providers)
        result.append(shadows)
        for _, name in shadows:
            by_name[fold_name(name)].append(len(result) - 1)
    return result


def _shadows_of(
    grant: GrantSettings, earlier: Sequence[tuple[int, GrantSettings]], providers: Collection[str]
) -> set[int] | None:
    """Returns the numbers of *earlier* rules that together match whenever *grant* does, None if they do not."""
    shadows = set()
    for part in _parts(grant) if earlier else ():
        shadow = next((number for number, one in reversed(earlier) if _shadows(one, part, providers)), None)
        if shadow is None:
            return None
        shadows.add(shadow)
    return shadows or None


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


def _shadows(earlier: GrantSettings, later: GrantSettings, providers: Collection[str]) -> bool:
    """Whether *earlier* certainly matches whenever *later* does: for all people and recordings, everywhere, always."""
    can_match = bool(later.recordings) and bool(later.subjects or later.groups)
    return (
        can_match
        and _has_people_of(earlier, later, providers)
        and all(_is_covered(glob, earlier.recordings) for glob in later.recordings)
        and _has_details_of(earlier, later)
        and _has_places_of(earlier, later)
        and (earlier.valid_from or date.min) <= (later.valid_from or date.min)
        and (later.valid_until or date.max) <= (earlier.valid_until or date.max)
    )


def _has_people_of(earlier: GrantSettings, later: GrantSettings, providers: Collection[str]) -> bool:
    if "*" in earlier.subjects:
        return True

    fold = str if earlier.allow else fold_name  # a rule that refuses compares names so

    def folded(name: str) -> str:
        provider, separator, subject = name.partition("#")
        return f"{provider}#{fold(subject)}" if separator and provider in providers else fold(name)

    subjects, groups = set(map(folded, earlier.subjects)), set(map(fold, earlier.groups))
    return (
        "*" not in later.subjects
        and all({one, _without_provider(one, providers)} & subjects for one in map(folded, later.subjects))
        and groups.issuperset(map(fold, later.groups))
    )


def _without_provider(name: str, providers: Collection[str]) -> str:
    provider, separator, subject = name.partition("#")
    return subject if separator and provider in providers else name


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
