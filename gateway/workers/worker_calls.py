"""Questions of the supervisor that every worker answers: which streams it has, and whether it has cut one."""

import asyncio
from itertools import count
from typing import Any

from gateway.workers.channel import Message
from gateway.workers.worker_process import WorkerProcess, WorkerState

_TIMEOUT = 10.0
"""Seconds that a worker has to respond. One that reads a new configuration takes the longest."""


class WorkerCalls:
    """The calls whose responses have not arrived."""

    def __init__(self) -> None:
        self._numbers = count()
        self._waiting: dict[tuple[WorkerProcess, int], asyncio.Future[Message | None]] = {}

    def __repr__(self) -> str:
        return f"<WorkerCalls waiting={len(self._waiting)}>"

    async def call(self, workers: list[WorkerProcess], action: str, **details: Any) -> dict[int, Message | None]:
        """Has *workers* do *action*. Returns what each has responded, by its number; None for one that has ended, or
        has not responded in time. Those that are starting have no streams and are left out."""
        number, loop = next(self._numbers), asyncio.get_running_loop()
        waiting = {
            worker: self._waiting.setdefault((worker, number), loop.create_future())
            for worker in workers
            if worker.state != WorkerState.STARTING
        }
        try:
            for worker in waiting:
                worker.do(action, id=number, **details)
            if waiting:
                await asyncio.wait(waiting.values(), timeout=_TIMEOUT)
            return {worker.number: future.result() if future.done() else None for worker, future in waiting.items()}
        finally:
            for worker in waiting:
                del self._waiting[worker, number]

    def receive(self, worker: WorkerProcess, message: Message) -> None:
        """Takes the response of *worker*."""
        future = self._waiting.get((worker, message["id"]))
        if future is not None and not future.done():
            future.set_result(message)

    def forget(self, worker: WorkerProcess) -> None:
        """Waits no more for *worker*, which has ended."""
        for (other, _), future in self._waiting.items():
            if other is worker and not future.done():
                future.set_result(None)
