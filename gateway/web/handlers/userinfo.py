"""The home page, the identity as JSON, and robots.txt."""

from aiohttp import web

from gateway.access import Access
from gateway.errors import InvalidCredentialsError, MissingCredentialsError
from gateway.web.credentials import CredentialsReader
from gateway.web.pages.render import Pages, timestamp
from gateway.web.request import Request
from gateway.web.responses import json_response


class UserinfoHandlers:
    """Tells clients who they are."""

    def __init__(self, access: Access, reader: CredentialsReader, pages: Pages) -> None:
        self._access = access
        self._reader = reader
        self._pages = pages

    async def home(self, request: Request) -> web.StreamResponse:
        """GET /"""
        try:
            identity = await self._access.authenticate(self._reader.read(request), request.record)
        except (MissingCredentialsError, InvalidCredentialsError):
            return self._pages.home(request, None)
        return self._pages.home(request, identity)

    async def userinfo(self, request: Request) -> web.StreamResponse:
        """GET /oauth2/userinfo"""
        identity = await self._access.authenticate(self._reader.read(request), request.record)
        return json_response(
            {
                "subject": identity.subject,
                "issuer": identity.issuer,
                "provider": identity.provider,
                # Without those that only a rule that refuses may compare: see claim_values.parse_groups.
                "groups": sorted(group for group in identity.groups if group == group.strip()),
                "expires_at": None if identity.expires_at is None else timestamp(identity.expires_at),
            }
        )

    async def robots(self, _request: Request) -> web.StreamResponse:
        """GET /robots.txt"""
        return web.Response(text="User-agent: *\nDisallow: /\n", headers={"Cache-Control": "max-age=86400"})
