"""The metrics' listener: what happened, added to the series that tell of it.

It is put aside on the road of a request and added up later, many at a time: to do one thing a hundred times costs a
third of doing it a hundred times among a hundred others. That is when there are many, with each look at the event loop,
so that nothing grows where nobody asks or scrapes, and before anybody reads the numbers.
"""

import platform
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from gateway import events
from gateway.model import Delivery
from gateway.observe.observers import Hear
from gateway.observe.series import Series
from gateway.request_record import RequestRecord

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


_BATCH = 256
"""Requests that are put aside before they are added up."""


class Metrics:
    """Implements listeners.Hearer."""

    def __init__(self, *, version: str) -> None:
        self._series = series = Series()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(cast("Collector", series))
        series.build_info.set((version, platform.python_version()), 1)
        for name, values in _KNOWN.items():
            getattr(series, name).prepare(*values)
        series.stream_aborts.prepare(("upstream",), ("changed", "gone"))
        series.stream_aborts.prepare(("gateway",), ("revoked", "drain", "internal"))
        self._fold: Mapping[type[events.Event], Callable[[list[Any]], None]] = {
            events.CacheLookup: series.cache_lookups.count,
            events.ValtCall: self._valt_calls,
            events.ValtLogin: series.valt_logins.count,
            events.JwksRefresh: series.jwks_refreshes.count,
            events.IdentityDecided: series.identity.count,
            events.GrantDecided: series.grants.count,
            events.LinkUsed: series.link_remaining_seconds.observe,
            events.StreamResumed: series.stream_resumes.count,
            events.StreamAborted: series.stream_aborts.count,
            events.RelayStarted: series.relay.count,
            events.ConfigReloaded: series.config_reloads.count,
            events.LimitReached: series.limits.count,
            events.LoopLagMeasured: series.event_loop_lag_seconds.observe,
            events.AuditWritten: series.audit_events.count,
            events.AuditFailed: series.audit_failures.count,
        }
        self._told: dict[type[events.Event], list[Any]] = {kind: [] for kind in self._fold}
        self._over: list[RequestRecord] = []

    def know(
        self,
        *,
        routes: Iterable[str] = (),
        providers: Iterable[str] = (),
        rules: Iterable[str] = (),
        accounts: Iterable[str] = (),
        jwks_providers: Iterable[str] = (),
    ) -> None:
        """The label values of a configuration: present at zero from its start."""
        series, routes = self._series, (*routes, "other")
        series.request_seconds.prepare(routes)
        series.requests.prepare(routes, ("GET", "HEAD"), _STATUSES)
        series.identity.prepare(providers, ("accepted", "refused", "unavailable"))
        series.grants.prepare(("", *rules), ("allowed", "denied", "unknown"))
        series.valt_logins.prepare(accounts, ("ok", "refused", "error", "timeout"))
        series.jwks_refreshes.prepare(jwks_providers, ("ok", "error"))

    def watch_streams(self, count: Callable[[], int]) -> None:
        """Read how many proxied streams run from *count*, whenever it is asked for."""
        self._series.streams_active.ask(("proxy",), count)

    def watch_breaker(self, server: str, state: Callable[[], float]) -> None:
        """Read the breaker of *server* from *state*, whenever it is asked for; that of a server before it is gone."""
        self._series.breaker_state.forget()
        self._series.breaker_state.ask((server,), state)

    def render(self) -> tuple[bytes, str]:
        """The exposition and its content type."""
        self._add_up()
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    def hears(self, kind: type[events.Event]) -> Hear | None:
        if kind is events.LoopLagMeasured:
            return self._lagged
        told = self._told.get(kind)
        return None if told is None else told.append

    def on_request_end(self, request_record: RequestRecord) -> None:
        self._over.append(request_record)
        if len(self._over) >= _BATCH:
            self._add_up()

    def _lagged(self, event: events.LoopLagMeasured) -> None:
        self._told[events.LoopLagMeasured].append(event)
        self._add_up()

    def _add_up(self) -> None:
        for kind, told in self._told.items():
            self._fold[kind](told)
            told.clear()
        for request_record in self._over:
            self._visited(request_record)
        self._over.clear()

    def _visited(self, request_record: RequestRecord) -> None:
        series, stages = self._series, request_record.stages
        series.requests.numbers[request_record.route, request_record.method, request_record.status or _NO_STATUS] += 1
        series.request_seconds.rows[request_record.route,].add(request_record.seconds)
        stage_rows = series.stage_seconds.rows
        for stage, seconds in stages.items():
            stage_rows[stage,].add(seconds)
        if request_record.opened and request_record.delivery is not None:
            series.deliveries.numbers[request_record.delivery, request_record.outcome or "whole"] += 1
            series.stream_bytes.numbers[()] += request_record.bytes
            if request_record.delivery == Delivery.PROXY:
                series.stream_first_byte_seconds.rows[()].add(sum(stages.values()))

    def _valt_calls(self, told: list[events.ValtCall]) -> None:
        for call in told:
            self._series.valt_requests.numbers[call.operation, call.outcome] += 1
            self._series.valt_request_seconds.rows[call.operation,].add(call.seconds)
