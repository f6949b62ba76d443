"""Warnings about rules that match more or less than it seems, and about what was valid until a day that is over."""

import re
from collections.abc import Iterator
from datetime import date

from gateway.settings.faults import Fault
from gateway.settings.grants import GrantSettings
from gateway.settings.identity import JwtSettings, OidcSettings
from gateway.settings.model import Settings
from gateway.settings.networks import contains_everybody
from gateway.settings.warnings.brackets import bracket_doubts
from gateway.validity import SERVICE_KEY_PROVIDER

_EXPRESSION = re.compile(
    r"\A(\^|\.[*+])|\A/.+/\Z|\{[^{},]*+,[^{}]*+\}|\\[dws][+{]|(\\[dws]){2}|\[\^|\([^()|]*+\|[^()]*+\)"
    r"|\[((?!0-9|a-z|A-Z)[^][])*+(0-9|a-z|A-Z)[^][]*+\][+{]"
)
"""What begins regular expressions or stands in them, and in no name: "Dr.*" and `CAMPUS\\dave` are right."""
_PUBLIC_ISSUERS = frozenset(
    {
        *("https://accounts.google.com", "https://appleid.apple.com", "https://gitlab.com", "https://orcid.org"),
        *("https://cilogon.org", "https://www.facebook.com", "https://www.linkedin.com/oauth"),
        *("https://token.actions.githubusercontent.com", "https://www.linkedin.com", "https://auth.globus.org"),
        *("https://slack.com", "https://api.login.yahoo.com", "https://discord.com", "https://id.twitch.tv/oauth2"),
        *("https://www.paypal.com", "https://www.dropbox.com", "https://access.line.me", "https://secure.login.gov"),
        *("https://sandbox.orcid.org", "accounts.google.com"),
        "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
    }
)
"""Issuers at which anybody may have an account; the last one is that of Microsoft's accounts of persons. Google's may
have no scheme."""
_ASSIGNED = frozenset({"sub", "oid", "eppn"})
"""Claims of which the issuer decides what they say, and not the person."""
GLOBS = ("rooms", "authors", "names")
"""The conditions that are globs, beside the ids of recordings."""
CONDITIONS = (*GLOBS, "template", "created_within", "author_is_me", "shared_with_me")
_LISTS = (*GLOBS, "template", "networks")
"""Conditions that a generated configuration may leave without a value."""


def rule_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields a warning if there is no rule, and for each with an empty condition or a redirect."""
    if not settings.grants:
        yield Fault("grants", None, "is empty: nobody may see anything", "add a [[grants]] table")
    for number, grant in enumerate(settings.grants):
        for name in _LISTS:
            if name in grant.model_fields_set and not getattr(grant, name):
                reason = "is empty, which is no condition: the rule does not depend on it"
                yield Fault(f"grants.{number}.{name}", None, reason, "leave it out, or list what must match")
        if grant.delivery == "redirect" and grant.allow:
            reason = (
                "redirects: the link is valid for half an hour, cannot be recalled, names no recording, "
                "and Chromium never comes back to renew it"
            )
            yield Fault(f"grants.{number}.delivery", None, reason, 'use "proxy" unless that is acceptable')


def expired_warnings(settings: Settings, today: date) -> Iterator[Fault]:
    """Yields a warning for each service key and rule whose last day was before *today*, without lines."""
    for number, key in enumerate(settings.service_keys):
        if key.expires is not None and key.expires < today:
            reason = f"was {key.expires}: the key {key.name} is refused"
            yield Fault(f"service_keys.{number}.expires", None, reason, "mint a new key, or remove this one")
    for number, grant in enumerate(settings.grants):
        if grant.valid_until is not None and grant.valid_until < today:
            reason = f"was {grant.valid_until}: the rule {grant.name} never matches"
            yield Fault(f"grants.{number}.valid_until", None, reason, "move it, or remove the rule")


def glob_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each glob that looks like a regular expression, has alternatives in braces, or a text in
    brackets."""
    for number, grant in enumerate(settings.grants):
        globs = {name: getattr(grant, name) for name in ("recordings", *GLOBS)}
        globs |= {f"template.{field}": (glob,) for field, glob in grant.template.items()}
        for name, texts in globs.items():
            if any(_EXPRESSION.search(text) for text in texts):
                reason = "looks like a regular expression, and is a glob: only *, ?, [] and [!] have a meaning"
                yield Fault(
                    f"grants.{number}.{name}", None, reason, 'write it as "Room 3*", and each alternative alone'
                )
                continue
            for reason, remedy in (doubt for text in texts for doubt in bracket_doubts(text)):
                yield Fault(f"grants.{number}.{name}", None, reason, remedy)


