"""Warnings about values that are allowed one by one, and are probably not meant: times in the wrong unit, peers that no
connection has, and values that contradict each other."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_network

from gateway.network import UNIX, parse_address
from gateway.settings.addresses import is_loopback, is_loopback_host, split_listen
from gateway.settings.faults import Fault
from gateway.settings.identity import HeaderSettings, JwtSettings, OidcSettings, RemoteProvider
from gateway.settings.model import Settings
from gateway.settings.networks import is_wide

_SHORTEST = 1.0
"""Seconds."""
_LINK_LIFE = 30 * 60.0
"""Seconds for which VALT's links are valid."""
_CLIENT_KEYS = {
    "client_secret_basic": "client_secret",
    "client_secret_post": "client_secret",
    "private_key_jwt": "private_key",
}
_TIMES = {
    "server": ("drain_timeout", "shutdown_delay"),
    "links": ("margin", "min_life"),
    "recordings": ("ttl",),
    "valt": ("connect_timeout", "read_timeout", "token_ttl"),
    "streams": ("upstream_idle", "viewer_idle"),
    "limits": ("request_timeout",),
    "session": ("lifetime", "idle"),
    "audit": ("chain_head_log",),
}
_BOUNDS = (
    ("limits", "streams_per_person", "streams", {"streams_per_person"}),
    ("limits", "streams_per_address", "streams", {"streams_per_address"}),
    ("limits", "streams", "connections", {"streams"}),
    ("streams", "upstream_idle", "viewer_idle", {"viewer_idle"}),
    ("links", "margin", "min_life", {"margin", "min_life"}),
)
"""Table, key, another key, and which of them has no effect if the first is larger: of `links` either may be meant."""
_COUNTED_IN_ALL_REPLICAS = frozenset({"streams_per_person", "streams_per_address"})
"""Limits that may exceed those of each replica if `state.url` is written."""
_WITHOUT_EFFECT = (
    ("audit", "fsync", "file", "-", "file is standard output, which has no disk"),
    ("tracing", "sample_ratio", "otlp_endpoint", "", "without otlp_endpoint nothing is traced"),
)
"""Table, key, another key, the value of that by which the first has no effect, and why."""
_ABOVE_INFO = ("warning", "error")
_LOOPBACK = {4: ip_network("127.0.0.0/8"), 6: ip_network("::1/128")}
_TIMES_OF_PROVIDERS = ("max_age", "max_lifetime", "leeway")
_MONTHS = frozenset(number * 60.0 for number in (3, 6, 9, 12, 18, 24))
"""Seconds of as many minutes as months are usual."""


def value_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields the warnings, without lines."""
    yield from _short_times(settings)
    yield from _peers(settings)
    yield from _contradictions(settings)
    yield from _contradictions_of_providers(settings)
    yield from _links(settings)
    yield from _unreachable_bounds(settings)


def _short_times(settings: Settings) -> Iterator[Fault]:
    tables = [(name, getattr(settings, name), keys) for name, keys in _TIMES.items()]
    tables += [(f"identity.{number}", one, _TIMES_OF_PROVIDERS) for number, one in enumerate(settings.identity)]
    tables += [(f"grants.{number}", one, ("created_within",)) for number, one in enumerate(settings.grants)]
    for name, table, keys in tables:
        for key in keys:
            length = getattr(table, key, None)
            if length is not None and 0 < length < _SHORTEST:
                reason = "is shorter than a second, which is hardly meant"
                yield Fault(f"{name}.{key}", None, reason, 'is the unit right? "30s" is thirty seconds')
            elif key == "created_within" and length in _MONTHS and not table.allow:
                reason = f"is {length / 60:g} minutes: m is no month"
                yield Fault(f"{name}.{key}", None, reason, 'write days, as "90d"')


def _peers(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each list of peers of which none can connect, because the listener is of the other kind."""
    if settings.server.listen.startswith("systemd:"):
        return  # its address is in the socket unit
    is_unix = split_listen(settings.server.listen) is None
    lists = {"server.trusted_proxies": settings.server.trusted_proxies}
    for number, provider in enumerate(settings.identity):
        if isinstance(provider, HeaderSettings):
            lists[f"identity.{number}.from"] = provider.from_
    for key, networks in lists.items():
        if networks and all((network == UNIX) != is_unix for network in networks):
            why = "its peers have no addresses" if is_unix else "its peers have addresses"
            reason = f"has nobody who connects to server.listen, {settings.server.listen}: {why}"
            yield Fault(key, None, reason, 'write "unix" for a unix socket, and addresses for a port')
        elif networks and not any(network == UNIX or _may_connect(network, settings) for network in networks):
            reason = f"has nobody who connects to server.listen, {settings.server.listen}: no peer has such an address"
            yield Fault(key, None, reason, "write the address from which the proxy connects, or correct listen")
    yield from _networks_of_rules(settings, is_unix=is_unix)


