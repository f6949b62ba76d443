"""Faults that are common in gateways, each tested against this one."""

import asyncio
import contextlib
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.delivery.pipe_pool import MAX_IDLE_SMALL, MAX_LARGE
from gateway.settings.grants import GrantSettings
from tests.support.client import RawConnection, connect, parse_response, request
from tests.support.gateway_fixture import NAVIGATION, VIDEO_PATH, GatewayStack, running_stack

BIG = random.Random(21).randbytes(4 * 1024 * 1024)
BIG_PATH = "/recordings/big/videos/film"


@asynccontextmanager
async def unread(stack: GatewayStack) -> AsyncIterator[RawConnection]:
    """A client with a tiny receive buffer that has requested the big film and reads nothing."""
    async with connect(stack.url, receive_buffer=4096) as connection:
        await connection.send(request("GET", BIG_PATH, stack.bearer()))
        async with asyncio.timeout(10):
            while not len(stack.gateway.streams):
                await asyncio.sleep(0.005)
        yield connection


def open_descriptors(kind: str) -> int:
    """Counts this process's open descriptors of *kind*: ``socket:`` or ``pipe:``."""
    count = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the descriptor of the folder that is read
            count += str(descriptor.readlink()).startswith(kind)
    return count


@pytest.mark.promise("findings-1")
def test_the_default_delivery_is_proxy_which_can_be_revoked() -> None:
    assert GrantSettings.model_fields["delivery"].default == "proxy"


@pytest.mark.promise("findings-3")
@pytest.mark.parametrize("space", ["\u2000", "\u00a0", "\u3000", "\u0085", "\t"])
async def test_a_cookie_with_another_name_is_not_a_session(stack: GatewayStack, space: str) -> None:
    async with stack.client.get(
        f"{stack.url}{VIDEO_PATH}?ticket={stack.ticket()}", headers=NAVIGATION, allow_redirects=False
    ) as response:
        cookie = response.headers["Set-Cookie"].partition(";")[0]
    async with connect(stack.url) as connection:
        for line in (f"{space}{cookie}", f"a=b; {space}{cookie}", cookie):
            await connection.send(request("HEAD", VIDEO_PATH, {"Cookie": line}))
            # A TAB at the start of a header's value is not part of the value (RFC 9110, section 5.5).
            is_session = line == cookie or (space == "\t" and line.startswith("\t"))
            assert (await connection.read_head()).status == (200 if is_session else 401), repr(line)


@pytest.mark.promise("streams-29", "findings-6")
async def test_a_client_that_stops_reading_is_disconnected_after_the_idle_timeout(tmp_path: Path) -> None:
    idle = '[streams]\nupstream_idle = "50ms"\nviewer_idle = "150ms"\n'
    async with running_stack(tmp_path, more=idle) as stack:
        stack.valt.add_video("big", "film", BIG)
        async with unread(stack), asyncio.timeout(10):
            await stack.ended()
        assert [line["outcome"] for line in stack.audit() if line["event"] == "close"] == ["cut"]


@pytest.mark.promise("streams-24", "findings-7")
async def test_streams_have_no_total_timeout_and_all_other_calls_have_one(stack: GatewayStack) -> None:
    valt = stack.gateway.app.valt
    assert valt.media_session.timeout.total is None
    assert valt.api_session.timeout.total == stack.gateway.settings.valt.read_timeout
    for session in stack.gateway.app.identity.http_sessions:
        assert session.timeout.total is not None


@pytest.mark.promise("streams-30", "findings-8")
async def test_stalled_streams_do_not_block_calls_of_the_valt_api(stack: GatewayStack) -> None:
    """More stalled streams than the connection pool of the API client has connections."""
    stack.valt.add_video("big", "film", BIG)
    stack.valt.knobs.stall_after = [100_000] * 40
    stack.valt.knobs.stall_gate.clear()
    async with contextlib.AsyncExitStack() as exits:
        for _ in range(40):
            response = await exits.enter_async_context(stack.client.get(stack.url + BIG_PATH, headers=stack.bearer()))
            await response.content.readexactly(50_000)
        async with asyncio.timeout(5):
            headers = {**stack.bearer("ben"), "Range": "bytes=0-99"}
            async with stack.client.get(stack.url + VIDEO_PATH, headers=headers) as response:
                assert response.status == 206
                assert len(await response.read()) == 100
        stack.valt.knobs.stall_gate.set()


@pytest.mark.promise("findings-10")
async def test_responses_without_a_body_do_not_shift_the_next_response(stack: GatewayStack) -> None:
    """Pipelined on one connection: a body written where none belongs would be read as part of the next head."""
    credentials = stack.bearer()
    async with stack.client.head(stack.url + VIDEO_PATH, headers=credentials) as response:
        tag = response.headers["ETag"]
    requests = [
        request("HEAD", VIDEO_PATH, credentials),
        request("GET", VIDEO_PATH, credentials | {"If-None-Match": tag}),
        request("GET", VIDEO_PATH, credentials | {"Range": "bytes=999999999-"}),
        request("HEAD", "/no/such/page", credentials),
        request("GET", VIDEO_PATH, credentials | {"If-Match": '"another"'}),
        request("GET", VIDEO_PATH, credentials | {"Range": "bytes=7-16"}),
        request("HEAD", VIDEO_PATH),
    ]
    statuses = []
    async with connect(stack.url) as connection:
        await connection.send(b"".join(requests))
        for _ in requests:
            head = await connection.read_head()
            statuses.append(head.status)
            if head.status == 206:
                await connection.read(10)
    assert statuses == [200, 304, 416, 404, 412, 206, 401]


