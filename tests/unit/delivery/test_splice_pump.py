"""The pump, over real sockets: every byte and no byte more, whoever is slow and whoever leaves."""

import asyncio
import contextlib
import fcntl
import itertools
import os
import random
import socket
import struct
import sys
import termios
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.delivery import splice_pump as pump_module
from gateway.delivery.client_stream import ClientStalledError
from gateway.delivery.pipe_pool import Pipes
from gateway.delivery.splice_pump import UpstreamEndedError
from tests.unit.delivery.lines import Line, line

SOURCE = random.Random(11).randbytes(2 * 1024 * 1024)
EITHER = pytest.mark.parametrize("encrypted", [False, True], ids=["http", "https"])


async def deliver(stack: Line, count: int, piece: int = 65536) -> bytes:
    """Pump *count* bytes of what the media server says, read by the viewer in pieces."""
    async with asyncio.timeout(20):
        async with asyncio.TaskGroup() as group:
            group.create_task(stack.pump(count).run())
            heard = group.create_task(stack.hear(count, piece))
    return heard.result()


@EITHER
@settings(max_examples=15, deadline=None)
@given(
    size=st.integers(1, len(SOURCE)) | st.sampled_from([1, 16384, 262143, 262144, 262145, 1024 * 1024]),
    piece=st.sampled_from([1500, 65536, 1024 * 1024]),
    at_once=st.sampled_from([16384, 1024 * 1024]),
)
async def test_the_viewer_gets_every_byte_whatever_the_sizes(
    encrypted: bool, size: int, piece: int, at_once: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pump_module, "_AT_ONCE", at_once)
        async with line(encrypted=encrypted) as stack:
            stack.server.write(SOURCE[:size])
            assert await deliver(stack, size, piece) == SOURCE[:size]
            assert sum(stack.moved) == size


async def test_what_tls_has_decrypted_already_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """One record, larger than the scratch buffer, while the viewer is behind: no socket will tell of its rest."""
    monkeypatch.setattr(pump_module, "_scratch", memoryview(bytearray(8192)))
    async with line(encrypted=True) as stack:
        filled = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                filled += stack.near.send(bytes(65536))
        stack.server.write(SOURCE[:10000])
        running = asyncio.create_task(stack.pump(10000).run())
        await asyncio.sleep(0.05)
        async with asyncio.timeout(10):
            assert (await stack.hear(filled + 10000))[filled:] == SOURCE[:10000]
            await running


@pytest.mark.parametrize(("others", "portions"), [(0, 4), (31, 2), (2000, 1)])
async def test_the_more_streams_there_are_the_less_each_moves_before_others_have_their_turn(
    others: int, portions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"_AT_ONCE": 4096, "_LEAST_AT_ONCE": 1024, "_AT_ONCE_OF_ALL": 65536}.items():
        monkeypatch.setattr(pump_module, name, value)
    monkeypatch.setattr(pump_module, "_scratch", memoryview(bytearray(1024)))
    monkeypatch.setattr(pump_module.SplicePump, "running", others)
    async with line(encrypted=True) as stack:
        loop, moved = asyncio.get_running_loop(), [0]

        def turn() -> None:
            moved.append(len(stack.moved))
            if sum(stack.moved) < 8192:
                loop.call_soon(turn)

        stack.server.write(SOURCE[:8192])
        loop.call_soon(turn)
        assert await deliver(stack, 8192) == SOURCE[:8192]
        assert max(after - before for before, after in itertools.pairwise(moved)) == portions
    assert pump_module.SplicePump.running == others


@pytest.mark.promise("streams-13")
@EITHER
async def test_what_the_viewer_does_not_take_is_not_read_from_the_media_server(encrypted: bool) -> None:
    async with line(encrypted=encrypted) as stack:
        whole = SOURCE * 16
        stack.server.write(whole)
        running = asyncio.create_task(stack.pump(len(whole)).run())
        assert await settled(stack) < len(whole)
        waiting = int.from_bytes(fcntl.ioctl(stack.upstream.sock, termios.FIONREAD, b"    "), sys.byteorder)
        # More than has been on its way to the viewer: the kernel's window to the media server has filled up.
        assert waiting > 64 * 1024
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@EITHER
async def test_no_byte_is_drawn_after_the_connection_is_given_up(encrypted: bool) -> None:
    async with line(encrypted=encrypted) as stack:
        stack.server.write(SOURCE * 16)
        running = asyncio.create_task(stack.pump(len(SOURCE) * 16).run())
        await settled(stack)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        stack.upstream.close()
        taken = sum(stack.moved)
        heard = await drained(stack)
        assert heard == taken
        assert sum(stack.moved) == taken


