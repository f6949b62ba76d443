"""Requests to the media servers that links name. Foreign exceptions become the gateway's here, ``from None`` because
aiohttp's contain the URL and the URL contains a token.

How it works: a request is first sent on a connection of ours (SplicedResponse). If the response is one that
response_head does not support, it is sent again through aiohttp's client (BufferedResponse); and if the server seems to
respond so always, its next requests go there directly for a minute.
"""

import asyncio
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import urldefrag, urljoin

import aiohttp
from yarl import URL

from gateway.connection_failure import describe_failure
from gateway.delivery.connection import Connection, Origin
from gateway.delivery.connection_pool import ConnectionPool
from gateway.delivery.http_fields import RangeSpec
from gateway.delivery.media_response import BufferedResponse, MediaResponse, SplicedResponse
from gateway.delivery.response_head import UnsupportedResponseError
from gateway.delivery.resume import evaluate, resume_request
from gateway.delivery.verdicts import MediaRequest, Representation, Usable
from gateway.errors import ValtResponseError, ValtTimeoutError, ValtUnavailableError
from gateway.model import Link

_BUFFERED_SECONDS = 60.0
"""How long a server's requests go through aiohttp's client after a response that the spliced path does not support."""
_HEAD_SILENCES = 10
"""Times *read_timeout* in which a head must arrive through aiohttp's client: much longer than slow ones take."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REQUEST_TIMEOUT = 408
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What no field may contain (RFC 9110, section 5.5), and aiohttp's client accepts."""

ParseLink = Callable[[str], Link]
"""Returns the link of a URL, or raises LinkRefusedError if links must not lead there."""


