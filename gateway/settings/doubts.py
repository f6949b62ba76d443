"""Warnings about values that are allowed one by one, and are probably not meant: times in the wrong unit, secrets that
can be guessed, and addresses of peers that no connection has."""

from collections.abc import Iterator

from gateway.settings.addresses import split_listen
from gateway.settings.faults import Fault
from gateway.settings.identity import HeaderSettings
from gateway.settings.model import Settings
from gateway.settings.secrets import GUESSABLE_BYTES, is_guessable

_SHORTEST = 1.0
"""Seconds."""
_TIMES = {
    "valt": ("connect_timeout", "read_timeout", "token_ttl"),
    "streams": ("upstream_idle", "viewer_idle"),
    "limits": ("request_timeout",),
    "session": ("lifetime", "idle"),
}
_TIMES_OF_PROVIDERS = ("max_age", "max_lifetime")


def doubts(settings: Settings) -> Iterator[Fault]:
    """Yields the warnings, without lines."""
    yield from _short_times(settings)
    yield from _weak_secrets(settings)
    yield from _peers(settings)


def _short_times(settings: Settings) -> Iterator[Fault]:
    tables = [(name, getattr(settings, name), keys) for name, keys in _TIMES.items()]
    tables += [(f"identity.{number}", one, _TIMES_OF_PROVIDERS) for number, one in enumerate(settings.identity)]
    for name, table, keys in tables:
        for key in keys:
            if getattr(table, key, _SHORTEST) < _SHORTEST:
                reason = "is shorter than a second, so that nothing can succeed in time"
                yield Fault(f"{name}.{key}", None, reason, 'is the unit right? "30s" is thirty seconds')


def _weak_secrets(settings: Settings) -> Iterator[Fault]:
    secrets = {"admin.token": settings.admin.token}
    for number, provider in enumerate(settings.identity):
        if isinstance(provider, HeaderSettings):
            secrets[f"identity.{number}.secret"] = provider.secret
    for key, secret in secrets.items():
        if secret is not None and is_guessable(secret):
            reason = f"is shorter than {GUESSABLE_BYTES} bytes, so that it can be guessed"
            yield Fault(key, None, reason, "make one with: openssl rand -base64 48")


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
