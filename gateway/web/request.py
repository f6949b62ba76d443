"""A request as the handlers see it: aiohttp's, with what the dispatcher adds to it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import getrandbits

from aiohttp import web

from gateway.errors import RequestTimeoutError
from gateway.request_record import RequestRecord


class Request(web.BaseRequest):
    """One request. Its attributes are set by the dispatcher before the handler is called."""

    record: RequestRecord
    parts: Mapping[str, str]
    """The parameters of its route, percent-decoded."""
    peer: str | None
    """The address at the other end of the socket, never a forwarded one; None on a unix socket."""
    deadline: float | None = None
    """By when the body must have arrived, in seconds of the event loop's clock."""
    set_cookies: Sequence[str] = ()
    """The Set-Cookie headers of its response."""
    common_headers: "Callable[[Request, web.StreamResponse], None]"
    """Adds the headers that every response carries."""

    @property
    def has_query(self) -> bool:
        return "?" in self.raw_path

    @property
    def is_complete(self) -> bool:
        """Whether the connection may go on after the response.

        False for a body that has not been read to its end, for chunked ones (after which the end of the next head is
        not looked for), CONNECT and Upgrade: what follows could be taken for another request.
        """
        if not self.body_exists and self.method != "CONNECT":
            return "Upgrade" not in self.headers
        return self.method != "CONNECT" and self.content.at_eof() and "Transfer-Encoding" not in self.headers

    async def read_body(self) -> bytes:
        """Returns the body. Raises RequestTimeoutError if it has not arrived by the request's deadline."""
        try:
            async with asyncio.timeout_at(self.deadline):
                return await self.read()
        except TimeoutError:
            raise RequestTimeoutError("the body did not arrive in time") from None

    def add_response_headers(self, response: web.StreamResponse) -> None:
        """Adds what every response carries; for a *response* that is prepared before the handler returns."""
        self.common_headers(self, response)


Handler = Callable[[Request], Awaitable[web.StreamResponse]]


def new_request_id() -> str:
    """Returns 80 random bits in hex. Not a secret, so `random` rather than `os.urandom`, which is a system call."""
    return f"{getrandbits(80):020x}"
