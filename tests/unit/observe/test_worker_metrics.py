"""The metrics of a worker: what it adds is in the supervisor's exposition after each batch."""

import os
from pathlib import Path

import prometheus_client.values
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gateway.observe.worker_metrics import SharedMetrics, share_metrics
from tests.support.file_limits import longest_file


@pytest.fixture(autouse=True)
def _unshared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undoes what `share_metrics` sets in this process."""
    monkeypatch.setattr(prometheus_client.values, "ValueClass", prometheus_client.values.ValueClass)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", os.environ.get("PROMETHEUS_MULTIPROC_DIR", ""))


def exposed(folder: Path) -> dict[str, float]:
    text = SharedMetrics(folder, dict, dict, dict).render()[0].decode()
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def test_what_a_worker_adds_is_exposed_with_each_batch(tmp_path: Path) -> None:
    write = share_metrics(str(tmp_path), 1, lambda *_: None)
    registry = CollectorRegistry()
    counter = Counter("requests", "help", registry=registry)
    histogram = Histogram("seconds", "help", registry=registry, buckets=(1, 2))
    gauge = Gauge("streams", "help", registry=registry, multiprocess_mode="livesum")

    for seconds in (0.5, 1.5, 1.75):
        counter.inc()
        histogram.observe(seconds)
    gauge.set(4)
    values = exposed(tmp_path)
    assert (values["requests_total"], values["seconds_count"], values["streams"]) == (0, 0, 4)
    for _ in range(2):  # what has been written is not added again
        write()
        values = exposed(tmp_path)
        assert (values["requests_total"], values["seconds_sum"]) == (3, 3.75)
        assert [values[f'seconds_bucket{{le="{limit}"}}'] for limit in ("1.0", "2.0", "+Inf")] == [1, 3, 3]
    gauge.inc()
    gauge.set(2)
    counter.inc()
    write()
    assert (exposed(tmp_path)["requests_total"], exposed(tmp_path)["streams"]) == (4, 2)


def test_a_file_that_a_starting_worker_has_only_created_fails_no_scrape(tmp_path: Path) -> None:
    write = share_metrics(str(tmp_path), 1, lambda *_: None)
    Counter("requests", "help", registry=CollectorRegistry()).inc()
    write()
    for name in ("counter_2.db", "gauge_livesum_2.db", "histogram_2.db"):
        (tmp_path / name).touch()
    text = SharedMetrics(tmp_path, dict, dict, dict).render()[0].decode()
    assert "\nrequests_total 1.0\n" in text


def test_every_block_of_the_files_is_allocated_also_of_sparse_ones(tmp_path: Path) -> None:
    with (tmp_path / "counter_1.db").open("wb") as sparse:
        sparse.truncate(1 << 16)  # by a version that did not allocate
    share_metrics(str(tmp_path), 1, lambda *_: None)
    registry = CollectorRegistry()
    Gauge("streams", "help", registry=registry, multiprocess_mode="livesum").set(1)
    counter = Counter("requests", "help", ["route"], registry=registry)
    for number in range(2000):
        counter.labels(f"/{number}" + "\N{GRINNING FACE}" * (number % 50))
    files = list(tmp_path.glob("*.db"))
    assert len(files) == 2
    for file in files:
        assert file.stat().st_blocks * 512 >= file.stat().st_size


def test_what_a_full_disk_keeps_in_memory_is_written_when_there_is_room(tmp_path: Path) -> None:
    now = 0.0
    logged: list[str] = []
    write = share_metrics(str(tmp_path), 1, lambda level, text: logged.append(f"{level}: {text}"), lambda: now)
    registry = CollectorRegistry()
    counter = Counter("requests", "help", ["route"], registry=registry)
    counter.labels("/first").inc()
    with longest_file(1 << 16):
        for number in range(1000):
            counter.labels(f"/{number}").inc(2)
        gauge = Gauge("reload_seconds", "help", registry=registry, multiprocess_mode="livemostrecent")
        gauge.set(7)
        gauge.set(8)
        write()
        counter.labels("/first").inc()
        counter.labels("/999").inc()
        now = 10.0
        write()
        values = exposed(tmp_path)
        assert values['requests_total{route="/first"}'] == 2
        assert 100 < len(values) < 999
        assert 'requests_total{route="/999"}' not in values
    now = 19.9
    write()
    assert exposed(tmp_path).keys() == values.keys()
    now = 20.0
    write()
    values = exposed(tmp_path)
    assert (values['requests_total{route="/998"}'], values['requests_total{route="/999"}']) == (2, 3)
    assert values["reload_seconds"] == 8
    path = tmp_path / "counter_1.db"
    assert logged == [
        f"error: new metrics cannot be written and are counted in memory: [Errno 27] File too large: '{path}'",
        "info: all metrics are written again",
    ]


def test_a_removed_directory_ends_no_worker(tmp_path: Path) -> None:
    logged: list[str] = []
    write = share_metrics(str(tmp_path / "gone"), 1, lambda _, text: logged.append(text))
    Counter("requests", "help", registry=CollectorRegistry()).inc()
    write()
    assert len(logged) == 1
    assert "No such file or directory" in logged[0]
