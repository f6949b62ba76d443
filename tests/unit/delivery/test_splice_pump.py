"""SplicePump over real sockets: exactly the bytes of the body, whoever is slow and whoever disconnects."""

import asyncio
import contextlib
import errno
import fcntl
import itertools
import os
import random
import socket
import struct
import sys
import termios
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.delivery import splice_pump
from gateway.delivery.client_stream import ClientStalledError
from gateway.delivery.pipe_pool import PumpResources
from gateway.delivery.splice_pump import UpstreamEndedError
from tests.unit.delivery.ends import Ends, ends

FILM = random.Random(11).randbytes(2 * 1024 * 1024)
EITHER = pytest.mark.parametrize("encrypted", [False, True], ids=["http", "https"])


async def deliver(pair: Ends, count: int, piece: int = 65536) -> bytes:
    """Pump *count* bytes of what the media server sends, while the client reads in pieces."""
    async with asyncio.timeout(20):
        async with asyncio.TaskGroup() as group:
            group.create_task(pair.pump(count).run())
            received = group.create_task(pair.read(count, piece))
    return received.result()


@EITHER
@settings(max_examples=15, deadline=None)
@given(
    size=st.integers(1, len(FILM)) | st.sampled_from([1, 16384, 262143, 262144, 262145, 1024 * 1024]),
    piece=st.sampled_from([1500, 65536, 1024 * 1024]),
    turn=st.sampled_from([16384, 1024 * 1024]),
)
async def test_the_client_gets_every_byte_whatever_the_sizes(encrypted: bool, size: int, piece: int, turn: int) -> None:
    resources = PumpResources(turn=turn)
    async with ends(encrypted=encrypted, resources=resources) as pair:
        pair.server.write(FILM[:size])
        assert await deliver(pair, size, piece) == FILM[:size]
        assert sum(pair.portions) == size
    resources.pipes.close()


async def test_bytes_that_tls_has_decrypted_already_are_not_waited_for() -> None:
    """One TLS record, larger than the scratch buffer, while the client is behind: no socket will report its rest."""
    async with ends(encrypted=True, resources=PumpResources(scratch=memoryview(bytearray(8192)))) as pair:
        filled = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                filled += pair.near.send(bytes(65536))
        pair.server.write(FILM[:10000])
        running = asyncio.create_task(pair.pump(10000).run())
        await asyncio.sleep(0.05)
        async with asyncio.timeout(10):
            assert (await pair.read(filled + 10000))[filled:] == FILM[:10000]
            await running


@pytest.mark.parametrize(("others", "portions"), [(0, 4), (31, 2), (2000, 1)])
async def test_the_more_pumps_run_the_less_each_moves_in_a_turn(others: int, portions: int) -> None:
    resources = PumpResources(
        scratch=memoryview(bytearray(1024)), turn=4096, min_turn=1024, turn_of_all=65536, running=others
    )
    async with ends(encrypted=True, resources=resources) as pair:
        loop, counts = asyncio.get_running_loop(), [0]

        def iteration() -> None:
            counts.append(len(pair.portions))
            if sum(pair.portions) < 8192:
                loop.call_soon(iteration)

        pair.server.write(FILM[:8192])
        loop.call_soon(iteration)
        assert await deliver(pair, 8192) == FILM[:8192]
        assert max(after - before for before, after in itertools.pairwise(counts)) == portions
    assert resources.running == others


async def test_next_to_nothing_is_decrypted_for_a_client_whose_socket_is_full() -> None:
    resources = PumpResources()
    async with ends(encrypted=True, resources=resources) as pair:
        body = FILM * 16
        pair.server.write(body)
        resources.running = 1000  # of so many pumps each has little that waits in memory
        tracemalloc.start()
        try:
            running = asyncio.create_task(pair.pump(len(body)).run())
            assert await settled(pair) < len(body)
            held = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, splice_pump.__file__)])
            assert sum(trace.size for trace in held.traces) < 64 * 1024
        finally:
            tracemalloc.stop()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.promise("streams-13")
