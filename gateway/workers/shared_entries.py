"""Entries of the state that a worker has written, on their way to the other workers.

A worker answers a sign-out only after every other worker has taken it over, so that the session is void in all of them.
"""

from collections.abc import Iterable
from itertools import count

from gateway.workers.channel import Message
from gateway.workers.worker_process import WorkerProcess, WorkerState


class SharedEntries:
    """The entries that a worker has not taken over yet."""

    def __init__(self) -> None:
        self._numbers = count()
        self._waiting: dict[int, tuple[WorkerProcess, int, set[WorkerProcess]]] = {}
        """By the number of each entry: its writer, the writer's own number of it, and who has not taken it over."""

    def __repr__(self) -> str:
        return f"<SharedEntries waiting={len(self._waiting)}>"

    def receive(self, kind: str, worker: WorkerProcess, workers: Iterable[WorkerProcess], message: Message) -> None:
        """Takes a *message* of *worker*, one of *workers*, about the state: ``written``, ``taken_over`` or ``used``."""
        if kind == "written":
            self.pass_on(worker, workers, message)
        elif kind == "taken_over":
            self.taken_over(worker, message["id"])
        elif kind == "used":
            self.pass_on_use(worker, workers, message)

    def pass_on(self, writer: WorkerProcess, workers: Iterable[WorkerProcess], message: Message) -> None:
        """Passes the entry in *message* to the others of *workers*. Those that are starting are not waited for: they
        have it before they accept requests."""
        others = [worker for worker in workers if worker is not writer]
        number = next(self._numbers)
        for worker in others:
            worker.do("take_over", id=number, entry=message["entry"])
        waited_for = {worker for worker in others if worker.state != WorkerState.STARTING}
        self._waiting[number] = writer, message["id"], waited_for
        self._finish(number)

    def taken_over(self, worker: WorkerProcess, number: int) -> None:
        """Notes that *worker* has taken over the entry, and tells the writer if it was the last."""
        if number in self._waiting:
            self._waiting[number][2].discard(worker)
            self._finish(number)

    def pass_on_use(self, writer: WorkerProcess, workers: Iterable[WorkerProcess], message: Message) -> None:
        """Passes the sessions in *message*, which *writer* has seen in use, to the others of *workers*."""
        for worker in workers:
            if worker is not writer:
                worker.do("mark_used", may_be_lost=True, sessions=message["sessions"])

    def forget(self, worker: WorkerProcess) -> None:
        """Waits no more for *worker*, which has ended."""
        for number in list(self._waiting):
            self.taken_over(worker, number)

    def _finish(self, number: int) -> None:
        writer, own_number, waited_for = self._waiting[number]
        if not waited_for:
            del self._waiting[number]
            writer.do("shared", id=own_number)
