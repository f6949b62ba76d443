"""Warnings about rules that match more or less than it seems, and about what was valid until a day that is over."""

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, ip_network

from gateway.network import UNIX, parse_address
from gateway.settings.addresses import is_loopback_host, split_listen
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
    proxies may state both, or a rule refuses and clients of both may connect; and for each that refuses the address of
    a network, as one without its length is, and no single ones."""
    for number, grant in enumerate(settings.grants):
        has_both = settings.server.trusted_proxies or (not grant.allow and _may_have_both(settings.server.listen))
        if has_both and len({"0.0.0.0/0", "::/0"}.intersection(grant.networks)) == 1:
            reason = "has every address of IPv4 or IPv6, and not of both: the rule does not match clients of the other"
            yield Fault(f"grants.{number}.networks", None, reason, 'leave it out for "anywhere", or list ::/0 as well')
        networks = [ip_network(one) for one in grant.networks if one != UNIX and not grant.allow]
        single = [one.network_address for one in networks if one.num_addresses == 1]
        lengths = [_length_of_network(address) for address in single]
        if single and all(lengths):
            reason = f"refuses {single[0]} alone, one address, and written as that of a network is"
            yield Fault(f"grants.{number}.networks", None, reason, f"write its length, as {single[0]}/{lengths[0]}")


def _may_have_both(listen: str) -> bool:
    """Whether clients of IPv4 and IPv6 may connect to a listener at *listen*: the service manager's, or by a name."""
    address = split_listen(listen)
    if address is None:
        return listen.startswith("systemd:")
    return parse_address(address[0]) is None and not is_loopback_host(address[0])


def _length_of_network(address: IPv4Address | IPv6Address) -> int | None:
    """Returns the length of the network that *address* may be meant as, None if it is a host's. No host has an address
    of IPv6 that ends in 64 bits of zero (RFC 4291, section 2.6.1); one of IPv4 that ends in .0 has few hosts."""
    size = 1 if address.version == 4 else 2
    zeros = (len(address.packed) - len(address.packed.rstrip(b"\0"))) // size
    least = 1 if address.version == 4 else 4
    return None if zeros < least else (len(address.packed) // size - zeros) * 8 * size


def refusal_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each rule that refuses by details and asks VALT as another account than a later rule: what
    VALT does not show to its account it does not refuse. The same refusal with the later rule's account, before that
    rule, refuses the rest."""
    forms: dict[int, str] = {}
    accounts: defaultdict[str, set[str]] = defaultdict(set)
    others: defaultdict[int, set[str]] = defaultdict(set)
    for number, grant in enumerate(settings.grants):
        if grant.allow:
            for refusal, form in forms.items():
                if grant.account not in accounts[form]:
                    others[refusal].add(grant.account)
        elif any(getattr(grant, name) for name in CONDITIONS):
            forms[number] = grant.comparable("account")
            accounts[forms[number]].add(grant.account)
    for number, names in sorted(others.items()):
        reason = f"may see less in VALT than {', '.join(sorted(names))}: what VALT does not show to it is not refused"
        remedy = "use an account that sees all that is to be refused, or repeat the rule with each account"
        yield Fault(f"grants.{number}.account", None, reason, remedy)