def _networks_of_rules(settings: Settings, *, is_unix: bool) -> Iterator[Fault]:
    """Yields a warning for each rule by networks in which no client is, where no proxy states another address. About a
    listener on loopback `front_warnings` speaks."""
    listen = settings.server.listen
    address = split_listen(listen)
    is_direct = address is not None and not settings.server.trusted_proxies and not is_loopback_host(address[0])
    for number, grant in enumerate(settings.grants):
        only_unix = not is_unix and set(grant.networks) == {UNIX}
        others = [network for network in grant.networks if network != UNIX]
        if only_unix or (is_direct and others and not any(_may_connect(network, settings) for network in others)):
            kind = "addresses" if only_unix else "other addresses"
            reason = f"has nobody who connects to server.listen, {listen}: its peers have {kind}"
            yield Fault(f"grants.{number}.networks", None, reason, "list the clients' networks")


def _may_connect(network: str, settings: Settings) -> bool:
    """Whether a peer of the public listener can have an address in *network*: one of loopback has peers there, and one
    of IPv4 none with IPv6. Of wide networks other warnings speak; a listener that is not written may be set where the
    gateway runs, by a variable."""
    if "listen" not in settings.server.model_fields_set:
        return True
    host = (split_listen(settings.server.listen) or ("", 0))[0]
    address, wanted = parse_address(host), ip_network(network)
    if isinstance(address, IPv4Address | IPv6Address) and address.version != wanted.version:
        return False
    if is_wide(network) or (address is None and host.lower() != "localhost"):
        return True
    if address is None or address.is_loopback:
        return wanted.overlaps(_LOOPBACK[wanted.version])
    # Who connects from this machine to an address of the network has that address, and not one of loopback.
    return address.is_unspecified or not wanted.is_loopback


