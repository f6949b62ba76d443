"""The media server: ask for bytes of a link, read them as they come. The seam where aiohttp's errors become ours,
``from None`` because they carry the URL and the URL carries the token."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

import aiohttp
from yarl import URL

from gateway.errors import ValtTimeoutError, ValtUnavailableError
from gateway.model import Link


class MediaBrokenError(Exception):
    """A body ended before its end. *reason* is dropped, stalled or short."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MediaAnswer(Protocol):
    """A head, and a body to be read once."""

    status: int
    headers: Mapping[str, str]

    def pieces(self) -> AsyncIterator[bytes]:
        """The body as it arrives. MediaBrokenError where it breaks off."""
        ...

    def abort(self) -> None:
        """No byte is drawn after this. Harmless after the end."""
        ...


class MediaServer:
    """*session* keeps no cookies and has a pool of its own; *read_timeout* is seconds of silence."""

    def __init__(self, session: aiohttp.ClientSession, *, connect_timeout: float, read_timeout: float) -> None:
        self._session = session
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout, sock_read=read_timeout)

    async def ask(self, method: str, link: Link, headers: Mapping[str, str]) -> "PlainAnswer":
        """The media server's answer, whatever its status. ValtUnavailableError, ValtTimeoutError before a head."""
        try:
            return PlainAnswer(
                await self._session.request(
                    method,
                    URL(link.url.reveal(), encoded=True),
                    headers=headers,
                    timeout=self._timeout,
                    allow_redirects=False,
                )
            )
        except TimeoutError:
            raise ValtTimeoutError("the media server did not answer in time") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ValtUnavailableError(f"the media server cannot be reached: {type(error).__name__}") from None


class PlainAnswer:
    """An answer read through aiohttp's client: right for every lawful server."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._response.content.iter_any():
                yield piece
        except TimeoutError:
            raise MediaBrokenError("stalled") from None
        except aiohttp.ClientPayloadError as error:
            raise MediaBrokenError("dropped" if isinstance(error.__cause__, OSError) else "short") from None
        except (aiohttp.ClientError, OSError):
            raise MediaBrokenError("dropped") from None

    def abort(self) -> None:
        # close() alone may go on reading the rest of the file where TLS is in between.
        connection = self._response.connection
        transport = None if connection is None else connection.transport
        if isinstance(transport, asyncio.Transport):
            transport.abort()
        self._response.close()
