"""Every metric with the name and the labels that the README lists, on prometheus_client's own types.

Base units; no label holds a person, a recording or a URL.
"""

import platform
from collections.abc import Iterable
from itertools import product
from typing import Generic, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.metrics import MetricWrapperBase

from gateway.events import AUDIT_EVENTS, FILM_INDEX_OUTCOMES
from gateway.model import Delivery, Outcome, Stage

disable_created_metrics()  # type: ignore[no-untyped-call]  # the _created series are not promised, and would double the size of a scrape

_REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)
_STEP_SECONDS = (
    *(0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
_LINK_SECONDS = (0, 15, 30, 60, 120, 300, 600, 900, 1200, 1500, 1800, 3600)
_OPERATIONS = ("login", "download", "record", "search", "rooms", "general", "comments")

Labels = tuple[str | int, ...]
Values = Iterable[str | int]
Metric = TypeVar("Metric", bound=MetricWrapperBase)


class Children(dict[Labels, Metric], Generic[Metric]):
    """The children of *metric* by the values of their labels; each is created when it is first used.

    A look-up here costs 0.05 µs, ``metric.labels()`` 1 µs. A metric without labels is its own only child, at ``()``.
    """

    def __init__(self, metric: Metric) -> None:
        super().__init__()
        self._metric: Metric = metric

    def __missing__(self, labels: Labels) -> Metric:
        child = self[tuple(labels)] = self._metric.labels(*labels) if labels else self._metric
        return child

    def prepare(self, *values: Values) -> None:
        """Create the child of every combination of *values*, which are those of each label, at zero."""
        for labels in product(*values):
            self[labels]

    def clear(self) -> None:
        """Remove every child, so that none is exposed until it is used again."""
        if self:  # of a process's file of metrics, prometheus_client removes none, and warns on standard error
            super().clear()
            self._metric.clear()


class MetricDefinitions:
    """Registers every metric with *registry*. *version* and *commit* are those of the running source.

    Label values that do not depend on the configuration are present at zero.
    """

    def __init__(self, registry: CollectorRegistry, version: str, commit: str) -> None:
        self._registry = registry
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        self._gauge("build_info", "Version that is running; always 1", "livemax", "version", "commit", "python")[
            version, commit, platform.python_version()
        ].set(1)
        self.requests = self._counter("requests_total", "HTTP requests completed", "route", "method", "status")
        self.request_seconds = self._histogram(
            "request_seconds",
            "Duration of HTTP requests, from head to last byte, in seconds",
            _REQUEST_SECONDS,
            "route",
        )
        self.identity = self._counter("identity_total", "Authentications by identity provider", "provider", "outcome")
        self.grants = self._counter("grants_total", "Authorization decisions by rule", "rule", "outcome")
        self.stage_seconds = self._histogram(
            "stage_seconds", "Duration of each stage of a request in seconds", _STEP_SECONDS, "stage"
        )
        self.stage_seconds.prepare(Stage)
        self.valt_requests = self._counter("valt_requests_total", "VALT API calls", "operation", "outcome")
        self.valt_requests.prepare(_OPERATIONS, ("ok", "refused", "not_found", "error", "timeout"))
        self.valt_request_seconds = self._histogram(
            "valt_request_seconds", "Duration of VALT API calls in seconds", _STEP_SECONDS, "operation"
        )
        self.valt_request_seconds.prepare(_OPERATIONS)
        self.valt_logins = self._counter("valt_logins_total", "Logins at VALT", "account", "outcome")
        self.cache_lookups = self._counter("cache_lookups_total", "Cache lookups", "cache", "result")
        self.cache_lookups.prepare(
            ("token", "link", "jwks", "recording", "verified", "index"),
            ("hit", "loaded", "joined", "negative", "short"),
        )
        self.link_remaining_seconds = self._histogram(
            "link_remaining_seconds", "Remaining lifetime of links at their use in seconds", _LINK_SECONDS
        )
        self.deliveries = self._counter("deliveries_total", "Deliveries that ended", "delivery", "outcome")
        self.deliveries.prepare(Delivery, Outcome)
        self.streams_active = self._gauge("streams_active", "Streams that are running", "livesum", "delivery")
        self.streams_active.prepare(Delivery)
        self.connections_active = self._gauge("connections_active", "Connections to the public listener", "livesum")
        self.stream_bytes = self._counter("stream_bytes_total", "Bytes of media sent to clients")
        self.stream_first_byte_seconds = self._histogram(
            "stream_first_byte_seconds", "Time from request to first byte of media in seconds", _STEP_SECONDS
        )
        self.stream_resumes = self._counter(
            "stream_resumes_total", "Attempts to resume a body from the media server", "reason", "outcome"
        )
        self.stream_resumes.prepare(("dropped", "stalled", "short", "link_refused", "idle"), ("ok", "failed"))
        self.stream_aborts = self._counter("stream_aborts_total", "Streams that ended early", "side", "reason")
        self.stream_aborts.prepare(("viewer",), ("left", "idle"))
        self.stream_aborts.prepare(("upstream",), ("changed", "gone"))
        self.stream_aborts.prepare(("gateway",), ("revoked", "drain", "internal", "operator"))
        self.relay = self._counter("relay_total", "Bodies relayed: fast by splice, plain by copying", "way")
        self.relay.prepare(("fast", "plain"))
        self.breaker_state = self._gauge(
            "breaker_state", "VALT API circuit breaker: 0 closed, 1 half open, 2 open", "livemax", "server"
        )
        self.config_reloads = self._counter("config_reloads_total", "Reloads of the configuration", "outcome")
        self.config_reloads.prepare(("ok", "failed"))
        self.config_last_reload_successful, self.config_last_reload_timestamp_seconds = (
            self._newest("config_last_reload_successful", "Whether the last configuration could be applied, 1 or 0"),
            self._newest("config_last_reload_timestamp_seconds", "Unix time of the last start or reload"),
        )
        self.certificate_expiry_timestamp_seconds, self.service_key_expiry_timestamp_seconds = (
            self._expiry("certificate", "Unix time at which a listener's certificate expires"),
            self._expiry("service_key", "Unix time at which a service key with a last day expires"),
        )
        self.jwks_refreshes = self._counter(
            "jwks_refreshes_total", "Fetches of an identity provider's keys (JWKS)", "provider", "outcome"
        )
        self.limits = self._counter("limits_total", "Requests refused by a limit", "limit")
        self.limits.prepare(
            ("streams", "streams_per_person", "streams_per_address", "waiting_for_valt", "requests_per_minute")
        )
        self.audit_events = self._counter("audit_events_total", "Audit lines written", "event")
        self.audit_events.prepare(AUDIT_EVENTS)
        self.audit_failures = self._counter("audit_failures_total", "Audit lines that could not be written at once")
        self.audit_writable, self.state_available = (
            self._health("audit_writable", "Whether the audit can be written, 1 or 0"),
            self._health("state_available", "Whether the state can be read and written, 1 or 0"),
        )
        self.log_lines_dropped, self.spans_dropped = (
            self._counter("log_lines_dropped_total", "Log lines that were dropped"),
            self._counter("trace_spans_dropped_total", "Spans of traces that the collector did not take"),
        )
        self.refusals_suppressed = self._counter(
            "refusals_suppressed_total", "Refusals that have a summary line instead of lines of their own"
        )
        self.film_indexes = self._counter(
            "film_indexes_total", "Loads of a film's index, for the seconds in the audit", "outcome"
        )
        self.film_indexes.prepare(FILM_INDEX_OUTCOMES)
        self.event_loop_lag_seconds = self._histogram(
            "event_loop_lag_seconds", "Delay of the event loop's timers in seconds", _STEP_SECONDS
        )

    def _counter(self, name: str, help_: str, *labels: str) -> Children[Counter]:
        return Children(Counter(name, help_, labels, namespace="valt_gateway", registry=self._registry))

    def _gauge(self, name: str, help_: str, mode: str, *labels: str) -> Children[Gauge]:
        """*mode* is how prometheus_client combines the values of several processes."""
        return Children(
            Gauge(
                name,
                help_,
                labels,
                namespace="valt_gateway",
                registry=self._registry,
                multiprocess_mode=mode,  # type: ignore[arg-type]
            )
        )

    def _newest(self, name: str, help_: str, *labels: str) -> Children[Gauge]:
        """A gauge of which the value that was set last counts, in whichever process."""
        return self._gauge(name, help_, "livemostrecent", *labels)

    def _expiry(self, what: str, help_: str) -> Children[Gauge]:
        return self._newest(f"{what}_expiry_timestamp_seconds", help_, "name")

    def _health(self, name: str, help_: str) -> Children[Gauge]:
        """A gauge that is 0 if it is 0 in any process. It is 1 until it is set: a worker that starts has no fault."""
        gauge = self._gauge(name, help_, "livemin")
        gauge[()].set(1)
        return gauge

    def _histogram(self, name: str, help_: str, buckets: tuple[float, ...], *labels: str) -> Children[Histogram]:
        return Children(
            Histogram(name, help_, labels, namespace="valt_gateway", registry=self._registry, buckets=buckets)
        )
