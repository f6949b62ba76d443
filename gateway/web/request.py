"""A request as the handlers see it: aiohttp's own, with what the front door has found out about it."""

from collections.abc import Awaitable, Callable, Mapping
from random import getrandbits
from typing import Protocol

from aiohttp import web

from gateway.request_record import RequestRecord


class NamesAnswers(Protocol):
    def name(self, request: "Request", response: web.StreamResponse) -> None: ...


class Request(web.BaseRequest):
    """*parts* are the parameters of its route, decoded. *peer* is the address at the other end of the socket, never a
    forwarded one, and None on a unix socket. *set_cookie* is what its answer is to set."""

    record: RequestRecord
    parts: Mapping[str, str]
    peer: str | None
    set_cookie: str | None = None

    front: "NamesAnswers | None" = None
    """None for what never came so far: the parser's refusals are complete as they are."""

    @property
    def has_query(self) -> bool:
        return "?" in self.raw_path

    def name(self, response: web.StreamResponse) -> None:
        """Say on *response* what every answer says, just before its head is written."""
        if self.front is not None:
            self.front.name(self, response)

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        self.name(response)


Handler = Callable[[Request], Awaitable[web.StreamResponse]]


def new_request_id() -> str:
    """Unlike any other, and no secret: to ask the system for such a number costs a request a system call."""
    return f"{getrandbits(80):020x}"
