"""Every series by its exact name: other people's dashboards use them. Base units, no person, recording or URL.

The numbers are plain ones, added up on the road of every request and made into the library's families when somebody
asks for them: the library's own counters take a lock and a look-up by labels each time.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import accumulate, product

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString

_REQUEST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)
_QUICK = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_LIFE = (0, 15, 30, 60, 120, 300, 600, 900, 1200, 1500, 1800, 3600)

Labels = tuple[str | int, ...]


class Counter:
    """*numbers* by the values of its labels; who counts adds to them."""

    def __init__(self, name: str, help_: str, *labels: str) -> None:
        self._name, self._help, self._labels = f"valt_gateway_{name}", help_, labels
        self.numbers: defaultdict[Labels, float] = defaultdict(float)
        if not labels:
            self.prepare()

    def count(self, told: Iterable[Labels]) -> None:
        """One more for each that was told."""
        for labels in told:
            self.numbers[labels] += 1

    def prepare(self, *values: Iterable[str | int]) -> None:
        """Be present at zero for every combination of the labels' *values*."""
        for labels in product(*values):
            self.numbers.setdefault(labels, 0)

    def family(self) -> Metric:
        family = CounterMetricFamily(self._name, self._help, labels=self._labels)
        for labels, number in self.numbers.items():
            family.add_metric([*map(str, labels)], number)
        return family


class Gauge(Counter):
    """Numbers that go both ways; one that is a function is asked for when it is shown."""

    def __init__(self, name: str, help_: str, *labels: str) -> None:
        super().__init__(name, help_, *labels)
        self._asked: dict[Labels, Callable[[], float]] = {}

    def set(self, labels: Labels, number: float) -> None:
        self.numbers[labels] = number

    def ask(self, labels: Labels, function: Callable[[], float]) -> None:
        self._asked[labels] = function

    def forget(self) -> None:
        """Show nothing until something is told anew."""
        self.numbers.clear()
        self._asked.clear()

    def family(self) -> Metric:
        family = GaugeMetricFamily(self._name, self._help, labels=self._labels)
        for labels, number in {**self.numbers, **{labels: ask() for labels, ask in self._asked.items()}}.items():
            family.add_metric([*map(str, labels)], number)
        return family


class Row:
    """How often a number fell between two of *bounds*, and all of them added up."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds, self.counts, self.sum = bounds, [0] * (len(bounds) + 1), 0.0

    def add(self, number: float) -> None:
        self.counts[bisect_left(self.bounds, number)] += 1
        self.sum += number


class Histogram:
    """*rows* by the values of its labels; an upper bound is within (Prometheus: ``le``)."""

    def __init__(self, name: str, help_: str, bounds: Sequence[float], *labels: str) -> None:
        self._name, self._help, self._bounds, self._labels = f"valt_gateway_{name}", help_, bounds, labels
        self.rows: defaultdict[Labels, Row] = defaultdict(partial(Row, bounds))
        if not labels:
            self.prepare()

    def observe(self, told: Iterable[tuple[float]]) -> None:
        """Each that was told, for one without labels."""
        for (number,) in told:
            self.rows[()].add(number)

    def prepare(self, *values: Iterable[str]) -> None:
        """Be present at zero for every combination of the labels' *values*."""
        for labels in product(*values):
            self.rows[labels]

    def family(self) -> Metric:
        family = HistogramMetricFamily(self._name, self._help, labels=self._labels)
        bounds = [*map(floatToGoString, self._bounds), "+Inf"]
        for labels, row in self.rows.items():
            buckets = list(zip(bounds, accumulate(row.counts), strict=True))
            family.add_metric([*map(str, labels)], buckets, row.sum)
        return family


class Series:
    """The metrics. Implements the library's Collector."""

    def __init__(self) -> None:
        self.build_info = Gauge("build_info", "What is running; always 1", "version", "python")
        self.requests = Counter("requests_total", "Requests answered", "route", "method", "status")
        self.request_seconds = Histogram("request_seconds", "From head to last byte", _REQUEST, "route")
        self.identity = Counter("identity_total", "Answers of identity providers", "provider", "outcome")
        self.grants = Counter("grants_total", "Decisions", "rule", "outcome")
        self.stage_seconds = Histogram("stage_seconds", "What each step of the road took", _QUICK, "stage")
        self.valt_requests = Counter("valt_requests_total", "Calls of VALT's API", "operation", "outcome")
        self.valt_request_seconds = Histogram("valt_request_seconds", "What they took", _QUICK, "operation")
        self.valt_logins = Counter("valt_logins_total", "Logins at VALT", "account", "outcome")
        self.cache_lookups = Counter("cache_lookups_total", "Looks into a cache", "cache", "result")
        self.link_remaining_seconds = Histogram("link_remaining_seconds", "Life a link had when it was used", _LIFE)
        self.deliveries = Counter("deliveries_total", "Deliveries ended", "delivery", "outcome")
        self.streams_active = Gauge("streams_active", "Streams running now", "delivery")
        self.stream_bytes = Counter("stream_bytes_total", "Bytes of media handed to viewers")
        self.stream_first_byte_seconds = Histogram(
            "stream_first_byte_seconds", "From request to media's first byte", _QUICK
        )
        self.stream_resumes = Counter("stream_resumes_total", "Bodies asked for again", "reason", "outcome")
        self.stream_aborts = Counter("stream_aborts_total", "Streams ended before their end", "side", "reason")
        self.relay = Counter("relay_total", "Bodies begun, by the way they move", "way")
        self.breaker_state = Gauge("breaker_state", "0 closed, 1 half open, 2 open", "server")
        self.config_reloads = Counter("config_reloads_total", "Reloads of the configuration", "outcome")
        self.jwks_refreshes = Counter(
            "jwks_refreshes_total", "Fetches of an identity provider's keys (JWKS)", "provider", "outcome"
        )
        self.limits = Counter("limits_total", "Requests turned away by a limit", "limit")
        self.audit_events = Counter("audit_events_total", "Lines written to the audit", "event")
        self.audit_failures = Counter("audit_failures_total", "Lines that could not be written")
        self.event_loop_lag_seconds = Histogram("event_loop_lag_seconds", "How late the event loop runs", _QUICK)

    def collect(self) -> Iterator[Metric]:
        for series in vars(self).values():
            yield series.family()
