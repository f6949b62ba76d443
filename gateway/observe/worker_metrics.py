"""The metrics of several workers together, by prometheus_client's multiprocess mode.

How it works: each worker writes its values to files that bear its number, and the supervisor adds them up. A worker
that takes the number of one that has ended goes on counting in its files, so that the gateway's counters never fall and
the files are as many as workers run at once. Gauges are those of running workers: the others' files are removed.

Writing a value to the file costs 0.35 µs more than adding to a float, and a request has a dozen additions. So a worker
adds in memory, and writes each value that has changed once for a batch of requests. A value for which the disk has no
room stays in memory until there is some.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import prometheus_client.values
from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import mmap_key
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from gateway.observe.metric_files import MetricFiles

_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_RETRY_INTERVAL = 10.0
"""Seconds between two attempts to enlarge a file: on a full disk each may take milliseconds."""
_VALUE_LENGTH = 32
"""Bytes of a value in a file besides its key: its length, padding, and two numbers."""


def share_metrics(
    directory: str,
    number: int,
    report: Callable[[str, str], None],
    monotonic: Callable[[], float] = time.monotonic,
) -> Callable[[], None]:
    """Has the metrics that are defined from now on written to *directory* as those of worker *number*.

    Returns the function that writes the additions since its last call. *report* logs a text at a level when values
    cannot be written, and when they can be again.
    """
    os.environ[_DIRECTORY] = directory
    files = MetricFiles(Path(directory), number)
    changed: list[Any] = []
    unwritten: deque[Any] = deque()
    """Values without a place in the files, which are full."""
    next_attempt = 0.0
    written: Any = prometheus_client.values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]

    class BatchedValue(written):  # type: ignore[misc]
        """A value to which the event loop's thread adds; it is written by ``write``. Without a place in the files it
        is in memory alone."""

        def __init__(self, *definition: Any, **options: Any) -> None:
            self.added = 0.0
            self.definition, self.options = definition, options
            self.is_placed = False
            self.latest: tuple[float, float | None] | None = None  # what was set before there was a place
            if unwritten or not self.place():
                unwritten.append(self)

        def place(self) -> bool:
            nonlocal next_attempt
            mode = self.options.get("multiprocess_mode")
            kind = f"{self.definition[0]}_{mode}" if mode else self.definition[0]
            try:
                files.reserve(kind, _VALUE_LENGTH + len(mmap_key(*self.definition[1:])))
                super().__init__(*self.definition, **self.options)
            except OSError as error:
                next_attempt = monotonic() + _RETRY_INTERVAL
                if not unwritten:
                    report("error", f"new metrics cannot be written and are counted in memory: {error}")
                return False
            self.is_placed = True
            if self.latest is not None:
                super().set(*self.latest)
            return True

        def inc(self, amount: float) -> None:
            if not self.added:
                changed.append(self)
            self.added += amount

        def set(self, value: float, timestamp: float | None = None) -> None:
            self.added = 0.0
            if self.is_placed:
                super().set(value, timestamp)
            else:
                self.latest = value, timestamp

        def get(self) -> float:
            return (float(super().get()) if self.is_placed else 0.0) + self.added

        def write(self) -> None:
            if self.is_placed:
                added, self.added = self.added, 0.0
                if added:
                    super().inc(added)

    def write() -> None:
        if unwritten and monotonic() >= next_attempt:
            while unwritten and unwritten[0].place():
                unwritten.popleft().write()
            if not unwritten:
                report("info", "all metrics are written again")
        for value in changed:
            value.write()
        changed.clear()

    prometheus_client.values.ValueClass = BatchedValue
    return write


class SharedMetrics:
    """The metrics of the workers whose files are in *directory*.

    *workers* returns the process id of each running worker by its number, *states* how many are in each state, and
    *replacements* how many were replaced for each reason.
    """

    def __init__(
        self,
        directory: Path,
        workers: Callable[[], Mapping[int, int]],
        states: Callable[[], Mapping[str, int]],
        replacements: Callable[[], Mapping[str, int]],
    ) -> None:
        self._directory = str(directory)
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._registry.register(FileCollector(directory))
        self._registry.register(WorkerCollector(workers, states, replacements))

    def render(self) -> tuple[bytes, str]:
        """The exposition in Prometheus' text format, and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    def forget(self, number: int) -> None:
        """Removes the gauges of worker *number*, which has ended."""
        mark_process_dead(number, self._directory)  # type: ignore[no-untyped-call]


class FileCollector(Collector):
    """What the workers have written to the files in *directory*, added up."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def collect(self) -> Iterable[Metric]:
        """Returns the metrics. A file that is empty is left out: a worker that starts creates it, and gives it a size
        only then. `MultiProcessCollector.collect` fails at such a file, and for good if the worker was killed meanwhile
        (client_python issue 1199)."""
        files = []
        for path in self._directory.glob("*.db"):
            with suppress(FileNotFoundError):  # the file of a gauge, whose worker has ended
                if path.stat().st_size:
                    files.append(str(path))
        metrics: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
        return metrics


class WorkerCollector(Collector):
    """What the supervisor knows of its workers, and /proc of their processes."""

    def __init__(
        self,
        workers: Callable[[], Mapping[int, int]],
        states: Callable[[], Mapping[str, int]],
        replacements: Callable[[], Mapping[str, int]],
    ) -> None:
        self._workers = workers
        self._states = states
        self._replacements = replacements

    def collect(self) -> Iterable[Metric]:
        """Returns the metrics. A process that has ended meanwhile is left out."""
        states = GaugeMetricFamily(
            "valt_gateway_workers", "Worker processes, where there are several", labels=["state"]
        )
        for state, count in self._states().items():
            states.add_metric([state], count)
        replacements = CounterMetricFamily(
            "valt_gateway_worker_replacements",
            "Workers that ended by themselves, or were killed because they did not respond",
            labels=["reason"],
        )
        for reason, count in self._replacements().items():
            replacements.add_metric([reason], count)
        label = ["worker"]
        cpu = CounterMetricFamily(
            "valt_gateway_worker_cpu_seconds", "Processor time of a worker in seconds", labels=label
        )
        memory = GaugeMetricFamily(
            "valt_gateway_worker_resident_memory_bytes", "Resident memory of a worker in bytes", labels=label
        )
        descriptors = GaugeMetricFamily("valt_gateway_worker_open_fds", "Open descriptors of a worker", labels=label)
        for number, pid in self._workers().items():
            process = Path(f"/proc/{pid}")
            try:
                # After the command's name, which is in parentheses: fields 14 and 15 of proc(5).
                fields = (process / "stat").read_text().rpartition(")")[2].split()
                pages = int((process / "statm").read_text().split()[1])
                files = len(os.listdir(process / "fd"))  # noqa: PTH208 (only their number)
            except OSError:
                continue  # the worker has ended
            cpu.add_metric([str(number)], (int(fields[11]) + int(fields[12])) / _TICKS)
            memory.add_metric([str(number)], pages * _PAGE)
            descriptors.add_metric([str(number)], files)
        return [states, replacements, cpu, memory, descriptors]
