"""Who the people and groups are that rules name, as far as a configuration says it."""

from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from gateway.model import fold_name
from gateway.settings.grants import GrantSettings
from gateway.settings.identity import IdentitySettings, NegotiateSettings
from gateway.settings.model import Settings
from gateway.settings.warnings.groups_of_nobody import names_groups
from gateway.validity import SERVICE_KEY_PROVIDER

Name = tuple[str, str]
"""Table, groups or subjects, and the name."""
EVERYBODY: Name = ("subjects", "*")


class Person(NamedTuple):
    """A service key, or all who have one name. A rule that allows is for them if it has one of the names *exact*; one
    that refuses, in one spelling, if it has one of *folded*."""

    exact: frozenset[Name]
    folded: frozenset[Name]
    is_key: bool


class NamedPeople:
    """The people and groups of the rules of *settings*."""

    def __init__(self, settings: Settings) -> None:
        providers = settings.identity
        self._providers = frozenset({*(provider.name for provider in providers), SERVICE_KEY_PROVIDER})
        self._only_keys_have_groups = not any(map(names_groups, providers))
        self._only_keys_sign_in = not providers
        self._all_have_addresses = all(map(_names_by_addresses, providers))
        self._keys: defaultdict[tuple[bool, Name], list[Person]] = defaultdict(list)
        for key in settings.service_keys:
            names = {("subjects", f"{SERVICE_KEY_PROVIDER}#{key.name}"), *(("groups", group) for group in key.groups)}
            person = self._person({*names, ("subjects", key.name)}, is_key=True)
            for allows, own in ((True, person.exact), (False, person.folded)):
                for name in own:
                    self._keys[allows, name].append(person)

    def compared(self, grant: GrantSettings, name: Name) -> Name:
        """Returns *name* as the rule *grant* compares it: a rule that refuses has all its spellings."""
        return name if grant.allow else _folded(name, self._providers)

    def persons(self, grant: GrantSettings, name: Name) -> list[Person]:
        """Returns whom *grant* means by *name*: service keys, if nobody else can have it; else whoever has it. What a
        rule allows may be for keys to come."""
        table, text = name
        keys = self._keys.get((grant.allow, self.compared(grant, name)), [])
        provider, separator, subject = text.partition("#")
        is_key = table == "subjects" and provider == SERVICE_KEY_PROVIDER and separator
        if keys and (is_key or (not grant.allow and self._is_of_keys_alone(table, text))):
            return keys
        is_with_provider = table == "subjects" and separator and provider in self._providers
        return [self._person({name, (table, subject if is_with_provider else text)}, is_key=False)]

    def _person(self, names: Iterable[Name], *, is_key: bool) -> Person:
        exact = frozenset({*names, EVERYBODY})
        return Person(exact, frozenset(_folded(name, self._providers) for name in exact), is_key)

    def _is_of_keys_alone(self, table: str, text: str) -> bool:
        if table == "groups":
            return self._only_keys_have_groups
        is_no_address = self._all_have_addresses and "@" not in text and text != "*"
        return self._only_keys_sign_in or is_no_address


def _names_by_addresses(provider: IdentitySettings) -> bool:
    """Whether each name of a person by *provider* has an "@": an email address, or Kerberos' with the realm."""
    if isinstance(provider, NegotiateSettings):
        return not provider.strip_realm
    return getattr(provider, "subject_claim", "") == "email"


@lru_cache(maxsize=10_000)
def _folded(name: Name, providers: frozenset[str]) -> Name:
    """Returns *name* in one spelling, but for the name of one of *providers* in front of it."""
    table, text = name
    provider, separator, subject = text.partition("#")
    if table == "subjects" and separator and provider in providers:
        return table, f"{provider}#{fold_name(subject)}"
    return table, fold_name(text)
