"""Metrics: the promised names and labels, present from the start, and what each event and request counts."""

import platform
import sys
import time
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from gateway import events
from gateway.events import Event
from gateway.model import Delivery, Outcome, Stage
from gateway.observe.metrics import Metrics
from gateway.observe.observers import Observers
from gateway.request_record import RequestRecord
from tests.support.clock import ManualClock

ROUTE = "/recordings/{recording}/videos/{video}"
EXPIRY = 1_800_000_000
# Each promised metric: its kind and its labels.
PROMISED = {
    "build_info": ("gauge", {"version", "commit", "python"}),
    "requests_total": ("counter", {"route", "method", "status"}),
    "request_seconds": ("histogram", {"route"}),
    "identity_total": ("counter", {"provider", "outcome"}),
    "grants_total": ("counter", {"rule", "outcome"}),
    "stage_seconds": ("histogram", {"stage"}),
    "valt_requests_total": ("counter", {"operation", "outcome"}),
    "valt_request_seconds": ("histogram", {"operation"}),
    "valt_logins_total": ("counter", {"account", "outcome"}),
    "cache_lookups_total": ("counter", {"cache", "result"}),
    "link_remaining_seconds": ("histogram", set()),
    "deliveries_total": ("counter", {"delivery", "outcome"}),
    "streams_active": ("gauge", {"delivery"}),
    "connections_active": ("gauge", set()),
    "stream_bytes_total": ("counter", set()),
    "stream_first_byte_seconds": ("histogram", set()),
    "stream_resumes_total": ("counter", {"reason", "outcome"}),
    "stream_aborts_total": ("counter", {"side", "reason"}),
    "relay_total": ("counter", {"way"}),
    "breaker_state": ("gauge", {"server"}),
    "config_reloads_total": ("counter", {"outcome"}),
    "certificate_expiry_timestamp_seconds": ("gauge", {"name"}),
    "service_key_expiry_timestamp_seconds": ("gauge", {"name"}),
    "jwks_refreshes_total": ("counter", {"provider", "outcome"}),
    "limits_total": ("counter", {"limit"}),
    "audit_events_total": ("counter", {"event"}),
    "audit_failures_total": ("counter", set()),
    "audit_writable": ("gauge", set()),
    "state_available": ("gauge", set()),
    "config_last_reload_successful": ("gauge", set()),
    "config_last_reload_timestamp_seconds": ("gauge", set()),
    "log_lines_dropped_total": ("counter", set()),
    "trace_spans_dropped_total": ("counter", set()),
    "refusals_suppressed_total": ("counter", set()),
    "film_indexes_total": ("counter", {"outcome"}),
    "event_loop_lag_seconds": ("histogram", set()),
}


@pytest.fixture
def metrics() -> Metrics:
    metrics = Metrics(version="1.2.3", commit="0a1b2c3")
    metrics.prepare(
        routes={ROUTE: (("GET", "HEAD"), (206, 502)), "/": (("GET",), (200,))},
        providers=["campus"],
        rules=["supervisors"],
        accounts=["reviewer"],
        jwks_providers=["campus"],
        service_keys={"archive": EXPIRY},
        certificates={"server": EXPIRY},
    )
    metrics.watch_breaker("https://valt.example.edu", lambda: 0)
    return metrics


OTHERS = ("process_", "python_gc_")
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def exposed(metrics: Metrics) -> Samples:
    samples: Samples = {}
    for family in text_string_to_metric_families(metrics.render()[0].decode()):
        for sample in family.samples:
            samples[sample.name.removeprefix("valt_gateway_"), frozenset(sample.labels.items())] = sample.value
    return samples


def moved(metrics: Metrics, before: Samples) -> dict[str, float]:
    """The samples that changed, in Prometheus' notation, without buckets, process_ and python_gc_."""
    after = exposed(metrics)
    changed = {key: value for key, value in after.items() if value != before.get(key) and not key[0].startswith(OTHERS)}
    return {written(*key): value for key, value in changed.items() if not key[0].endswith("_bucket")}


def written(name: str, labels: frozenset[tuple[str, str]]) -> str:
    return name + ("{" + ",".join(f"{k}={v}" for k, v in sorted(labels)) + "}" if labels else "")


def test_every_promised_metric_has_its_labels_from_the_start_and_there_is_no_other(metrics: Metrics) -> None:
    exposed: dict[str, tuple[str, set[str]]] = {}
    for family in text_string_to_metric_families(metrics.render()[0].decode()):
        if not family.name.startswith("valt_gateway_"):
            continue
        name = family.name.removeprefix("valt_gateway_") + ("_total" if family.type == "counter" else "")
        assert family.samples, f"{name} has no samples"
        exposed[name] = (family.type, set(family.samples[0].labels) - {"le"})
    assert exposed == PROMISED


def test_the_process_and_the_garbage_collector_are_measured(metrics: Metrics) -> None:
    names = {family.name for family in text_string_to_metric_families(metrics.render()[0].decode())}
    others = {name for name in names if not name.startswith("valt_gateway_")}
    assert {"process_cpu_seconds", "process_resident_memory_bytes", "process_open_fds"} <= others
    assert {"python_gc_collections", "python_gc_objects_collected"} <= others
    assert all(name.startswith(("process_", "python_gc_")) for name in others)


