"""A request as the handlers see it: aiohttp's, with what the dispatcher adds to it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from multidict import CIMultiDict

from gateway.errors import BadRequestError, GatewayError, RequestTimeoutError
from gateway.request_record import RequestRecord


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


@dataclass(frozen=True, slots=True)
class RejectedRequest:
    """A request that reaches no handler, as far as its head could be read. Its query is not."""

    headers: CIMultiDict[str]
    record: RequestRecord
    query: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Awaitable[web.StreamResponse]]
