"""Counts events and finished requests on the metrics of `metric_definitions`.

How it works: an increment costs 0.3 µs, and there are a dozen in a request. So events are collected, and counted
together with a batch of requests (see refusals.py): one increment for each label set. Values of histograms are observed
one by one, for prometheus_client has no other way.
"""

import collections
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from gateway import events
from gateway.model import Delivery, Outcome
from gateway.observe.metric_definitions import Children, Labels, MetricDefinitions
from gateway.ports import E, Observer
from gateway.request_record import RequestRecord

_NO_STATUS = "none"
"""The ``status`` of a request whose client disconnected before there was a response."""
_UNROUTED = (("GET", "HEAD", "other"), (400, 404, 405, 408, 431))
"""Methods and statuses of the route ``other``: unknown paths, and what is refused before its path is looked at."""

RouteLabels = tuple[Iterable[str], Iterable[int]]
"""The methods and the usual statuses of a route."""


class Metrics(Observer):
    """Implements ports.Observer. *commit* is the source's; *registry* is a new one unless given."""

    def __init__(self, *, version: str, commit: str = "unknown", registry: CollectorRegistry | None = None) -> None:
        self._registry = CollectorRegistry() if registry is None else registry
        self._metrics = metrics = MetricDefinitions(self._registry, version, commit)
        self._set_last_reload(successful=True)
        self._active_streams: Callable[[], int] = int
        self._active_connections: Callable[[], int] = int
        self._flush_requests: Callable[[], None] = lambda: None
        self._write: Callable[[], None] = lambda: None
        self._audit_is_writable: Callable[[], bool] = lambda: True
        self._state_is_available: Callable[[], bool] = lambda: True
        self._breaker: tuple[str, Callable[[], float]] | None = None
        self._counters: dict[type[events.Event], Children[Counter]] = {
            events.CacheLookup: metrics.cache_lookups,
            events.ValtLogin: metrics.valt_logins,
            events.JwksRefresh: metrics.jwks_refreshes,
            events.IdentityDecided: metrics.identity,
            events.GrantDecided: metrics.grants,
            events.StreamResumed: metrics.stream_resumes,
            events.StreamAborted: metrics.stream_aborts,
            events.RelayStarted: metrics.relay,
            events.ConfigReloaded: metrics.config_reloads,
            events.LimitReached: metrics.limits,
            events.AuditWritten: metrics.audit_events,
            events.AuditFailed: metrics.audit_failures,
            events.LogLineDropped: metrics.log_lines_dropped,
            events.RefusalSuppressed: metrics.refusals_suppressed,
            events.SpanDropped: metrics.spans_dropped,
            events.FilmIndexLoaded: metrics.film_indexes,
        }
        measured = (events.ValtCall, events.LinkUsed, events.LoopLagMeasured)
        self._events: dict[type[Any], list[Any]] = {kind: [] for kind in (*self._counters, *measured)}

    def prepare(
        self,
        *,
        routes: Mapping[str, RouteLabels] = MappingProxyType({}),
        providers: Iterable[str] = (),
        rules: Iterable[str] = (),
        accounts: Iterable[str] = (),
        jwks_providers: Iterable[str] = (),
        service_keys: Mapping[str, float] = MappingProxyType({}),
        certificates: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        """Adds the label values of a configuration, so that they are present at zero before anything is counted.

        *service_keys* and *certificates* replace those of an earlier configuration: their expiry in Unix seconds, by
        their names. A name without an expiry has no series: zero would be a time in the past.
        """
        metrics = self._metrics
        for route, (methods, statuses) in {**routes, "other": _UNROUTED}.items():
            metrics.request_seconds.prepare((route,))
            metrics.requests.prepare((route,), methods, (*statuses, _NO_STATUS))
        for gauge, expiries in (
            (metrics.service_key_expiry_timestamp_seconds, service_keys),
            (metrics.certificate_expiry_timestamp_seconds, certificates),
        ):
            gauge.clear()
            for name, expiry in expiries.items():
                gauge[name,].set(expiry)
        metrics.identity.prepare(providers, ("accepted", "refused", "unavailable"))
        metrics.grants.prepare(("", *rules), ("allowed", "denied", "unknown"))
        metrics.valt_logins.prepare(accounts, ("ok", "refused", "error", "timeout"))
        metrics.jwks_refreshes.prepare(jwks_providers, ("ok", "error"))

    def watch_streams(self, count: Callable[[], int]) -> None:
        """Take the number of running proxied streams from *count* with each batch."""
        self._active_streams = count

    def watch_connections(self, count: Callable[[], int]) -> None:
        """Take the number of connections to the public listener from *count* with each batch."""
        self._active_connections = count

    def watch_requests(self, flush: Callable[[], None]) -> None:
        """Call *flush*, which has the requests that have ended counted, before the metrics are rendered."""
        self._flush_requests = flush

    def write_with(self, write: Callable[[], None]) -> None:
        """Call *write* after each batch: the metrics are those of a worker, which the supervisor reads from files."""
        self._write = write

    def watch_outputs(self, is_audit_writable: Callable[[], bool], is_state_available: Callable[[], bool]) -> None:
        """Take whether the audit and the state can be written from these with each batch."""
        self._audit_is_writable, self._state_is_available = is_audit_writable, is_state_available

    def watch_breaker(self, server: str, state: Callable[[], float]) -> None:
        """Take the circuit breaker's state from *state* with each batch, in place of an earlier server's."""
        if self._breaker is not None and self._breaker[0] != server:
            self._metrics.breaker_state.clear()
        self._breaker = server, state

    def render(self) -> tuple[bytes, str]:
        """The exposition in Prometheus' text format, and its content type."""
        self._flush_requests()
        self.flush()
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    def on_event(self, event: events.Event) -> None:
        kind = type(event)
        if isinstance(event, events.ConfigReloaded):
            self._set_last_reload(successful=event.outcome == "ok")
        batch = self._events.get(kind)
        if batch is not None:
            batch.append(event)
            if kind is events.LoopLagMeasured:
                self.flush()

    def reporter(self, kind: type[E]) -> Callable[[E], None]:
        if kind in (events.ConfigReloaded, events.LoopLagMeasured) or kind not in self._events:
            return self.on_event
        return self._events[kind].append

    def on_request_end(self, record: RequestRecord) -> None:
        self.on_requests_end([record])

    def on_requests_end(self, records: Sequence[RequestRecord]) -> None:
        self._count_records(records)
        self.flush()

    def _set_last_reload(self, *, successful: bool) -> None:
        self._metrics.config_last_reload_successful[()].set(successful)
        self._metrics.config_last_reload_timestamp_seconds[()].set_to_current_time()

    def flush(self) -> None:
        """Counts the events that were collected, and sets the gauges."""
        metrics = self._metrics
        for kind, counter in self._counters.items():
            if batch := self._events[kind]:
                _count(counter, batch)
        self._observe_events(self._events)
        for batch in self._events.values():
            batch.clear()
        metrics.streams_active["proxy",].set(self._active_streams())
        metrics.connections_active[()].set(self._active_connections())
        metrics.audit_writable[()].set(self._audit_is_writable())
        metrics.state_available[()].set(self._state_is_available())
        if self._breaker is not None:
            server, state = self._breaker
            metrics.breaker_state[server,].set(state())
        self._write()

    def _observe_events(self, batches: dict[type[events.Event], list[Any]]) -> None:
        metrics = self._metrics
        calls: list[events.ValtCall] = batches[events.ValtCall]
        _count(metrics.valt_requests, ((call.operation, call.outcome) for call in calls))
        for call in calls:
            metrics.valt_request_seconds[call.operation,].observe(call.seconds)
        observe = metrics.link_remaining_seconds[()].observe
        for (remaining,) in batches[events.LinkUsed]:
            observe(remaining)
        for (lag,) in batches[events.LoopLagMeasured]:
            metrics.event_loop_lag_seconds[()].observe(lag)

    def _count_records(self, records: Sequence[RequestRecord]) -> None:
        metrics = self._metrics
        _count(metrics.requests, ((record.route, record.method, record.status or _NO_STATUS) for record in records))
        for record in records:
            metrics.request_seconds[record.route,].observe(record.seconds)
            for stage, seconds in record.stages:
                metrics.stage_seconds[stage,].observe(seconds)
        delivered = [record for record in records if record.opened and record.delivery is not None]
        _count(metrics.deliveries, ((record.delivery or "", record.outcome or Outcome.WHOLE) for record in delivered))
        metrics.stream_bytes[()].inc(sum(record.bytes for record in delivered))
        for record in delivered:
            if record.delivery == Delivery.PROXY:
                metrics.stream_first_byte_seconds[()].observe(sum(seconds for _, seconds in record.stages))


def _count(counter: Children[Counter], batch: Iterable[Labels]) -> None:
    """Increment the child of each label set in *batch* by the number of its occurrences."""
    for labels, occurrences in collections.Counter(batch).items():
        counter[labels].inc(occurrences)