def test_metrics_are_registered_with_the_registry_passed_in() -> None:
    registry = CollectorRegistry()
    Metrics(version="1.2.3", registry=registry).on_event(events.LoopLagMeasured(0.5))
    assert registry.get_sample_value("valt_gateway_event_loop_lag_seconds_sum") == 0.5


def test_label_values_of_the_configuration_are_present_at_zero_from_the_start(metrics: Metrics) -> None:
    samples = {written(*key): value for key, value in exposed(metrics).items()}
    for name in (
        f"requests_total{{method=GET,route={ROUTE},status=502}}",
        "requests_total{method=HEAD,route=other,status=404}",
        "request_seconds_count{route=/}",
        "identity_total{outcome=unavailable,provider=campus}",
        "grants_total{outcome=denied,rule=}",
        "grants_total{outcome=allowed,rule=supervisors}",
        "valt_requests_total{operation=download,outcome=timeout}",
        "valt_logins_total{account=reviewer,outcome=refused}",
        "cache_lookups_total{cache=verified,result=short}",
        "deliveries_total{delivery=redirect,outcome=whole}",
        "streams_active{delivery=proxy}",
        "streams_active{delivery=redirect}",
        "stream_resumes_total{outcome=failed,reason=stalled}",
        "stream_aborts_total{reason=revoked,side=gateway}",
        "stream_aborts_total{reason=gone,side=upstream}",
        "jwks_refreshes_total{outcome=error,provider=campus}",
        "breaker_state{server=https://valt.example.edu}",
        "limits_total{limit=streams_per_person}",
        "audit_events_total{event=deny}",
        "audit_failures_total",
    ):
        assert samples[name] == 0, name


def test_build_info_has_version_commit_and_python(metrics: Metrics) -> None:
    labels = frozenset({("version", "1.2.3"), ("commit", "0a1b2c3"), ("python", platform.python_version())})
    assert exposed(metrics)["build_info", labels] == 1


@pytest.mark.promise("streams-36")
@pytest.mark.parametrize(
    ("event", "counted"),
    [
        (events.CacheLookup("link", "joined"), {"cache_lookups_total{cache=link,result=joined}": 1}),
        (
            events.ValtCall("download", "ok", 0.25),
            {
                "valt_requests_total{operation=download,outcome=ok}": 1,
                "valt_request_seconds_count{operation=download}": 1,
                "valt_request_seconds_sum{operation=download}": 0.25,
            },
        ),
        (events.ValtLogin("reviewer", "refused"), {"valt_logins_total{account=reviewer,outcome=refused}": 1}),
        (
            events.JwksRefresh("campus", "error"),
            {"jwks_refreshes_total{outcome=error,provider=campus}": 1},
        ),
        (events.IdentityDecided("campus", "accepted"), {"identity_total{outcome=accepted,provider=campus}": 1}),
        (events.GrantDecided("supervisors", "allowed"), {"grants_total{outcome=allowed,rule=supervisors}": 1}),
        (events.LinkUsed(90.0), {"link_remaining_seconds_count": 1, "link_remaining_seconds_sum": 90}),
        (events.StreamResumed("stalled", "ok"), {"stream_resumes_total{outcome=ok,reason=stalled}": 1}),
        (events.StreamAborted("upstream", "gone"), {"stream_aborts_total{reason=gone,side=upstream}": 1}),
        (events.RelayStarted("fast"), {"relay_total{way=fast}": 1}),
        (
            events.ConfigReloaded("failed"),
            {
                "config_reloads_total{outcome=failed}": 1,
                "config_last_reload_successful": 0,
                "config_last_reload_timestamp_seconds": pytest.approx(time.time(), abs=86_400),
            },
        ),
        (events.LimitReached("streams"), {"limits_total{limit=streams}": 1}),
        (events.LoopLagMeasured(0.5), {"event_loop_lag_seconds_count": 1, "event_loop_lag_seconds_sum": 0.5}),
        (events.AuditWritten("open"), {"audit_events_total{event=open}": 1}),
        (events.AuditFailed(), {"audit_failures_total": 1}),
        (events.LogLineDropped(), {"log_lines_dropped_total": 1}),
        (events.SpanDropped(), {"trace_spans_dropped_total": 1}),
        (events.RefusalSuppressed(), {"refusals_suppressed_total": 1}),
        (events.FilmIndexLoaded("too_large"), {"film_indexes_total{outcome=too_large}": 1}),
        (events.LogEvent("error", "something"), {}),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, dict) else "",
)
def test_each_event_counts_once_and_moves_nothing_else(
    metrics: Metrics, event: Event, counted: dict[str, float]
) -> None:
    before = exposed(metrics)
    Observers(metrics).on_event(event)
    assert moved(metrics, before) == counted


