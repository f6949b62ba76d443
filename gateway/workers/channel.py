"""The connection between the supervisor and a worker: JSON objects, a line each, over a pair of unix sockets.

The supervisor's messages have ``do``, which names what the worker shall do, and a worker's have ``is``. The end of the
connection is the other process's end.
"""

import asyncio
import socket
from typing import Any

import orjson

Message = dict[str, Any]

_LINE_LIMIT = 128 * 1024 * 1024
"""Bytes of a message; the longest is the configuration, of whose 16 MiB each byte may be six in JSON."""
_MOST_WAITING = 8 * 1024 * 1024
"""Bytes that wait for a process that does not read; further messages that may be lost are dropped."""


class Channel:
    """One end of the connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, sock: socket.socket) -> "Channel":
        """Returns the channel over *sock*, which it owns."""
        return cls(*await asyncio.open_unix_connection(sock=sock, limit=_LINE_LIMIT))

    def send(self, message: Message, *, may_be_lost: bool = False) -> None:
        """Sends *message* without waiting. A message to a process that has ended is dropped."""
        waiting = self._writer.transport.get_write_buffer_size()
        if not self._writer.is_closing() and not (may_be_lost and waiting > _MOST_WAITING):
            self._writer.write(orjson.dumps(message) + b"\n")

    async def receive(self) -> Message | None:
        """Returns the next message; None if the other process has ended."""
        try:
            line = await self._reader.readline()
        except OSError:
            return None
        return orjson.loads(line) if line.endswith(b"\n") else None

    def close(self) -> None:
        """Closes the connection; what was sent is delivered."""
        self._writer.close()
