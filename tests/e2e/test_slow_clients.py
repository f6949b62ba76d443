"""slowhttptest in its three modes: everybody else is answered meanwhile, and nothing stays open afterwards."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.support.programs import run
from tests.support.served import ServedGateway, serving

CONNECTIONS = 500
SECONDS = 8
LIMITS = '\n[limits]\nrequest_timeout = "5s"\n'
"""Longer than a busy machine takes to open all connections: the first must still be there when the last one comes."""
SLOW_HEADS = ("-H", "-i", "1", "-u", "/")
SLOW_BODIES = ("-B", "-i", "1", "-s", "8192", "-x", "10", "-u", "/api/v3/login")
SLOW_READS = ("-X", "-w", "1", "-y", "1", "-n", "1", "-z", "1", "-k", "4", "-u", "/openapi.json")


async def slow_clients(gateway: ServedGateway, *mode: str) -> str:
    """Runs slowhttptest and returns what it printed."""
    *options, path = mode
    extent = ("-c", str(CONNECTIONS), "-r", "250", "-l", str(SECONDS), "-p", "2")
    return (await run("slowhttptest", *extent, *options, gateway.url + path)).out.decode()


async def slowest_answer(gateway: ServedGateway) -> float:
    """Returns how many seconds an ordinary request or a health check took."""
    slowest = 0.0
    for url in (f"{gateway.url}/robots.txt", f"{gateway.admin}/healthz"):
        begin = time.monotonic()
        async with gateway.client.get(url) as answer:
            assert answer.status == 200
        slowest = max(slowest, time.monotonic() - begin)
    return slowest


@pytest.mark.promise("security-S3", "security-S4")
@pytest.mark.parametrize("mode", [SLOW_HEADS, SLOW_BODIES, SLOW_READS], ids=["heads", "bodies", "reads"])
async def test_slow_clients_delay_nobody_else(tmp_path: Path, mode: tuple[str, ...]) -> None:
    async with serving(tmp_path, more=LIMITS) as gateway:
        descriptors = gateway.descriptors()
        attack = asyncio.create_task(slow_clients(gateway, *mode))
        slowest, most = 0.0, 0.0
        while not attack.done():
            slowest = max(slowest, await slowest_answer(gateway))
            most = max(most, (await gateway.metrics())["valt_gateway_connections_active"])
            await asyncio.sleep(0.1)
        assert "Exit status:" in attack.result()
        assert most >= CONNECTIONS, "all of them were connected at once"
        assert slowest < 3
        async with asyncio.timeout(10):
            while gateway.descriptors() > descriptors + 2:  # the connections of this test's own client
                await asyncio.sleep(0.05)
