"""Why another server cannot be reached: the error has the place and the reason, and no secret."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import aiohttp
import pytest
import trustme
from yarl import URL

from gateway.clock import SystemClock
from gateway.connection_failure import describe_failure
from gateway.delivery.media_server import MediaServer
from gateway.errors import GatewayError, IdentityProviderError, ValtUnavailableError
from gateway.identity.discovery import fetch_json
from gateway.model import Link, Secret
from gateway.valt.allowed_hosts import AllowedHosts, parse_link
from gateway.valt.retry_budget import RetryBudget
from gateway.valt.transport import Transport, trace_used_connections
from gateway.valt_backend import client_session
from tests.support.recorder import Recorder

pytestmark = pytest.mark.promise("operation-O9")

AUTHORITY = trustme.CA()
SECRET = "access_token=0123456789abcdef"


@asynccontextmanager
async def nothing(_name: str) -> AsyncIterator[int]:
    """A port on which nothing listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@asynccontextmanager
async def closing_at_once(_name: str) -> AsyncIterator[int]:
    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    server = await asyncio.start_server(close, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def certified(name: str, authority: trustme.CA = AUTHORITY) -> AsyncIterator[int]:
    """A server with a certificate of *authority* for *name*."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context


async def call_valt(url: str) -> object:
    async with client_session(trusting(), limit=4, trace_configs=[trace_used_connections()]) as session:
        budget = RetryBudget(ratio=0.0, capacity=0.0)
        place = str(URL(url).origin())
        transport = Transport(session, place, SystemClock(), Recorder(), read_timeout=10, retry_budget=budget)
        return await transport.request("GET", URL(url), limit=100)


async def call_media_server(url: str) -> object:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting())) as session:
        hosts = AllowedHosts.of("http://localhost", [])
        client = MediaServer(
            session,
            trusting(),
            partial(parse_link, allowed_hosts=hosts, fetched_at=0.0),
            connect_timeout=10,
            read_timeout=10,
        )
        return await client.get(Link(Secret(url), None, None), {})


async def call_provider(url: str) -> object:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting(), force_close=True)) as session:
        return await fetch_json(session, url)


Call = Callable[[str], Awaitable[object]]
Server = Callable[[str], AbstractAsyncContextManager[int]]
CALLS: dict[str, Call] = {"VALT": call_valt, "media server": call_media_server, "provider": call_provider}
FAILURES: dict[str, tuple[str, Server, str]] = {
    "refused": ("http://127.0.0.1", nothing, "Connection refused"),
    "closed": ("http://127.0.0.1", closing_at_once, "closed the connection before its response was complete"),
    "untrusted": (
        "https://127.0.0.1",
        partial(certified, authority=trustme.CA()),
        "certificate verify failed: unable to",
    ),
    "no TLS": ("https://127.0.0.1", closing_at_once, "closed the connection"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))
@pytest.mark.parametrize(("origin", "server", "reason"), FAILURES.values(), ids=list(FAILURES))
async def test_o9_a_failed_connection_is_described_by_place_and_reason(
    call: Call, origin: str, server: Server, reason: str
) -> None:
    async with server("127.0.0.1") as port:
        with pytest.raises(GatewayError) as caught:
            await call(f"{origin}:{port}/film.mp4?{SECRET}")
    assert isinstance(caught.value, ValtUnavailableError | IdentityProviderError)
    assert reason in str(caught.value)
    assert SECRET not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)
    assert "Error" not in str(caught.value)


@pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))
async def test_o9_a_certificate_for_another_name_is_described_with_the_name(call: Call) -> None:
    async with certified("elsewhere.example.edu") as port:
        with pytest.raises(GatewayError) as caught:
            await call(f"https://127.0.0.1:{port}/?{SECRET}")
    assert "certificate verify failed: IP address mismatch" in str(caught.value)
    assert f"127.0.0.1:{port}" in str(caught.value)


@pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))
async def test_o9_an_unknown_host_is_named(call: Call) -> None:
    with pytest.raises(GatewayError) as caught:
        await call(f"http://media.invalid/?{SECRET}")
    assert "media.invalid" in str(caught.value)
    assert "name" in str(caught.value).lower()


def test_o9_each_address_that_was_tried_is_named_with_its_reason() -> None:
    tried = OSError("Multiple exceptions: [Errno 111] Connect call failed ('127.0.0.1', 1), [Errno 101] ('::1', 1)")
    assert describe_failure(tried, "media.example.edu:443").count("Errno") == 2


def test_o9_an_error_that_may_hold_a_url_is_described_by_its_type() -> None:
    assert describe_failure(aiohttp.InvalidURL(f"http://x/?{SECRET}")) == "InvalidURL"
    assert describe_failure(ValueError(SECRET), "valt.example.edu:443") == "valt.example.edu:443: ValueError"
