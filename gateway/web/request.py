"""A request as the handlers see it: aiohttp's, with what the dispatcher adds to it; and what is read of a head that
reaches no handler."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import http, web
from multidict import CIMultiDict
from yarl import URL

from gateway.errors import BadRequestError, GatewayError, RequestTimeoutError
from gateway.request_record import RequestRecord

_FIELDS = frozenset({b"accept", b"accept-language", b"sec-fetch-dest", b"sec-fetch-mode"})
_LONGEST_FIELD = 1024
"""Bytes of a line that are considered. The values that browsers send in these fields are far shorter."""
_COOKIE, _LONGEST_COOKIE = b"cookie:", 8 * 1024
"""The field of which the names are kept, to this number of bytes, because it may be what makes a head too large."""
_COOKIE_VALUE = re.compile(rb"=[^;]*+")


class Request(web.BaseRequest):
    """One request. Its attributes are set by the dispatcher before the handler is called."""

    record: RequestRecord
    parts: Mapping[str, str]
    """The parameters of its route, percent-decoded."""
    has_query: bool
    connection: Any
    """The `http_server.HttpConnection` on which it arrived."""
    peer: str | None
    """The address at the other end of the socket, never a forwarded one; None on a unix socket."""
    deadline: float | None = None
    """By when the body must have arrived, in seconds of the event loop's clock."""
    set_cookies: Sequence[str] = ()
    """The Set-Cookie headers of its response."""
    renew_cookie: "Callable[[], Sequence[str] | None] | None" = None
    """Returns more of them if the response is not an error; called when that begins. None if it is not to be renewed
    by this configuration."""
    render_error: "Callable[[GatewayError], web.StreamResponse] | None" = None
    """Renders the error that the handler raises; None for the usual way."""
    common_headers: "Callable[[Request, web.StreamResponse], None]"
    """Adds the headers that every response carries, to a response that has not been prepared."""

    async def read_body(self) -> bytes:
        """Returns the body. Raises RequestTimeoutError if it has not arrived by the request's deadline, and
        BadRequestError if its framing is malformed."""
        try:
            async with asyncio.timeout_at(self.deadline):
                return await self.read()
        except TimeoutError:
            raise RequestTimeoutError("the body did not arrive in time") from None
        except web.RequestPayloadError:
            raise BadRequestError("the body is malformed") from None


class UnreadableRequest(web.BaseRequest):
    """A request that the request factory could not create, with *error* instead of its target.

    aiohttp's constructor decodes the host of a target in absolute form, which fails for a malformed A-label (RFC 5890,
    section 2.3.2.1).
    """

    def __init__(self, error: GatewayError, message: Any, body: Any, connection: Any, writer: Any, task: Any) -> None:
        head = (message.method, "/", message.version, message.headers, message.raw_headers)
        state = (True, message.compression, message.upgrade, message.chunked)
        without_target = http.RawRequestMessage(*head, *state, URL("/"))
        super().__init__(without_target, body, connection, writer, task, asyncio.get_running_loop())
        self.error = error
        self.connection = connection


class HeadFields:
    """Reads the fields of one head, line by line, however its bytes are divided. Whatever else is in it is not kept."""

    __slots__ = ("_cookie", "_line", "_lines", "fields", "is_complete", "request_line_size")

    def __init__(self) -> None:
        self.fields: CIMultiDict[str] = CIMultiDict()
        """The first value of each of the fields that have arrived."""
        self.request_line_size = 0
        """Bytes of the request line, as far as it has arrived."""
        self.is_complete = False
        """Whether the empty line has arrived that ends the head."""
        self._lines = 0
        self._line = self._cookie = b""

    def __repr__(self) -> str:
        return f"<HeadFields request_line_size={self.request_line_size} fields={list(self.fields)}>"

    @property
    def tell_who_asks(self) -> bool:
        """Whether a navigation can be told from other requests: browsers send Accept before anything large."""
        return self.is_complete or "Accept" in self.fields

    @property
    def cookies(self) -> list[str]:
        """The ``Cookie`` fields without the cookies' values, as far as they have arrived: of several the last one."""
        line = self._line if self._line[: len(_COOKIE)].lower() == _COOKIE else self._cookie
        return [line[len(_COOKIE) :].strip().decode("latin-1")] if line else []

    def feed(self, data: bytes) -> None:
        """Reads the next bytes of the head."""
        first, *others = data.split(b"\n")
        if not self._lines:
            self.request_line_size += len(first)
        self._line = _extend(self._line, first)
        for line in others:
            if self._lines:
                self._read(self._line)
            self._lines += 1
            self._line = _extend(b"", line)

    def _read(self, line: bytes) -> None:
        if line in (b"", b"\r"):
            self.is_complete = True
        name, _, value = line.partition(b":")
        if name.lower() in _FIELDS:
            self.fields.setdefault(name.decode("ascii"), value.strip().decode("latin-1"))
        elif line[: len(_COOKIE)].lower() == _COOKIE:
            self._cookie = line


def _extend(line: bytes, data: bytes) -> bytes:
    """Returns what is stored of a line of which *line* is stored, and *data* has arrived since."""
    whole = line + data
    if whole[: len(_COOKIE)].lower() != _COOKIE:
        return whole[:_LONGEST_FIELD]
    begin = line.rfind(b";") + 1  # before it, no value is left
    return (whole[:begin] + _COOKIE_VALUE.sub(b"=", whole[begin:]))[:_LONGEST_COOKIE]


@dataclass(frozen=True, slots=True)
class RejectedRequest:
    """A request that reaches no handler, as far as its head could be read. Its query is not."""

    headers: CIMultiDict[str]
    record: RequestRecord
    query: Mapping[str, str] = field(default_factory=dict)
    cookies: Sequence[str] = ()
    """Its ``Cookie`` fields without the cookies' values."""


RequestFactory = Callable[[Any, Any, Any, Any, Any], web.BaseRequest]
"""Returns the request of a message, its body, its `HttpConnection`, its writer and the connection's task."""
Handler = Callable[[Request], Awaitable[web.StreamResponse]]
