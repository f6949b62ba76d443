"""A request as the handlers see it: aiohttp's, with what the dispatcher adds to it."""

from collections.abc import Awaitable, Callable, Mapping
from random import getrandbits

from aiohttp import web

from gateway.request_record import RequestRecord


class Request(web.BaseRequest):
    """One request. Its attributes are set by the dispatcher before the handler is called."""

    record: RequestRecord
    parts: Mapping[str, str]
    """The parameters of its route, percent-decoded."""
    peer: str | None
    """The address at the other end of the socket, never a forwarded one; None on a unix socket."""
    set_cookie: str | None = None
    """The Set-Cookie header of its response, for a session that is due for a newer cookie."""
    common_headers: "Callable[[Request, web.StreamResponse], None]"
    """Adds the headers that every response carries."""

    @property
    def has_query(self) -> bool:
        return "?" in self.raw_path

    def add_response_headers(self, response: web.StreamResponse) -> None:
        """Adds what every response carries; for a *response* that is prepared before the handler returns."""
        self.common_headers(self, response)


Handler = Callable[[Request], Awaitable[web.StreamResponse]]


def new_request_id() -> str:
    """Returns 80 random bits in hex. Not a secret, so `random` rather than `os.urandom`, which is a system call."""
    return f"{getrandbits(80):020x}"