@EITHER
async def test_what_the_client_does_not_take_is_not_read_from_the_media_server(encrypted: bool) -> None:
    async with ends(encrypted=encrypted) as pair:
        body = FILM * 16
        pair.server.write(body)
        running = asyncio.create_task(pair.pump(len(body)).run())
        assert await settled(pair) < len(body)
        waiting = int.from_bytes(fcntl.ioctl(pair.upstream.sock, termios.FIONREAD, b"    "), sys.byteorder)
        # More than has been on its way to the client: the kernel's window to the media server has filled up.
        assert waiting > 64 * 1024
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@EITHER
async def test_nothing_is_read_after_the_connection_is_closed(encrypted: bool) -> None:
    async with ends(encrypted=encrypted) as pair:
        pair.server.write(FILM * 16)
        running = asyncio.create_task(pair.pump(len(FILM) * 16).run())
        await settled(pair)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        pair.upstream.close()
        taken = sum(pair.portions)
        assert await drained(pair) == taken
        assert sum(pair.portions) == taken


@EITHER
async def test_a_reused_descriptor_of_a_closed_socket_is_not_written_to(encrypted: bool) -> None:
    async with ends(encrypted=encrypted) as pair:
        running = asyncio.create_task(pair.pump(2000).run())
        pair.server.write(FILM[:1000])
        assert await pair.read(1000) == FILM[:1000]
        near, far = socket.socketpair()
        number = pair.near.fileno()
        pair.near.close()
        with near, far, socket.socket(fileno=os.dup2(near.fileno(), number)):
            pair.server.write(FILM[:1000])
            with pytest.raises(ConnectionResetError):
                await running
            far.setblocking(False)
            with pytest.raises(BlockingIOError):
                far.recv(1)


@pytest.mark.promise("streams-5")
@EITHER
async def test_bytes_beyond_the_count_are_not_moved(encrypted: bool) -> None:
    async with ends(encrypted=encrypted) as pair:
        pair.server.write(FILM[:100])
        assert await deliver(pair, 40) == FILM[:40]
        assert await pair.upstream.read(100) == FILM[40:100]


@EITHER
async def test_a_body_that_ends_too_early_is_short(encrypted: bool) -> None:
    async with ends(encrypted=encrypted) as pair:
        pair.server.write(FILM[:1000])
        await pair.server.drain()
        pair.server.close()
        with pytest.raises(UpstreamEndedError) as error:
            await pair.pump(2000).run()
        assert error.value.reason == "short"
        assert await pair.read(1000) == FILM[:1000]


async def test_a_connection_that_is_reset_is_dropped() -> None:
    async with ends() as pair:
        running = asyncio.create_task(pair.pump(2000).run())
        await asyncio.sleep(0)
        reset(pair.server.get_extra_info("socket"))
        pair.server.transport.abort()
        with pytest.raises(UpstreamEndedError) as error:
            await running
        assert error.value.reason == "dropped"


@pytest.mark.promise("streams-2")
@EITHER
async def test_a_media_server_that_sends_nothing_for_the_read_timeout_has_stalled(encrypted: bool) -> None:
    async with ends(encrypted=encrypted) as pair:
        pair.server.write(FILM[:1000])
        with pytest.raises(UpstreamEndedError) as error:
            await pair.pump(2000, read_timeout=0.02).run()
        assert error.value.reason == "stalled"
        assert await pair.read(1000) == FILM[:1000]


@EITHER
async def test_a_stall_behind_a_slow_client_is_noticed_after_the_read_timeout(encrypted: bool) -> None:
    """A client that is waited for may take far longer: its timeout must not be the media server's afterwards."""
    async with ends(encrypted=encrypted) as pair:
        body = FILM * 4
        pair.server.write(body)
        running = asyncio.create_task(pair.pump(2 * len(body), read_timeout=0.05, write_timeout=3600).run())
        async with asyncio.timeout(40):
            await asyncio.sleep(0.2)  # the timer has fired while the client is waited for
            assert await pair.read(len(body)) == body
            with pytest.raises(UpstreamEndedError, match="stalled"):
                await running