def _contradictions(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each value of which another one says the opposite, or that another one makes useless."""
    server = settings.server
    if server.tls_cert_file is not None and server.public_url.startswith("http:"):
        yield Fault("server.public_url", None, "is http, and the listener answers https", "write it as https://")
    if server.public_url in server.cors_origins:
        reason = "has the gateway's own address, and makes its cookies those of other sites"
        yield Fault("server.cors_origins", None, reason, "list the portals on other sites, or leave it out")
    if re.fullmatch(r"Etc/GMT[+-][1-9][0-9]?", server.timezone):
        sign = "behind" if "+" in server.timezone else "ahead of"
        reason = f"is {server.timezone[8:]} hours {sign} UTC: these names have the opposite sign"
        yield Fault("server.timezone", None, reason, 'write a place, as "Europe/Berlin"')
    if "unix" in (server.listen.partition(":")[0], settings.admin.listen.partition(":")[0]):
        yield from _socket_mode(settings)
    elif server.socket_mode != type(server).model_fields["socket_mode"].default:
        reason = "has no effect: neither listener is a unix socket that the gateway makes"
        yield Fault("server.socket_mode", None, reason, "remove it, or correct listen")
    for name, key, other, value, why in _WITHOUT_EFFECT:
        table = getattr(settings, name)
        if getattr(table, other) == value and getattr(table, key) != type(table).model_fields[key].default:
            yield Fault(f"{name}.{key}", None, f"has no effect: {why}", f"remove it, or correct {other}")
    tracing, audit = settings.tracing, settings.audit
    if tracing.otlp_endpoint and tracing.sample_ratio == 0 and not server.trusted_proxies:
        reason = "is 0, and no trusted proxy can ask for a trace: nothing is ever traced"
        yield Fault("tracing.sample_ratio", None, reason, "write a share, or list the proxy in server.trusted_proxies")
    if "chain_head_log" in audit.model_fields_set and audit.chain_head_log and settings.log.level in _ABOVE_INFO:
        reason = f"has no effect: it is logged as info, and log.level is {settings.log.level}"
        yield Fault("audit.chain_head_log", None, reason, 'set log.level = "info", or remove it')


def _contradictions_of_providers(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each key of a provider that has no effect, or that names the gateway itself."""
    own = settings.server.public_url
    for number, provider in enumerate(settings.identity):
        key = f"identity.{number}"
        has_url = any(getattr(provider, name, "") for name in ("jwks_url", "discovery_url"))  # issuer is any text then
        issuer = provider.issuer.rstrip("/") if isinstance(provider, RemoteProvider) and not has_url else None
        if issuer == own and not is_loopback(own):
            yield Fault(f"{key}.issuer", None, "is the gateway's own address", "name the identity provider")
        elif issuer == settings.valt.base_url.rstrip("/") and not is_loopback(issuer):
            yield Fault(
                f"{key}.issuer", None, "is valt.base_url too, and VALT issues no tokens", "correct one of the two"
            )
        claim, verified = getattr(provider, "subject_claim", "email"), "require_verified_email"
        is_meant = verified in provider.model_fields_set and (
            "mail" in claim.lower() or not getattr(provider, verified)
        )
        if is_meant and claim != "email":
            reason = f'has no effect: it is checked with subject_claim = "email", not with "{claim}"'
            yield Fault(f"{key}.{verified}", None, reason, "remove it, or correct subject_claim")
        if isinstance(provider, JwtSettings) and provider.jwks_url and provider.discovery_url:
            yield Fault(f"{key}.discovery_url", None, "has no effect besides jwks_url", "remove one of the two")
        if isinstance(provider, OidcSettings):
            used = _CLIENT_KEYS.get(provider.client_auth)
            for name in ("client_secret", "private_key"):
                if name != used and getattr(provider, name) is not None:
                    reason = f"has no effect: client_auth is {provider.client_auth}"
                    yield Fault(f"{key}.{name}", None, reason, "remove it, or correct client_auth")


def _unreachable_bounds(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each written value that has no effect because of another, written or the default. Of values
    below a second, or 0, `_short_times` speaks."""
    for name, key, bound, useless in _BOUNDS:
        table = getattr(settings, name)
        written = table.model_fields_set
        if key in _COUNTED_IN_ALL_REPLICAS and settings.state.url is not None:
            continue
        if useless <= written and _SHORTEST <= getattr(table, bound) < getattr(table, key):
            larger = key in written
            reason = f"is larger than {bound}" if larger else f"is smaller than {key}"
            yield Fault(
                f"{name}.{key if larger else bound}",
                None,
                f"{reason}, so that one of the two has no effect",
                "correct one of them",
            )


def _socket_mode(settings: Settings) -> Iterator[Fault]:
    mode = int(settings.server.socket_mode, 8)
    if not mode & 0o200:
        reason = "lets not even the service's own user connect, who needs the right to write"
        yield Fault("server.socket_mode", None, reason, 'write "0660", or "0600"')
    alone = [
        who
        for who, read, write in (("the group", 0o040, 0o020), ("others", 0o004, 0o002))
        if mode & read and not mode & write
    ]
    if alone and mode & 0o200:
        reason = f"lets {' and '.join(alone)} read, and who connects needs the right to write"
        yield Fault("server.socket_mode", None, reason, 'write "0660", or "0600"')


def _links(settings: Settings) -> Iterator[Fault]:
    for key in ("margin", "min_life"):
        if getattr(settings.links, key) >= _LINK_LIFE:
            reason = "is as long as VALT's links are valid, so that none is ever cached"
            yield Fault(f"links.{key}", None, reason, "write a few minutes")
