"""Warnings about names in ``[[grants]]`` and ``[[examples]]`` that nobody has, or that are perhaps meant otherwise.

A rule that allows would give nothing by such a name, and a rule that refuses would silently refuse nobody.
"""

import difflib
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from gateway.model import fold_name
from gateway.settings.faults import Fault
from gateway.settings.identity import NegotiateSettings
from gateway.settings.model import Settings
from gateway.settings.secret_texts import UNEXPANDED
from gateway.validity import SERVICE_KEY_PROVIDER

_LONGEST = 255
_PATTERN = re.compile(r".*\*.*|[^:?]*+\?[^:]*+|\^.*|.*\.\+.*", re.DOTALL)
"""A glob or a regular expression, and not an address with a query."""
_PROVIDER = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")
_USERS = re.compile(r"[a-z0-9._-]+([,;] *[a-z0-9._-]+)+")
_SIMILAR = 0.8
"""How similar a text must be to a provider's name to be taken for a misspelling of it."""


def name_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields the warnings, without lines."""
    providers = {provider.name: provider.type for provider in settings.identity} | {SERVICE_KEY_PROVIDER: ""}
    for number, grant in enumerate(settings.grants):
        for table in ("groups", "subjects"):
            for name in getattr(grant, table):
                for reason, remedy in _doubts(name, table, providers):
                    yield Fault(f"grants.{number}.{table}", None, reason, remedy)
        yield from _names_of_nobody(settings, number)
    yield from _names_of_the_other_kind(settings)
    yield from _names_of_keys_and_examples(settings, providers)
    yield from _wildcards(settings)


def _names_of_nobody(settings: Settings, number: int) -> Iterator[Fault]:
    """Yields a warning for each subject of the rule *number* that is no service key's, or the own name of a provider or
    of all keys, or no address where people have addresses."""
    grant, key = settings.grants[number], f"grants.{number}.subjects"
    keys = {grant.folded(one.name) for one in settings.service_keys}
    claims = {one.name: getattr(one, "subject_claim", "") for one in settings.identity}
    for name in grant.subjects:
        provider, separator, subject = name.partition("#")
        of_provider = {claims[provider]} if separator and provider in claims else set(claims.values())
        person = subject if separator and provider in claims else name
        if doubt := _no_key(name, keys, grant.folded):
            yield Fault(key, None, *doubt)
        elif name in claims and name not in keys:
            reason = f"has {name[:64]!r}, which is a provider and no person"
            yield Fault(key, None, reason, f'write people as "{name}#SUBJECT", or a group')
        elif (
            of_provider == {"email"}
            and "@" not in person
            and person not in ("", "*")
            and provider != SERVICE_KEY_PROVIDER
            and grant.folded(person) not in keys
        ):
            reason = f"has {name[:64]!r}, and people are named by email addresses"
            yield Fault(key, None, reason, "write the whole address")


def _no_key(name: str, keys: Collection[str], folded: Callable[[str], str] = str) -> tuple[str, str] | None:
    """Returns reason and remedy if *name* is written as a service key's, and is none of *keys*, whose spelling is
    *folded*."""
    provider, _, subject = name.partition("#")
    if provider == SERVICE_KEY_PROVIDER and subject and folded(subject) not in keys:
        return f"has {name[:64]!r}, and no service key has that name", "add the key, or correct the name"
    if fold_name(name) in (SERVICE_KEY_PROVIDER, f"{SERVICE_KEY_PROVIDER}s") and folded(name) not in keys:
        remedy = f'write each key as "{SERVICE_KEY_PROVIDER}#NAME", or a group of theirs'
        return f"has {name[:64]!r}, which names no service key, and not all of them either", remedy
    return None


def _names_of_the_other_kind(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each group of a rule that refuses which the rest of the file has as a person only, and for
    each person which it has as a group only."""
    providers = {provider.name for provider in settings.identity} | {SERVICE_KEY_PROVIDER}

    def folded(table: str, names: Iterable[str]) -> set[str]:
        parts = [(name, name.partition("#")) for name in names]
        has_provider = table == "subjects"
        return {fold_name(part[2] if has_provider and part[2] and part[0] in providers else one) for one, part in parts}

    lists: dict[str, list[Iterable[str]]] = {
        "groups": [settings.valt.groups, *(key.groups for key in settings.service_keys)],
        "subjects": [settings.valt.people, [key.name for key in settings.service_keys]],
    }
    lists["groups"] += [example.groups for example in settings.examples]
    lists["subjects"] += [(example.subject,) for example in settings.examples]
    of_rules = [{table: folded(table, getattr(grant, table)) for table in lists} for grant in settings.grants]
    others = {table: set[str]().union(*(folded(table, names) for names in some)) for table, some in lists.items()}
    counts = {table: Counter(name for one in of_rules for name in one[table]) for table in lists}
    for number, grant in enumerate(settings.grants):
        for table, other in () if grant.allow else (("groups", "subjects"), ("subjects", "groups")):
            for name in sorted(of_rules[number][table] - of_rules[number][other] - others[table]):
                if counts[table][name] == 1 and (counts[other][name] or name in others[other]):
                    reason = f"has {name[:64]!r}, which the rest of the file has in {other} only"
                    yield Fault(f"grants.{number}.{table}", None, reason, f"write it in {other}, if that is meant")


