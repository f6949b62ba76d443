"""Metrics: the names that dashboards know, present from the start, counted as the events say."""

import platform
import sys
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway import events
from gateway.events import Event
from gateway.model import Delivery, Outcome, Stage
from gateway.observe.metrics import Metrics
from gateway.observe.observers import Observers
from gateway.request_record import RequestRecord
from tests.support.clock import ManualClock

ROUTE = "/recordings/{recording}/videos/{video}"
# What product.md promises: each series, its labels, and its kind.
PROMISED = {
    "build_info": ("gauge", {"version", "python"}),
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
    "stream_bytes_total": ("counter", set()),
    "stream_first_byte_seconds": ("histogram", set()),
    "stream_resumes_total": ("counter", {"reason", "outcome"}),
    "stream_aborts_total": ("counter", {"side", "reason"}),
    "relay_total": ("counter", {"way"}),
    "breaker_state": ("gauge", {"server"}),
    "config_reloads_total": ("counter", {"outcome"}),
    "jwks_refreshes_total": ("counter", {"provider", "outcome"}),
    "limits_total": ("counter", {"limit"}),
    "audit_events_total": ("counter", {"event"}),
    "audit_failures_total": ("counter", set()),
    "event_loop_lag_seconds": ("histogram", set()),
}


@pytest.fixture
def metrics() -> Metrics:
    metrics = Metrics(version="1.2.3")
    metrics.know(
        routes=[ROUTE, "/"],
        providers=["campus"],
        rules=["supervisors"],
        accounts=["reviewer"],
        jwks_providers=["campus"],
    )
    metrics.watch_breaker("https://valt.example.edu", lambda: 0)
    return metrics


Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def exposed(metrics: Metrics) -> Samples:
    samples: Samples = {}
    for family in text_string_to_metric_families(metrics.render()[0].decode()):
        for sample in family.samples:
            samples[sample.name.removeprefix("valt_gateway_"), frozenset(sample.labels.items())] = sample.value
    return samples


def moved(metrics: Metrics, before: Samples) -> dict[str, float]:
    """Every sample, buckets apart, that is not what it was; written as Prometheus writes them."""
    after = exposed(metrics)
    changed = {key: value for key, value in after.items() if value != before.get(key)}
    return {written(*key): value for key, value in changed.items() if not key[0].endswith("_bucket")}


def written(name: str, labels: frozenset[tuple[str, str]]) -> str:
    return name + ("{" + ",".join(f"{k}={v}" for k, v in sorted(labels)) + "}" if labels else "")


def test_every_series_is_there_from_the_start_with_its_labels_and_no_other_series_is(metrics: Metrics) -> None:
    found: dict[str, tuple[str, set[str]]] = {}
    for family in text_string_to_metric_families(metrics.render()[0].decode()):
        name = family.name.removeprefix("valt_gateway_") + ("_total" if family.type == "counter" else "")
        assert family.samples, f"{name} has no samples"
        found[name] = (family.type, set(family.samples[0].labels) - {"le"})
    assert found == PROMISED


def test_known_label_values_are_present_at_zero_so_that_a_first_failure_is_seen_as_an_increase(
    metrics: Metrics,
) -> None:
    shown = {written(*key): value for key, value in exposed(metrics).items()}
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
        assert shown[name] == 0, name


def test_the_build_is_named(metrics: Metrics) -> None:
    labels = frozenset({("version", "1.2.3"), ("python", platform.python_version())})
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
        (events.ConfigReloaded("failed"), {"config_reloads_total{outcome=failed}": 1}),
        (events.LimitReached("streams"), {"limits_total{limit=streams}": 1}),
        (events.LoopLagMeasured(0.5), {"event_loop_lag_seconds_count": 1, "event_loop_lag_seconds_sum": 0.5}),
        (events.AuditWritten("open"), {"audit_events_total{event=open}": 1}),
        (events.AuditFailed(), {"audit_failures_total": 1}),
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
    record.stages = {Stage.IDENTITY: 0.25, Stage.GRANT: 0.5, Stage.LINK: 1.0, Stage.FIRST_BYTE: 2.0}
    record.video = "vid-1"
    clock.pass_(60)
    before = exposed(metrics)
    record.end()
    metrics.on_request_end(record)
    assert moved(metrics, before) == {
        f"requests_total{{method=GET,route={ROUTE},status=206}}": 1,
        f"request_seconds_count{{route={ROUTE}}}": 1,
        f"request_seconds_sum{{route={ROUTE}}}": 60,
        **{f"stage_seconds_count{{stage={stage}}}": 1 for stage in record.stages},
        **{f"stage_seconds_sum{{stage={stage}}}": seconds for stage, seconds in record.stages.items()},
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


def test_who_leaves_before_the_answer_is_counted_without_a_status(metrics: Metrics) -> None:
    before = exposed(metrics)
    metrics.on_request_end(record_of(ManualClock(), outcome=Outcome.LEFT))
    assert moved(metrics, before) == {
        f"requests_total{{method=GET,route={ROUTE},status=none}}": 1,
        f"request_seconds_count{{route={ROUTE}}}": 1,
    }


def test_running_streams_are_read_when_asked_for(metrics: Metrics) -> None:
    running = ["a", "b"]
    metrics.watch_streams(lambda: len(running))
    proxy = ("streams_active", frozenset({("delivery", "proxy")}))
    assert exposed(metrics)[proxy] == 2
    running.clear()
    assert exposed(metrics)[proxy] == 0


def test_a_breaker_is_read_when_asked_for_and_one_that_a_reload_replaced_is_gone(metrics: Metrics) -> None:
    state = [0]
    metrics.watch_breaker("old", lambda: 2)
    metrics.watch_breaker("new", lambda: state[0])
    state[0] = 1
    shown = {written(*key): value for key, value in exposed(metrics).items() if key[0] == "breaker_state"}
    assert shown == {"breaker_state{server=new}": 1}


def test_what_a_reload_adds_is_known_and_what_was_counted_stays(metrics: Metrics) -> None:
    Observers(metrics).on_event(events.GrantDecided("supervisors", "allowed"))
    metrics.know(rules=["students"])
    shown = {written(*key): value for key, value in exposed(metrics).items()}
    assert shown["grants_total{outcome=allowed,rule=supervisors}"] == 1
    assert shown["grants_total{outcome=denied,rule=students}"] == 0


def test_two_gateways_in_one_process_do_not_share_their_counts(metrics: Metrics) -> None:
    other = Metrics(version="1.2.3")
    Observers(other).on_event(events.AuditFailed())
    assert exposed(metrics)["audit_failures_total", frozenset()] == 0


def test_what_is_put_aside_goes_with_the_next_look_at_the_loop_though_nobody_asks_or_scrapes(metrics: Metrics) -> None:
    told, event = Observers(metrics), events.JwksRefresh("campus", "ok")
    before = exposed(metrics)
    holders = sys.getrefcount(event)
    told.on_event(event)
    assert sys.getrefcount(event) == holders + 1
    told.on_event(events.LoopLagMeasured(0.5))
    assert sys.getrefcount(event) == holders
    assert moved(metrics, before) == {
        "jwks_refreshes_total{outcome=ok,provider=campus}": 1,
        "event_loop_lag_seconds_count": 1,
        "event_loop_lag_seconds_sum": 0.5,
    }
