"""Warnings about groups, and people, that nobody has: providers whose proofs name no groups, or service keys alone."""

from collections.abc import Iterator

from gateway.settings.faults import Fault
from gateway.settings.identity import IdentitySettings, JwtSettings, NegotiateSettings, OidcSettings
from gateway.settings.model import Settings
from gateway.validity import SERVICE_KEY_PROVIDER

_WITHOUT_GROUPS = {
    "https://accounts.google.com": "Google",
    "https://appleid.apple.com": "Apple",
    "https://www.linkedin.com/oauth": "LinkedIn",
    "https://www.facebook.com": "Facebook",
    "https://orcid.org": "ORCID",
}
"""Issuers whose tokens have no claim "groups". Google's have the domain in `hd`."""
_REMEDY = "list the people in subjects"


def groups_of_nobody(settings: Settings) -> Iterator[Fault]:
    """Yields the warnings, without lines."""
    without = {one.name: _without_groups(one) for one in settings.identity if _without_groups(one)}
    what = " and ".join(sorted(set(without.values())))
    why = f"{what} names no groups, and there is no other provider" if without else "there are service keys alone"
    keys = {key.name for key in settings.service_keys}
    of_keys = {group for key in settings.service_keys for group in key.groups}
    only_keys_have_some = len(without) == len(settings.identity)
    if only_keys_have_some and of_keys.isdisjoint(settings.valt.groups) and settings.valt.groups:
        yield Fault("valt.groups", None, f"are those of nobody: {why}", "list the people in [valt.people]")
    for number, grant in enumerate(settings.grants):
        fold, key = grant.folded, f"grants.{number}.groups"
        groups = set(map(fold, of_keys)).intersection(map(fold, grant.groups))
        names = set(map(fold, keys))
        if only_keys_have_some and grant.groups and not groups and not grant.subjects:
            yield Fault(key, None, f"are those of nobody: {why}", _REMEDY)
        elif not settings.identity and not groups and not any(_is_key(fold(name), names) for name in grant.subjects):
            yield Fault(f"grants.{number}.subjects", None, f"are nobody: {why}", "name a key, or add a provider")
        elif not grant.allow and grant.groups and not groups and not grant.subjects:
            later = (name for one in settings.grants[number:] if one.allow for name in one.subjects)
            if any(_may_be_of(without, name, keys) for name in later):  # by which who is in such a group would sign in
                reason = f"refuses nobody who signs in by {', '.join(without)}: {what} names no groups"
                yield Fault(key, None, reason, "list these people in subjects too")


def _is_key(name: str, keys: set[str]) -> bool:
    """Whether *name* is in the subjects of a rule for one of the service *keys*, or for everybody."""
    return name == "*" or name.removeprefix(f"{SERVICE_KEY_PROVIDER}#") in keys


def _may_be_of(providers: dict[str, str], name: str, keys: set[str]) -> bool:
    """Whether *name*, in the subjects of a rule, may be of somebody who signs in by one of *providers*."""
    provider, separator, _ = name.partition("#")
    return bool(providers) and (name == "*" or provider in providers or not (separator or _is_key(name, keys)))


def names_groups(provider: IdentitySettings) -> bool:
    """Whether the proofs of *provider* may name groups."""
    return not _without_groups(provider)


def _without_groups(provider: IdentitySettings) -> str:
    """Returns what *provider* is, if it names no groups; else nothing."""
    if isinstance(provider, JwtSettings | OidcSettings):
        return _WITHOUT_GROUPS.get(provider.issuer.rstrip("/"), "") if provider.groups_claim == "groups" else ""
    return "Kerberos" if isinstance(provider, NegotiateSettings) else ""