class MediaServer:
    """*session* keeps no cookies and reuses no connection, because a server that sends a body with a 304 all the same
    would send it into the connection's next response. *parse_link* judges where a media server may redirect to.
    *connect_timeout*: seconds, TLS included; *read_timeout*: seconds of silence."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        ssl_context: ssl.SSLContext,
        parse_link: ParseLink,
        *,
        connect_timeout: float,
        read_timeout: float,
    ) -> None:
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._pool = ConnectionPool(ssl_context, connect_timeout=connect_timeout)
        self._parse_link = parse_link
        self._read_timeout = read_timeout
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout, sock_read=read_timeout)
        self._head_timeout = connect_timeout + _HEAD_SILENCES * read_timeout
        self._buffered_until: dict[Origin, float] = {}

    def __repr__(self) -> str:
        return f"<MediaServer {self._pool!r} buffered={len(self._buffered_until)}>"

    async def get(self, link: Link, headers: Mapping[str, str]) -> MediaResponse:
        """Send a GET with *headers* and return the response, whatever its status. One redirect is followed.

        Raises ValtUnavailableError or ValtTimeoutError if there is no response, ValtResponseError if it is not HTTP,
        LinkRefusedError for a redirect to where no link may lead.
        """
        response = await self._get(link, headers)
        if response.status in _REDIRECTS:
            response.close()
            response = await self._get(self._parse_link(_target(link, response.headers)), headers)
        return response

    async def read_range(self, link: Link, first: int, length: int, body: Representation | None) -> bytes:
        """Returns *length* bytes, from *first* on, of the file of which *body* is a part, or with None of the link's,
        whichever that is. One redirect is followed.

        Raises ValtUnavailableError or ValtTimeoutError, also if the server does not answer with exactly those bytes or
        nothing proves that they are of the same file, or LinkRefusedError.
        """
        result = await self._read_part(link, first, length, body)
        if isinstance(result, str):
            result = await self._read_part(self._parse_link(result), first, length, body)
        if isinstance(result, str):
            raise ValtUnavailableError("the media server redirects again")
        return result

    async def _read_part(self, link: Link, first: int, length: int, body: Representation | None) -> bytes | str:
        """Return the bytes, or the URL that the server redirects to."""
        if body is None:
            last = first + length - 1
            headers = {"Range": f"bytes={first}-{last}", "Accept-Encoding": "identity"}
            request = MediaRequest(headers, (RangeSpec(first, last),))
        else:
            request = resume_request(replace(body, end=first + length), first)
        try:
            async with await self._send(URL(link.url.reveal(), encoded=True), request.headers) as response:
                if response.status in _REDIRECTS:
                    return _target(link, response.headers)
                verdict = evaluate(request, response.status, response.headers)
                if not isinstance(verdict, Usable) or (verdict.status, verdict.length) != (206, length):
                    raise ValtUnavailableError("the media server did not answer with the range")
                content = await response.content.readexactly(length)
                if await response.content.read(1):
                    raise ValtUnavailableError("the media server answered with more than the range")
                return content
        except TimeoutError:
            raise ValtTimeoutError("the media server did not respond in time") from None
        except (aiohttp.ClientError, OSError, EOFError, ValueError) as error:
            raise _unreachable(URL(link.url.reveal(), encoded=True), error) from None

    def close(self) -> None:
        """Close all idle connections."""
        self._pool.close()

    async def _get(self, link: Link, headers: Mapping[str, str]) -> MediaResponse:
        url = URL(link.url.reveal(), encoded=True)
        origin, now = (url.scheme, url.host or "", url.port or 0), self._loop.time()
        try:
            if self._buffered_until.get(origin, 0.0) <= now:
                try:
                    return await self._get_spliced(origin, url, headers)
                except UnsupportedResponseError as error:
                    if error.lasting:
                        self._buffered_until[origin] = now + _BUFFERED_SECONDS
            return await self._get_buffered(url, headers)
        except TimeoutError:
            self._buffered_until.pop(origin, None)  # what made it wait may be what the spliced path bounds earlier
            raise ValtTimeoutError("the media server did not respond in time") from None
        except aiohttp.ClientResponseError as error:
            raise ValtResponseError(f"the media server's response is not valid: {type(error).__name__}") from None
        except (aiohttp.ClientError, OSError, EOFError, ValueError) as error:
            raise _unreachable(url, error) from None

    async def _get_spliced(self, origin: Origin, url: URL, headers: Mapping[str, str]) -> MediaResponse:
        idle = self._pool.take(origin)
        if idle is not None:
            # The server may close an idle connection just as a request is sent, with a 408 or without a word: that is
            # no response to the request (RFC 9112, section 9.3.1, and RFC 9110, section 15.5.9).
            try:
                response = await self._get_on(idle, url, headers)
            except TimeoutError:
                raise
            except (OSError, EOFError):
                pass  # requested again below, on a new connection
            else:
                if response.status != _REQUEST_TIMEOUT:
                    return response
                response.close()
        return await self._get_on(await self._pool.connect(origin), url, headers)

    async def _get_on(self, connection: Connection, url: URL, headers: Mapping[str, str]) -> MediaResponse:
        """Returns the response on *connection*, which is closed if there is none. Raises what Connection.get raises."""
        try:
            head = await connection.get(url, headers, read_timeout=self._read_timeout)
        except BaseException:
            connection.close()
            raise
        return SplicedResponse(self._pool, connection, head, self._read_timeout)

    async def _get_buffered(self, url: URL, headers: Mapping[str, str]) -> MediaResponse:
        response = await self._send(url, headers)
        if any(map(_CONTROL.search, response.headers.values())):
            response.close()
            raise ValtResponseError("the media server's response has a control character in a field")
        return BufferedResponse(response, self._read_timeout)

    async def _send(self, url: URL, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        """Send a GET through aiohttp's client. Raises TimeoutError, what aiohttp raises, or ValueError.

        aiohttp begins its timeout anew with all that arrives, and skips any number of interim responses without saying
        so. Only a limit of the whole ends those, which therefore counts for a slow head too.
        """
        async with asyncio.timeout(self._head_timeout):
            return await self._session.get(url, headers=headers, timeout=self._timeout, allow_redirects=False)


def _target(link: Link, headers: Mapping[str, str]) -> str:
    """Returns the URL that a redirect leads to. Raises ValtResponseError if the response does not name one."""
    try:
        target, _ = urldefrag(urljoin(link.url.reveal(), headers.get("Location", "")))
    except ValueError:
        raise ValtResponseError("the media server redirects to something that is no URL") from None
    return target


def names_mp4(link: Link) -> bool:
    """Whether the link's path ends in .mp4."""
    return link.url.reveal().partition("?")[0].lower().endswith(".mp4")


def _unreachable(url: URL, error: Exception) -> ValtUnavailableError:
    reason = describe_failure(error, f"{url.host}:{url.port}")
    return ValtUnavailableError(f"the media server cannot be reached: {reason}")
