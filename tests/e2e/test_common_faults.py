"""Faults that are common in gateways, each tried against this one."""

import asyncio
import contextlib
import random
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from gateway.settings.model import GrantSettings
from tests.support.gateway_fixture import NAVIGATION, VIDEO_PATH, GatewayStack, running_stack

BIG = random.Random(21).randbytes(4 * 1024 * 1024)
BIG_PATH = "/recordings/big/videos/film"


def address(stack: GatewayStack) -> tuple[str, int]:
    host, _, port = stack.url.removeprefix("http://").partition(":")
    return host, int(port)


def asked(method: str, path: str, **headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def is_reset(read: Callable[[], Awaitable[bytes]], received: bytearray) -> bool:
    """Whether what is still to be *read* ends in a TCP reset; it is added to *received*."""
    try:
        async with asyncio.timeout(10):
            while piece := await read():
                received += piece
    except ConnectionResetError:
        return True
    return False


@asynccontextmanager
async def unread(stack: GatewayStack, *, path: str = BIG_PATH) -> AsyncIterator[socket.socket]:
    """A viewer with a tiny buffer who has asked for a film and reads nothing."""
    loop = asyncio.get_running_loop()
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        await loop.sock_connect(sock, address(stack))
        await loop.sock_sendall(sock, asked("GET", path, **stack.bearer()))
        async with asyncio.timeout(10):
            while not len(stack.gateway.streams):
                await asyncio.sleep(0.005)
        yield sock


@pytest.mark.promise("findings-1")
def test_the_default_delivery_is_the_one_that_can_be_taken_back() -> None:
    assert GrantSettings.model_fields["delivery"].default == "proxy"


@pytest.mark.promise("findings-3")
@pytest.mark.parametrize("space", ["\u2000", "\u00a0", "\u3000", "\u0085", "\t"])
async def test_a_cookie_under_another_name_is_no_session(stack: GatewayStack, space: str) -> None:
    async with stack.client.get(
        f"{stack.url}{VIDEO_PATH}?ticket={stack.ticket()}", headers=NAVIGATION, allow_redirects=False
    ) as entered:
        cookie = entered.headers["Set-Cookie"].partition(";")[0]
    reader, writer = await asyncio.open_connection(*address(stack))
    for line in (f"{space}{cookie}", f"a=b; {space}{cookie}", cookie):
        writer.write(asked("HEAD", VIDEO_PATH, Cookie=line))
        head = await reader.readuntil(b"\r\n\r\n")
        # A TAB at the start of a header's value is no part of it (RFC 9110, 5.5): the first line is then plainly ours.
        plain = line == cookie or (space == "\t" and line.startswith("\t"))
        assert head.split(b" ")[1] == (b"200" if plain else b"401"), repr(line)
    writer.close()


@pytest.mark.promise("streams-29", "findings-6")
async def test_who_does_not_read_is_cut_in_the_end(tmp_path: Path) -> None:
    idle = '[streams]\nupstream_idle = "50ms"\nviewer_idle = "150ms"\n'
    async with running_stack(tmp_path, more=idle) as stack:
        stack.valt.add_video("big", "film", BIG)
        async with unread(stack), asyncio.timeout(10):
            await stack.ended()
        closed = [line["outcome"] for line in stack.audit() if line["event"] == "close"]
        assert closed == ["cut"]


@pytest.mark.promise("streams-29", "findings-6")
async def test_who_never_finishes_a_head_is_not_waited_for_long(stack: GatewayStack) -> None:
    """The deadline for a head is the one for an idle connection, an hour by default of aiohttp's runner."""
    server = stack.gateway._runners[0].server
    assert server is not None
    assert server._kwargs["keepalive_timeout"] <= 75
    server._kwargs["keepalive_timeout"] = 0.05
    reader, writer = await asyncio.open_connection(*address(stack))
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    async with asyncio.timeout(10):
        await reader.read()
    writer.close()


@pytest.mark.promise("streams-24", "findings-7")
async def test_no_stream_has_a_total_limit_and_every_call_has_one(stack: GatewayStack) -> None:
    valt = stack.gateway._current().valt
    assert valt.media_session.timeout.total is None
    assert valt.api_session.timeout.total == stack.gateway.settings.valt.read_timeout
    assert stack.gateway._current().identity_session.timeout.total is not None


@pytest.mark.promise("streams-30", "findings-8")
async def test_stalled_streams_keep_no_call_of_valts_waiting(stack: GatewayStack) -> None:
    """More streams than the API's pool has places, and none of them moves."""
    stack.valt.add_video("big", "film", BIG)
    stack.valt.knobs.stall_after = [100_000] * 40
    stack.valt.knobs.stall_gate.clear()
    async with contextlib.AsyncExitStack() as exits:
        for _ in range(40):
            answer = await exits.enter_async_context(stack.client.get(stack.url + BIG_PATH, headers=stack.bearer()))
            await answer.content.readexactly(50_000)
        async with asyncio.timeout(5):
            another = {**stack.bearer("ben"), "Range": "bytes=0-99"}
            async with stack.client.get(stack.url + VIDEO_PATH, headers=another) as answer:
                assert answer.status == 206
                assert len(await answer.read()) == 100
        stack.valt.knobs.stall_gate.set()


@pytest.mark.promise("findings-10")
async def test_what_has_no_body_leaves_the_connection_in_step(stack: GatewayStack) -> None:
    """Asked all at once on one connection: a body written where none belongs would swallow the next head."""
    who = stack.bearer()
    async with stack.client.head(stack.url + VIDEO_PATH, headers=who) as answer:
        tag = answer.headers["ETag"]
    requests = [
        asked("HEAD", VIDEO_PATH, **who),
        asked("GET", VIDEO_PATH, **who, **{"If-None-Match": tag}),
        asked("GET", VIDEO_PATH, **who, Range="bytes=999999999-"),
        asked("HEAD", "/no/such/page", **who),
        asked("GET", VIDEO_PATH, **who, **{"If-Match": '"another"'}),
        asked("GET", VIDEO_PATH, **who, Range="bytes=7-16"),
        asked("HEAD", VIDEO_PATH),
    ]
    reader, writer = await asyncio.open_connection(*address(stack))
    writer.write(b"".join(requests))
    statuses = []
    async with asyncio.timeout(10):
        for _ in requests:
            head = await reader.readuntil(b"\r\n\r\n")
            statuses.append(head.split(b" ")[1].decode())
            if statuses[-1] == "206":
                await reader.readexactly(10)
    writer.close()
    assert statuses == ["200", "304", "416", "404", "412", "206", "401"]


@pytest.mark.promise("findings-20")
def test_an_audit_of_packages_that_cannot_run_is_no_pass() -> None:
    """pip-audit exits 0 where it audited nothing, unless it is told to be strict."""
    root = Path(__file__).parents[2]
    for path in [root / "Makefile", *root.glob(".ci/*"), *root.glob(".github/workflows/*.yml"), *root.glob("**/*.sh")]:
        if path.is_file() and ".venv" not in path.parts:
            for line in path.read_text(encoding="utf-8").splitlines():
                if re.search(r"\bpip-audit\b(?!.*install)", line) and not line.lstrip().startswith("#"):
                    assert "--strict" in line, f"{path.name}: {line}"


@pytest.mark.promise("findings-B")
async def test_no_second_head_is_written_into_a_film(tmp_path: Path) -> None:
    async with running_stack(tmp_path, more="[streams]\nresume_tries = 0\n") as stack:
        stack.valt.add_video("big", "film", BIG)
        stack.valt.knobs.reset_after = [500_000]
        reader, writer = await asyncio.open_connection(*address(stack))
        writer.write(asked("GET", BIG_PATH, **stack.bearer()))
        received = bytearray()
        assert await is_reset(lambda: reader.read(65_536), received)
        writer.close()
        head, _, body = received.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert bytes(body) == BIG[: len(body)]


@pytest.mark.promise("findings-I")
async def test_a_cut_takes_back_what_the_kernel_still_holds(stack: GatewayStack) -> None:
    """After a reset a slow reader gets what his own side has already and then an error, not what was on its way."""
    stack.valt.add_video("big", "film", BIG)
    loop = asyncio.get_running_loop()
    async with unread(stack) as sock:
        stream = next(iter(stack.gateway.streams))
        await stack.valt.wait_for(lambda: bool(stack.valt.media_requests))
        request = stack.valt.media_requests[-1]
        sent = -1
        while sent != request.sent:  # until every buffer on the way is full
            sent = request.sent
            await asyncio.sleep(0.02)
        stream.end("revoked")
        await stack.ended()
        received = bytearray()
        assert await is_reset(lambda: loop.sock_recv(sock, 65_536), received)
        assert len(received) <= 64 * 1024
    assert [line["outcome"] for line in stack.audit() if line["event"] == "close"] == ["cut"]


@pytest.mark.promise("findings-J")
@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=0-"}, {"Range": "bytes=999999999-"}, {"If-Match": '"x"'}])
async def test_no_answer_with_media_may_be_kept(stack: GatewayStack, headers: dict[str, str]) -> None:
    async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer() | headers) as answer:
        assert answer.status in (200, 206, 412, 416)
        assert "no-store" in answer.headers["Cache-Control"]