def everybody_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each list of a rule in which "*" makes the other entries useless, and for the groups beside
    the subject "*": groups or subjects match, not both."""
    for number, grant in enumerate(settings.grants):
        if grant.groups and "*" in grant.subjects:
            reason = 'has no effect: subjects has "*", and any group or any subject is enough'
            yield Fault(f"grants.{number}.groups", None, reason, 'remove "*" from subjects, or remove the groups')
        for name in ("subjects", "recordings", *GLOBS):
            entries = getattr(grant, name)
            if "*" in entries and len(set(entries)) > 1:
                reason = 'has "*", so that its other entries have no effect'
                yield Fault(f"grants.{number}.{name}", None, reason, 'remove "*", or the others')


def address_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each rule whose networks have every address of IPv4 and none of IPv6, or the reverse, where
    proxies may state both."""
    for number, grant in enumerate(settings.grants):
        if settings.server.trusted_proxies and len({"0.0.0.0/0", "::/0"}.intersection(grant.networks)) == 1:
            reason = "has every address of IPv4 or IPv6, and not of both: the rule does not match clients of the other"
            yield Fault(f"grants.{number}.networks", None, reason, 'leave it out for "anywhere", or list ::/0 as well')


def refusal_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each rule that refuses by details and asks VALT as another account than a later rule: what
    VALT does not show to its account it does not refuse."""
    for number, grant in enumerate(settings.grants):
        if grant.allow or not any(getattr(grant, name) for name in CONDITIONS):
            continue
        others = sorted({later.account for later in settings.grants[number:] if later.allow} - {grant.account})
        if others:
            reason = f"may see less in VALT than {', '.join(others)}: what VALT does not show to it is not refused"
            yield Fault(f"grants.{number}.account", None, reason, "use an account that sees all that is to be refused")


def public_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each rule that allows everybody who is signed in, where a provider signs in the public; and
    for each that depends on who they are, where the public may choose that."""
    public = [
        one
        for one in settings.identity
        if isinstance(one, JwtSettings | OidcSettings) and one.issuer.rstrip("/") in _PUBLIC_ISSUERS
    ]
    chosen = [one for one in public if one.subject_claim not in _ASSIGNED and not _is_verified_email(one)]
    for number, grant in enumerate(settings.grants):
        if not grant.allow or (grant.networks and not contains_everybody(grant.networks)):
            continue
        key, is_personal = f"grants.{number}.subjects", grant.author_is_me or grant.shared_with_me
        if "*" not in grant.subjects:
            one = next((one for one in chosen if _may_claim(one, grant, settings)), None)
            if one is not None:
                reason = f"lists people, and anybody at the issuer of {one.name} may choose another person's name"
                remedy = f'write them as "PROVIDER#SUBJECT", and for those of {one.name} a verified email, or sub'
                yield Fault(key, None, reason, remedy)
        elif public and not is_personal:
            reason = f'has "*", and anybody may have an account at the issuer of {public[0].name}'
            remedy = "list people or groups, unless the issuer signs in those of one organization alone"
            yield Fault(key, None, reason, remedy)
        elif chosen:
            claim = chosen[0].subject_claim
            reason = f'has "*", and anybody at the issuer of {chosen[0].name} may choose another person\'s {claim}'
            remedy = 'write subject_claim = "sub" there, or "email" with require_verified_email = true'
            yield Fault(key, None, reason, remedy)


def _is_verified_email(provider: JwtSettings | OidcSettings) -> bool:
    return provider.subject_claim == "email" and provider.require_verified_email


def _may_claim(provider: JwtSettings | OidcSettings, grant: GrantSettings, settings: Settings) -> bool:
    """Whether somebody at *provider* may choose the name of one of the people of *grant*: an e-mail address, or a name
    that somebody at another provider has. Other names belong to one account."""
    others = {one.name for one in settings.identity} - {provider.name} | {SERVICE_KEY_PROVIDER}
    people = [name for name in grant.subjects if name.partition("#")[0] not in others]
    keys = {key.name for key in settings.service_keys}
    is_of_any = any("#" not in name and (len(settings.identity) > 1 or name in keys) for name in people)
    return bool(people) and (provider.subject_claim == "email" or is_of_any)
