"""Starts, replaces and ends the worker processes of one gateway.

How it works: the supervisor owns the listening sockets and passes them on, so that no connection is refused while a
worker is replaced: it waits in the kernel's queue, which all workers share. At a reload a new generation of workers is
started with the new configuration and the code that is on the disk. Only when every one of them is prepared do they
accept connections, and the old ones accept nothing more and end with their last stream. If one cannot start, the new
ones are ended, and everything is as it was. A worker that ends by itself is replaced after a pause that doubles with
each failure, with the configuration that its generation had.
"""

import asyncio
import socket
from pathlib import Path
from typing import Any

from gateway.clock import BackgroundTasks, ends_before, wait_at_most
from gateway.events import LogEvent
from gateway.observe.worker_metrics import SharedMetrics
from gateway.ports import Observer
from gateway.settings.loading import read_contents
from gateway.settings.model import Settings
from gateway.settings.until_restart import InForce
from gateway.sockets import close_socket
from gateway.workers.channel import Message
from gateway.workers.health import WorkerHealth, responds
from gateway.workers.replacement_backoff import ReplacementBackoff
from gateway.workers.shared_entries import SharedEntries
from gateway.workers.worker_calls import WorkerCalls
from gateway.workers.worker_pool import WorkerPool, constants_of
from gateway.workers.worker_process import WorkerProcess, WorkerState

_RELOAD_TIMEOUT = 5.0  # seconds that the end of the gateway waits for a reload


