"""How a process ends: it accepts nothing more, and waits for its streams and requests."""

import asyncio

from gateway.clock import wait_at_most
from gateway.delivery.streams import Streams
from gateway.web.dispatcher import Dispatcher
from gateway.web.listener import Listener

_POLL_INTERVAL = 0.1
"""Seconds between two looks at what has not ended."""
_IDLE_GRACE = 5.0
"""Seconds in which connections without a request stay open after the last one was accepted: a client that uses one
again is answered and told to close it, instead of being reset at the moment at which it sends a request."""


class Ending:
    """Ends what *listener* and *dispatcher* do, while *streams* go on."""

    def __init__(self, listener: Listener, dispatcher: Dispatcher | None, streams: Streams) -> None:
        self._listener = listener
        self._dispatcher = dispatcher
        self._streams = streams

    def __repr__(self) -> str:
        return f"<Ending connections={self._listener.connections} streams={len(self._streams)}>"

    def stop_accepting(self) -> None:
        """Closes the listening sockets. Each connection ends with its next response."""
        self._announce()
        self._listener.stop_accepting()

    async def wait_idle(self) -> None:
        """Returns when no connection is left. Those without a request are closed after some seconds."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _IDLE_GRACE
        while self._listener.connections:
            await asyncio.sleep(_POLL_INTERVAL)
            if loop.time() >= until:
                self._listener.end_idle_connections()

    async def drain(self, delay: float, timeout: float, at_once: asyncio.Event) -> None:
        """Accepts connections for *delay* seconds, then lets streams and requests finish within *timeout* seconds and
        cuts the streams that have not. Setting *at_once* ends the drain."""
        self._announce()
        await wait_at_most(delay, at_once)
        self._listener.stop_accepting()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while self._is_busy and not at_once.is_set() and loop.time() < deadline:
            await wait_at_most(min(_POLL_INTERVAL, max(0.0, deadline - loop.time())), at_once)
        self._streams.end("drain", lambda _stream: True)

    @property
    def _is_busy(self) -> bool:
        """Whether a request has not ended that waits for no client. A stream whose client has left ends after its
        connection."""
        return bool(self._streams) or self._listener.is_busy

    def _announce(self) -> None:
        if self._dispatcher is not None:
            self._dispatcher.draining = True
