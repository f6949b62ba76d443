"""Viewers of two replicas behind nginx and HAProxy, while workers, a replica and Redis are killed, paused and emptied.

``make replicas`` runs it with more viewers. The environment variable ``VIEWERS`` changes their number.
"""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from tests.support.replicas_behind_fronts import Installation, client_of, installation

pytestmark = pytest.mark.timeout(300)

VIEWERS = int(os.environ.get("VIEWERS", "40"))
FILM = random.Random(0).randbytes(1024 * 1024)
PIECE = 64 * 1024
PAUSE = 1.0
"""Seconds between two requests of a viewer."""
FILM_PATH = "/recordings/film/videos/film"


async def read_range(client: aiohttp.ClientSession, headers: dict[str, str], start: int) -> str:
    """Returns "right" for the bytes of the film, "failed" for no or an incomplete answer, and else what was wrong."""
    wanted = FILM[start : start + PIECE]
    try:
        async with client.get(FILM_PATH, headers=headers | {"Range": f"bytes={start}-{start + PIECE - 1}"}) as answer:
            body = await answer.read()
            if answer.status == 206:
                return "right" if body == wanted else "wrong bytes"
            return "failed" if answer.status in (502, 503, 504) else f"status {answer.status}"
    except aiohttp.ClientError:
        return "failed"


@dataclass
class Audience:
    """Viewers who request one range after another, half of them by each front."""

    outcomes: dict[int, Counter[str]] = field(default_factory=dict)
    """Since the last `restart`, by viewer."""
    before: Counter[str] = field(default_factory=Counter)
    """Until the last `restart`, of all viewers."""

    def restart(self) -> None:
        """Begins a new count of each viewer's outcomes."""
        self.before += self.total
        self.outcomes.clear()

    @property
    def total(self) -> Counter[str]:
        """The outcomes of all viewers since the last `restart`."""
        return sum(self.outcomes.values(), Counter[str]())

    async def watch(self, site: Installation, viewer: int, done: asyncio.Event) -> None:
        """Requests ranges until *done*."""
        headers = site.bearer(f"viewer-{viewer}")
        chosen = random.Random(viewer)
        async with client_of(site.fronts[viewer % 2]) as client:
            while not done.is_set():
                outcome = await read_range(client, headers, PIECE * chosen.randrange(len(FILM) // PIECE))
                self.outcomes.setdefault(viewer, Counter())[outcome] += 1
                await asyncio.sleep(PAUSE * chosen.random())

    async def answered(self, times: int) -> None:
        """Returns when every viewer has received so many more right answers."""
        before = {viewer: counts["right"] for viewer, counts in self.outcomes.items()}
        async with asyncio.timeout(120):
            while any(
                self.outcomes.get(viewer, Counter())["right"] < before.get(viewer, 0) + times
                for viewer in range(VIEWERS)
            ):
                await asyncio.sleep(0.1)

    def check(self) -> None:
        """Asserts that no viewer saw more than one failed request since `restart`, and none anything wrong."""
        total = self.total
        assert set(total) <= {"right", "failed"}, total
        assert max(counts["failed"] for counts in self.outcomes.values()) <= 1, total


@asynccontextmanager
async def watching(site: Installation) -> AsyncIterator[Audience]:
    """Runs the viewers until the end of the block."""
    audience, done = Audience(), asyncio.Event()
    async with asyncio.TaskGroup() as viewers:
        for viewer in range(VIEWERS):
            viewers.create_task(audience.watch(site, viewer, done))
        try:
            await audience.answered(1)
            yield audience
        finally:
            done.set()
    print(f" {VIEWERS} viewers: {dict(audience.before + audience.total)}")


@asynccontextmanager
async def clients(site: Installation) -> AsyncIterator[list[aiohttp.ClientSession]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(client_of(front)) for front in site.fronts]


async def present(clients: list[aiohttp.ClientSession], ticket: str) -> list[int]:
    """Returns the statuses of requests with *ticket* by both fronts at once."""

    async def one(client: aiohttp.ClientSession) -> int:
        async with client.get(FILM_PATH, params={"ticket": ticket}, headers={"Range": "bytes=0-9"}) as answer:
            await answer.read()
            return answer.status

    return await asyncio.gather(*(one(client) for client in clients))


async def read_once(site: Installation, viewers: int) -> Counter[str]:
    """Returns the outcomes of so many viewers who all come at the same moment."""
    async with AsyncExitStack() as stack:
        fronts = [await stack.enter_async_context(client_of(site.fronts[number % 2])) for number in range(viewers)]
        headers = [site.bearer(f"viewer-{number}") for number in range(viewers)]
        reads = (read_range(client, one, 0) for client, one in zip(fronts, headers, strict=True))
        return Counter(await asyncio.gather(*reads))


@pytest.mark.promise("operation-replicas-4")
async def test_300_viewers_cost_one_link_and_go_on_when_worker_and_replica_are_killed(tmp_path: Path) -> None:
    async with installation(tmp_path) as site:
        site.valt.add_video("film", "film", FILM)
        assert await read_once(site, 300) == {"right": 300}
        assert (site.valt.calls["login"], site.valt.calls["download"]) == (1, 1)
        async with watching(site) as audience:
            one, two = site.replicas
            worker = (await one.workers())[0]
            audience.restart()
            os.kill(worker, signal.SIGKILL)
            await audience.answered(2)
            audience.check()
            audience.restart()
            await two.kill()
            await audience.answered(3)
            audience.check()
            audience.restart()
            await two.start()
            await audience.answered(2)
            audience.check()


@pytest.mark.promise("operation-replicas-4")
async def test_viewers_go_on_while_redis_is_away_and_no_ticket_is_used_twice(tmp_path: Path) -> None:
    """For how long Redis is paused matters: for longer than the replicas wait for its answers."""
    accepted: Counter[str] = Counter()
    async with installation(tmp_path, socket_timeout=4.0) as site:
        site.valt.add_video("film", "film", FILM)
        redis, tickets = site.redis, list[str]()
        async with watching(site) as audience, clients(site) as fronts:

            async def follow(ticket: str) -> list[int]:
                statuses = await present(fronts, ticket)
                assert set(statuses) <= {206, 401, 503}
                accepted[ticket] += statuses.count(206)
                return statuses

            async def follow_new() -> list[int]:
                tickets.append(site.ticket())
                return await follow(tickets[-1])

            async def until_accepted() -> None:
                async with asyncio.timeout(120):
                    while 206 not in await follow_new():
                        await asyncio.sleep(0.5)

            audience.restart()
            await until_accepted()
            redis.pause()
            presented = asyncio.create_task(follow_new())
            await asyncio.sleep(10)
            redis.resume()
            await presented
            await until_accepted()
            await redis.stop()
            assert await follow_new() == [503, 503]
            await audience.answered(2)
            await redis.start()
            assert 206 not in await follow(tickets[0])
            await until_accepted()
            async with redis.client() as client:
                await client.config_set("maxmemory", "100kb")
                async with asyncio.timeout(120):
                    while await follow_new() != [503, 503]:
                        await asyncio.sleep(0.5)
                await audience.answered(2)
                await client.config_set("maxmemory", "0")
            await until_accepted()
            for ticket in tickets:
                await follow(ticket)
            audience.check()
        assert max(accepted.values()) == 1
        assert list(accepted.values()).count(1) >= 4
