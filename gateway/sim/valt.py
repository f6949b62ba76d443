"""The VALT simulator: an API and a media server on ports of their own, with a setting for every fault."""

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from aiohttp import web
from yarl import URL

from gateway.clock import SystemClock
from gateway.ports import Clock
from gateway.sim.api import Api
from gateway.sim.catalogue import Film, Recording, demo_recordings
from gateway.sim.knobs import Knobs
from gateway.sim.link_signer import LinkSigner
from gateway.sim.media_body import MediaRequest
from gateway.sim.media_server import MediaServer

USERS = {"svc-reviewer": "harbour-otter-91", "svc-trainee": "lantern-wren-47"}


class ValtSimulator:
    """A simulated VALT: ``async with ValtSimulator() as valt``. The system chooses the ports unless they are given.

    *knobs* may be changed at any time. *calls* counts the requests by operation (login, download, record, search,
    rooms, comments, general, media) and, as ``media_connection``, the connections to the media server. *clock* is
    VALT's clock, by which links are issued and expire.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        recordings: list[Recording] | None = None,
        users: dict[str, str] | None = None,
        api_port: int = 0,
        media_port: int = 0,
        ssl_context: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.knobs = Knobs()
        self.calls: Counter[str] = Counter()
        self.recordings = demo_recordings() if recordings is None else recordings
        self._clock = clock or SystemClock()
        self._scheme = "http" if ssl_context is None else "https"
        self._ssl_context = ssl_context
        self._host = host
        self._ports = (api_port, media_port)
        self.users = dict(USERS if users is None else users)
        """The passwords by user name; a changed one counts from the next login."""
        signer = self._signer = LinkSigner(self.knobs, self._clock)
        self._api = Api(
            self.recordings,
            self.users,
            self.knobs,
            self._clock,
            signer,
            self._count,
            lambda: self.media_url,
            self._wake,
        )
        self._media = MediaServer(self._find, self.knobs, signer, self._count, self._wake)
        self._runner: web.AppRunner | None = None
        self._tcp_server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self.base_url = self.media_url = ""

    async def __aenter__(self) -> "ValtSimulator":
        await self.start()
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        self._runner = web.AppRunner(self._api.application(), access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._ports[0], ssl_context=self._ssl_context)
        await site.start()
        self._tcp_server = await asyncio.start_server(
            self._serve_media, self._host, self._ports[1], ssl=self._ssl_context, limit=1 << 20, backlog=1024
        )
        self.base_url = f"{self._scheme}://{self._host}:{self._runner.addresses[0][1]}"
        self.media_url = f"{self._scheme}://{self._host}:{self._tcp_server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        self.knobs.stall_gate.set()
        if self._tcp_server is not None:
            self._tcp_server.close()
        for writer in list(self._connections):
            writer.transport.abort()
        if self._runner is not None:
            await self._runner.cleanup()
        await self.wait_for(lambda: not self._connections)

    @property
    def media_requests(self) -> list[MediaRequest]:
        """The requests that the media server has received, in order."""
        return self._media.requests

    @property
    def open_media(self) -> int:
        """The number of open connections to the media server."""
        return self._media.open

    @property
    def secrets(self) -> list[str]:
        """Every access token and link token that has been issued."""
        return [*self._api.issued, *self._signer.signed]

    @property
    def traceparents(self) -> list[tuple[str, str | None]]:
        """The operation of each request to the API, and its header traceparent."""
        return self._api.traceparents

    def forget_tokens(self) -> None:
        """Void all access tokens, as a restart of VALT does."""
        self._api.tokens.clear()

    async def restart(self) -> None:
        """Stop, and start again on the same ports with all access tokens void."""
        api, media = URL(self.base_url).port, URL(self.media_url).port
        self._ports = (api or 0, media or 0)
        await self.stop()
        self.forget_tokens()
        await self.start()

    def recording(self, recording: str) -> Recording:
        """Returns the recording of that id. Raises KeyError if there is none."""
        match = self._api.recording(recording)
        if match is None:
            raise KeyError(recording)
        return match

    def add_video(self, recording: str, video: str, content: bytes | Path, *, name: str = "Added") -> Film:
        """Adds a film to *recording*, which is created with *name* if it does not exist. Returns the film."""
        target = self._api.recording(recording)
        if target is None:
            target = Recording(recording, name)
            self.recordings.append(target)
        whole = content.read_bytes() if isinstance(content, Path) else content
        film = Film(video, f"Camera {len(target.films) + 1}", whole)
        target.films.append(film)
        return film

    async def wait_for(self, predicate: Callable[[], bool], *, seconds: float = 20.0) -> None:
        """Wait until an event of the simulator makes *predicate* true. Raises TimeoutError after *seconds*."""
        if predicate():
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (predicate, future)
        self._waiters.append(entry)
        try:
            async with asyncio.timeout(seconds):
                await future
        finally:
            self._waiters.remove(entry)

    def _count(self, operation: str) -> None:
        self.calls[operation] += 1
        self._wake()

    def _wake(self) -> None:
        for predicate, future in self._waiters:
            if not future.done() and predicate():
                future.set_result(None)

    def _find(self, recording: str, number: int) -> Film | None:
        match = self._api.recording(recording)
        return match.films[number - 1] if match is not None and 0 < number <= len(match.films) else None

    async def _serve_media(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._count("media_connection")
        self._connections.add(writer)
        try:
            await self._media.serve(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):  # the client has reset it
                await writer.wait_closed()
            self._connections.discard(writer)
            self._wake()
