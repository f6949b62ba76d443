"""Requests that arrive in one turn of the event loop: begun together, written down together, and only then answered."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import cast

import pytest
from aiohttp import web

from gateway.web.http_server import Server, runner_of
from tests.support.gateway_fixture import VIDEO_PATH, running_stack

ASKED = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Order:
    """What happened, in order; also what the requests of one turn are begun in."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.clients: list[socket.socket] = []
        self.went_on = asyncio.Event()

    def __enter__(self) -> None:
        self.told.append("together")

    def __exit__(self, *_: object) -> None:
        self.told.append("written")
        assert not any(_has_answer(client) for client in self.clients)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.told.append("begun")
        if request.path == "/waits":
            await self.went_on.wait()
        if request.path == "/faulty":
            return web.Response(status=303, headers={"Location": cast("str", 1)})
        return web.Response(status=303, headers={"Location": "/"})


@pytest.fixture
def order() -> Order:
    return Order()


async def test_all_of_a_turn_are_begun_before_any_of_them_is_answered(order: Order) -> None:
    async with serving(order, 3) as clients:
        await ask(*clients)
        assert order.told == ["together", "begun", "begun", "begun", "written"]


async def test_one_that_has_to_wait_keeps_nobody_waiting(order: Order) -> None:
    async with serving(order, 2) as (slow, quick):
        slow.send(ASKED.replace(b"/ ", b"/waits "))
        await ask(quick)
        order.went_on.set()
        assert (await answer(slow)).startswith(b"HTTP/1.1 303 ")
        assert order.told == ["together", "begun", "begun", "written"]


async def test_a_fault_in_one_ends_its_connection_and_keeps_nobody_waiting(
    order: Order, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(order, 3) as (first, faulty, last):
        first.send(ASKED)
        faulty.send(ASKED.replace(b"/ ", b"/faulty "))
        last.send(ASKED)
        assert [(await answer(client))[:13] for client in (first, faulty, last)] == [
            b"HTTP/1.1 303 ",
            b"",
            b"HTTP/1.1 303 ",
        ]
        assert order.told == ["together", "begun", "begun", "begun", "written"]
        assert [(record.levelname, record.message) for record in caplog.records] == [
            ("ERROR", "a request could not be answered")
        ]
        await ask(first, last)


async def test_a_fault_in_one_that_comes_alone_ends_its_connection(order: Order) -> None:
    async with serving(order, 2) as (faulty, other):
        assert await ask(faulty, asked=ASKED.replace(b"/ ", b"/faulty ")) == [b""]
        assert (await ask(other))[0].startswith(b"HTTP/1.1 303 ")


async def test_those_who_come_alone_wait_for_nobody(order: Order) -> None:
    async with serving(order, 3) as clients:
        for _ in range(50):
            await ask(clients[0])
        assert order.told == ["begun"] * 50
        for _ in range(10):
            await ask(*clients)
        assert order.told[-5:] == ["together", "begun", "begun", "begun", "written"]


async def test_while_the_audit_cannot_be_written_nobody_of_a_turn_is_told_where_the_video_is(tmp_path: Path) -> None:
    audit = tmp_path / "audit.jsonl"
    async with running_stack(tmp_path) as stack:
        proof = stack.bearer("anna", "redirected")
        asked = f"GET {VIDEO_PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: {proof['Authorization']}\r\n\r\n".encode()
        host, _, port = stack.url.removeprefix("http://").partition(":")
        with connected((host, int(port)), 4) as clients:
            for _ in range(10):
                assert all(b"\r\nLocation: " in head for head in await ask(*clients, asked=asked))
            audit.unlink()
            audit.symlink_to("/dev/full")
            stack.gateway.audit.reopen()
            for head in await ask(*clients, asked=asked):
                assert head.startswith(b"HTTP/1.1 503 ")
                assert b"Location" not in head
            audit.unlink()
            stack.gateway.audit.reopen()
            assert all(b"\r\nLocation: " in head for head in await ask(*clients, asked=asked))
            assert [line["event"] for line in stack.audit()] == ["deny"] * 4 + ["open"] * 4


@asynccontextmanager
async def serving(order: Order, count: int) -> AsyncIterator[list[socket.socket]]:
    """So many clients of a server that answers as *order* does; before this they came together."""
    runner = runner_of(Server(order.handle, lambda _: web.Response(status=400), together=order))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        with connected(runner.addresses[0], count) as clients:
            for _ in range(10):
                await ask(*clients)
            order.told, order.clients = [], clients
            yield clients
    finally:
        await runner.cleanup()


@contextmanager
def connected(address: tuple[str, int], count: int) -> Iterator[list[socket.socket]]:
    with ExitStack() as exits:
        clients = [exits.enter_context(socket.create_connection(address)) for _ in range(count)]
        for client in clients:
            client.setblocking(False)
        yield clients


async def ask(*clients: socket.socket, asked: bytes = ASKED) -> list[bytes]:
    """The answers to what all of them ask at once: it is sent without waiting, and so arrives in one turn."""
    for client in clients:
        client.send(asked)
    return [await answer(client) for client in clients]


async def answer(client: socket.socket) -> bytes:
    async with asyncio.timeout(10):
        return await asyncio.get_running_loop().sock_recv(client, 65536)


def _has_answer(client: socket.socket) -> bool:
    try:
        return bool(client.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
