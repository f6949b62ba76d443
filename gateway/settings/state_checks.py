"""Checks of ``[state]`` that need more than one value, and of the package that ``[tracing]`` needs.

A remedy that leads from one state to another says how revocations are kept: the other one has none of them.
"""

from collections.abc import Iterable, Iterator
from importlib.util import find_spec

from gateway.model import Secret
from gateway.redis_url import RedisUrl, parse_redis_url
from gateway.settings.addresses import is_loopback_host
from gateway.settings.faults import Fault
from gateway.settings.identity import IdentitySettings, NegotiateSettings, OidcSettings, TicketSettings
from gateway.settings.model import Settings, StateSettings
from gateway.settings.outputs import TracingSettings
from gateway.settings.values import UNREAD

_LISTED = "what `valt-gateway revoke --list` shows with dir"
_REMEDY_OF_BOTH = f"remove url; or remove dir, and revoke again with url, before the restart, {_LISTED} alone"
_REMEDY_WITHOUT_URL = f"remove it; or give url instead of dir, and revoke again with url, before the restart, {_LISTED}"
_SHORTEST, _LONGEST = 0.05, 60.0
"""Seconds in which Redis may have to answer: others are hardly meant."""


def state_faults(state: StateSettings) -> Iterator[Fault]:
    """Yields the contradictions of *state*."""
    if state.url is None:
        return
    if state.dir is not None:
        yield Fault("state.url", None, "is given as well as dir", _REMEDY_OF_BOTH)
    if state.secret is None:
        remedy = "name a file that holds it, the same for all replicas, with secret_file"
        yield Fault("state.secret", None, "is missing: it encrypts what the replicas share", remedy)
    if find_spec("redis") is None:
        yield Fault("state.url", None, "needs the package redis", 'pip install "valt-gateway[redis]"')


def tracing_faults(tracing: TracingSettings) -> Iterator[Fault]:
    """Yields a fault if traces are asked for and the packages for them are missing."""
    if tracing.otlp_endpoint and find_spec("opentelemetry") is None:
        yield Fault(
            "tracing.otlp_endpoint", None, "needs the package opentelemetry", 'pip install "valt-gateway[otel]"'
        )


def state_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields what is allowed and risky."""
    state = settings.state
    if state.dir is None and state.url is None:
        yield from _lost_at_a_restart(settings.identity)
    if state.url is None:
        for key in ("prefix", "secret"):
            if getattr(state, key) == type(state).model_fields[key].default:
                continue
            yield Fault(f"state.{key}", None, "has no effect without url", _REMEDY_WITHOUT_URL)
    address = parse_address(state)
    if address is not None and not _SHORTEST <= address.timeout <= _LONGEST:
        reason = f"has a socket_timeout of {address.timeout:g} seconds"
        yield Fault("state.url", None, reason, "is the unit right? It is in seconds, and 2 by default")
    others = [host for host, _ in address.hosts if not is_loopback_host(host)] if address is not None else []
    if address is None or not others:
        return
    # A name without a dot is in a network of the gateway's own, as that of a compose file.
    is_far = any("." in host or ":" in host for host in others)
    if address.password is None and is_far:
        reason = "has no password: whoever reaches it can remove revocations, sign-outs and used tickets"
        yield Fault("state.url", None, reason, "give a user and a password, as docs/scale.md says")
    if not address.tls and is_far and (address.password is not None or address.sentinel_password is not None):
        yield Fault("state.url", None, "sends a password over the network unencrypted", "use rediss, or a tunnel")


def _lost_at_a_restart(providers: Iterable[IdentitySettings]) -> Iterator[Fault]:
    if any(isinstance(one, TicketSettings) for one in providers):
        reason = (
            "is not set: used tickets and revocations are lost at a restart, and tickets issued before it are refused"
        )
        yield Fault("state.dir", None, reason, "name a directory for them")
    elif any(isinstance(one, OidcSettings | NegotiateSettings) for one in providers):
        reason = "is not set: a restart makes sessions valid again that were signed out or revoked"
        yield Fault("state.dir", None, reason, "name a directory for sign-outs and revocations")


def parse_address(state: StateSettings) -> RedisUrl | None:
    """Returns the parts of ``state.url``; None if it is not set or its file was not read."""
    if state.url is None or state.url == Secret(UNREAD):
        return None
    return parse_redis_url(state.url)
