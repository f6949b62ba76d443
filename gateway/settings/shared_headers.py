"""Checks of request headers that two providers of ``[[identity]]`` read, each as something else."""

from collections.abc import Iterator
from itertools import permutations

from gateway.model import Secret
from gateway.settings.faults import Fault
from gateway.settings.identity import HeaderSettings, JwtSettings
from gateway.settings.model import Settings
from gateway.settings.networks import NetworkIndex
from gateway.settings.values import UNREAD

_SUBJECT, _GROUPS, _SECRET = _KEYS = ("subject_header", "groups_header", "secret_header")
_REMEDY = "give it a header of its own"


def have_common_peer(one: HeaderSettings, other: HeaderSettings) -> bool:
    """Whether both providers accept the headers of some peer."""
    theirs = NetworkIndex(other.from_)
    return any(theirs.overlaps(mine) for mine in one.from_)


def header_faults(settings: Settings) -> Iterator[Fault]:
    """Yields a fault for each header of a front in which a provider of type "jwt" expects its tokens, or in which a
    front of the same peers sends a secret that would become the name of a person or a group."""
    tokens = {one.header.lower(): one.name for one in settings.identity if isinstance(one, JwtSettings)}
    tokens.pop("authorization", None)  # which no header of a front may be, whoever expects tokens in it
    others = tuple(f"identity.{number}" for number, _ in enumerate(settings.identity))
    for number, provider in enumerate(settings.identity):
        for key in _KEYS if isinstance(provider, HeaderSettings) else ():
            other = tokens.get(getattr(provider, key).lower())
            if other is not None:
                yield Fault(f"identity.{number}.{key}", None, f"is the header of {other}'s tokens", _REMEDY, others)
    for place, name, keys in _read_as_two_things(settings):
        if _SECRET in keys:
            yield Fault(place, None, f"is {name}: a secret would be read as a name", _REMEDY, others)


def header_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each header that names people to one provider and groups to another of the same peers."""
    for place, name, keys in _read_as_two_things(settings):
        if _SECRET not in keys:
            yield Fault(place, None, f"is {name}: a group would be read as a person, or the reverse", _REMEDY)


def _read_as_two_things(settings: Settings) -> Iterator[tuple[str, str, tuple[str, str]]]:
    """Yields the dotted key of each header that another front's provider with a common peer reads as something else,
    what that reads, and both keys. Of the two keys it is one that is written, of the later provider if both are."""
    fronts = [(number, one) for number, one in enumerate(settings.identity) if isinstance(one, HeaderSettings)]
    for (number, one), (place, other) in permutations(fronts, 2):
        for key, theirs in permutations(_KEYS, 2):
            header = getattr(one, key).lower()
            if not header or header != getattr(other, theirs).lower() or not have_common_peer(one, other):
                continue
            is_later = number > place or theirs not in other.model_fields_set
            reader, owner = (one, other) if _KEYS.index(key) < _KEYS.index(theirs) else (other, one)
            if key in one.model_fields_set and is_later and not _requires_another_secret(reader, owner):
                yield f"identity.{number}.{key}", f"{other.name}'s {theirs} too", (key, theirs)


def _requires_another_secret(reader: HeaderSettings, owner: HeaderSettings) -> bool:
    """Whether *reader* accepts no request of the front of *owner*, because that does not have its secret."""
    if reader.secret is None:
        return False
    same_header = reader.secret_header.lower() == owner.secret_header.lower()
    return not same_header or reader.secret != owner.secret or reader.secret == Secret(UNREAD)
