"""Warnings about values that are allowed one by one, and are probably not meant: times in the wrong unit, peers that no
connection has, and values that contradict each other."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from gateway.settings.addresses import is_loopback, split_listen
from gateway.settings.faults import Fault
from gateway.settings.identity import HeaderSettings, JwtSettings, OidcSettings
from gateway.settings.model import Settings

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
    ("limits", "streams_per_person", "streams"),
    ("limits", "streams_per_address", "streams"),
    ("limits", "streams", "connections"),
    ("streams", "upstream_idle", "viewer_idle"),
    ("links", "margin", "min_life"),
)
"""Table, key and another key: one of the two values has no effect if the first is larger."""
_TIMES_OF_PROVIDERS = ("max_age", "max_lifetime", "leeway")
_TIMES_OF_RULES = ("created_within",)


def doubts(settings: Settings) -> Iterator[Fault]:
    """Yields the warnings, without lines."""
    yield from _short_times(settings)
    yield from _peers(settings)
    yield from _contradictions(settings)
    yield from _links(settings)
    yield from _unreachable_bounds(settings)


def _short_times(settings: Settings) -> Iterator[Fault]:
    tables = [(name, getattr(settings, name), keys) for name, keys in _TIMES.items()]
    tables += [(f"identity.{number}", one, _TIMES_OF_PROVIDERS) for number, one in enumerate(settings.identity)]
    tables += [(f"grants.{number}", one, _TIMES_OF_RULES) for number, one in enumerate(settings.grants)]
    for name, table, keys in tables:
        for key in keys:
            length = getattr(table, key, None)
            if length is not None and 0 < length < _SHORTEST:
                reason = "is shorter than a second, which is hardly meant"
                yield Fault(f"{name}.{key}", None, reason, 'is the unit right? "30s" is thirty seconds')


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
        if networks and all((network == "unix") != is_unix for network in networks):
            why = "its peers have no addresses" if is_unix else "its peers have addresses"
            reason = f"has nobody who connects to server.listen, {settings.server.listen}: {why}"
            yield Fault(key, None, reason, 'write "unix" for a unix socket, and addresses for a port')
    for number, grant in enumerate(settings.grants):
        if not is_unix and grant.networks and set(grant.networks) == {"unix"}:
            reason = f"has nobody who connects to server.listen, {settings.server.listen}: its peers have addresses"
            yield Fault(f"grants.{number}.networks", None, reason, "list the clients' networks")


def _contradictions(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each value of which another one says the opposite, or that another one makes useless."""
    server = settings.server
    if server.tls_cert_file is not None and server.public_url.startswith("http:"):
        yield Fault("server.public_url", None, "is http, and the listener answers https", "write it as https://")
    own = urlsplit(server.public_url).netloc
    if urlsplit(settings.valt.base_url).netloc.lower() == own and not is_loopback(server.public_url):
        reason = "is the gateway's own address: it would ask itself"
        yield Fault("valt.base_url", None, reason, "name VALT's server")
    if server.public_url in server.cors_origins:
        reason = "has the gateway's own address, and makes its cookies those of other sites"
        yield Fault("server.cors_origins", None, reason, "list the portals on other sites, or leave it out")
    if "unix" in (server.listen.partition(":")[0], settings.admin.listen.partition(":")[0]):
        yield from _socket_mode(settings)
    elif server.socket_mode != type(server).model_fields["socket_mode"].default:
        reason = "has no effect: neither listener is a unix socket that the gateway makes"
        yield Fault("server.socket_mode", None, reason, "remove it, or correct listen")
    for number, provider in enumerate(settings.identity):
        key = f"identity.{number}"
        if isinstance(provider, JwtSettings) and provider.jwks_url and provider.discovery_url:
            yield Fault(f"{key}.discovery_url", None, "has no effect besides jwks_url", "remove one of the two")
        if isinstance(provider, OidcSettings):
            used = _CLIENT_KEYS.get(provider.client_auth)
            for name in ("client_secret", "private_key"):
                if name != used and getattr(provider, name) is not None:
                    reason = f"has no effect: client_auth is {provider.client_auth}"
                    yield Fault(f"{key}.{name}", None, reason, "remove it, or correct client_auth")


def _unreachable_bounds(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each pair of values, both written, of which one is never reached because of the other."""
    for name, key, bound in _BOUNDS:
        table = getattr(settings, name)
        if {key, bound} <= table.model_fields_set and getattr(table, key) > getattr(table, bound):
            reason = f"is larger than {bound}, so that one of the two has no effect"
            yield Fault(f"{name}.{key}", None, reason, "correct one of them")


def _socket_mode(settings: Settings) -> Iterator[Fault]:
    mode = int(settings.server.socket_mode, 8)
    if not mode & 0o200:
        reason = "lets not even the service's own user connect, who needs the right to write"
        yield Fault("server.socket_mode", None, reason, 'write "0660", or "0600"')
    trusting = [
        one
        for one in settings.identity
        if isinstance(one, HeaderSettings) and "unix" in one.from_ and not one.secret_header
    ]
    if mode & 0o002 and trusting and settings.server.listen.startswith("unix:"):
        reason = f"lets every user of the machine connect, and {trusting[0].name} trusts whoever connects"
        yield Fault("server.socket_mode", None, reason, 'write "0660", or use secret_header')


def _links(settings: Settings) -> Iterator[Fault]:
    for key in ("margin", "min_life"):
        if getattr(settings.links, key) >= _LINK_LIFE:
            reason = "is as long as VALT's links are valid, so that none is ever cached"
            yield Fault(f"links.{key}", None, reason, "write a few minutes")
