"""Warnings about headers of a front that name what is not one person, or no groups, and about how they list groups."""

import re
from collections.abc import Iterator

from gateway.settings.claim_checks import OF_MANY, OF_ONE, SHARED
from gateway.settings.faults import Fault
from gateway.settings.identity import HeaderSettings
from gateway.settings.model import Settings

_OF_GROUPS = frozenset({"group", "groups", "role", "roles", "memberof", "ismemberof", "entitlement", "entitlements"})
_OF_A_CONNECTION = frozenset({"verify", "issuer", "i_dn", "auth_type", "application_id", "authncontext_class"})
"""What says how somebody signed in, and has no claim of that name: whether a certificate was verified, by whom."""
_OF_PRODUCTS = frozenset(
    {
        *("x", "http", "remote", "forwarded", "authentik", "webauth", "auth", "request", "oidc", "claim", "claims"),
        *("sso", "idp", "saml", "token", "jwt", "pomerium", "vouch", "mellon", "shib", "cas"),
    }
)
_IDENTIFIERS = frozenset({"uid", "user", "user_id", "remote_user", "subject", "sub", "eppn", "mail"})
_SEPARATORS = (
    ("authentik", re.compile(r"x-authentik-.*"), "|", True),
    ("mod_shib", re.compile(r"(is-?)?memberof|entitlement|(unscoped-)?affiliation"), ";", False),
    ("mod_auth_mellon", re.compile(r"mellon-.*"), ";", False),
)
"""Products, their headers, what separates two groups in these, and whether that is always so."""


def header_meaning_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields the warnings, without lines."""
    for number, provider in enumerate(settings.identity):
        if isinstance(provider, HeaderSettings):
            yield from _subject(f"identity.{number}.subject_header", provider.subject_header)
            yield from _groups(f"identity.{number}", provider)


def _subject(key: str, header: str) -> Iterator[Fault]:
    remedy = "name the header of an identifier, such as the account's name"
    meaning = _meaning(header, SHARED | OF_MANY | _OF_GROUPS | _OF_A_CONNECTION)
    if meaning in SHARED:
        reason = "has a name that two people may have, or give themselves: each would be taken for the other"
        yield Fault(key, None, reason, remedy)
    elif meaning in _OF_GROUPS:
        yield Fault(key, None, "names groups: all who have the same would be one person", remedy)
    elif meaning:
        yield Fault(key, None, "is the same for many people, who would all be one person", remedy)


def _groups(key: str, provider: HeaderSettings) -> Iterator[Fault]:
    header = provider.groups_header
    if _meaning(header, OF_ONE | _IDENTIFIERS):
        reason = "names the person, and not groups: who has or chooses the name of a group would be in it"
        yield Fault(f"{key}.groups_header", None, reason, 'name the header that lists the groups, as "Remote-Groups"')
        return
    for product, headers, separator, is_fixed in _SEPARATORS:
        is_chosen = "groups_separator" in provider.model_fields_set and not is_fixed
        if headers.fullmatch(header.lower()) and provider.groups_separator != separator and not is_chosen:
            reason = f"has {separator!r} between two groups ({product}), and groups_separator is another"
            yield Fault(f"{key}.groups_header", None, reason, f'write groups_separator = "{separator}"')


def _meaning(header: str, meanings: frozenset[str]) -> str:
    """Returns the one of *meanings* with which *header* ends, as "X-Tenant" does with "tenant", or nothing. A "name" is
    a person's only after words of products, as in "X-authentik-name": accounts, groups and hosts have one too."""
    words = header.lower().split("-")
    ends = ["_".join(words[first:]) for first in range(len(words))]
    is_of_product = _OF_PRODUCTS.issuperset(words[:-1])
    return next((end for end in ends if end in meanings and (end != "name" or is_of_product)), "")
