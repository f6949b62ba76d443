"""Workers that run and do not respond: each is counted, logged and killed, and so replaced like one that has ended.

How it works: a worker reports once a second. Checks without a new report are counted, not seconds: a supervisor that
was itself suspended checks nothing meanwhile, and reads the reports that have arrived before its next check.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable

from gateway.workers.worker_process import WorkerProcess, WorkerState

CHECK_INTERVAL = 1.0
_MOST_MISSED = 20
"""A worker that misses so many reports in a row is killed: many times what a busy machine or a blocked disk delays."""
_FEW_MISSED = 3
"""A worker that misses more in a row does not make the gateway ready."""


class WorkerHealth:
    """The checks of *workers*. *log* is called with a message and the worker that it is about."""

    def __init__(
        self, workers: Callable[[], Iterable[WorkerProcess]], log: Callable[[str, WorkerProcess], None]
    ) -> None:
        self._workers = workers
        self._log = log
        self.replacements: Counter[str] = Counter(ended=0, unresponsive=0)
        """How many running workers have ended by themselves, or were killed because they did not respond."""

    def __repr__(self) -> str:
        return f"<WorkerHealth {dict(self.replacements)}>"

    async def run(self) -> None:
        """Checks the workers until cancelled."""
        while True:
            await asyncio.sleep(CHECK_INTERVAL)
            self.check()

    def check(self) -> None:
        """Counts one more missed report of each worker, which its next report sets to 0, and kills those that have
        missed too many. A worker that is starting has a time limit of its own."""
        for worker in self._workers():
            if worker.state == WorkerState.STARTING or worker.status is not None:
                continue
            worker.missed_reports += 1
            if worker.missed_reports == _MOST_MISSED:
                self._log("a worker does not respond and is killed", worker)
                worker.kill()

    def count_replacement(self, worker: WorkerProcess) -> None:
        """Counts that *worker*, which should be running, has ended."""
        self.replacements["unresponsive" if worker.missed_reports >= _MOST_MISSED else "ended"] += 1


def responds(worker: WorkerProcess) -> bool:
    """Whether *worker* has reported within the last few seconds."""
    return worker.missed_reports <= _FEW_MISSED