@EITHER
async def test_a_stall_behind_a_slow_media_server_is_noticed_after_the_write_timeout(encrypted: bool) -> None:
    """The reverse: the media server may take far longer, and its timeout must not be the client's afterwards."""
    async with ends(encrypted=encrypted) as pair:
        running = asyncio.create_task(pair.pump(len(FILM) * 16, read_timeout=3600, write_timeout=0.05).run())
        async with asyncio.timeout(40):
            await asyncio.sleep(0.2)  # the timer has fired while the media server is waited for
            pair.server.write(FILM * 16)
            with pytest.raises(ClientStalledError):
                await running


@EITHER
async def test_a_client_that_does_not_read_stalls_and_the_server_is_not_blamed(encrypted: bool) -> None:
    async with ends(encrypted=encrypted) as pair:
        pair.server.write(FILM * 16)
        with pytest.raises(ClientStalledError):
            await pair.pump(len(FILM) * 16, read_timeout=0.02, write_timeout=0.05).run()
        assert await drained(pair) == sum(pair.portions)


@EITHER
async def test_a_client_that_disconnects_ends_the_pump(encrypted: bool) -> None:
    async with ends(encrypted=encrypted) as pair:
        pair.server.write(FILM * 16)
        reset(pair.client)
        pair.client.close()
        with pytest.raises(ConnectionError):
            await pair.pump(len(FILM) * 16).run()


@EITHER
async def test_without_a_descriptor_to_wait_for_the_client_with_the_pump_ends(
    monkeypatch: pytest.MonkeyPatch, encrypted: bool
) -> None:
    def fail(_descriptor: int) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "dup", fail)
    async with ends(encrypted=encrypted) as pair:
        pair.server.write(FILM)
        pair.server.write(FILM)
        pair.server.write(FILM)
        async with asyncio.timeout(60):
            with pytest.raises(ConnectionError):  # the client reads nothing
                await pair.pump(3 * len(FILM), read_timeout=300, write_timeout=300).run()


async def test_empty_pipes_are_reused_and_pipes_with_bytes_in_them_are_closed() -> None:
    resources = PumpResources()
    await deliver_once(resources)
    before = descriptors() - 2 * len(resources.pipes)
    for _ in range(5):
        await deliver_once(resources)
        async with ends(resources=resources) as pair:
            pair.server.write(FILM * 16)
            running = asyncio.create_task(pair.pump(len(FILM) * 16).run())
            await settled(pair)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    assert descriptors() - 2 * len(resources.pipes) == before
    assert len(resources.pipes) <= 2
    resources.pipes.close()


async def test_a_pump_works_with_pipes_that_may_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> int:
        raise PermissionError

    monkeypatch.setattr(fcntl, "fcntl", refuse)
    async with ends() as pair:
        pair.server.write(FILM)
        assert await deliver(pair, len(FILM)) == FILM
        assert len(pair.resources.pipes) == 1


async def deliver_once(resources: PumpResources) -> None:
    async with ends(resources=resources) as pair:
        pair.server.write(FILM[:100000])
        await deliver(pair, 100000)


async def settled(pair: Ends) -> int:
    """Wait until nothing moves any more because the client's side is full. Returns how much has moved."""
    async with asyncio.timeout(20):
        while True:
            before = sum(pair.portions)
            await asyncio.sleep(0.05)
            if before and sum(pair.portions) == before:
                return before


async def drained(pair: Ends) -> int:
    """Returns how much the client's kernel holds, once nothing is written to it any more."""
    pair.near.shutdown(socket.SHUT_WR)
    return len(await pair.read(1 << 40))


def reset(sock: socket.socket) -> None:
    """Make the close of *sock* reset its connection."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
