"""A gateway that serves: its listeners, its reload, its drain.

What a reload replaces is app.Road; what outlives it is here. Nothing of the demo's is known to this module.
"""

import asyncio
import os
import platform
import ssl
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from gateway.app import VERSION, App, build_app, store_of
from gateway.clock import SystemClock
from gateway.context import ProcessContext
from gateway.delivery.revocation import Revocation
from gateway.delivery.streams import Streams
from gateway.events import ConfigReloaded, LogEvent
from gateway.identity_factory import identity_still_valid, provider_names
from gateway.observe.audit import AuditFile
from gateway.observe.library_logs import redirect_library_logs
from gateway.observe.logs import LogObserver
from gateway.observe.metrics import Metrics
from gateway.observe.observers import LoopLagMonitor, Observers
from gateway.ports import Clock
from gateway.rate_limit import Rates
from gateway.settings.model import Settings
from gateway.settings.restart import needing_restart
from gateway.web.dispatcher import Dispatcher
from gateway.web.handlers.admin import Readiness, admin
from gateway.web.http_server import HttpServer, Listener, has_c_parser, parser_errors, tls_context
from gateway.web.routes import ROUTES

_LAST_SECONDS = 2.0
"""For requests that were told to end."""


class Gateway:
    """*settings* in, two listeners out. *clock* and *log* are the machine's unless a test brings its own."""

    def __init__(self, settings: Settings, *, clock: Clock | None = None, log: TextIO | None = None) -> None:
        self.settings = self._started_with = settings
        self.clock = clock or SystemClock()
        self.logs = LogObserver(log or sys.stderr, settings.log.format, settings.log.level, self.clock)
        self.metrics = Metrics(version=VERSION, commit=os.environ.get("VALT_GATEWAY_COMMIT", "unknown"))
        told = Observers(self.metrics, self.logs)
        self.audit = AuditFile(settings.audit.file, self.clock, told)
        self.observer = Observers(self.metrics, self.audit, self.logs)
        self.store = store_of(settings, self.clock)
        limits = settings.limits
        self.streams = Streams(
            self.clock,
            self.observer,
            most=limits.streams,
            per_person=limits.streams_per_person,
            per_address=limits.streams_per_address,
        )
        self.revocation = Revocation(self.streams, self.store, self.clock, self.observer)
        self.readiness = Readiness(self.dependencies)
        self.loop_lag = LoopLagMonitor(self.observer)
        self.rates = Rates(self.clock, self.observer, per_minute=limits.requests_per_minute)
        self._context = ProcessContext(
            self.clock, self.observer, self.audit, self.store, self.streams, self.rates, self.clock.now()
        )
        self._app: App | None = None
        self._front: Dispatcher | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._listeners: list[Listener] = []
        self._looking: list[asyncio.Task[None]] = []
        self._tls: ssl.SSLContext | None = None

    async def start(self) -> None:
        """Listen. OSError where an address, the audit or the state cannot be opened."""
        if not has_c_parser():
            raise RuntimeError("aiohttp's C parser is not loaded: unset AIOHTTP_NO_EXTENSIONS or reinstall aiohttp")
        redirect_library_logs(self.logs, self.clock, self.settings.log.level)
        self.audit.open()
        await self.store.start()
        self._take(build_app(self.settings, self._context))
        self.metrics.watch_streams(lambda: len(self.streams))
        front = self._front = Dispatcher(self._current().handlers, self.clock, self.observer)
        version = {"version": VERSION, "python": platform.python_version()}
        public = HttpServer(
            front.handle, parser_errors(self.clock, self.observer), request_factory=front.create_request
        )
        # Requests to the admin listener are not counted.
        internal = HttpServer(
            admin(self.readiness, self.metrics.render, version), parser_errors(self.clock, Observers())
        )
        self._tls = tls_context(_certificate(self.settings))
        self._listeners = [
            Listener(public, self.settings.server.listen, self._tls),
            Listener(internal, self.settings.admin.listen, None),
        ]
        for listener in self._listeners:
            await listener.start()
        self.logs.start()
        self.loop_lag.start()
        self._looking.append(asyncio.create_task(self.revocation.run(), name="revocation"))
        self.readiness.ready = True

    @property
    def addresses(self) -> tuple[str, str]:
        """Where the public and the admin listener are, as URLs; ports that the system chose are told."""
        return self._listeners[0].address, self._listeners[1].address

    async def reload(self, settings: Settings | None) -> bool:
        """Take new *settings*, all or nothing; None tells that the file has faults, and the old ones stay."""
        with suppress(OSError):
            self.audit.reopen()
        old, app = self._current(), None if settings is None else await self._app_of(settings)
        if settings is None or app is None:
            self.observer.on_event(ConfigReloaded("failed"))
            return False
        self.settings, before = settings, old.settings.valt
        wait_idle = self._dispatcher().replace_handlers(app.handlers)
        self._take(app)
        self._retire(old, wait_idle)
        limits = settings.limits
        self.streams.limit(limits.streams, limits.streams_per_person, limits.streams_per_address)
        self.rates.limit(limits.requests_per_minute)
        app.valt.concurrency_limit.set_maximum(limits.waiting_for_valt)
        self.observer.on_event(ConfigReloaded("ok"))
        for key in needing_restart(self._started_with, settings):
            self.observer.on_event(LogEvent("warning", f"{key} needs a restart"))
        vouched, longest = partial(identity_still_valid, settings), 2 * before.read_timeout + before.connect_timeout
        await self.revocation.decide_again(app.policy, vouched, set())
        settling = self.revocation.settle(app.policy, vouched, longest, lambda: app is self._app)
        task = asyncio.create_task(settling, name="settling")
        self._looking.append(task)
        task.add_done_callback(self._looking.remove)
        return True

    async def drain(self, hurry: asyncio.Event | None = None) -> None:
        """Not ready at once; go on accepting for shutdown_delay, then let streams finish within drain_timeout.
        *hurry*, once set, ends it now."""
        hurry = hurry or asyncio.Event()
        self.readiness.ready = False
        if self._front is not None:
            self._front.draining = True
        await _wait(hurry, self.settings.server.shutdown_delay)
        await self._listeners[0].stop_accepting()
        loop = asyncio.get_running_loop()
        until = loop.time() + self.settings.server.drain_timeout
        while len(self.streams) and not hurry.is_set() and loop.time() < until:
            await _wait(hurry, min(0.1, max(0.0, until - loop.time())))
        self.streams.end("drain", lambda _stream: True)

    async def stop(self) -> None:
        """End everything that is left."""
        self.readiness.ready = False
        self.loop_lag.stop()
        for task in self._looking:
            task.cancel()
        await asyncio.gather(*self._looking, return_exceptions=True)
        for listener in self._listeners:
            await listener.close()
        if self._retiring:
            await asyncio.wait(self._retiring, timeout=_LAST_SECONDS)
        if self._app is not None:
            await self._app.close()
        await self.store.close()
        self.logs.stop()
        self.audit.close()

    def dependencies(self) -> Mapping[str, Any]:
        """What /readyz?verbose tells."""
        app = self._current()
        return {
            "valt": {name: app.valt.tokens.login_state(name) for name in app.valt.accounts},
            "breakers": {app.settings.valt.base_url: app.valt.breaker.state.name.lower()},
            "identity": {name: keys.state for name, keys in app.keys.items()},
            "streams": len(self.streams),
            "event_loop_lag_seconds": round(self.loop_lag.lag, 6),
        }

    def _current(self) -> App:
        if self._app is None:
            raise RuntimeError("the gateway has not started")
        return self._app

    def _dispatcher(self) -> Dispatcher:
        if self._front is None:
            raise RuntimeError("the gateway has not started")
        return self._front

    def _take(self, app: App) -> None:
        self._app, settings = app, app.settings
        self.metrics.prepare(
            routes=[path for _, path, _ in ROUTES],
            providers=provider_names(settings),
            rules=[grant.name for grant in settings.grants],
            accounts=list(settings.valt.accounts),
            jwks_providers=list(app.keys),
        )
        self.metrics.watch_breaker(settings.valt.base_url, lambda: app.valt.breaker.state)

    def _retire(self, app: App, wait_idle: Callable[[], Awaitable[None]]) -> None:
        """The requests that came by *road* go on by it; it is closed after the last of them."""

        async def close() -> None:
            await wait_idle()
            await app.close()

        task = asyncio.create_task(close(), name="retiring")
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def _app_of(self, settings: Settings) -> App | None:
        """The road of *settings*, its certificate in force; None, and nothing is changed, where they do not do."""
        old = self._current()
        kept = old.valt if old.valt.settings == (settings.valt, settings.links, settings.recordings) else None
        try:
            app = build_app(settings, self._context, kept)
        except Exception as error:
            self.observer.on_event(LogEvent("error", f"the configuration cannot be taken: {type(error).__name__}"))
            return None
        try:
            self._reload_tls(settings)
        except OSError as error:
            self.observer.on_event(LogEvent("error", f"the certificate cannot be read: {type(error).__name__}"))
            await app.close()
            return None
        return app

    def _reload_tls(self, settings: Settings) -> None:
        # Tried apart first: a key that does not belong to its certificate would spoil the context that is in use.
        pair = _certificate(settings)
        tls_context(pair)
        if self._tls is not None and pair is not None:
            self._tls.load_cert_chain(*pair)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _certificate(settings: Settings) -> tuple[Path, Path] | None:
    certificate, key = settings.server.tls_cert_file, settings.server.tls_key_file
    return None if certificate is None or key is None else (certificate, key)
