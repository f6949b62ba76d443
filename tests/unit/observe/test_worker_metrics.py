"""The metrics of a worker: what it adds is in the supervisor's exposition after each batch."""

import os
from pathlib import Path

import prometheus_client.values
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gateway.observe.worker_metrics import SharedMetrics, share_metrics


@pytest.fixture(autouse=True)
def _unshared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undoes what `share_metrics` sets in this process."""
    monkeypatch.setattr(prometheus_client.values, "ValueClass", prometheus_client.values.ValueClass)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", os.environ.get("PROMETHEUS_MULTIPROC_DIR", ""))


def test_what_a_worker_adds_is_exposed_with_each_batch(tmp_path: Path) -> None:
    write = share_metrics(str(tmp_path), 1)
    registry = CollectorRegistry()
    counter = Counter("requests", "help", registry=registry)
    histogram = Histogram("seconds", "help", registry=registry, buckets=(1, 2))
    gauge = Gauge("streams", "help", registry=registry, multiprocess_mode="livesum")

    def exposed() -> dict[str, float]:
        text = SharedMetrics(tmp_path, dict, dict, dict).render()[0].decode()
        lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in lines}

    for seconds in (0.5, 1.5, 1.75):
        counter.inc()
        histogram.observe(seconds)
    gauge.set(4)
    values = exposed()
    assert (values["requests_total"], values["seconds_count"], values["streams"]) == (0, 0, 4)
    for _ in range(2):  # what has been written is not added again
        write()
        values = exposed()
        assert (values["requests_total"], values["seconds_sum"]) == (3, 3.75)
        assert [values[f'seconds_bucket{{le="{limit}"}}'] for limit in ("1.0", "2.0", "+Inf")] == [1, 3, 3]
    gauge.inc()
    gauge.set(2)
    counter.inc()
    write()
    assert (exposed()["requests_total"], exposed()["streams"]) == (4, 2)


def test_a_file_that_a_starting_worker_has_only_created_fails_no_scrape(tmp_path: Path) -> None:
    write = share_metrics(str(tmp_path), 1)
    Counter("requests", "help", registry=CollectorRegistry()).inc()
    write()
    for name in ("counter_2.db", "gauge_livesum_2.db", "histogram_2.db"):
        (tmp_path / name).touch()
    text = SharedMetrics(tmp_path, dict, dict, dict).render()[0].decode()
    assert "\nrequests_total 1.0\n" in text
