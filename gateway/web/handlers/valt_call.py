"""What the handlers of VALT's API share: bodies and errors have VALT's shapes (VALT API, 1.5)."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from aiohttp import web

from gateway.access import Access
from gateway.errors import GatewayError
from gateway.model import Identity
from gateway.ports import Audit
from gateway.web.credentials import CredentialsReader
from gateway.web.errors import STATUS
from gateway.web.request import Request
from gateway.web.responses import json_response, set_retry_after
from gateway.web.schemas import valt_api as schemas


class ValtHandlers:
    """The base of the classes whose methods are calls."""

    def __init__(self, access: Access, reader: CredentialsReader, audit: Audit) -> None:
        self.access = access
        self.reader = reader
        self.audit = audit

    async def authenticate(self, request: Request) -> Identity:
        """Returns the identity, for calls that need no grant. Raises GatewayError."""
        return await self.access.authenticate(self.reader.read(request, access_token=True), request.record)


Handlers = TypeVar("Handlers", bound=ValtHandlers)
Call = Callable[[Handlers, Request], Awaitable[Any]]
Handler = Callable[[Handlers, Request], Awaitable[web.StreamResponse]]


def as_valt(
    *, unauthorized: Any = schemas.BAD_KEY, not_found: Any = schemas.NOT_FOUND
) -> Callable[[Call[Handlers]], Handler[Handlers]]:
    """Makes a handler of a call: renders its result as JSON and its errors in VALT's shapes, and has it audited."""

    def decorate(call: Call[Handlers]) -> Handler[Handlers]:
        async def handle(self: Handlers, request: Request) -> web.StreamResponse:
            request.record.mark_api_call()
            request.render_error = render_error
            self.audit.require_room()
            return json_response(await call(self, request))

        def render_error(error: GatewayError) -> web.StreamResponse:
            status, body = schemas.error_response(
                error, STATUS[type(error)], unauthorized=unauthorized, not_found=not_found
            )
            response = json_response(body, status)
            set_retry_after(response, error.retry_after)
            return response

        return handle

    return decorate
