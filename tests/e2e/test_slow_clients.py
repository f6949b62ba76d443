"""slowhttptest in its three modes: everybody else is answered meanwhile, and nothing stays open afterwards."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.programs import program
from tests.support.served import ServedGateway, serving

CONNECTIONS = 500
LIMITS = '\n[limits]\nrequest_timeout = "10m"\n'
"""The gateway closes none of the connections while the test runs, however busy the machine is: who waits for one of
them waits in vain."""
SLOW_HEADS = ("-H", "-i", "1", "-u", "/")
SLOW_BODIES = ("-B", "-i", "1", "-s", "8192", "-x", "10", "-u", "/api/v3/login")
SLOW_READS = ("-X", "-w", "1", "-y", "1", "-n", "1", "-z", "1", "-k", "4", "-u", "/openapi.json")


@asynccontextmanager
async def slow_clients(gateway: ServedGateway, *mode: str) -> AsyncIterator[None]:
    """Runs slowhttptest; the block begins when all of its clients are connected, and they leave at its end."""
    *options, path = mode
    probes_elsewhere = ("-e", gateway.admin.removeprefix("http://"))  # so that all connections are slow ones
    extent = ("-c", str(CONNECTIONS), "-r", "250", "-l", "600", *probes_elsewhere)
    attack = await asyncio.create_subprocess_exec(
        program("slowhttptest"), *extent, *options, gateway.url + path, stdout=asyncio.subprocess.PIPE
    )
    try:
        while await connected(gateway) < CONNECTIONS:
            assert attack.returncode is None
            await asyncio.sleep(0.05)
        yield
    finally:
        if attack.returncode is None:
            attack.send_signal(signal.SIGINT)
        printed, _ = await attack.communicate()
    assert b"Cancelled by user" in printed


async def connected(gateway: ServedGateway) -> float:
    """Returns how many connections the public listener has."""
    return (await gateway.metrics())["valt_gateway_connections_active"]


@pytest.mark.promise("security-S3", "security-S4")
@pytest.mark.parametrize("mode", [SLOW_HEADS, SLOW_BODIES, SLOW_READS], ids=["heads", "bodies", "reads"])
async def test_slow_clients_delay_nobody_else(tmp_path: Path, mode: tuple[str, ...]) -> None:
    async with asyncio.timeout(100), serving(tmp_path, more=LIMITS) as gateway:
        descriptors = gateway.descriptors()
        async with slow_clients(gateway, *mode):
            for url in (f"{gateway.url}/robots.txt", f"{gateway.admin}/healthz"):
                async with gateway.client.get(url) as answer:
                    assert answer.status == 200
            assert await connected(gateway) == CONNECTIONS + 1, "nobody was answered because a slow client had left"
        while gateway.descriptors() > descriptors + 2:  # the connections of this test's own client
            await asyncio.sleep(0.05)
