"""The metrics' listener. What a request tells is noted as plain numbers, and reaches the library when somebody asks or
much has gathered: its locks and look-ups by labels on every request would cost more than the request's own bookkeeping.
"""

import platform
from collections import defaultdict
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


_MOST_NOTED = 512
"""Observations of one histogram that wait: a few kilobytes, and well under a millisecond to hand over."""


class Metrics:
    """Implements ports.Listener. The registry is its own, never the process's."""

    def __init__(self, *, version: str) -> None:
        self._registry = registry = CollectorRegistry()
        self._series = series = Series(registry)
        self._children: dict[tuple[Any, ...], Any] = {}
        self._counted: defaultdict[tuple[Any, ...], int] = defaultdict(int)
        self._observed: defaultdict[tuple[Any, ...], list[float]] = defaultdict(list)
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
            events.LinkUsed: lambda e: self._observe(e.remaining, series.link_remaining_seconds),
            events.StreamResumed: lambda e: self._count(series.stream_resumes, e.reason, e.outcome),
            events.StreamAborted: lambda e: self._count(series.stream_aborts, e.side, e.reason),
            events.Relayed: lambda e: self._count(series.relay, e.way),
            events.BreakerChanged: lambda e: self._child(series.breaker_state, e.server).set(e.state),
            events.ConfigReloaded: lambda e: self._count(series.config_reloads, e.outcome),
            events.LimitReached: lambda e: self._count(series.limits, e.limit),
            events.LoopLagged: lambda e: self._observe(e.seconds, series.event_loop_lag_seconds),
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
        self._hand_over()
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    def happened(self, event: events.Event) -> None:
        tell = self._tell.get(type(event))
        if tell is not None:
            tell(event)

    def ended(self, visit: Visit) -> None:
        series = self._series
        status = "none" if visit.status is None else str(visit.status)
        self._count(series.requests, visit.route, visit.method, status)
        self._observe(visit.seconds, series.request_seconds, visit.route)
        for stage, seconds in visit.stages.items():
            self._observe(seconds, series.stage_seconds, stage)
        if visit.opened and visit.delivery is not None:
            self._count(series.deliveries, visit.delivery, visit.outcome or "whole")
            if visit.bytes:
                series.stream_bytes.inc(visit.bytes)
            if visit.delivery == "proxy":
                self._observe(sum(visit.stages.values()), series.stream_first_byte_seconds)

    def _valt_call(self, event: events.ValtCall) -> None:
        self._count(self._series.valt_requests, event.operation, event.outcome)
        self._observe(event.seconds, self._series.valt_request_seconds, event.operation)

    def _count(self, *key: Any) -> None:
        """*key* is the metric and the values of its labels."""
        self._counted[key] += 1

    def _observe(self, number: float, *key: Any) -> None:
        noted = self._observed[key]
        noted.append(number)
        if len(noted) == _MOST_NOTED:
            self._hand_over_observed(key, noted)

    def _hand_over(self) -> None:
        """Tell the library what was noted."""
        for key, count in self._counted.items():
            self._child(*key).inc(count)
        self._counted.clear()
        for key, noted in self._observed.items():
            self._hand_over_observed(key, noted)

    def _hand_over_observed(self, key: tuple[Any, ...], noted: list[float]) -> None:
        observe = self._child(*key).observe
        for number in noted:
            observe(number)
        noted.clear()

    def _child(self, metric: MetricWrapperBase, *values: str) -> Any:
        key = (metric, *values)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = metric.labels(*values) if values else metric
        return child

    def _prepare(self, metric: MetricWrapperBase, first: Iterable[str], *rest: Iterable[str]) -> None:
        combinations: list[tuple[str, ...]] = [(value,) for value in first]
        for values in rest:
            combinations = [(*combination, value) for combination in combinations for value in values]
        for combination in combinations:
            self._child(metric, *combination)
