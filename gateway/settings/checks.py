"""Checks that need more than one value: settings that contradict one another."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from os.path import normpath

from gateway.errors import InvalidVideoError
from gateway.model import parse_id
from gateway.network import parse_address
from gateway.settings.addresses import EVERY_ADDRESS, is_loopback_host, split_listen
from gateway.settings.faults import Fault
from gateway.settings.glob_coverage import is_plain
from gateway.settings.grants import GrantSettings
from gateway.settings.identity_checks import identity_faults
from gateway.settings.model import Settings
from gateway.settings.networks import contains_everybody
from gateway.settings.rule_order import RuleOrder
from gateway.settings.secret_texts import UNSENDABLE, is_sendable
from gateway.settings.state_checks import state_faults, tracing_faults
from gateway.validity import SERVICE_KEY_PROVIDER

_ID_FORM = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)
_ID_GLOB = re.compile(r"([0-9A-Za-z*?-]|\[[^\]]+\])+", re.ASCII)
_EMPTY = frozenset(hashlib.sha256(text).hexdigest() for text in (b"", b" ", b"\n", b"\r\n"))


def faults_of(settings: Settings, order: RuleOrder) -> list[Fault]:
    """Returns every contradiction with which the gateway does not start, without lines, given the rules' *order*."""
    faults = [*_grants(settings), *order.faults, *_examples(settings)]
    faults += [*identity_faults(settings), *_server(settings)]
    return [*faults, *_names(settings), *state_faults(settings.state), *tracing_faults(settings.tracing)]


def _grants(settings: Settings) -> Iterator[Fault]:
    for number, grant in enumerate(settings.grants):
        key = f"grants.{number}"
        if grant.account not in settings.valt.accounts:
            accounts = ", ".join(sorted(settings.valt.accounts)) or "none"
            reason = "names no account of [valt.accounts]"
            yield Fault(f"{key}.account", None, reason, f"there are: {accounts}", ("valt.accounts",))
        if not grant.groups and not grant.subjects:
            reason = "can never match: it names neither groups nor subjects"
            yield Fault(key, None, reason, 'add groups or subjects, or "*"')
        if not grant.recordings:
            yield Fault(f"{key}.recordings", None, "can never match: it is empty", 'list ids or globs, or "*"')
        for glob in grant.recordings:
            if (why := why_no_id(glob)) is not None:
                yield Fault(f"{key}.recordings", None, f"can never match {glob!r}: {why}", "copy the id from VALT")
        if grant.shared_with_me and (why := _why_not_shared(settings, grant)) is not None:
            remedy, needed = "give them in [valt.groups] or [valt.people]", ("valt.groups", "valt.people", "identity")
            yield Fault(f"{key}.shared_with_me", None, f"can never match: {why}", remedy, needed)
        if grant.valid_from and grant.valid_until and grant.valid_from > grant.valid_until:
            reason = "is before valid_from: the rule never counts"
            yield Fault(f"{key}.valid_until", None, reason, "correct one of the two days")


def why_no_id(text: str) -> str | None:
    """Returns why no request can name a recording by the id or glob *text*, None if one can."""
    if not is_plain(text):
        return None if _ID_GLOB.fullmatch(text) else "an id has letters, digits and hyphens only"
    try:
        parse_id(text)
    except InvalidVideoError:
        if _ID_FORM.fullmatch(text):
            return "a numeric id has no leading zeros, and a UUID is in lower case"
        return "an id is 1 to 64 letters, digits and hyphens"
    return None


def _examples(settings: Settings) -> Iterator[Fault]:
    for number, example in enumerate(settings.examples):
        why = why_no_id(example.recording) if is_plain(example.recording) else "it is a glob"
        if why is not None:
            yield Fault(f"examples.{number}.recording", None, f"is no recording's: {why}", "copy the id from VALT")


def _why_not_shared(settings: Settings, grant: GrantSettings) -> str | None:
    """Returns why VALT, which shares with ids, shares nothing with the people of *grant*, None if it may."""
    providers = {SERVICE_KEY_PROVIDER, *(provider.name for provider in settings.identity)}
    ids = {grant.folded(name) for name, user in settings.valt.people.items() if isinstance(user, int)}
    parts = [(name, name.partition("#")) for name in grant.subjects]
    people = {grant.folded(part[2] if part[1] and part[0] in providers else name) for name, part in parts}
    if settings.valt.groups or (ids and (grant.groups or not people or "*" in people or not ids.isdisjoint(people))):
        return None
    reason = "VALT shares with user and group ids, and none is configured"
    return f"{reason} for its people" if ids else reason


def _server(settings: Settings) -> Iterator[Fault]:
    server = settings.server
    if (server.tls_cert_file is None) != (server.tls_key_file is None):
        reason, both = "needs tls_key_file, and the reverse", ("server.tls_cert_file", "server.tls_key_file")
        yield Fault(both[0], None, reason, "give both or neither", both)
    if contains_everybody(server.trusted_proxies):
        remedy = "list only the addresses of your own proxies"
        yield Fault("server.trusted_proxies", None, "contains every address", remedy)
    if _is_same_listener(server.listen, settings.admin.listen):
        reason, needed = "is the public listener's address", ("server.listen",)
        yield Fault("admin.listen", None, reason, "give it another port, on loopback", needed)
    if settings.admin.token is not None and not is_sendable(settings.admin.token):
        yield Fault("admin.token", None, *UNSENDABLE)
    if server.cors_origins and not server.public_url.startswith("https://"):
        reason = "needs an https public_url: browsers require Secure cookies"
        yield Fault("server.cors_origins", None, reason, "use https")


def _is_same_listener(one: str, other: str) -> bool:
    """Whether two listeners cannot be open at the same time. Port 0 is a free port of the system's choice."""
    first, second = split_listen(one), split_listen(other)
    if first is None or second is None:
        return normpath(one) == normpath(other)
    hosts = {str(parse_address(host) or host.lower()) for host in (first[0], second[0])}
    is_local = "localhost" in hosts and all(map(is_loopback_host, hosts))
    overlap = len(hosts) == 1 or is_local or not hosts.isdisjoint(EVERY_ADDRESS)
    return first[1] == second[1] != 0 and overlap


def _names(settings: Settings) -> Iterator[Fault]:
    for table, entries in (
        ("grants", settings.grants),
        ("identity", settings.identity),
        ("service_keys", settings.service_keys),
    ):
        counts = Counter(entry.name for entry in entries)
        for number, entry in enumerate(entries):
            if counts[entry.name] > 1:
                remedy = "choose another: metrics and audit distinguish entries by name"
                yield Fault(f"{table}.{number}.name", None, "is used more than once", remedy)
    hashes = Counter(key.secret_sha256 for key in settings.service_keys)
    for number, service_key in enumerate(settings.service_keys):
        if hashes[service_key.secret_sha256] > 1:
            remedy = "mint a key for each: the first entry decides whose groups count"
            yield Fault(f"service_keys.{number}.secret_sha256", None, "is the hash of more than one key", remedy)
        if service_key.secret_sha256 in _EMPTY:
            remedy = "make a key with: valt-gateway key mint"
            yield Fault(f"service_keys.{number}.secret_sha256", None, "is the hash of an empty text", remedy)