@pytest.mark.promise("findings-20")
def test_a_package_audit_that_cannot_run_fails_the_build() -> None:
    """pip-audit exits with 0 where it audited nothing, unless it runs with --strict."""
    root = Path(__file__).parents[2]
    for path in [root / "Makefile", *root.glob(".ci/*"), *root.glob(".github/workflows/*.yml"), *root.glob("**/*.sh")]:
        if path.is_file() and ".venv" not in path.parts:
            for line in path.read_text(encoding="utf-8").splitlines():
                if re.search(r"\bpip-audit\b(?!.*install)", line) and not line.lstrip().startswith("#"):
                    assert "--strict" in line, f"{path.name}: {line}"


@pytest.mark.promise("findings-B")
async def test_no_second_response_head_is_written_into_a_body(tmp_path: Path) -> None:
    async with running_stack(tmp_path, more="[streams]\nresume_tries = 0\n") as stack:
        stack.valt.add_video("big", "film", BIG)
        stack.valt.knobs.reset_after = [500_000]
        async with connect(stack.url) as connection:
            await connection.send(request("GET", BIG_PATH, stack.bearer()))
            received, reset = await connection.read_until_reset()
        assert reset
        response = parse_response(received)
        assert response.status == 200
        assert response.body == BIG[: len(response.body)]


@pytest.mark.promise("findings-I")
async def test_a_reset_discards_what_the_kernel_still_buffers(stack: GatewayStack) -> None:
    """A slow reader receives what its own side has buffered and then an error, not the bytes still on the way."""
    stack.valt.add_video("big", "film", BIG)
    async with unread(stack) as connection:
        stream = next(iter(stack.gateway.streams))
        await stack.valt.wait_for(lambda: bool(stack.valt.media_requests))
        media_request = stack.valt.media_requests[-1]
        sent = -1
        while sent != media_request.sent:  # until every buffer on the way is full
            sent = media_request.sent
            await asyncio.sleep(0.02)
        stream.end("revoked")
        await stack.ended()
        received, reset = await connection.read_until_reset()
        assert reset
        assert len(received) <= 64 * 1024
    assert [line["outcome"] for line in stack.audit() if line["event"] == "close"] == ["cut"]


@pytest.mark.promise("findings-J")
@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=0-"}, {"Range": "bytes=999999999-"}, {"If-Match": '"x"'}])
async def test_no_media_response_may_be_stored_in_a_cache(stack: GatewayStack, headers: dict[str, str]) -> None:
    async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer() | headers) as response:
        assert response.status in (200, 206, 412, 416)
        assert "no-store" in response.headers["Cache-Control"]


@pytest.mark.promise("findings-K")
async def test_the_start_time_in_a_url_survives_the_exchange_of_its_ticket(stack: GatewayStack) -> None:
    url = f"{stack.url}{VIDEO_PATH}?t=90&ticket={stack.ticket()}&lang=de"
    async with stack.client.get(url, headers=NAVIGATION, allow_redirects=False) as response:
        assert response.status == 303
        assert response.headers["Location"] == f"{VIDEO_PATH}?t=90&lang=de"


@pytest.mark.promise("streams-16")
async def test_an_aborted_connection_leaks_no_descriptor(stack: GatewayStack) -> None:
    """Every stream has sockets and pipes of its own; all are closed when the client leaves."""
    stack.valt.add_video("big", "film", BIG)

    async def leave_after(count: int) -> None:
        async with connect(stack.url) as connection:
            await connection.send(request("GET", BIG_PATH, stack.bearer()))
            with contextlib.suppress(OSError):
                await connection.read(count)

    async def sockets() -> int:
        await stack.ended()
        await stack.valt.wait_for(lambda: stack.valt.open_media == 0)
        return open_descriptors("socket:")

    pipes_before = open_descriptors("pipe:")
    await asyncio.gather(*(leave_after(1000) for _ in range(20)))
    before = await sockets()
    await asyncio.gather(*(leave_after(1000 * (1 + number)) for number in range(60)))
    async with asyncio.timeout(10):
        while await sockets() > before:  # sockets are closed a few iterations of the loop after their streams
            await asyncio.sleep(0)
    # Idle pipes stay for the next streams, up to the pool's bound.
    assert open_descriptors("pipe:") <= pipes_before + 2 * (MAX_LARGE + MAX_IDLE_SMALL)
    assert (await stack.metrics())['valt_gateway_streams_active{delivery="proxy"}'] == 0
