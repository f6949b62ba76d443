"""The metrics' listener. Label children are resolved once and kept: a look-up by labels on every request would cost
more than the request's own bookkeeping."""

import platform
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics import MetricWrapperBase

from gateway import events
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

_STATUSES = (
    *("200", "206", "303", "304", "307"),
    *("400", "401", "403", "404", "405", "410", "412", "416", "429", "431", "500", "502", "503", "504"),
    "none",
)
"""What product.md answers with; "none" is a viewer who left before there was an answer."""


class Metrics:
    """Implements ports.Listener. The registry is its own, never the process's."""

    def __init__(self, *, version: str) -> None:
        self._registry = registry = CollectorRegistry()
        self._series = series = Series(registry)
        self._children: dict[tuple[Any, ...], Any] = {}
        series.build_info.labels(version, platform.python_version()).set(1)
        for name, values in _KNOWN.items():
            self._prepare(getattr(series, name), *values)
        self._prepare(series.stream_aborts, ("upstream",), ("changed", "gone"))
        self._prepare(series.stream_aborts, ("gateway",), ("revoked", "drain", "internal"))
        self._tell: Mapping[type, Callable[[Any], None]] = {
            events.CacheLookup: lambda e: self._count(series.cache_lookups, e.cache, e.result),
            events.ValtCall: self._valt_call,
            events.ValtLogin: lambda e: self._count(series.valt_logins, e.account, e.outcome),
            events.JwksRefresh: lambda e: self._count(series.jwks_refreshes, e.issuer, e.outcome),
            events.IdentityTold: lambda e: self._count(series.identity, e.provider, e.outcome),
            events.GrantDecided: lambda e: self._count(series.grants, e.rule, e.outcome),
            events.LinkUsed: lambda e: series.link_remaining_seconds.observe(e.remaining),
            events.StreamResumed: lambda e: self._count(series.stream_resumes, e.reason, e.outcome),
            events.StreamAborted: lambda e: self._count(series.stream_aborts, e.side, e.reason),
            events.Relayed: lambda e: self._count(series.relay, e.way),
            events.BreakerChanged: lambda e: self._child(series.breaker_state, e.server).set(e.state),
            events.ConfigReloaded: lambda e: self._count(series.config_reloads, e.outcome),
            events.LimitReached: lambda e: self._count(series.limits, e.limit),
            events.LoopLagged: lambda e: series.event_loop_lag_seconds.observe(e.seconds),
            events.AuditWritten: lambda e: self._count(series.audit_events, e.event),
            events.AuditFailed: lambda _: series.audit_failures.inc(),
        }

    def know(
        self,
        *,
        routes: Iterable[str] = (),
        providers: Iterable[str] = (),
        rules: Iterable[str] = (),
        accounts: Iterable[str] = (),
        issuers: Iterable[str] = (),
        servers: Iterable[str] = (),
    ) -> None:
        """The label values of a configuration: present at zero from its start."""
        series = self._series
        self._prepare(series.request_seconds, (*routes, "other"))
        self._prepare(series.requests, (*routes, "other"), ("GET", "HEAD"), _STATUSES)
        self._prepare(series.identity, providers, ("accepted", "refused", "unavailable"))
        self._prepare(series.grants, ("", *rules), ("allowed", "denied", "unknown"))
        self._prepare(series.valt_logins, accounts, ("ok", "refused", "error", "timeout"))
        self._prepare(series.jwks_refreshes, issuers, ("ok", "error"))
        self._prepare(series.breaker_state, servers)

    def watch_streams(self, count: Callable[[], int]) -> None:
        """Read how many proxied streams run from *count*, whenever it is asked for."""
        self._child(self._series.streams_active, "proxy").set_function(count)

    def render(self) -> tuple[bytes, str]:
        """The exposition and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    def happened(self, event: events.Event) -> None:
        tell = self._tell.get(type(event))
        if tell is not None:
            tell(event)

    def ended(self, visit: Visit) -> None:
        series = self._series
        status = "none" if visit.status is None else str(visit.status)
        self._count(series.requests, visit.route, visit.method, status)
        self._child(series.request_seconds, visit.route).observe(visit.seconds)
        for stage, seconds in visit.stages.items():
            self._child(series.stage_seconds, stage).observe(seconds)
        if visit.opened and visit.delivery is not None:
            self._count(series.deliveries, visit.delivery, visit.outcome or "whole")
            if visit.bytes:
                series.stream_bytes.inc(visit.bytes)
            if visit.delivery == "proxy":
                series.stream_first_byte_seconds.observe(sum(visit.stages.values()))

    def _valt_call(self, event: events.ValtCall) -> None:
        self._count(self._series.valt_requests, event.operation, event.outcome)
        self._child(self._series.valt_request_seconds, event.operation).observe(event.seconds)

    def _count(self, metric: MetricWrapperBase, *values: str) -> None:
        self._child(metric, *values).inc()

    def _child(self, metric: MetricWrapperBase, *values: str) -> Any:
        key = (metric, *values)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = metric.labels(*values)
        return child

    def _prepare(self, metric: MetricWrapperBase, first: Iterable[str], *rest: Iterable[str]) -> None:
        combinations: list[tuple[str, ...]] = [(value,) for value in first]
        for values in rest:
            combinations = [(*combination, value) for combination in combinations for value in values]
        for combination in combinations:
            self._child(metric, *combination)
