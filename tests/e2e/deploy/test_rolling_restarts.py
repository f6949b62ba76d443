"""Viewers of two replicas behind nginx and HAProxy, while the replicas are reloaded and restarted in turn.

The steps are those of docs/upgrade.md. ``make replicas`` runs it for longer: the environment variables ``VIEWERS`` and
``ROUNDS`` change the number of viewers, and how often each replica is restarted.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from tests.support.code_copy import install
from tests.support.replicas_behind_fronts import Installation, Replica, client_of, installation

VIEWERS = int(os.environ.get("VIEWERS", "16"))
ROUNDS = int(os.environ.get("ROUNDS", "1"))
RELOADED = 1 if ROUNDS == 1 else 2
"""How many replicas are reloaded before both are restarted."""
FILM = random.Random(0).randbytes(4 * 1024 * 1024)
PIECE = 64 * 1024
PATH = "/recordings/film/videos/film"
PAUSE = 0.5
"""Seconds between two requests of a viewer, and between two portions of one who watches the whole film, at most."""
DELAY = 8
"""Seconds of ``server.shutdown_delay``, as docs/scale.md has it for these fronts."""
SETTLE = 3.0
"""Seconds between a replica's being ready and the end of the next one, as docs/upgrade.md has it."""


@dataclass
class Audience:
    """Viewers who request ranges, viewers who watch the whole film, and people who follow links with new tickets."""

    site: Installation
    done: asyncio.Event = field(default_factory=asyncio.Event)
    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    """By viewer. Each new request is a viewer of its own."""

    async def request_ranges(self, number: int) -> None:
        """Requests ranges over one connection until the end."""
        chosen, headers = random.Random(number), self.site.bearer(f"viewer-{number}")
        async with client_of(self.site.fronts[number % 2]) as client:
            while not self.done.is_set():
                first = chosen.randrange(len(FILM) - PIECE)
                wanted = headers | {"Range": f"bytes={first}-{first + PIECE - 1}"}
                await self._read(client, f"ranges {number}", wanted, first, PIECE)
                await asyncio.sleep(PAUSE * chosen.random())

    async def watch_whole(self, number: int) -> None:
        """Watches the film from its first to its last byte, again and again until the end."""
        headers = self.site.bearer(f"viewer-{number}") | {"Range": "bytes=0-"}
        async with client_of(self.site.fronts[number % 2]) as client:
            while not self.done.is_set():
                await self._read(client, f"whole {number}", headers, 0, len(FILM), pause=PAUSE)

    async def follow_links(self) -> None:
        """Presents new tickets, each over a new connection and each once, until the end."""
        async with asyncio.TaskGroup() as requests:
            number = 0
            while not self.done.is_set():
                requests.create_task(self._follow_link(number))
                number += 1
                await asyncio.sleep(0.2)

    async def _follow_link(self, number: int) -> None:
        async with client_of(self.site.fronts[number % 2]) as client:
            await self._read(client, f"link {number}", {"Range": "bytes=0-999"}, 0, 1000, ticket=self.site.ticket())

    async def _read(
        self,
        client: aiohttp.ClientSession,
        viewer: str,
        headers: dict[str, str],
        first: int,
        length: int,
        *,
        pause: float = 0.0,
        ticket: str = "",
    ) -> None:
        outcome, at = "right", first
        try:
            async with client.get(PATH, headers=headers, params={"ticket": ticket} if ticket else None) as answer:
                if answer.status != 206:
                    outcome = f"status {answer.status}"
                while outcome == "right" and at < first + length:
                    piece = await answer.content.read(512 * 1024)
                    if not piece or not FILM.startswith(piece, at):
                        outcome = "wrong bytes"
                    at += len(piece)
                    await asyncio.sleep(pause)
        except aiohttp.ClientConnectorError:
            outcome = "refused"
        except aiohttp.ClientError as error:
            outcome = f"cut: {type(error).__name__}"
        self.outcomes.setdefault(viewer, Counter())[outcome] += 1

    def failures(self) -> dict[str, Counter[str]]:
        """Returns the outcomes other than "right" of each viewer who had one."""
        every = ((viewer, counts - Counter(right=counts["right"])) for viewer, counts in self.outcomes.items())
        return {viewer: failed for viewer, failed in every if failed}

    def right(self, kind: str) -> int:
        """Returns how many right answers the viewers of *kind* have received, whose names begin so."""
        return sum(counts["right"] for viewer, counts in self.outcomes.items() if viewer.startswith(kind))


@asynccontextmanager
async def watching(site: Installation) -> AsyncIterator[Audience]:
    """Runs the viewers until the end of the block, and waits for their last answers."""
    audience = Audience(site)
    async with asyncio.TaskGroup() as viewers:
        for number in range(VIEWERS):
            whole = number % 4 > 1
            viewers.create_task(audience.watch_whole(number) if whole else audience.request_ranges(number))
        viewers.create_task(audience.follow_links())
        try:
            yield audience
        finally:
            audience.done.set()


async def runs(replica: Replica, version: str) -> bool:
    """Whether all workers of *replica* run that version."""
    lines = [line for line in (await replica.metrics()).splitlines() if line.startswith("valt_gateway_build_info{")]
    return bool(lines) and all(f'version="{version}"' in line for line in lines)


@pytest.mark.promise("operation-replicas-5")
@pytest.mark.timeout(300 + 120 * ROUNDS)
async def test_a_rolling_upgrade_is_invisible_to_viewers_behind_nginx_and_haproxy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = tmp_path / "code"
    install(code, "9.9.0")
    async with installation(tmp_path, server=f'shutdown_delay = "{DELAY}s"', code=code) as site:
        site.valt.add_video("film", "film", FILM)
        async with watching(site) as audience:
            for number in range(1, 2 * ROUNDS, 2):
                install(code, f"9.9.{number}")
                for replica in site.replicas[:RELOADED]:
                    await replica.reload()
                install(code, f"9.9.{number + 1}")
                for replica in site.replicas:
                    await replica.restart()
                    assert await runs(replica, f"9.9.{number + 1}")
                    await asyncio.sleep(SETTLE)
        failures = audience.failures()
        assert {outcome for counts in failures.values() for outcome in counts} == set(), failures
        right = {kind: audience.right(kind) for kind in ("ranges", "whole", "link")}
        assert all(right.values()), right
        if ROUNDS > 1:
            with capsys.disabled():
                print(f" {right}")
