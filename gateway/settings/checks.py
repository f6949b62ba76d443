"""Checks that need more than one value: settings that contradict one another, and settings that deserve a warning."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from os.path import normpath
from urllib.parse import urlsplit

from gateway.errors import InvalidVideoError
from gateway.model import parse_id
from gateway.settings.addresses import EVERY_ADDRESS, is_loopback, is_loopback_host, split_listen
from gateway.settings.claim_checks import claim_warnings
from gateway.settings.faults import Fault
from gateway.settings.identity import NegotiateSettings, OidcSettings, TicketSettings
from gateway.settings.identity_checks import identity_faults, identity_warnings
from gateway.settings.model import ServerSettings, Settings
from gateway.settings.networks import contains_everybody, is_wide
from gateway.settings.rule_order import is_plain, order_faults, order_warnings
from gateway.settings.secret_texts import UNSENDABLE, is_sendable
from gateway.settings.state_checks import state_faults, state_warnings, tracing_faults
from gateway.settings.warnings.fronts import front_warnings
from gateway.settings.warnings.groups_of_nobody import groups_of_nobody
from gateway.settings.warnings.header_meanings import header_meaning_warnings
from gateway.settings.warnings.kerberos_names import kerberos_name_warnings
from gateway.settings.warnings.names import name_warnings
from gateway.settings.warnings.notations import notation_warnings
from gateway.settings.warnings.origins import origin_warnings
from gateway.settings.warnings.ports import port_warnings
from gateway.settings.warnings.providers import provider_warnings
from gateway.settings.warnings.rules import (
    address_warnings,
    everybody_warnings,
    glob_warnings,
    public_warnings,
    refusal_warnings,
)
from gateway.settings.warnings.secrets import secret_warnings
from gateway.settings.warnings.texts import text_warnings
from gateway.settings.warnings.valt import valt_warnings
from gateway.settings.warnings.values import value_warnings

_LONGEST_STOP = 80.0
"""Seconds. The unit in deploy/ ends the process 90 s after SIGTERM."""
_ID_FORM = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)
_ID_GLOB = re.compile(r"([0-9A-Za-z*?-]|\[[^\]]+\])+", re.ASCII)
_EMPTY = frozenset(hashlib.sha256(text).hexdigest() for text in (b"", b" ", b"\n", b"\r\n"))
_LISTS = ("rooms", "authors", "names", "template", "networks")
"""Conditions that a generated configuration may leave without a value."""


def faults_of(settings: Settings) -> list[Fault]:
    """Returns every contradiction with which the gateway does not start, without lines."""
    faults = [*_grants(settings), *order_faults(settings), *_examples(settings)]
    faults += [*identity_faults(settings), *_server(settings)]
    return [*faults, *_names(settings), *state_faults(settings.state), *tracing_faults(settings.tracing)]


def warnings_of(settings: Settings, today: date) -> list[Fault]:
    """Returns what is allowed and risky, or has expired before *today*, without lines."""
    warnings = [*_server_warnings(settings), *identity_warnings(settings), *_expired(settings, today)]
    warnings += [*front_warnings(settings), *refusal_warnings(settings), *name_warnings(settings)]
    warnings += [*glob_warnings(settings), *everybody_warnings(settings), *address_warnings(settings)]
    warnings += [*notation_warnings(settings), *order_warnings(settings), *public_warnings(settings)]
    warnings += [*state_warnings(settings.state), *value_warnings(settings), *text_warnings(settings)]
    warnings += [*secret_warnings(settings), *claim_warnings(settings), *provider_warnings(settings)]
    warnings += [*kerberos_name_warnings(settings), *origin_warnings(settings), *header_meaning_warnings(settings)]
    warnings += [*port_warnings(settings), *valt_warnings(settings), *groups_of_nobody(settings)]
    if urlsplit(settings.valt.base_url).scheme == "http" and not is_loopback(settings.valt.base_url):
        reason = "is plain http: passwords and video cross the network unencrypted"
        warnings.append(Fault("valt.base_url", None, reason, "use https"))
    for number, grant in enumerate(settings.grants):
        for name in _LISTS:
            if name in grant.model_fields_set and not getattr(grant, name):
                reason = "is empty, which is no condition: the rule does not depend on it"
                warnings.append(Fault(f"grants.{number}.{name}", None, reason, "leave it out, or list what must match"))
        if grant.delivery == "redirect" and grant.allow:
            reason = (
                "redirects: the link is valid for half an hour, cannot be recalled, names no recording, "
                "and Chromium never comes back to renew it"
            )
            warnings.append(Fault(f"grants.{number}.delivery", None, reason, 'use "proxy" unless that is acceptable'))
    if not settings.grants:
        warnings.append(Fault("grants", None, "is empty: nobody may see anything", "add a [[grants]] table"))
    in_memory = settings.state.dir is None and settings.state.url is None
    if in_memory and any(isinstance(p, TicketSettings) for p in settings.identity):
        reason = (
            "is not set: used tickets and revocations are lost at a restart, and tickets issued before it are refused"
        )
        warnings.append(Fault("state.dir", None, reason, "name a directory for them"))
    elif in_memory and any(isinstance(p, OidcSettings | NegotiateSettings) for p in settings.identity):
        reason = "is not set: a restart makes sessions valid again that were signed out or revoked"
        warnings.append(Fault("state.dir", None, reason, "name a directory for sign-outs and revocations"))
    return warnings


def _grants(settings: Settings) -> Iterator[Fault]:
    for number, grant in enumerate(settings.grants):
        key = f"grants.{number}"
        if grant.account not in settings.valt.accounts:
            accounts = ", ".join(sorted(settings.valt.accounts)) or "none"
            yield Fault(f"{key}.account", None, "names no account of [valt.accounts]", f"there are: {accounts}")
        if not grant.groups and not grant.subjects:
            reason = "can never match: it names neither groups nor subjects"
            yield Fault(key, None, reason, 'add groups or subjects, or "*"')
        if not grant.recordings:
            yield Fault(f"{key}.recordings", None, "can never match: it is empty", 'list ids or globs, or "*"')
        for glob in grant.recordings:
            if (why := _why_no_id(glob)) is not None:
                yield Fault(f"{key}.recordings", None, f"can never match {glob!r}: {why}", "copy the id from VALT")
        if grant.shared_with_me and not _has_valt_ids(settings):
            reason = "can never match: VALT shares with user and group ids, and none is configured"
            yield Fault(f"{key}.shared_with_me", None, reason, "give them in [valt.groups] or [valt.people]")
        if grant.valid_from and grant.valid_until and grant.valid_from > grant.valid_until:
            reason = "is before valid_from: the rule never counts"
            yield Fault(f"{key}.valid_until", None, reason, "correct one of the two days")


def _why_no_id(text: str) -> str | None:
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
        why = _why_no_id(example.recording) if is_plain(example.recording) else "it is a glob"
        if why is not None:
            yield Fault(f"examples.{number}.recording", None, f"is no recording's: {why}", "copy the id from VALT")


def _has_valt_ids(settings: Settings) -> bool:
    return bool(settings.valt.groups) or any(isinstance(user, int) for user in settings.valt.people.values())


def _server(settings: Settings) -> Iterator[Fault]:
    server = settings.server
    if (server.tls_cert_file is None) != (server.tls_key_file is None):
        yield Fault("server.tls_cert_file", None, "needs tls_key_file, and the reverse", "give both or neither")
    if contains_everybody(server.trusted_proxies):
        remedy = "list only the addresses of your own proxies"
        yield Fault("server.trusted_proxies", None, "contains every address", remedy)
    if _is_same_listener(server.listen, settings.admin.listen):
        yield Fault("admin.listen", None, "is the public listener's address", "give it another port, on loopback")
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
    hosts = {first[0].lower(), second[0].lower()}
    is_local = "localhost" in hosts and all(map(is_loopback_host, hosts))
    overlap = len(hosts) == 1 or is_local or not hosts.isdisjoint(EVERY_ADDRESS)
    return first[1] == second[1] != 0 and overlap


def _server_warnings(settings: Settings) -> Iterator[Fault]:
    listen = split_listen(settings.admin.listen)
    if listen is not None and not is_loopback_host(listen[0]) and settings.admin.token is None:
        reason = "is reachable from other machines, which may read metrics and readiness without a token"
        yield Fault("admin.listen", None, reason, "listen on loopback, or give token_file")
    for number, network in enumerate(settings.server.trusted_proxies):
        if is_wide(network):
            reason = f"contains many addresses ({network}), each of which may state any client address"
            yield Fault(f"server.trusted_proxies.{number}", None, reason, "list the addresses of your own proxies")
    server: ServerSettings = settings.server
    if server.drain_timeout + server.shutdown_delay > _LONGEST_STOP:
        names = ["drain_timeout", "shutdown_delay"]
        names.sort(key=lambda name: name not in server.model_fields_set)  # a default has no line
        reason = f"and {names[1]} are together longer than 80s; the shipped systemd unit ends the process after 90s"
        yield Fault(f"server.{names[0]}", None, reason, "shorten them, or raise TimeoutStopSec of the unit")


def _expired(settings: Settings, today: date) -> Iterator[Fault]:
    for number, key in enumerate(settings.service_keys):
        if key.expires is not None and key.expires < today:
            reason = f"was {key.expires}: the key {key.name} is refused"
            yield Fault(f"service_keys.{number}.expires", None, reason, "mint a new key, or remove this one")
    for number, grant in enumerate(settings.grants):
        if grant.valid_until is not None and grant.valid_until < today:
            reason = f"was {grant.valid_until}: the rule {grant.name} never matches"
            yield Fault(f"grants.{number}.valid_until", None, reason, "move it, or remove the rule")


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
