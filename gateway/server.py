"""The process lifecycle: start, reload, drain, stop.

A reload replaces `App`; this module owns what outlives it: the listeners, the observers, the store and the streams.
"""

import asyncio
import secrets
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TextIO

from gateway.app import App, audit_log_of, build_app, store_of
from gateway.build_info import build_info, version_of_process
from gateway.clock import BackgroundTasks, SystemClock, repeat
from gateway.context import ProcessContext, WorkerContext
from gateway.current_app import CurrentApp
from gateway.delivery.revocation import Revocation
from gateway.delivery.stream_control import StreamControl
from gateway.delivery.streams import Streams
from gateway.ending import Ending
from gateway.events import ConfigReloaded, LogEvent
from gateway.listeners import admin_listener, apply_limits, certificate_of, public_listener
from gateway.model import Secret
from gateway.observe.library_logs import redirect_library_logs
from gateway.observe.logs import LogObserver
from gateway.observe.metrics import Metrics
from gateway.observe.observers import LoopLagMonitor, Observers
from gateway.observe.refusals import WINDOW, RefusalFilter
from gateway.ports import Clock, Observer
from gateway.process_tracing import ProcessTracing
from gateway.rate_limit import RateLimiter
from gateway.readiness_faults import ReadinessFaults
from gateway.settings.model import Settings
from gateway.settings.restart_keys import keys_needing_restart, restart_values
from gateway.sockets import PassedSockets
from gateway.web.dispatcher import Dispatcher
from gateway.web.handlers.admin import AdminHandler, Readiness, StreamCommands
from gateway.web.http_server import require_c_parser
from gateway.web.listener import Listener
from gateway.web.routes import label_values


