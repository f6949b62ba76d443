"""Warnings about rules that match more or less than it seems, and about what was valid until a day that is over."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from gateway.settings.faults import Fault
from gateway.settings.model import Settings
from gateway.settings.warnings.brackets import bracket_doubts

_EXPRESSION = re.compile(
    r"\A(\^|\.[*+])|\A/.+/\Z|\{[^{},]*+,[^{}]*+\}|\\[dws][+{]|(\\[dws]){2}|\[\^|\([^()|]*+\|[^()]*+\)"
    r"|\[((?!0-9|a-z|A-Z)[^][])*+(0-9|a-z|A-Z)[^][]*+\][+{]"
)
"""What begins regular expressions or stands in them, and in no name: "Dr.*" and `CAMPUS\\dave` are right."""
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


def expired_warnings(settings: Settings, now: datetime) -> Iterator[Fault]:
    """Yields a warning for each service key and rule whose last day was over at *now*, which is in ``server.timezone``.
    A key's days are those of UTC."""
    today, today_in_utc = now.date(), now.astimezone(UTC).date()
    for number, key in enumerate(settings.service_keys):
        if key.expires is not None and key.expires < today_in_utc:
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
            for reason, remedy in (doubt for text in texts for doubt in bracket_doubts(text, allow=grant.allow)):
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
