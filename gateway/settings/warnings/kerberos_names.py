"""Warnings about names that no Kerberos ticket gives: with the realm although it is stripped, or without it."""

from collections.abc import Callable, Collection, Iterator, Sequence

from gateway.settings.faults import Fault
from gateway.settings.identity import NegotiateSettings
from gateway.settings.model import Settings
from gateway.validity import SERVICE_KEY_PROVIDER

_OF_KEYS = f"{SERVICE_KEY_PROVIDER}#"


def kerberos_name_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields the warnings, without lines. A name without a provider is doubted if all providers are of Kerberos."""
    providers = [one for one in settings.identity if isinstance(one, NegotiateSettings)]
    if not providers:
        return
    everybody = providers if len(providers) == len(settings.identity) else []
    keys = {key.name for key in settings.service_keys}
    refusals = {f"grants.{number}.subjects" for number, grant in enumerate(settings.grants) if not grant.allow}
    names = [
        *(
            (f"grants.{number}.subjects", name)
            for number, grant in enumerate(settings.grants)
            for name in grant.subjects
        ),
        *((f"examples.{number}.subject", example.subject) for number, example in enumerate(settings.examples)),
        *(("valt.people", name) for name in settings.valt.people),
    ]
    for key, name in names:
        provider, separator, subject = name.partition("#")
        named = [one for one in providers if separator and one.name == provider]
        # Refusals ignore letter case, as nobody else does.
        fold = str.lower if key in refusals else str
        reason = _why_nobody(fold(subject if named else name.removeprefix(_OF_KEYS)), named or everybody, keys, fold)
        if reason is not None:
            yield Fault(key, None, f"has {name[:64]!r}, {reason[0]}", reason[1])


def _why_nobody(
    name: str, providers: Sequence[NegotiateSettings], keys: Collection[str], fold: Callable[[str], str]
) -> tuple[str, str] | None:
    """Returns reason and remedy if *name* is that of nobody whom one of *providers* names, nor of one of *keys*. *fold*
    makes equal what is compared as equal."""
    if not providers or name in ("", "*", *map(fold, keys)):
        return None
    stripped = {one.strip_realm for one in providers}
    if "\\" in name:
        return "and Kerberos names have no backslash", "write the name as the audit has it, without a domain in front"
    if stripped == {True} and "@" in name:
        return "and strip_realm removes what follows @", "write it without @ and realm, or set strip_realm = false"
    realms = {fold(realm) for one in providers for realm in one.realms}
    if stripped == {False} and name.rpartition("@")[2] not in realms:
        return "which does not end in @ and one of the realms", 'write it as "anna@EXAMPLE.EDU"'
    return None
