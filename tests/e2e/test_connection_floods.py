"""More connections than descriptors: health checks and running streams go on, and afterwards all is as before."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from tests.support.client import connect, request
from tests.support.served import ServedGateway, serving
from tests.support.tls import CERTIFIED, client_context, write_certificate

OPEN_FILES = 256
"""The process's ``ulimit -n``."""
ROOM = (OPEN_FILES - 64) // 2
"""How many connections the public listener then has at once."""
CLIENTS = 400
HEADS = 200
FILM = bytes(range(256)) * 32_768
VIDEO = "flooded", "film"
LIMITS = '\n[limits]\nrequest_timeout = "2s"\n'
BODY = b"POST /api/v3/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{"


@asynccontextmanager
async def flood(url: str, sent: bytes) -> AsyncIterator[None]:
    """Until the end of the block, so many clients have connected, have sent *sent* and read nothing."""
    address = urlsplit(url)
    loop = asyncio.get_running_loop()
    sockets = [socket.socket() for _ in range(CLIENTS)]
    try:
        for sock in sockets:
            sock.setblocking(False)
            await loop.sock_connect(sock, (address.hostname, address.port))
            await loop.sock_sendall(sock, sent)
        yield
    finally:
        for sock in sockets:
            sock.close()


async def is_alive(gateway: ServedGateway) -> bool:
    async with asyncio.timeout(2), gateway.client.get(f"{gateway.admin}/healthz") as answer:
        return answer.status == 200


@pytest.mark.promise("security-S3", "security-S4")
@pytest.mark.parametrize(
    "sent", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"], ids=["nothing", "half a hello"]
)
async def test_unfinished_tls_handshakes_stop_neither_health_checks_nor_later_clients(
    tmp_path: Path, sent: bytes
) -> None:
    authority = trustme.CA()
    write_certificate(tmp_path, authority)
    async with serving(tmp_path, open_files=OPEN_FILES, server=CERTIFIED, more=LIMITS) as gateway:
        gateway.valt.add_video("flooded", "film", FILM)
        async with flood(gateway.url, sent):
            while (await gateway.metrics())["valt_gateway_connections_active"] < ROOM:
                assert await is_alive(gateway)
        url, tls = gateway.url + gateway.path(*VIDEO), client_context(authority)
        async with gateway.client.get(url, ssl=tls) as answer:
            assert (answer.status, await answer.read()) == (200, FILM)


async def late_requests(gateway: ServedGateway) -> float:
    """Returns how many requests did not arrive in time."""
    metrics = await gateway.metrics()
    return sum(count for name, count in metrics.items() if "_requests_total{" in name and 'status="408"' in name)


@pytest.mark.promise("security-S3", "security-S4")
@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", BODY], ids=["idle", "half heads", "half bodies"]
)
async def test_streams_and_health_checks_go_on_during_a_connection_flood(tmp_path: Path, sent: bytes) -> None:
    async with serving(tmp_path, open_files=OPEN_FILES, more=LIMITS) as gateway:
        gateway.valt.add_video("flooded", "film", FILM)
        gateway.valt.knobs.stall_after.append(1_000_000)
        gateway.valt.knobs.reset_after.append(2_000_000)
        async with connect(gateway.url) as viewer:
            await viewer.send(request("GET", gateway.path(*VIDEO)))
            head = await viewer.read_head()
            # So much that the pipe it passes through is open, and counted.
            beginning = await viewer.read(900_000)
            descriptors = gateway.descriptors()
            async with flood(gateway.url, sent):
                while gateway.descriptors() < descriptors + ROOM - 1:
                    assert await is_alive(gateway)
                # The rest of the film needs another connection to the media server.
                gateway.valt.knobs.stall_gate.set()
                rest = await viewer.read(len(FILM) - len(beginning))
                while await late_requests(gateway) < ROOM - 1:
                    assert await is_alive(gateway)
                assert gateway.descriptors() < OPEN_FILES
            assert (head.status, beginning + rest) == (200, FILM)
            assert gateway.valt.calls["media"] >= 2
        await as_before(gateway, descriptors)


async def as_before(gateway: ServedGateway, descriptors: int) -> None:
    """Waits until the clients' connections have ended, and then watches the film once more."""
    async with asyncio.timeout(20):
        while gateway.descriptors() > descriptors or (await gateway.metrics())["valt_gateway_connections_active"]:
            await asyncio.sleep(0.05)
    async with gateway.client.get(gateway.url + gateway.path(*VIDEO)) as answer:
        assert (answer.status, await answer.read()) == (200, FILM)


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


@pytest.mark.promise("security-S5")
@pytest.mark.parametrize(
    "lines",
    [
        b"".join(b"X-%d: %s\r\n" % (n, b"a" * 500) for n in range(62)),
        b"".join(b"X-%d: %s\r\n" % (n, b"a" * 8000) for n in range(62)),
        b"X: " + b"a" * 32_500,
        b"Cookie: a=" + b"a" * 32_500,
        b"Cookie: " + b"a=b; " * 6_500,
    ],
    ids=["within the limit", "beyond it", "one line", "one cookie", "many cookies"],
)
async def test_an_unfinished_head_takes_less_than_64_kib(tmp_path: Path, lines: bytes) -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\n" + lines
    async with serving(tmp_path, more='\n[limits]\nrequest_timeout = "30s"\n') as gateway:
        async with gateway.client.get(f"{gateway.url}/robots.txt") as answer:
            assert answer.status == 200
        before = resident_bytes(gateway.process.pid)
        async with AsyncExitStack() as stack:
            for _ in range(HEADS):
                client = await stack.enter_async_context(connect(gateway.url))
                with suppress(ConnectionError):  # a head beyond the limit is refused while it arrives
                    await client.send(head)
            await asyncio.sleep(1)
            assert await is_alive(gateway)
            assert (resident_bytes(gateway.process.pid) - before) / HEADS < 64 * 1024
