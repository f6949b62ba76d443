"""Delivery by redirect: the browser gets the film from VALT's media server itself.

It costs the gateway nothing more, and the gateway has no more say: the link is valid for its whole lifetime, for anyone
who has it, and cannot be revoked.
"""

from aiohttp import web

from gateway.model import Grant, Link
from gateway.ports import Audit
from gateway.request_record import RequestRecord

_STATUS = 307
"""Never 301 or 308, which browsers store."""


class RedirectDelivery:
    """Implements the handlers' MediaDelivery."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit

    async def deliver(
        self, _request: web.BaseRequest, _grant: Grant, link: Link, record: RequestRecord, **_options: object
    ) -> web.StreamResponse:
        """Returns the redirect to VALT's URL. The options, an attachment among them, are the media server's to decide.

        Raises BusyError if the audit's ``open`` line cannot be written.
        """
        record.status = _STATUS
        await self._audit.opened(record)
        return web.Response(
            status=_STATUS,
            headers={
                "Location": link.url.reveal(),  # byte for byte: a URL type would rewrite its escapes
                "Cache-Control": "no-store",
                "Referrer-Policy": "no-referrer",
                "X-Valt-Gateway-Delivery": "redirect",
            },
        )
