"""The running worker processes: starts them with the lowest free numbers, follows each until it ends, and ends them."""

import asyncio
import secrets
import socket
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.clock import BackgroundTasks
from gateway.settings.model import Settings
from gateway.settings.until_restart import InForce
from gateway.workers.channel import Message
from gateway.workers.worker_process import WorkerProcess, WorkerState

_START_TIMEOUT = 120.0
"""Seconds in which a worker must be prepared."""
_KILL_TIMEOUT = 10.0
"""Seconds that workers have to end after they were told to end at once."""


def constants_of(settings: Settings, workers: int, state: Path, metrics: Path, in_force: InForce) -> dict[str, Any]:
    """Returns what is in the first message to each worker, of so many *workers* of a gateway with *settings*. *state*
    and *metrics* are directories; *in_force* is what the next reload is compared with."""
    return {
        "workers": workers,
        "state": str(state),
        "metrics": str(metrics),
        "durable": settings.state.dir is not None,
        "seal": secrets.token_urlsafe(32),
        "started_at": time.time(),
        "in_force": in_force.encode(),
    }


class WorkerPool:
    """The workers of the configuration file *config*, to which *sockets* are passed.

    *constants* are in the first message to each that is started from then on. *on_message* is called with each message
    of a worker, *on_end* after a worker has ended.
    """

    def __init__(
        self,
        config: Path,
        sockets: list[socket.socket],
        constants: dict[str, Any],
        on_message: Callable[[WorkerProcess, Message], None],
        on_end: Callable[[WorkerProcess], None],
    ) -> None:
        self._config = config
        self._sockets = sockets
        self.constants = constants
        self._on_message = on_message
        self._on_end = on_end
        self._numbers: set[int] = set()
        """Of workers that have not ended."""
        self._background = BackgroundTasks()
        self.workers: list[WorkerProcess] = []
        """Those that have not ended."""

    def __repr__(self) -> str:
        return f"<WorkerPool {self.workers}>"

    @property
    def running(self) -> list[WorkerProcess]:
        """Those that accept requests and are not to end, in the order of their start."""
        return [worker for worker in self.workers if worker.state == WorkerState.RUNNING]

    def states(self) -> dict[str, int]:
        """Returns how many workers are running and draining."""
        states = Counter(worker.state for worker in self.workers)
        return {state: states[state] for state in (WorkerState.RUNNING, WorkerState.DRAINING)}

    async def start(self, generation: int, contents: bytes, *, quiet: bool) -> WorkerProcess:
        """Returns a new worker with the configuration in *contents*. *quiet*: whether it prints no warnings.

        Raises OSError if no process can be started.
        """
        number = next(number for number in range(1, len(self._numbers) + 2) if number not in self._numbers)
        self._numbers.add(number)
        try:
            worker = await WorkerProcess.start(number, generation, self._config, self._sockets)
        except BaseException:
            self._numbers.discard(number)
            raise
        self.workers.append(worker)
        message = {**self.constants, "number": number, "config": contents.decode("latin-1"), "quiet": quiet}
        worker.do("start", **message)
        self._background.run(self._watch(worker), f"worker {number}")
        return worker

    async def wait_prepared(self, worker: WorkerProcess) -> None:
        """Returns when *worker* is prepared or has ended. One that takes too long is killed."""
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                await worker.prepared.wait()
        except TimeoutError:
            worker.kill()
            await worker.ended.wait()

    def reopen_audits(self, reloads: int) -> None:
        """Has the workers reopen their audit. Those that drain then end only after so many *reloads*, which wait for
        one another: after the same is called with 0, or some seconds."""
        for worker in self.workers:
            worker.do("reopen", reloads=reloads)

    def end(self, workers: list[WorkerProcess]) -> None:
        """Ends *workers* at once, and kills those that do not. One that is not prepared is killed: it has served
        nobody, and the check of its configuration may take long."""
        for worker in workers:
            if worker.status is None and not worker.prepared.is_set():
                worker.kill()
            elif worker.status is None:
                worker.state = WorkerState.DRAINING
                worker.do("stop")
                asyncio.get_running_loop().call_later(_KILL_TIMEOUT, worker.kill)

    async def wait_ended(self) -> None:
        """Returns when every worker has ended."""
        while self.workers:
            await self.workers[0].ended.wait()

    async def _watch(self, worker: WorkerProcess) -> None:
        while (message := await worker.channel.receive()) is not None:
            self._on_message(worker, message)
        asyncio.get_running_loop().call_later(_KILL_TIMEOUT, worker.kill)
        await worker.wait()
        self.workers.remove(worker)
        self._numbers.discard(worker.number)
        self._on_end(worker)
        worker.ended.set()
