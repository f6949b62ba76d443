"""Whether a rule can decide at all after those before it: the first rule that matches decides."""

from collections.abc import Collection, Iterable, Iterator
from datetime import date
from fnmatch import fnmatchcase

from gateway.network import contains_network
from gateway.settings.faults import Fault
from gateway.settings.grants import GrantSettings
from gateway.settings.model import Settings
from gateway.settings.warnings.rules import CONDITIONS, GLOBS


def order_faults(settings: Settings) -> Iterator[Fault]:
    """Yields a fault for each rule that an earlier one keeps from ever deciding, without lines."""
    providers = {provider.name for provider in settings.identity}
    for number, grant in enumerate(settings.grants):
        for earlier_number, earlier in enumerate(settings.grants[:number]):
            if _shadows(earlier, grant, providers):
                reason = f"can never decide: grants.{earlier_number} ({earlier.name}) matches whenever it does"
                yield Fault(f"grants.{number}", None, reason, "move it before that one, or remove it")
                break


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

    def is_there(text: str) -> bool:
        provider, separator, subject = text.partition("#")
        return text in earlier.subjects or bool(separator and provider in providers and subject in earlier.subjects)

    return "*" not in later.subjects and all(map(is_there, later.subjects)) and set(later.groups) <= set(earlier.groups)


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
    template = earlier.template.items() <= later.template.items()
    same = ("author_is_me", "shared_with_me")
    flags = all(getattr(later, name) for name in same if getattr(earlier, name))
    return within and globs and template and flags and (not given or earlier.account == later.account)


def _has_places_of(earlier: GrantSettings, later: GrantSettings) -> bool:
    if not earlier.networks:
        return True
    return bool(later.networks) and all(contains_network(earlier.networks, one) for one in later.networks)


def _is_covered(glob: str, globs: Iterable[str]) -> bool:
    plain = is_plain(glob)
    return any(other in ("*", glob) or (plain and fnmatchcase(glob, other)) for other in globs)
