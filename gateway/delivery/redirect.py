"""Delivery by redirect: the browser fetches from VALT's media server itself.

Cheap, and out of our hands from then on: the link is good for its whole life, for anyone who has it.
"""

from aiohttp import web

from gateway.model import Grant, Link
from gateway.ports import Audit
from gateway.request_record import RequestRecord


class RedirectDelivery:
    def __init__(self, audit: Audit) -> None:
        self._audit = audit

    async def deliver(
        self, _request: web.BaseRequest, _grant: Grant, link: Link, record: RequestRecord, **_options: object
    ) -> web.StreamResponse:
        """307 to VALT's URL, byte for byte (a URL type would rewrite its escapes). BusyError where the audit fails."""
        record.status = 307
        await self._audit.opened(record)
        return web.Response(
            status=307,
            headers={
                "Location": link.url.reveal(),
                "Cache-Control": "no-store",
                "Referrer-Policy": "no-referrer",
                "X-Valt-Gateway-Delivery": "redirect",
            },
        )
