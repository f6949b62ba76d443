"""The soak itself: viewers of every kind, and a media server that has every fault at a byte of its own choosing."""

import asyncio
import random
import re
import socket
from collections.abc import Callable
from pathlib import Path

import aiohttp
from aiohappyeyeballs import AddrInfoType

from tests.soak.figures import Figures, Held
from tests.support.gateway_fixture import GatewayStack, running_stack

_PATH = "/recordings/soak/videos/film"
_MORE = '[limits]\nstreams_per_person = 0\n[streams]\nupstream_idle = "50ms"\n'
_OFTEN = 50 * 1024 * 1024
"""Bytes of the film for each of which it meets one trouble more."""
_RESUMES = re.compile(r'valt_gateway_stream_resumes_total\{outcome="(\w+)",reason="(\w+)"\}')


async def soak(folder: Path, *, seconds: float, mebibytes: int = 8, viewers: int = 12, seed: int = 1) -> Figures:
    """Run for *seconds* with *viewers* at a time on a film of so many *mebibytes*; then see what is left over."""
    figures, film = Figures(), random.Random(seed).randbytes(mebibytes * 1024 * 1024)
    figures.before = Held.now()
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with (
        running_stack(folder, valt_more='read_timeout = "1s"\n', more=_MORE) as stack,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(socket_factory=_narrow)) as slow,
    ):
        stack.valt.add_video("soak", "film", film)
        stack.valt.knobs.link_life = 3.0
        # As in life a person's token stays the same: each new one would be remembered as verified for as long as it is.
        until = int(stack.gateway.clock.now() + seconds + 3600)
        proofs = [stack.bearer(f"viewer{number}", exp=until) for number in range(50)]
        people = [
            asyncio.create_task(
                _Viewer(
                    stack, slow if n % 4 == 0 else stack.client, proofs, film, figures, random.Random(seed + n)
                ).watch(began + seconds)
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
        figures.ended = Held.now()
    figures.seconds = loop.time() - began
    figures.after = Held.now()
    return figures


def _narrow(address: AddrInfoType) -> socket.socket:
    """For who takes no more than he reads: without this his kernel would take megabytes for him."""
    sock = socket.socket(address[0], address[1], address[2])
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    return sock


async def _settle(figures: Figures, seconds: float) -> None:
    await asyncio.sleep(seconds)
    figures.settled = Held.now()


class _Viewer:
    """One person: opens the film, or a part of it, again and again; reads, rests, or leaves."""

    def __init__(
        self,
        stack: GatewayStack,
        client: aiohttp.ClientSession,
        proofs: list[dict[str, str]],
        film: bytes,
        figures: Figures,
        chance: random.Random,
    ) -> None:
        self._home = stack
        self._proofs = proofs
        self._client = client
        self._film = film
        self._figures = figures
        self._chance = chance

    async def watch(self, until: float) -> None:
        loop = asyncio.get_running_loop()
        while loop.time() < until:
            for _ in range(1 + len(self._film) // _OFTEN):
                self._trouble()
            first = self._chance.choice([0, 0, self._chance.randrange(len(self._film))])
            self._figures.bodies[await self._read(first)] += 1
            self._forget_the_past()

    async def _read(self, first: int) -> str:
        leaves_at = self._chance.randrange(len(self._film)) if self._chance.random() < 0.2 else None
        rests_at = self._chance.randrange(len(self._film)) if self._chance.random() < 0.5 else None
        headers = self._chance.choice(self._proofs) | {"Range": f"bytes={first}-"}
        at = first
        try:
            async with self._client.get(self._home.url + _PATH, headers=headers) as answer:
                if answer.status != 206:
                    return "failed"
                async for piece in answer.content.iter_any():
                    if not self._film.startswith(piece, at):
                        return "wrong"
                    at += len(piece)
                    self._figures.bytes += len(piece)
                    if leaves_at is not None and at - first > leaves_at:
                        return "left"
                    if rests_at is not None and at - first > rests_at:
                        rests_at = None
                        await asyncio.sleep(0.09)
        except aiohttp.ClientError:
            return "failed"
        return "whole" if at == len(self._film) else "wrong"

    def _trouble(self) -> None:
        """One fault more for some request to come, at a random byte."""
        knobs, at = self._home.valt.knobs, self._chance.randrange(len(self._film))
        faults: dict[str, Callable[[], None]] = {
            "reset": lambda: knobs.reset_after.append(at),
            "reset in the head": lambda: knobs.reset_after.append(-1),
            "end": lambda: knobs.end_after.append(at),
            "stall": lambda: knobs.stall_after.append(at),
            "link refused": self._refuse_one_link,
            "tokens forgotten": self._home.valt.forget_tokens,
            "api failed": lambda: knobs.fail.setdefault("download", []).append(503),
            "none": lambda: None,
        }
        weights = (30, 1, 30, 6, 6, 2, 2, 20)
        kind = self._chance.choices(list(faults), weights)[0]
        faults[kind]()
        if kind != "none":
            self._figures.faults[kind] += 1

    def _refuse_one_link(self) -> None:
        """Never two: whoever has a fresh link refused as well is told so, as it should be."""
        self._home.valt.knobs.refuse_media = [403]

    def _forget_the_past(self) -> None:
        """What the tests' own servers and log remember would look like a leak of the gateway's."""
        del self._home.valt.media_requests[:]
        self._home.log.seek(0)
        self._home.log.truncate()
