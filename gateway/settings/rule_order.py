"""Whether a rule can decide at all after those before it: the first rule that matches decides."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import date
from fnmatch import fnmatchcase
from itertools import product
from math import prod

from gateway.model import fold_name
from gateway.network import contains_network
from gateway.settings.faults import Fault
from gateway.settings.grants import GrantSettings
from gateway.settings.model import Settings
from gateway.settings.warnings.rules import CONDITIONS, GLOBS

_MOST_PARTS = 1000
_Entries = list[dict[str, tuple[str, ...]]]
_WILDCARD = re.compile(r"[*?]|\[!?\]?[^]]*\]")


def order_faults(settings: Settings) -> Iterator[Fault]:
    """Yields a fault for each rule that earlier ones keep from ever deciding, without lines."""
    providers = {provider.name for provider in settings.identity}
    by_name: defaultdict[str, list[int]] = defaultdict(list)
    for number, grant in enumerate(settings.grants):
        shadows: set[int] = set()
        for part in _parts(grant):
            name = fold_name((*part.groups, *part.subjects, "")[0])
            candidates = sorted({*by_name["*"], *by_name[name], *by_name[name.partition("#")[2]]})
            shadow = next((one for one in candidates if _shadows(settings.grants[one], part, providers)), None)
            if shadow is None:
                break
            shadows.add(shadow)
        else:
            names = ", ".join(f"grants.{one} ({settings.grants[one].name})" for one in sorted(shadows))
            reason = f"can never decide: {names} {'matches' if len(shadows) == 1 else 'match'} whenever it does"
            yield Fault(f"grants.{number}", None, reason, "move it before that one, or remove it")
        for listed in {*grant.groups, *grant.subjects}:
            by_name[fold_name(listed)].append(number)


def _parts(grant: GrantSettings) -> Iterator[GrantSettings]:
    """Yields rules that together match what *grant* does, each with one name, one recording and one glob of each
    condition; *grant* itself if they are too many to compare, or if it can never match."""
    names: _Entries = [{"groups": (name,), "subjects": ()} for name in grant.groups]
    names += [{"groups": (), "subjects": (name,)} for name in grant.subjects]
    keys = ("recordings", *GLOBS, "networks")
    lists: list[_Entries] = [names]
    lists += [[{key: (entry,)} for entry in getattr(grant, key)] or [{}] for key in keys]
    if not 1 < prod(map(len, lists)) <= _MOST_PARTS:
        yield grant
        return
    for chosen in product(*lists):
        yield grant.model_copy(update={key: value for one in chosen for key, value in one.items()})


def order_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each rule that refuses after all that allow, which is refused without it. One for everybody
    and everything may end the rules."""
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


def _is_covered(glob: str, globs: Iterable[str]) -> bool:
    """Whether one of *globs* certainly matches whatever *glob* does. If its wildcards are matched by a "*" of the other
    one, whatever they stand for is too."""
    text = _WILDCARD.sub("\0", glob)
    return any(
        other == glob or fnmatchcase(glob if is_plain(glob) else text, other)
        for other in globs
        if other == glob or is_plain(glob) or not _WILDCARD.search(other.replace("*", ""))
    )