class Gateway:
    """One gateway process: the public and the admin listener, and all that they need.

    *clock* and *log* default to the system's clock and standard error. *passed* are sockets that another process has
    opened. A *worker* has no admin listener, and calls `prepare` and `accept` instead of `start`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        log: TextIO | None = None,
        film_indexes: bool = True,
        passed: PassedSockets | None = None,
        worker: WorkerContext | None = None,
    ) -> None:
        self.passed = passed or {}
        self._worker = worker
        self.settings = settings
        self.clock = clock or SystemClock()
        self.metrics = Metrics(version=build_info().version, commit=build_info().commit)
        self.logs = LogObserver(log or sys.stderr, settings.log.format, settings.log.level, self.clock, self.metrics)
        self.audit = audit_log_of(settings.audit, self.clock, self.metrics, self.logs)
        limits, clock = settings.limits, self.clock
        self.refusals = RefusalFilter(self.audit, self.logs, self.metrics, clock, per_minute=limits.refusals_per_minute)
        self.tracing = ProcessTracing(settings.tracing, self.clock, self.refusals)
        self.observer: Observer = self.tracing.observer
        self.store = store_of(settings, self.clock, self.observer, worker)
        counts, of_person, of_address = self.store.counts, limits.streams_per_person, limits.streams_per_address
        self.streams = Streams(
            clock, self.observer, most=limits.streams, per_person=of_person, per_address=of_address, shared=counts
        )
        control = self.stream_control = StreamControl(self.streams, self.audit.record_admin, self.clock, self.observer)
        self.revocation = Revocation(self.streams, lambda: self.app.checks, self.clock, self.observer)
        self.loop_lag = LoopLagMonitor(self.observer)
        self.rates = RateLimiter(clock, self.observer, per_minute=limits.requests_per_minute, shared=counts)
        shared = worker or WorkerContext(Secret(secrets.token_urlsafe(32)), self.clock.now())
        self._context = ProcessContext(
            *(self.clock, self.observer, self.audit, self.store, self.streams, self.rates),
            *(shared.started_at, shared.seal, film_indexes),
        )
        self.faults = ReadinessFaults(
            *(lambda: self.audit.is_writable, self.store, self.streams, self._context.issued, self.clock),
            lambda: None if self._current is None else self.app.settings,
        )
        self.readiness = Readiness(self.dependencies, self.faults.all)
        commands = StreamCommands(control.list_streams, control.cut, control.refuse_cut)
        self._admin = AdminHandler(self.readiness, self.metrics.render, version_of_process(), streams=commands)
        self._admin.set_access(settings.admin.hosts, settings.admin.token)
        self._current: CurrentApp | None = None
        self._dispatcher: Dispatcher | None = None
        self._listeners: list[Listener] = []
        self._background = BackgroundTasks()

    async def start(self) -> None:
        """Starts both listeners. Raises OSError if an address, the audit or the state cannot be opened."""
        await self.prepare()
        await self.accept()

    async def prepare(self) -> None:
        """Builds what accepting requests needs. Raises OSError if the audit or the state cannot be opened; a worker
        of a gateway that runs opens its audit later then, as after a rotation."""
        require_c_parser()
        redirect_library_logs(self.logs, self.clock, self.settings.log.level)
        if self._worker is not None and self._worker.is_running:
            self.audit.reopen()
        else:
            self.audit.open()
        self.audit.record_admin("start", {"version": build_info().version})
        await self.store.start()
        app = build_app(self.settings, self._context)
        tls, record_type = certificate_of(self.settings) is not None, self.tracing.record_type
        self._dispatcher = Dispatcher(app.handlers, self.clock, self.observer, tls=tls, record_type=record_type)
        self._current = CurrentApp(app, self._dispatcher)
        self._prepare_metrics(app)
        self.metrics.watch_streams(lambda: len(self.streams))
        self._listeners = [public_listener(self.settings, self._dispatcher, self.clock, self.tracing, self.passed)]
        if self._worker is None:
            logs = Observers(self.logs)
            self._listeners.append(admin_listener(self.settings, self._admin, self.clock, logs, self.passed))
        self.metrics.watch_outputs(lambda: self.audit.is_writable, lambda: self.store.fault is None)
        self.metrics.watch_requests(self.refusals.flush)
        self.metrics.watch_connections(lambda: self.connections)
        self.loop_lag.start()
        self._background.run(self.revocation.run(), "revocation")
        self._background.run(self.audit.run(), "audit")
        self._background.run(repeat(WINDOW, self.refusals.end_window), "refusals")

    async def accept(self) -> None:
        """Accepts requests. Raises OSError if an address cannot be opened."""
        for listener in self._listeners:
            await listener.start()
        self.readiness.ready = True

    @property
    def addresses(self) -> tuple[str, str]:
        """The URLs of the public and of the admin listener, with the ports that the system chose for port 0."""
        return self._listeners[0].address, self._listeners[1].address

    @property
    def app(self) -> App:
        """What the configuration in force has built. Raises RuntimeError before `start`."""
        return self._started().app

    async def reload(self, settings: Settings | None) -> bool:
        """Applies *settings*, and records whether that was done: not if they are None, because the configuration file
        has faults."""
        done = settings is not None and await self.apply(settings)
        self.report_reload(done=done)
        return done

    async def apply(self, settings: Settings) -> bool:
        """Directs requests to what *settings* build, and ends the streams that they would not grant. False, with
        nothing changed, if they cannot be applied, which is logged."""
        new = await self._started().build(settings, self._context, self._listeners[0])
        if new is None:
            return False
        for key in keys_needing_restart(restart_values(self.settings), settings):
            self.observer.on_event(LogEvent("warning", f"{key} needs a restart"))
        self._prepare_metrics(new)
        self._apply(new)
        return True

    def report_reload(self, *, done: bool) -> None:
        """Records in the audit and the metrics that a new configuration is in force, or (not *done*) was refused."""
        outcome = "ok" if done else "failed"
        self.audit.record_admin("reload", {"outcome": outcome})
        self.observer.on_event(ConfigReloaded(outcome))

    async def retire(self) -> None:
        """Accepts nothing more, and returns after the last stream and request: another process has replaced this."""
        self.readiness.ready = False
        ending = Ending(self._listeners[0], self._dispatcher, self.streams)
        ending.stop_accepting()
        await ending.wait_idle()

    async def drain(self, at_once: asyncio.Event | None = None) -> None:
        """Reports not ready, accepts connections for shutdown_delay, then lets streams and requests finish within
        drain_timeout; setting *at_once* ends the drain."""
        at_once, server = at_once or asyncio.Event(), self.settings.server
        self.readiness.ready = False
        ending = Ending(self._listeners[0], self._dispatcher, self.streams)
        await ending.drain(server.shutdown_delay, server.drain_timeout, at_once)

    async def stop(self) -> bool:
        """Ends every request and releases everything. Also to be called if `start` has raised. False if audit lines
        could not be written, which are in the log then, or may not be on the disk, which the log says."""
        # Of the threads until now, all may wait for a name server, and what is written at the end would wait for one.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
        self.readiness.ready = False
        self.streams.close()  # before the listener, which closes a connection as if its response were complete
        self.loop_lag.stop()
        await self._background.cancel()
        for listener in self._listeners:
            await listener.close()
        if self._current is not None:
            await self._current.close()
        await self.tracing.close()
        await self.store.close()
        self.refusals.end_window()
        self.refusals.flush()
        if self._current is not None:
            self.audit.record_admin("stop")
        unwritten = await asyncio.to_thread(self.audit.close)
        await asyncio.to_thread(self.logs.report_unwritten, unwritten)
        await asyncio.to_thread(self.logs.close)
        return not unwritten and self.audit.is_on_disk

    @property
    def status(self) -> str:
        """What the gateway does at this moment, in a line for ``systemctl status``."""
        activity = f"{len(self.streams)} streams, {self.connections} connections"
        return f"{'Accepting' if self.readiness.ready else 'Draining'}; {activity}"

    @property
    def connections(self) -> int:
        """The connections to the public listener."""
        return self._listeners[0].connections

    def dependencies(self) -> Mapping[str, Any]:
        """The state of VALT, of the identity providers and of this process, for ``/readyz?verbose``."""
        audit = {"writable": self.audit.is_writable, "waiting": self.audit.waiting}
        own = {"audit": audit, "state": self.faults.state(), "streams": len(self.streams)}
        return {**self.app.dependencies(), **own, "event_loop_lag_seconds": round(self.loop_lag.lag, 6)}

    def _prepare_metrics(self, app: App) -> None:
        self.metrics.prepare(routes=label_values(), **app.label_values())
        self.metrics.watch_breaker(app.settings.valt.base_url, lambda: app.valt.breaker.state)

    def _started(self) -> CurrentApp:
        if self._current is None:
            raise RuntimeError("the gateway has not started")
        return self._current

    def _apply(self, new: App) -> None:
        """Directs requests to *new*, and ends the streams that it would not grant in the background: VALT may be slow.
        Requests that have not been answered are decided again (`Access.confirm`)."""
        self.settings, limits = new.settings, new.settings.limits
        self._started().replace(new)
        self.streams.limit(limits.streams, limits.streams_per_person, limits.streams_per_address)
        self.rates.set_limit(limits.requests_per_minute)
        self.refusals.set_limit(limits.refusals_per_minute)
        apply_limits(self._listeners[0], new.settings, self.observer)
        self._admin.set_access(new.settings.admin.hosts, new.settings.admin.token)
        new.valt.concurrency_limit.set_maximum(limits.waiting_for_valt)
        self._background.run(self.revocation.decide_again(new.policy), "revocation after a reload")