@pytest.mark.promise("findings-K")
async def test_the_moment_in_an_address_outlives_the_ticket(stack: GatewayStack) -> None:
    where = f"{stack.url}{VIDEO_PATH}?t=90&ticket={stack.ticket()}&lang=de"
    async with stack.client.get(where, headers=NAVIGATION, allow_redirects=False) as answer:
        assert answer.status == 303
        assert answer.headers["Location"] == f"{VIDEO_PATH}?t=90&lang=de"


@pytest.mark.promise("streams-16")
async def test_an_aborted_connection_leaves_no_descriptor_behind(stack: GatewayStack) -> None:
    """Every stream holds sockets and pipes of its own; whoever leaves takes them along."""
    stack.valt.add_video("big", "film", BIG)

    async def leave_after(count: int) -> None:
        reader, writer = await asyncio.open_connection(*address(stack))
        writer.write(asked("GET", BIG_PATH, **stack.bearer()))
        with contextlib.suppress(aiohttp.ClientError, OSError):
            await reader.readexactly(count)
        writer.transport.abort()

    async def descriptors() -> int:
        await stack.ended()
        await stack.valt.wait_for(lambda: stack.valt.open_media == 0)
        for _ in range(3):
            await asyncio.sleep(0)  # the simulator's own sockets are closed some turns after its answers have ended
        return len(list(Path("/proc/self/fd").iterdir()))

    await asyncio.gather(*(leave_after(1000) for _ in range(20)))
    before = await descriptors()
    await asyncio.gather(*(leave_after(1000 * (1 + number)) for number in range(60)))
    assert await descriptors() <= before
    assert (await stack.metrics())['valt_gateway_streams_active{delivery="proxy"}'] == 0
