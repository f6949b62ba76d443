"""The metrics' listener: what happened, added to the series that tell of it."""

import platform
from collections.abc import Callable, Iterable, Mapping
from typing import cast

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from gateway import events
from gateway.observe.listeners import Hear
from gateway.observe.series import Series
from gateway.visit import Visit

_KNOWN: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "valt_requests": (
        ("login", "download", "record", "search", "rooms"),
        ("ok", "refused", "not_found", "error", "timeout"),
    ),
    "valt_request_seconds": (("login", "download", "record", "search", "rooms"),),
    "cache_lookups": (
        ("token", "link", "jwks", "recording", "verified"),
        ("hit", "loaded", "joined", "negative", "short"),
    ),
    "stage_seconds": (("identity", "grant", "link", "first_byte"),),
    "deliveries": (("proxy", "redirect"), ("whole", "left", "cut", "failed")),
    "streams_active": (("proxy", "redirect"),),
    "stream_resumes": (("dropped", "stalled", "short", "link_refused", "idle"), ("ok", "failed")),
    "stream_aborts": (("viewer",), ("left", "idle")),
    "relay": (("fast", "plain"),),
    "config_reloads": (("ok", "failed"),),
    "limits": (("streams", "streams_per_person", "streams_per_address", "waiting_for_valt", "requests_per_minute"),),
    "audit_events": (("open", "close", "deny", "api", "sign_in", "sign_out"),),
}
"""Label values that are known whatever the configuration, present at zero from the start."""

_NO_STATUS = "none"
"""Of a viewer who left before there was an answer."""
_STATUSES = (
    *(200, 206, 303, 304, 307),
    *(400, 401, 403, 404, 405, 410, 412, 416, 429, 431, 500, 502, 503, 504),
    _NO_STATUS,
)
"""What product.md answers with."""


class Metrics:
    """Implements ports.Listener."""

    def __init__(self, *, version: str) -> None:
        self._series = series = Series()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(cast("Collector", series))
        series.build_info.set((version, platform.python_version()), 1)
        for name, values in _KNOWN.items():
            getattr(series, name).prepare(*values)
        series.stream_aborts.prepare(("upstream",), ("changed", "gone"))
        series.stream_aborts.prepare(("gateway",), ("revoked", "drain", "internal"))
        self._hears: Mapping[type[events.Event], Hear] = {
            events.CacheLookup: series.cache_lookups.add,
            events.ValtCall: self._valt_call,
            events.ValtLogin: series.valt_logins.add,
            events.JwksRefresh: series.jwks_refreshes.add,
            events.IdentityTold: series.identity.add,
            events.GrantDecided: series.grants.add,
            events.LinkUsed: lambda event: series.link_remaining_seconds.observe(event.remaining),
            events.StreamResumed: series.stream_resumes.add,
            events.StreamAborted: series.stream_aborts.add,
            events.Relayed: series.relay.add,
            events.ConfigReloaded: series.config_reloads.add,
            events.LimitReached: series.limits.add,
            events.LoopLagged: lambda event: series.event_loop_lag_seconds.observe(event.seconds),
            events.AuditWritten: series.audit_events.add,
            events.AuditFailed: lambda _: series.audit_failures.add(),
        }

    def know(
        self,
        *,
        routes: Iterable[str] = (),
        providers: Iterable[str] = (),
        rules: Iterable[str] = (),
        accounts: Iterable[str] = (),
        issuers: Iterable[str] = (),
    ) -> None:
        """The label values of a configuration: present at zero from its start."""
        series, routes = self._series, (*routes, "other")
        series.request_seconds.prepare(routes)
        series.requests.prepare(routes, ("GET", "HEAD"), _STATUSES)
        series.identity.prepare(providers, ("accepted", "refused", "unavailable"))
        series.grants.prepare(("", *rules), ("allowed", "denied", "unknown"))
        series.valt_logins.prepare(accounts, ("ok", "refused", "error", "timeout"))
        series.jwks_refreshes.prepare(issuers, ("ok", "error"))

    def watch_streams(self, count: Callable[[], int]) -> None:
        """Read how many proxied streams run from *count*, whenever it is asked for."""
        self._series.streams_active.ask(("proxy",), count)

    def watch_breaker(self, server: str, state: Callable[[], float]) -> None:
        """Read the breaker of *server* from *state*, whenever it is asked for; that of a server before it is gone."""
        self._series.breaker_state.forget()
        self._series.breaker_state.ask((server,), state)

    def render(self) -> tuple[bytes, str]:
        """The exposition and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    def hears(self, kind: type[events.Event]) -> Hear | None:
        return self._hears.get(kind)

    def happened(self, event: events.Event) -> None:
        hear = self._hears.get(type(event))
        if hear is not None:
            hear(event)

    def ended(self, visit: Visit) -> None:
        series, stages = self._series, visit.stages
        series.requests.numbers[visit.route, visit.method, visit.status or _NO_STATUS] += 1
        series.request_seconds.rows[visit.route,].observe(visit.seconds)
        stage_rows = series.stage_seconds.rows
        for stage, seconds in stages.items():
            stage_rows[stage,].observe(seconds)
        if visit.opened and visit.delivery is not None:
            series.deliveries.numbers[visit.delivery, visit.outcome or "whole"] += 1
            if visit.bytes:
                series.stream_bytes.add((), visit.bytes)
            if visit.delivery == "proxy":
                series.stream_first_byte_seconds.observe(sum(stages.values()))

    def _valt_call(self, event: events.ValtCall) -> None:
        self._series.valt_requests.add((event.operation, event.outcome))
        self._series.valt_request_seconds.rows[event.operation,].observe(event.seconds)
