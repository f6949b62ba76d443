"""A listener on loopback with small handlers, for tests of connections."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from gateway.web.http_server import HttpServer
from gateway.web.listener import Listener
from tests.support.recorder import Recorder


def listener_of(server: HttpServer, listen: str = "127.0.0.1:0", **options: Any) -> Listener:
    """A listener that has not started, with room for 100 connections and 30 seconds for a request."""
    defaults: dict[str, Any] = {
        "observer": Recorder(),
        "connections": 100,
        "request_timeout": 30.0,
        "socket_mode": 0o660,
    }
    return Listener(server, listen, **(defaults | options))


@asynccontextmanager
async def running(listener: Listener) -> AsyncIterator[None]:
    """Starts *listener*, and closes it at the end of the block."""
    await listener.start()
    try:
        yield
    finally:
        await listener.close()


@asynccontextmanager
async def listening(server: HttpServer, listen: str = "127.0.0.1:0", **options: Any) -> AsyncIterator[Listener]:
    """A running listener; closed at the end of the block."""
    listener = listener_of(server, listen, **options)
    async with running(listener):
        yield listener
