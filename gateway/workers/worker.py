"""The worker's side: a gateway without an admin listener, which does what the supervisor says and reports to it.

A worker whose supervisor is gone drains and ends.
"""

import asyncio
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any

from gateway.clock import BackgroundTasks, ends_before
from gateway.context import WorkerContext
from gateway.events import LogEvent
from gateway.model import Secret
from gateway.server import Gateway
from gateway.settings.model import Settings
from gateway.sockets import PassedSockets
from gateway.store.sqlite import SqliteStore
from gateway.workers.channel import Channel, Message

_REPORT_INTERVAL = 1.0
_USE_INTERVAL = 5
"""Reports between two that name the sessions in use: what is used in one worker is in use in every one."""
_STATE_ACTIONS = {"take_over", "shared", "mark_used"}
"""What is done until the end: anything else would open or write the audit while it is closed."""
_RELOAD_TIMEOUT = 5.0
"""Seconds that the end of a drain waits for a reload: other workers may have streams to which it applies."""
_SHARE_TIMEOUT = 2.0
"""Seconds that a sign-out waits for the other workers. One that does not respond reads it from the file."""


class Worker:
    """Runs a gateway with *settings*; *start* is the supervisor's first message on *channel*."""

    def __init__(self, settings: Settings, start: Message, channel: Channel, passed: PassedSockets) -> None:
        is_running = start.get("running", False)  # which older supervisors do not send
        context = WorkerContext(Secret(start["seal"]), start["started_at"], start["durable"], self._share, is_running)
        self.gateway = Gateway(settings, passed=passed, worker=context)
        self._channel = channel
        self._background = BackgroundTasks()
        self._ending: asyncio.Task[None] | None = None
        """Retires or drains."""
        self._draining = False
        self._reloads = BackgroundTasks()
        self._reloading = asyncio.Lock()
        self._none_waits = asyncio.Event()
        """Set unless a reload waits in the supervisor, which a worker that drains is to apply or to record."""
        self._none_waits.set()
        self._finished = asyncio.Event()
        self._at_once = asyncio.Event()
        self._shared: dict[int, asyncio.Future[None]] = {}
        """The entries of the state that other workers have not yet taken over, by their number."""
        self._numbers = count()

    def __repr__(self) -> str:
        return f"<Worker {self.gateway.status}>"

    async def run(self, read_settings: Callable[[Message], Settings | None]) -> int:
        """Does what the supervisor says until it has ended everything. Returns the exit status.

        *read_settings* returns the settings in a message, None if they have faults.
        """
        self._background.run(self._receive(read_settings), "channel")
        self._background.run(self._report(), "reports")
        await self._finished.wait()
        self._report_use()
        await self._reloads.cancel()
        stopped = await self.gateway.stop()
        self.gateway.metrics.flush()
        await self._background.cancel()
        self._channel.close()
        return 0 if stopped else 1

    def drain(self) -> None:
        """Lets streams finish within server.drain_timeout, and ends."""
        self._draining = True
        self._end(self._drain())

    async def _drain(self) -> None:
        await self.gateway.drain(self._at_once)
        if self._reloading.locked() or not self._none_waits.is_set():
            await ends_before(self._wait_for_reloads(), self._at_once, _RELOAD_TIMEOUT)

    async def _wait_for_reloads(self) -> None:
        await self._none_waits.wait()
        await self._reloading.acquire()

    def _end(self, ending: Coroutine[Any, Any, None]) -> None:
        """Ends the process after *ending*, which replaces an earlier one."""
        if self._ending is not None:
            self._ending.cancel()

        async def finish() -> None:
            try:
                await ending
            except Exception as error:
                self.gateway.observer.on_event(LogEvent("error", f"ending a worker failed: {type(error).__name__}"))
            self._finished.set()

        self._ending = asyncio.create_task(finish(), name="ending")

    async def _receive(self, read_settings: Callable[[Message], Settings | None]) -> None:
        while (message := await self._channel.receive()) is not None:
            if not self._finished.is_set() or message["do"] in _STATE_ACTIONS:
                await self._handle(message, read_settings)
        if self._ending is None:
            self.drain()

    async def _handle(self, message: Message, read_settings: Callable[[Message], Settings | None]) -> None:
        gateway = self.gateway
        match message["do"]:
            case "accept":
                await gateway.accept()
                if message["reloaded"]:
                    gateway.report_reload(done=True)
                self._send_report()
            case "reopen":
                self._reopen_audit(message.get("reloads", 0))
            case "report_failed_reload":
                gateway.report_reload(done=False)
            case "retire":
                self._reloads.run(self._apply(message, read_settings), "reload")
                if not self._draining:  # a drain has an end, and a replaced process has none before its last stream
                    self._end(gateway.retire())
            case "apply":
                self._reloads.run(self._apply(message, read_settings), "reload")
            case "drain":
                self.drain()
            case "stop":
                self._at_once.set()
                self._finished.set()
            case "list_streams" | "cut" | "report_cut":
                await self._handle_streams(message)
            case _:
                self._handle_state(message)

    def _reopen_audit(self, reloads: int) -> None:
        """Reopens the audit, and takes note whether *reloads* wait in the supervisor."""
        self.gateway.audit.reopen()
        if reloads:
            self._none_waits.clear()
        else:
            self._none_waits.set()

    async def _apply(self, message: Message, read_settings: Callable[[Message], Settings | None]) -> None:
        """Applies the configuration in *message* to requests and running streams, after those before. Records the
        outcome and responds if the supervisor waits for it. The process ends if that fails as nobody expects, or in a
        worker that is replaced: the code of its replacement may know keys that its own does not. Its streams are cut
        rather than go on by the old rules."""
        gateway, done = self.gateway, False
        try:
            async with self._reloading:
                settings = await asyncio.to_thread(read_settings, message)
                done = settings is not None and await gateway.apply(settings)
        except Exception as error:
            gateway.observer.on_event(LogEvent("error", f"applying a configuration failed: {type(error).__name__}"))
            self._finished.set()
        finally:  # also when this is cancelled because the process ends
            if message["do"] == "apply":
                if not message["quiet"]:
                    gateway.report_reload(done=done)
                self._channel.send({"is": "response", "id": message["id"], "done": done})
        if message["do"] == "retire" and not done:
            text = (
                "a replaced worker cannot apply the new configuration, perhaps that of a later version: its streams end"
            )
            gateway.observer.on_event(LogEvent("warning", text))
            self._finished.set()

    async def _handle_streams(self, message: Message) -> None:
        """Lists or cuts streams, or audits what became of that."""
        control = self.gateway.stream_control
        match message["do"], message.get("outcome"):
            case "list_streams", _:
                self._channel.send({"is": "response", "id": message["id"], **await control.list_streams()})
            case "cut", _:
                done = await control.cut(message["request_id"], message["peer"], report_missing=False)
                self._channel.send({"is": "response", "id": message["id"], "done": done})
            case _, "refused":
                await control.refuse_cut(message["request_id"], message["peer"])
            case _:
                control.report_missing(message["request_id"], message["peer"])

    def _handle_state(self, message: Message) -> None:
        """Takes over what other workers have written, and takes note that they have taken over what this one has."""
        gateway = self.gateway
        match message["do"]:
            case "take_over":
                if isinstance(gateway.store, SqliteStore):
                    gateway.store.take_over(*message["entry"])
                self._channel.send({"is": "taken_over", "id": message["id"]})
            case "shared":
                if (shared := self._shared.get(message["id"])) is not None and not shared.done():
                    shared.set_result(None)
            case "mark_used":
                for session in message["sessions"]:
                    gateway.streams.mark_used(session)
            case unknown:
                raise ValueError(f"the supervisor says {unknown!r}")

    async def _share(self, kind: str, key: str, until: float, value: float) -> None:
        """Returns after the other workers have taken over what this one has written to the state."""
        number = next(self._numbers)
        shared = self._shared[number] = asyncio.get_running_loop().create_future()
        self._channel.send({"is": "written", "id": number, "entry": [kind, key, until, value]})
        try:
            async with asyncio.timeout(_SHARE_TIMEOUT):
                await shared
        except TimeoutError:
            event = LogEvent("warning", "a worker did not take over a sign-out at once: it reads it from the state")
            self.gateway.observer.on_event(event)
        finally:
            del self._shared[number]

    async def _report(self) -> None:
        for number in count():
            self._send_report()
            if number % _USE_INTERVAL == 0:
                self._report_use()
            await asyncio.sleep(_REPORT_INTERVAL)

    def _report_use(self) -> None:
        """Has the sessions that are in use here count as used in the other workers."""
        if sessions := self.gateway.streams.sessions:
            self._channel.send({"is": "used", "sessions": sessions}, may_be_lost=True)

    def _send_report(self) -> None:
        gateway = self.gateway
        report = {
            "ready": gateway.readiness.ready,
            "streams": len(gateway.streams),
            "connections": gateway.connections,
            "faults": gateway.faults.local(),
            "required": gateway.faults.required(),
            "dependencies": gateway.dependencies(),
        }
        self._channel.send({"is": "report", **report}, may_be_lost=True)