@EITHER
async def test_a_socket_that_was_closed_and_whose_number_is_anothers_by_now_is_not_written_to(encrypted: bool) -> None:
    async with line(encrypted=encrypted) as stack:
        running = asyncio.create_task(stack.pump(2000).run())
        stack.server.write(SOURCE[:1000])
        assert await stack.hear(1000) == SOURCE[:1000]
        near, far = socket.socketpair()
        number = stack.near.fileno()
        stack.near.close()
        with near, far, socket.socket(fileno=os.dup2(near.fileno(), number)):
            stack.server.write(SOURCE[:1000])
            with pytest.raises(ConnectionResetError):
                await running
            far.setblocking(False)
            with pytest.raises(BlockingIOError):
                far.recv(1)


@pytest.mark.promise("streams-5")
@EITHER
async def test_bytes_beyond_the_count_stay_with_the_media_server(encrypted: bool) -> None:
    async with line(encrypted=encrypted) as stack:
        stack.server.write(SOURCE[:100])
        assert await deliver(stack, 40) == SOURCE[:40]
        assert await stack.upstream.read(100) == SOURCE[40:100]


@EITHER
async def test_a_body_that_ends_before_its_end_is_short(encrypted: bool) -> None:
    async with line(encrypted=encrypted) as stack:
        stack.server.write(SOURCE[:1000])
        await stack.server.drain()
        stack.server.close()
        with pytest.raises(UpstreamEndedError) as error:
            await stack.pump(2000).run()
        assert error.value.reason == "short"
        assert await stack.hear(1000) == SOURCE[:1000]


async def test_a_connection_that_is_reset_is_dropped() -> None:
    async with line() as stack:
        running = asyncio.create_task(stack.pump(2000).run())
        await asyncio.sleep(0)
        reset(stack.server.get_extra_info("socket"))
        stack.server.transport.abort()
        with pytest.raises(UpstreamEndedError) as error:
            await running
        assert error.value.reason == "dropped"


@pytest.mark.promise("streams-2")
@EITHER
async def test_a_media_server_that_falls_silent_has_stalled(encrypted: bool) -> None:
    async with line(encrypted=encrypted) as stack:
        stack.server.write(SOURCE[:1000])
        with pytest.raises(UpstreamEndedError) as error:
            await stack.pump(2000, read_timeout=0.02).run()
        assert error.value.reason == "stalled"
        assert await stack.hear(1000) == SOURCE[:1000]


@EITHER
async def test_a_viewer_who_does_not_read_rests_and_the_server_is_not_blamed(encrypted: bool) -> None:
    async with line(encrypted=encrypted) as stack:
        stack.server.write(SOURCE * 16)
        with pytest.raises(ClientStalledError):
            await stack.pump(len(SOURCE) * 16, read_timeout=0.02, write_timeout=0.05).run()
        assert await drained(stack) == sum(stack.moved)


@EITHER
async def test_a_viewer_who_has_gone_ends_the_pump(encrypted: bool) -> None:
    async with line(encrypted=encrypted) as stack:
        stack.server.write(SOURCE * 16)
        reset(stack.viewer)
        stack.viewer.close()
        with pytest.raises(ConnectionError):
            await stack.pump(len(SOURCE) * 16).run()


async def test_pipes_are_given_back_and_those_with_something_in_them_are_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipes = Pipes()
    monkeypatch.setattr(pump_module, "_pipes", pipes)
    await once()
    before = descriptors() - 2 * len(pipes)
    for _ in range(5):
        await once()
        async with line() as stack:
            stack.server.write(SOURCE * 16)
            running = asyncio.create_task(stack.pump(len(SOURCE) * 16).run())
            await settled(stack)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    assert descriptors() - 2 * len(pipes) == before
    assert len(pipes) <= 2
    while len(pipes):
        pipes.take().close()


async def test_where_pipes_may_not_grow_small_ones_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> int:
        raise PermissionError

    pipes = Pipes()
    monkeypatch.setattr(pump_module, "_pipes", pipes)
    monkeypatch.setattr(fcntl, "fcntl", refuse)
    async with line() as stack:
        stack.server.write(SOURCE)
        assert await deliver(stack, len(SOURCE)) == SOURCE
    assert len(pipes) == 1
    pipes.take().close()


async def once() -> None:
    async with line() as stack:
        stack.server.write(SOURCE[:100000])
        await deliver(stack, 100000)


async def settled(stack: Line) -> int:
    """Wait until nothing moves any more: the viewer's side is full. How much has moved."""
    async with asyncio.timeout(20):
        while True:
            before = sum(stack.moved)
            await asyncio.sleep(0.05)
            if before and sum(stack.moved) == before:
                return before


async def drained(stack: Line) -> int:
    """How much the viewer's kernel holds for him, once nobody writes to him any more."""
    stack.near.shutdown(socket.SHUT_WR)
    return len(await stack.hear(1 << 40))


def reset(sock: socket.socket) -> None:
    """Closing *sock* will reset its connection."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
