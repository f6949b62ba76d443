"""Every series by its exact name: other people's dashboards use them. Base units, no person, recording or URL."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

_REQUEST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)
_QUICK = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_LIFE = (0, 15, 30, 60, 120, 300, 600, 900, 1200, 1500, 1800, 3600)


class Series:
    """The metrics, registered with *registry*."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # The library's own extra series would nearly double the exposition; process start times tell the same.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library types it not

        def counter(name: str, help_: str, *labels: str) -> Counter:
            return Counter(f"valt_gateway_{name}", help_, labels, registry=registry)

        def histogram(name: str, help_: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"valt_gateway_{name}", help_, labels, buckets=buckets, registry=registry)

        def gauge(name: str, help_: str, *labels: str) -> Gauge:
            return Gauge(f"valt_gateway_{name}", help_, labels, registry=registry)

        self.build_info = gauge("build_info", "What is running; always 1", "version", "python")
        self.requests = counter("requests_total", "Requests answered", "route", "method", "status")
        self.request_seconds = histogram("request_seconds", "From head to last byte", _REQUEST, "route")
        self.identity = counter("identity_total", "Answers of identity providers", "provider", "outcome")
        self.grants = counter("grants_total", "Decisions", "rule", "outcome")
        self.stage_seconds = histogram("stage_seconds", "What each step of the road took", _QUICK, "stage")
        self.valt_requests = counter("valt_requests_total", "Calls of VALT's API", "operation", "outcome")
        self.valt_request_seconds = histogram("valt_request_seconds", "What they took", _QUICK, "operation")
        self.valt_logins = counter("valt_logins_total", "Logins at VALT", "account", "outcome")
        self.cache_lookups = counter("cache_lookups_total", "Looks into a cache", "cache", "result")
        self.link_remaining_seconds = histogram("link_remaining_seconds", "Life a link had when it was used", _LIFE)
        self.deliveries = counter("deliveries_total", "Deliveries ended", "delivery", "outcome")
        self.streams_active = gauge("streams_active", "Streams running now", "delivery")
        self.stream_bytes = counter("stream_bytes_total", "Bytes of media handed to viewers")
        self.stream_first_byte_seconds = histogram(
            "stream_first_byte_seconds", "From request to media's first byte", _QUICK
        )
        self.stream_resumes = counter("stream_resumes_total", "Bodies asked for again", "reason", "outcome")
        self.stream_aborts = counter("stream_aborts_total", "Streams ended before their end", "side", "reason")
        self.relay = counter("relay_total", "Bodies begun, by the way they move", "way")
        self.breaker_state = gauge("breaker_state", "0 closed, 1 half open, 2 open", "server")
        self.config_reloads = counter("config_reloads_total", "Reloads of the configuration", "outcome")
        self.jwks_refreshes = counter("jwks_refreshes_total", "Fetches of a provider's keys", "issuer", "outcome")
        self.limits = counter("limits_total", "Requests turned away by a limit", "limit")
        self.audit_events = counter("audit_events_total", "Lines written to the audit", "event")
        self.audit_failures = counter("audit_failures_total", "Lines that could not be written")
        self.event_loop_lag_seconds = histogram("event_loop_lag_seconds", "How late the event loop runs", _QUICK)