def record_of(clock: ManualClock, route: str = ROUTE, **more: Any) -> RequestRecord:
    record = RequestRecord("id-1", "GET", route, "192.0.2.7", clock.monotonic, clock.steady)
    for name, value in more.items():
        setattr(record, name, value)
    return record


def test_a_stream_counts_its_request_its_stages_its_bytes_and_its_delivery(metrics: Metrics) -> None:
    clock = ManualClock()
    record = record_of(clock, status=206, delivery=Delivery.PROXY, opened=True, bytes=4096, outcome=Outcome.LEFT)
    stages = {Stage.IDENTITY: 0.25, Stage.GRANT: 0.5, Stage.LINK: 1.0, Stage.FIRST_BYTE: 2.0}
    record.stages = list(stages.items())
    record.video = "vid-1"
    clock.pass_(60)
    before = exposed(metrics)
    record.end()
    metrics.on_request_end(record)
    assert moved(metrics, before) == {
        f"requests_total{{method=GET,route={ROUTE},status=206}}": 1,
        f"request_seconds_count{{route={ROUTE}}}": 1,
        f"request_seconds_sum{{route={ROUTE}}}": 60,
        **{f"stage_seconds_count{{stage={stage}}}": 1 for stage in stages},
        **{f"stage_seconds_sum{{stage={stage}}}": seconds for stage, seconds in stages.items()},
        "deliveries_total{delivery=proxy,outcome=left}": 1,
        "stream_bytes_total": 4096,
        "stream_first_byte_seconds_count": 1,
        "stream_first_byte_seconds_sum": 3.75,
    }


def test_a_redirect_is_a_whole_delivery_without_bytes(metrics: Metrics) -> None:
    record = record_of(ManualClock(), status=307, delivery=Delivery.REDIRECT, opened=True)
    before = exposed(metrics)
    record.end()
    metrics.on_request_end(record)
    assert moved(metrics, before) == {
        f"requests_total{{method=GET,route={ROUTE},status=307}}": 1,
        f"request_seconds_count{{route={ROUTE}}}": 1,
        "deliveries_total{delivery=redirect,outcome=whole}": 1,
    }


def test_a_client_that_disconnects_before_the_response_counts_under_status_none(metrics: Metrics) -> None:
    before = exposed(metrics)
    metrics.on_request_end(record_of(ManualClock(), outcome=Outcome.LEFT))
    assert moved(metrics, before) == {
        f"requests_total{{method=GET,route={ROUTE},status=none}}": 1,
        f"request_seconds_count{{route={ROUTE}}}": 1,
    }


def test_streams_active_is_read_at_each_scrape(metrics: Metrics) -> None:
    running = ["a", "b"]
    metrics.watch_streams(lambda: len(running))
    proxy = ("streams_active", frozenset({("delivery", "proxy")}))
    assert exposed(metrics)[proxy] == 2
    running.clear()
    assert exposed(metrics)[proxy] == 0


def test_breaker_state_is_read_at_each_scrape_and_a_replaced_server_disappears(metrics: Metrics) -> None:
    state = [0]
    metrics.watch_breaker("old", lambda: 2)
    metrics.watch_breaker("new", lambda: state[0])
    state[0] = 1
    samples = {written(*key): value for key, value in exposed(metrics).items() if key[0] == "breaker_state"}
    assert samples == {"breaker_state{server=new}": 1}


def test_a_reload_adds_label_values_and_keeps_the_counts(metrics: Metrics) -> None:
    Observers(metrics).on_event(events.GrantDecided("supervisors", "allowed"))
    metrics.prepare(rules=["students"])
    samples = {written(*key): value for key, value in exposed(metrics).items()}
    assert samples["grants_total{outcome=allowed,rule=supervisors}"] == 1
    assert samples["grants_total{outcome=denied,rule=students}"] == 0


@pytest.mark.promise("operation-O12")
def test_expiries_are_replaced_by_those_of_the_new_configuration(metrics: Metrics) -> None:
    metrics.prepare(service_keys={"reports": EXPIRY + 1})
    samples = {written(*key): value for key, value in exposed(metrics).items() if "expiry" in key[0]}
    assert samples == {"service_key_expiry_timestamp_seconds{name=reports}": EXPIRY + 1}


def test_two_gateways_in_one_process_do_not_share_their_counts(metrics: Metrics) -> None:
    other = Metrics(version="1.2.3")
    Observers(other).on_event(events.AuditFailed())
    assert exposed(metrics)["audit_failures_total", frozenset()] == 0


def test_collected_events_are_released_at_each_lag_measurement_without_a_scrape(metrics: Metrics) -> None:
    observers, event = Observers(metrics), events.JwksRefresh("campus", "ok")
    before = exposed(metrics)
    holders = sys.getrefcount(event)
    observers.on_event(event)
    assert sys.getrefcount(event) == holders + 1
    observers.on_event(events.LoopLagMeasured(0.5))
    assert sys.getrefcount(event) == holders
    assert moved(metrics, before) == {
        "jwks_refreshes_total{outcome=ok,provider=campus}": 1,
        "event_loop_lag_seconds_count": 1,
        "event_loop_lag_seconds_sum": 0.5,
    }