class Supervisor:
    """Runs *count* workers with *settings*, which were read from *contents*, the bytes of the file *config*.

    *in_force* is what the first reload is compared with. *sockets* are those of the public listener. *directory* is
    private: for metrics, and for the state if no directory is configured. *observer* logs. After a reload `contents` is
    the new one, and `shutdown_delay` is to be set to its value.
    """

    def __init__(
        self,
        settings: Settings,
        config: Path,
        contents: bytes,
        count: int,
        *,
        in_force: InForce,
        sockets: list[socket.socket],
        directory: Path,
        observer: Observer,
    ) -> None:
        self._listen, self.shutdown_delay = settings.server.listen, settings.server.shutdown_delay
        self._config = config
        self.contents = contents
        self._count = count
        self._sockets = sockets
        self._observer = observer
        self._generation = 0
        self._background = BackgroundTasks()
        self._reloading = asyncio.Lock()
        self._unrecorded: set[object] = set()  # reloads whose line in the audit no worker was instructed to write
        self._stopping = False
        self._backoff = ReplacementBackoff()
        self._exit_status = 0
        self._entries = SharedEntries()
        self._calls = WorkerCalls()
        metrics = directory / "metrics"
        metrics.mkdir()
        constants = constants_of(settings, count, directory / "state", metrics, in_force)
        self._pool = WorkerPool(config, sockets, constants, self._on_message, self._on_end)
        self._health = WorkerHealth(lambda: self.workers, lambda text, worker: self._log("error", text, worker))
        pids, replacements = lambda: {one.number: one.pid for one in self.workers}, self._health.replacements
        self.metrics = SharedMetrics(metrics, pids, self._pool.states, lambda: replacements)

    def __repr__(self) -> str:
        return f"<Supervisor generation={self._generation} {self._pool.states()}>"

    @property
    def workers(self) -> list[WorkerProcess]:
        """The workers that have not ended."""
        return self._pool.workers

    @property
    def is_ready(self) -> bool:
        """Whether a worker accepts requests and none is to end."""
        return not self._stopping and any(
            worker.report.get("ready") and responds(worker) for worker in self._pool.running
        )

    async def start(self) -> int:
        """Starts the workers. Returns 0 when they accept requests, or the exit status of the one that cannot start,
        which has said why on standard error. Raises OSError if no process can be started."""
        self._background.run(self._health.run(), "health of the workers")
        return await self._start_generation(self.contents)

    async def reload(self) -> bool:
        """Replaces the workers by new ones with the configuration and the code on the disk. During a drain nothing is
        replaced: those that run apply the configuration to their streams. False if that cannot be done and nothing has
        changed. Workers reopen their audit in any case, before the reloads that run have ended."""
        self._unrecorded.add(reload := object())
        self._pool.reopen_audits(len(self._unrecorded) if self._stopping else 0)
        async with self._reloading:
            done = False
            try:
                contents = await asyncio.to_thread(read_contents, self._config, running=True)
                done = await self._start_generation(contents, reload) == 0
                if self._stopping and reload in self._unrecorded:
                    self._unrecorded.remove(reload)
                    if done := await self._calls.apply(self.workers, contents):
                        self.contents = contents
            except OSError as error:
                self._log("error", f"the workers cannot be replaced: {error.strerror}")
            self._record_failed({reload})
            if self._stopping:
                self._pool.reopen_audits(len(self._unrecorded))
            return done

    async def call_workers(self, action: str, **details: Any) -> dict[int, Message | None]:
        """Has the workers do *action*. Returns their responses, as `WorkerCalls.call` does."""
        return await self._calls.call(self.workers, action, **details)

    def instruct_one(self, action: str, **details: Any) -> None:
        """Has one of the running workers do *action*, if there is one."""
        if running := self._pool.running:
            running[0].do(action, **details)

    def _record_failed(self, reloads: set[object]) -> None:
        """Has a worker record that those of *reloads* have failed whose line none was instructed to write."""
        for reload in reloads & self._unrecorded:
            self._unrecorded.remove(reload)
            self.instruct_one("report_failed_reload")

    async def stop(self, at_once: asyncio.Event) -> int:
        """Records a reload's outcome, drains and ends the workers; *at_once* ends that. Returns the exit status."""
        self._stopping, reloads = True, self._unrecorded.copy()
        self._pool.end([worker for worker in self.workers if worker.state == WorkerState.STARTING])
        if self._reloading.locked():
            if await ends_before(self._reloading.acquire(), at_once, _RELOAD_TIMEOUT):
                self._reloading.release()
            else:
                self._record_failed(reloads)
        for worker in self.workers:
            worker.do("drain")
        if self.workers:
            await wait_at_most(self.shutdown_delay, at_once)
        for sock in self._sockets:
            close_socket(sock, self._listen)  # nobody shall wait for what is not accepted
        if not await ends_before(self._pool.wait_ended(), at_once):
            self._record_failed(self._unrecorded.copy())
            self._pool.end(self.workers)
            await self._pool.wait_ended()
        await self._background.cancel()
        return self._exit_status

    async def _start_generation(self, contents: bytes, reload: object | None = None) -> int:
        """Replaces the workers by new ones with the configuration in *contents*. Returns 0, or with nothing changed the
        exit status of a worker that cannot start. Raises OSError if no process can be started.

        At a *reload* one is started before the others, so that the faults of the new configuration are printed once.
        """
        new: list[WorkerProcess] = []
        try:
            for number in (1, self._count - 1) if reload else (self._count,):
                for _ in range(0 if self._stopping else number):
                    quiet = not reload or bool(new)
                    new.append(await self._pool.start(self._generation + 1, contents, quiet=quiet))
                if self._stopping:  # since a process began to be started
                    self._pool.end(new)
                await asyncio.gather(*(self._pool.wait_prepared(worker) for worker in new))
                failed = [worker.status for worker in new if worker.status is not None]
                if failed or self._stopping:
                    self._pool.end(new)
                    return max([1, *failed])
        except OSError:
            self._pool.end(new)
            raise
        self._generation, self.contents = self._generation + 1, contents
        self._pool.constants |= {**new[0].lasting, "running": True}
        self._backoff = ReplacementBackoff()  # what ended the old workers may be mended
        self._unrecorded.discard(reload)  # the first one records it
        for position, worker in enumerate(new):
            worker.accept(reloaded=reload is not None and position == 0)
        await asyncio.gather(*(worker.accepting.wait() for worker in new))
        for worker in self.workers:
            if worker.generation != self._generation and worker.state != WorkerState.STARTING:
                worker.state = WorkerState.DRAINING
                worker.do("retire", config=contents.decode("latin-1"), quiet=True)
        return 0

    def _on_message(self, worker: WorkerProcess, message: Message) -> None:
        kind = message.pop("is")
        if kind == "prepared":
            worker.set_prepared(message)
        elif kind == "report":
            worker.set_report(message)
        elif kind == "log":
            self._log(message["level"], message["text"])
        elif kind == "response":
            self._calls.receive(worker, message)
        else:
            self._entries.receive(kind, worker, self.workers, message)

    def _on_end(self, worker: WorkerProcess) -> None:
        """Has *worker* replaced if it should not have ended."""
        self.metrics.forget(worker.number)
        self._entries.forget(worker)
        self._calls.forget(worker)
        if worker.state == WorkerState.RUNNING and not self._stopping:
            self._health.count_replacement(worker)
            pause = self._backoff.next_pause(asyncio.get_running_loop().time() - worker.started_at)
            self._log("error", "a worker has ended by itself and is replaced", worker, pause_seconds=f"{pause:g}")
            self._background.run(self._replace(worker.generation, pause), "replacing a worker")
        elif worker.status and worker.state == WorkerState.DRAINING:
            self._log("error", "a worker has ended with an error", worker)
        if worker.status and self._stopping and worker.state != WorkerState.STARTING:
            self._exit_status = 1

    async def _replace(self, generation: int, pause: float) -> None:
        """Starts another worker after *pause* seconds, until one accepts requests or *generation* is not the last."""
        while True:
            await asyncio.sleep(pause)
            if self._is_over(generation):
                return
            try:
                worker = await self._pool.start(generation, self.contents, quiet=True)
            except OSError as error:
                pause = self._backoff.next_pause(0)
                self._log("error", f"a worker cannot be started: {error.strerror}", pause_seconds=f"{pause:g}")
                continue
            await self._pool.wait_prepared(worker)
            if self._is_over(generation):
                self._pool.end([worker])
                return
            if worker.status is None:
                worker.accept(reloaded=False)
                return
            pause = self._backoff.next_pause(0)
            self._log("error", "a worker has ended before it was prepared", worker, pause_seconds=f"{pause:g}")

    def _is_over(self, generation: int) -> bool:
        return self._stopping or generation != self._generation

    def _log(self, level: str, message: str, worker: WorkerProcess | None = None, **details: str) -> None:
        if worker is not None:
            details = {"worker": str(worker.number), "status": str(worker.status), **details}
        self._observer.on_event(LogEvent(level, message, tuple(details.items())))
