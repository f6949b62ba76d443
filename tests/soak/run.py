"""Runs a soak: viewers that read, pause and leave, and a media server that fails at random bytes."""

import asyncio
import random
import re
import socket
from collections.abc import Callable
from pathlib import Path

import aiohttp
from aiohappyeyeballs import AddrInfoType

from tests.soak.figures import Figures, Resources
from tests.support.gateway_fixture import GatewayStack, running_stack

_PATH = "/recordings/soak/videos/film"
_MORE = '[limits]\nstreams_per_person = 0\n[streams]\nupstream_idle = "50ms"\n'
_OFTEN = 50 * 1024 * 1024
"""Bytes of the film for each of which one more fault is injected."""
_RESUMES = re.compile(r'valt_gateway_stream_resumes_total\{outcome="(\w+)",reason="(\w+)"\}')


async def soak(folder: Path, *, seconds: float, mebibytes: int = 8, viewers: int = 12, seed: int = 1) -> Figures:
    """Runs for *seconds* with *viewers* at a time and a film of *mebibytes*. Returns the figures, leaks included."""
    figures, film = Figures(), random.Random(seed).randbytes(mebibytes * 1024 * 1024)
    figures.before = Resources.now()
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with (
        running_stack(folder, valt_more='read_timeout = "1s"\n', more=_MORE) as stack,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(socket_factory=_narrow)) as slow,
    ):
        stack.valt.add_video("soak", "film", film)
        stack.valt.knobs.link_life = 3.0
        # A person uses one token, as in practice: the gateway caches each verified token until it expires.
        until = int(stack.gateway.clock.now() + seconds + 3600)
        tokens = [stack.bearer(f"viewer{number}", exp=until) for number in range(50)]
        people = [
            asyncio.create_task(
                _Viewer(
                    stack, slow if n % 4 == 0 else stack.client, tokens, film, figures, random.Random(seed + n)
                ).watch(started + seconds)
            )
            for n in range(viewers)
        ]
        watching = asyncio.create_task(_settle(figures, seconds / 3))
        await asyncio.gather(*people, watching)
        await stack.ended()
        figures.running_at_end = len(stack.gateway.streams)
        for name, count in (await stack.metrics()).items():
            matched = _RESUMES.fullmatch(name)
            if matched is not None and count:
                figures.resumes[f"{matched[2]} {matched[1]}"] = count
        figures.ended = Resources.now()
    figures.seconds = loop.time() - started
    figures.after = Resources.now()
    return figures


def _narrow(address: AddrInfoType) -> socket.socket:
    """Returns a socket with a small receive buffer; the usual one takes megabytes ahead of the viewer."""
    sock = socket.socket(address[0], address[1], address[2])
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    return sock


async def _settle(figures: Figures, seconds: float) -> None:
    await asyncio.sleep(seconds)
    figures.settled = Resources.now()


class _Viewer:
    """A viewer that requests the film, or a part of it, again and again; reads, pauses, or leaves."""

    def __init__(
        self,
        stack: GatewayStack,
        client: aiohttp.ClientSession,
        tokens: list[dict[str, str]],
        film: bytes,
        figures: Figures,
        random_source: random.Random,
    ) -> None:
        self._stack = stack
        self._tokens = tokens
        self._client = client
        self._film = film
        self._figures = figures
        self._random = random_source

    async def watch(self, until: float) -> None:
        loop = asyncio.get_running_loop()
        while loop.time() < until:
            for _ in range(1 + len(self._film) // _OFTEN):
                self._inject_fault()
            first = self._random.choice([0, 0, self._random.randrange(len(self._film))])
            self._figures.bodies[await self._read(first)] += 1
            self._clear_logs()

    async def _read(self, first: int) -> str:
        leaves_at = self._random.randrange(len(self._film)) if self._random.random() < 0.2 else None
        pauses_at = self._random.randrange(len(self._film)) if self._random.random() < 0.5 else None
        headers = self._random.choice(self._tokens) | {"Range": f"bytes={first}-"}
        at = first
        try:
            async with self._client.get(self._stack.url + _PATH, headers=headers) as response:
                if response.status != 206:
                    return "failed"
                async for piece in response.content.iter_any():
                    if not self._film.startswith(piece, at):
                        return "wrong"
                    at += len(piece)
                    self._figures.bytes += len(piece)
                    if leaves_at is not None and at - first > leaves_at:
                        return "left"
                    if pauses_at is not None and at - first > pauses_at:
                        pauses_at = None
                        await asyncio.sleep(0.09)
        except aiohttp.ClientError:
            return "failed"
        return "whole" if at == len(self._film) else "wrong"

    def _inject_fault(self) -> None:
        """Sets one more fault, at a random byte, for a later request."""
        knobs, at = self._stack.valt.knobs, self._random.randrange(len(self._film))
        faults: dict[str, Callable[[], None]] = {
            "reset": lambda: knobs.reset_after.append(at),
            "reset in the head": lambda: knobs.reset_after.append(-1),
            "end": lambda: knobs.end_after.append(at),
            "stall": lambda: knobs.stall_after.append(at),
            "link refused": self._refuse_one_link,
            "tokens forgotten": self._stack.valt.forget_tokens,
            "api failed": lambda: knobs.fail.setdefault("download", []).append(503),
            "none": lambda: None,
        }
        weights = (30, 1, 30, 6, 6, 2, 2, 20)
        kind = self._random.choices(list(faults), weights)[0]
        faults[kind]()
        if kind != "none":
            self._figures.faults[kind] += 1

    def _refuse_one_link(self) -> None:
        """One only: if the new link is refused as well, the gateway rightly ends the body with an error."""
        self._stack.valt.knobs.refuse_media = [403]

    def _clear_logs(self) -> None:
        """Clears what the simulator and the log have recorded, which would look like a leak of the gateway."""
        del self._stack.valt.media_requests[:]
        self._stack.log.seek(0)
        self._stack.log.truncate()
