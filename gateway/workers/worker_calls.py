"""Questions of the supervisor that every worker answers: which streams it has, and whether it has cut one."""

import asyncio
from itertools import count
from typing import Any

from gateway.workers.channel import Message
from gateway.workers.worker_process import WorkerProcess, WorkerState

_TIMEOUT = 10.0
"""Seconds that a worker has to respond to what takes it no time."""
_APPLY_TIMEOUT = 120.0
"""Seconds that a worker has to check and apply a configuration."""


class WorkerCalls:
    """The calls whose responses have not arrived."""

    def __init__(self) -> None:
        self._numbers = count()
        self._waiting: dict[tuple[WorkerProcess, int], asyncio.Future[Message | None]] = {}

    def __repr__(self) -> str:
        return f"<WorkerCalls waiting={len(self._waiting)}>"

    async def call(
        self, workers: list[WorkerProcess], action: str, *, timeout: float = _TIMEOUT, **details: Any
    ) -> dict[int, Message | None]:
        """Has *workers* do *action*. Returns what each has responded, by its number; None for one that has ended, or
        has not responded within *timeout* seconds. Those that are starting have no streams and are left out."""
        number, loop = next(self._numbers), asyncio.get_running_loop()
        waiting = {
            worker: self._waiting.setdefault((worker, number), loop.create_future())
            for worker in workers
            if worker.state != WorkerState.STARTING and worker.status is None
        }
        try:
            for worker in waiting:
                worker.do(action, id=number, **details)
            if waiting:
                await asyncio.wait(waiting.values(), timeout=timeout)
            return {worker.number: future.result() if future.done() else None for worker, future in waiting.items()}
        finally:
            for worker in waiting:
                del self._waiting[worker, number]

    async def apply(self, workers: list[WorkerProcess], contents: bytes) -> bool:
        """Has *workers* apply the configuration in *contents*. The first one that responds checks it, logs its faults,
        records the reload and decides for all: False if it has not applied it, or if none responds. That with the most
        streams is the first: one without streams may end before it has applied anything."""
        config = contents.decode("latin-1")
        waiting = sorted(workers, key=lambda worker: worker.report.get("streams", 0), reverse=True)
        while waiting:
            first = waiting.pop(0)
            responses = await self.call([first], "apply", timeout=_APPLY_TIMEOUT, config=config, quiet=False)
            if (response := responses.get(first.number)) is not None:
                if response["done"]:
                    await self.call(waiting, "apply", timeout=_APPLY_TIMEOUT, config=config, quiet=True)
                return bool(response["done"])
        return False

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