def _names_of_keys_and_examples(settings: Settings, providers: Mapping[str, str]) -> Iterator[Fault]:
    tables = [(f"service_keys.{number}", "groups", one.groups) for number, one in enumerate(settings.service_keys)]
    keys = {key.name for key in settings.service_keys}
    for number, example in enumerate(settings.examples):
        tables += [(f"examples.{number}", "groups", example.groups)]
        tables += [(f"examples.{number}", "subject", (example.subject,))]
        if doubt := _no_key(example.subject, keys):
            yield Fault(f"examples.{number}.subject", None, *doubt)
    for entry, key, names in tables:
        for name in names:
            for reason, remedy in _doubts(name, "groups" if key == "groups" else "subjects", providers):
                yield Fault(f"{entry}.{key}", None, reason, remedy)


def _wildcards(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each name that is compared as it stands, and looks like more. About the people and groups of
    rules `_doubts` speaks."""
    lists: dict[str, Iterable[str]] = {
        f"examples.{number}.subject": ("*",) for number, one in enumerate(settings.examples) if one.subject == "*"
    }
    lists |= {f"grants.{number}.template": one.template for number, one in enumerate(settings.grants)}
    for number, one in enumerate(settings.identity):
        if isinstance(one, NegotiateSettings):
            lists[f"identity.{number}.realms"] = one.realms
    for key, names in {**lists, "valt.groups": settings.valt.groups, "valt.people": settings.valt.people}.items():
        if any("*" in name for name in names):
            yield Fault(key, None, "has *, which is compared as it stands: there are no wildcards", "list the names")
    yield from _names_in_valt(settings)


def _names_in_valt(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each name of ``[valt.people]`` and ``[valt.groups]`` that is written like several, or with a
    provider."""
    providers = {provider.name for provider in settings.identity} | {SERVICE_KEY_PROVIDER}
    for table, kind in (("people", "subjects"), ("groups", "groups")):
        for name in getattr(settings.valt, table):
            if name.partition("#")[0] in providers and "#" in name:
                reason = f"has {name[:64]!r}, which is compared with the whole name: there are no providers here"
                yield Fault(f"valt.{table}", None, reason, "write the name without provider")
            elif is_list(name, kind):
                reason = f"has {name[:64]!r}, which is one name, and written like a list"
                yield Fault(f"valt.{table}", None, reason, "write a line for each")


def is_list(name: str, table: str, providers: Iterable[str] = ()) -> bool:
    """Whether *name*, which stands in groups or subjects, is written like several names, with the name of one of
    *providers* or without."""
    if table == "subjects":
        prefixes = tuple(f"{provider}#" for provider in providers)
        parts = re.split(r"[,;\s]+", name)
        are_people = all("@" in part or part.startswith(prefixes) for part in parts)
        pieces = name.split("|")  # "campus#auth0|anna@example.edu" is one person
        are_pieces = len(pieces) > 1 and all(piece.strip().startswith(prefixes) for piece in pieces)
        return (len(parts) > 1 and are_people) or are_pieces or (name.startswith(prefixes) and _are_users(name))
    parts = re.split(r"[,;|]", name)
    return len(parts) > 1 and not any(" " in part.strip() or "=" in part for part in parts)


def _are_users(name: str) -> bool:
    """Whether *name* has several short names after its provider, unlike "login#Smith, Anna" and "login#uid=a,ou=b"."""
    return _USERS.fullmatch(name.partition("#")[2]) is not None


def _doubts(name: str, table: str, providers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yields reason and remedy of each doubt about *name*, which stands in groups or subjects. *providers* has the type
    of each by its name."""
    text = f"{name[:64]!r}"
    if not 0 < len(name) <= _LONGEST or name != name.strip() or not name.isprintable():
        yield f"has {text}, which is nobody's name", "write it as the identity provider does, without spaces around it"
    if _PATTERN.fullmatch(name) and (table, name) != ("subjects", "*"):
        yield f"has {text}, and names have no wildcards: it is compared as it stands", "list the names themselves"
    if UNEXPANDED.fullmatch(name):
        yield f"has {text}, of which nothing is replaced", "write the name itself"
    if is_list(name, table, providers):
        yield f"has {text}, which is one name, and written like a list", 'write each in quotes of its own: ["a", "b"]'
    provider, separator, subject = name.partition("#")
    if table == "subjects" and provider in providers and subject != subject.strip():
        yield f"has {text}, with a space around the name, which nobody has", "write it without"
    if table == "subjects" and provider in providers and separator and not subject:
        yield f"has {text}, which names nobody of that provider", 'write "PROVIDER#SUBJECT", or a group'
    if table == "subjects" and separator and provider not in providers:
        nearest = difflib.get_close_matches(provider.lower(), [one.lower() for one in providers], 1, _SIMILAR)
        if nearest:
            meant = next(one for one in providers if one.lower() == nearest[0])
            yield f"has {text}, and no provider is named {provider}: it is one person's name", f"did you mean {meant}#?"
        elif subject and provider and provider in (*providers.values(), "session"):
            # Whoever has a session signed in by some provider.
            possible = [one for one, kind in providers.items() if kind and provider in (kind, "session")]
            meant = possible[0] if len(possible) == 1 else "PROVIDER"
            yield f"has {text}, and {provider} is no provider's name", f'write it as "{meant}#{subject[:64]}"'
        elif _PROVIDER.fullmatch(provider) and subject and not ("#" in subject or "@" in subject):
            remedy = "name a provider of [[identity]], if one is meant"
            yield f"has {text}, and no provider is named {provider}: it is one person's name", remedy
    for other in _providers_beside(name, providers) if table == "subjects" and not separator else ():
        yield f"has {text}, which is one person's whole name", f'write people of {other} as "{other}#SUBJECT"'
    own = {one.lower() for one in (*providers, *providers.values())}
    if table == "groups" and separator and provider and provider.lower() in own:
        yield f"has {text}, and groups have no providers: it is one group's name", "write the group's name alone"


def _providers_beside(name: str, providers: Mapping[str, str]) -> Iterable[str]:
    """Returns the provider that *name* begins with, if ":" or "/" stands between it and the person. What stands before
    a backslash or behind an "@" is a domain or a realm, of which a provider may have the name."""
    first, separator, _ = name.partition(":") if ":" in name else name.partition("/")
    return {first} & providers.keys() if separator and "://" not in name else ()
