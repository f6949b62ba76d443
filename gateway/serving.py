"""A gateway that serves: its listeners, its reload, its drain.

What a reload replaces is app.Road; what outlives it is here. Nothing of the demo's is known to this module.
"""

import asyncio
import platform
import ssl
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from aiohttp import web

from gateway.app import VERSION, Lasting, Road, build_road, store_of
from gateway.clock import SystemClock
from gateway.delivery.revocation import Revocation
from gateway.delivery.streams import Streams
from gateway.events import ConfigReloaded, Noticed
from gateway.observe.audit import AuditFile
from gateway.observe.listeners import Listeners
from gateway.observe.logs import LogListener, take_over
from gateway.observe.loop import LoopWatch
from gateway.observe.metrics import Metrics
from gateway.ports import Clock
from gateway.settings.model import Settings
from gateway.settings.restart import needing_restart
from gateway.vouching import still_vouches, tellers_of
from gateway.web.front import Front
from gateway.web.listening import address_of, site_at, tls_context
from gateway.web.ops import Readiness, admin
from gateway.web.rates import Rates
from gateway.web.routes import ROUTES
from gateway.web.server import Server, has_c_parser, refusals, runner_of

_LAST_SECONDS = 2.0
"""For requests that were told to end."""


class Gateway:
    """*settings* in, two listeners out. *clock* and *log* are the machine's unless a test brings its own."""

    def __init__(self, settings: Settings, *, clock: Clock | None = None, log: TextIO | None = None) -> None:
        self.settings = self._started_with = settings
        self.clock = clock or SystemClock()
        self.logs = LogListener(log or sys.stderr, settings.log.format, settings.log.level, self.clock)
        self.metrics = Metrics(version=VERSION)
        told = Listeners(self.metrics, self.logs)
        self.audit = AuditFile(settings.audit.file, self.clock, told)
        self.listener = Listeners(self.metrics, self.audit, self.logs)
        self.store = store_of(settings, self.clock)
        limits = settings.limits
        self.streams = Streams(
            self.clock,
            self.listener,
            most=limits.streams,
            per_person=limits.streams_per_person,
            per_address=limits.streams_per_address,
        )
        self.revocation = Revocation(self.streams, self.store, self.clock, self.listener)
        self.readiness = Readiness(self.dependencies)
        self.loop_watch = LoopWatch(self.listener)
        self.rates = Rates(self.clock, self.listener, per_minute=limits.requests_per_minute)
        self._lasting = Lasting(
            self.clock, self.listener, self.audit, self.store, self.streams, self.rates, self.clock.now()
        )
        self._road: Road | None = None
        self._front: Front | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._runners: list[web.BaseRunner] = []
        self._sites: list[web.BaseSite] = []
        self._looking: list[asyncio.Task[None]] = []
        self._tls: ssl.SSLContext | None = None

    async def start(self) -> None:
        """Listen. OSError where an address, the audit or the state cannot be opened."""
        if not has_c_parser():
            raise RuntimeError("aiohttp's C parser is not loaded: unset AIOHTTP_NO_EXTENSIONS or reinstall aiohttp")
        take_over(self.logs, self.clock, self.settings.log.level)
        self.audit.open()
        await self.store.start()
        self._take(build_road(self.settings, self._lasting))
        self.metrics.watch_streams(lambda: len(self.streams))
        front = self._front = Front(self._current().handlers, self.clock, self.listener)
        version = {"version": VERSION, "python": platform.python_version()}
        # What the admin listener refuses is no visit of anybody's: nobody counts it.
        self._runners = [
            runner_of(
                Server(front.answer, refusals(self.clock, self.listener), request=front.request, together=self.audit)
            ),
            runner_of(Server(admin(self.readiness, self.metrics.render, version), refusals(self.clock, Listeners()))),
        ]
        for one in self._runners:
            await one.setup()
        self._tls = tls_context(_certificate(self.settings))
        self._sites = [
            site_at(self._runners[0], self.settings.server.listen, self._tls),
            site_at(self._runners[1], self.settings.admin.listen, None),
        ]
        for site in self._sites:
            await site.start()
        self.logs.start()
        self.loop_watch.start()
        self._looking.append(asyncio.create_task(self.revocation.run(), name="revocation"))
        self.readiness.ready = True

    @property
    def addresses(self) -> tuple[str, str]:
        """Where the public and the admin listener are, as URLs; ports that the system chose are told."""
        scheme = "http" if self._tls is None else "https"
        return address_of(self._runners[0], scheme), address_of(self._runners[1], "http")

    async def reload(self, settings: Settings | None) -> bool:
        """Take new *settings*, all or nothing; None tells that the file has faults, and the old ones stay."""
        with suppress(OSError):
            self.audit.reopen()
        old, road = self._current(), None if settings is None else await self._road_of(settings)
        if settings is None or road is None:
            self.listener.happened(ConfigReloaded("failed"))
            return False
        self.settings, before = settings, old.settings.valt
        self._take(road)
        self._retire(old)
        limits = settings.limits
        self.streams.limit(limits.streams, limits.streams_per_person, limits.streams_per_address)
        self.rates.limit(limits.requests_per_minute)
        road.valt.queue.limit(limits.waiting_for_valt)
        self.listener.happened(ConfigReloaded("ok"))
        for key in needing_restart(self._started_with, settings):
            self.listener.happened(Noticed("warning", f"{key} needs a restart"))
        vouched, longest = partial(still_vouches, settings), 2 * before.read_timeout + before.connect_timeout
        await self.revocation.decide_again(road.policy, vouched, set())
        settling = self.revocation.settle(road.policy, vouched, longest, lambda: road is self._road)
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
        await self._sites[0].stop()
        loop = asyncio.get_running_loop()
        until = loop.time() + self.settings.server.drain_timeout
        while len(self.streams) and not hurry.is_set() and loop.time() < until:
            await _wait(hurry, min(0.1, max(0.0, until - loop.time())))
        self.streams.end("drain", lambda _stream: True)

    async def stop(self) -> None:
        """End everything that is left."""
        self.readiness.ready = False
        self.loop_watch.stop()
        for task in self._looking:
            task.cancel()
        await asyncio.gather(*self._looking, return_exceptions=True)
        for runner in self._runners:
            await runner.cleanup()
        if self._retiring:
            await asyncio.wait(self._retiring, timeout=_LAST_SECONDS)
        if self._road is not None:
            await self._road.close()
        await self.store.close()
        self.logs.stop()
        self.audit.close()

    def dependencies(self) -> Mapping[str, Any]:
        """What /readyz?verbose tells."""
        road = self._current()
        return {
            "valt": {name: road.valt.tokens.state(name) for name in road.valt.accounts},
            "breakers": {road.settings.valt.base_url: road.valt.calls.state.name.lower()},
            "identity": {name: keys.state for name, keys in road.keys.items()},
            "streams": len(self.streams),
            "event_loop_lag_seconds": round(self.loop_watch.lag, 6),
        }

    def _current(self) -> Road:
        if self._road is None:
            raise RuntimeError("the gateway has not started")
        return self._road

    def _take(self, road: Road) -> None:
        self._road, settings = road, road.settings
        if self._front is not None:
            self._front.handlers = road.handlers
        self.metrics.know(
            routes=[path for _, path, _ in ROUTES],
            providers=tellers_of(settings),
            rules=[grant.name for grant in settings.grants],
            accounts=list(settings.valt.accounts),
            issuers=[keys.issuer for keys in road.keys.values()],
        )
        self.metrics.watch_breaker(settings.valt.base_url, lambda: road.valt.calls.state)

    def _retire(self, road: Road) -> None:
        """The requests that came by *road* go on by it; it is closed after the last of them."""

        async def close() -> None:
            await road.handlers.in_flight.over()
            await road.close()

        task = asyncio.create_task(close(), name="retiring")
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def _road_of(self, settings: Settings) -> Road | None:
        """The road of *settings*, its certificate in force; None, and nothing is changed, where they do not do."""
        old = self._current()
        kept = old.valt if old.valt.settings == (settings.valt, settings.links, settings.recordings) else None
        try:
            road = build_road(settings, self._lasting, kept)
        except Exception as error:
            self.listener.happened(Noticed("error", f"the configuration cannot be taken: {type(error).__name__}"))
            return None
        try:
            self._reload_tls(settings)
        except OSError as error:
            self.listener.happened(Noticed("error", f"the certificate cannot be read: {type(error).__name__}"))
            await road.close()
            return None
        return road

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
