"""Requests that the workers of one gateway share, and its metrics."""

import asyncio
from collections.abc import Callable

import aiohttp

from tests.support.served import ServedGateway

WORKERS = "workers = 2"
RUNNING = 'valt_gateway_workers{state="running"}'
DRAINING = 'valt_gateway_workers{state="draining"}'


async def status(url: str, **headers: str) -> int:
    """Returns the status of a request over a connection of its own."""
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client,
        client.get(url, headers=headers, allow_redirects=False) as answer,
    ):
        await answer.read()
        return answer.status


async def statuses(url: str, count: int, **headers: str) -> list[int]:
    """Returns the statuses of so many requests at once, which the workers share."""
    return await asyncio.gather(*(status(url, **headers) for _ in range(count)))


async def eventually(gateway: ServedGateway, condition: Callable[[dict[str, float]], bool]) -> dict[str, float]:
    """Returns the metrics as soon as *condition* is true of them."""
    async with asyncio.timeout(60):
        while not condition(metrics := await gateway.metrics()):
            await asyncio.sleep(0.1)
    return metrics
