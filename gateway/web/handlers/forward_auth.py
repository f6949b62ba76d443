"""Forward authentication: a front proxy asks whether a request that it has received is allowed.

For nginx ``auth_request``, Caddy ``forward_auth``, Traefik ``forwardAuth`` and Envoy ``ext_authz``. The front names the
original path in a header, Envoy behind the prefix of its own request.
"""

from collections.abc import Callable

from aiohttp import web

from gateway.access import Access
from gateway.errors import AccessDeniedError, NotFoundError, RecordingExpiredError
from gateway.events import LogEvent
from gateway.model import Identity
from gateway.web.credentials import CredentialsReader, TrustedProxies
from gateway.web.errors import problem_response
from gateway.web.handlers.original_target import OriginalTarget, is_download, parse_target
from gateway.web.request import Request

_PREFIX = "/oauth2/auth"
_HEADERS = ("X-Original-URI", "X-Forwarded-Uri")


class ForwardAuthHandlers:
    """Decides for a front proxy. *report* receives the log events."""

    def __init__(
        self,
        access: Access,
        reader: CredentialsReader,
        proxies: TrustedProxies,
        report: Callable[[LogEvent], None],
    ) -> None:
        self._access = access
        self._reader = reader
        self._proxies = proxies
        self._report = report

    async def by_header(self, request: Request) -> web.StreamResponse:
        """Any method, /oauth2/auth: 202 if the request is allowed."""
        return await self._respond(request, 202, [])

    async def by_path(self, request: Request) -> web.StreamResponse:
        """Any method, /oauth2/auth/{path}: 200, which Envoy expects, if the request to ``/{path}`` is allowed."""
        return await self._respond(request, 200, [request.raw_path.partition(_PREFIX)[2]])

    async def _respond(self, request: Request, allowed: int, targets: list[str]) -> web.StreamResponse:
        """Returns the response if the request is allowed. Raises GatewayError: no front receives a redirect or a page
        then, and none NotFoundError or RecordingExpiredError, because nginx answers 500 to its client unless the status
        is 401 or 403."""
        request.render_error = lambda error: problem_response(error, request.record.request_id)
        try:
            identity = await self._decide(request, self._target(request, targets))
        except (NotFoundError, RecordingExpiredError) as error:
            raise AccessDeniedError(str(error) or type(error).__name__) from None
        return web.Response(status=allowed, headers=identity_headers(identity) | {"Cache-Control": "no-store"})

    def _target(self, request: Request, targets: list[str]) -> OriginalTarget:
        """Returns the original target. Raises AccessDeniedError if a header names it that the front did not write, or
        if two sources name different ones: a front that writes one header may pass on a client's other one."""
        named = [value for name in _HEADERS for value in request.headers.getall(name, ())]
        if named and not self._proxies.trusts(request.peer):
            fields = (
                ("request_id", request.record.request_id),
                ("peer", request.peer or "unix"),
                ("key", "server.trusted_proxies"),
            )
            self._report(
                LogEvent("warning", "forward authentication refused: the peer is not in server.trusted_proxies", fields)
            )
            raise AccessDeniedError("the peer that names the original path is not in server.trusted_proxies")
        targets = targets + named
        if len(set(targets)) > 1:
            raise AccessDeniedError("the original path is named twice, differently")
        return parse_target(targets[0]) if targets else OriginalTarget()

    async def _decide(self, request: Request, target: OriginalTarget) -> Identity:
        record = request.record
        credentials = self._reader.read(request, with_query=False)
        if target.recording is None:
            return await self._access.authenticate(credentials, record)
        record.set_target(target.recording, target.video)
        download = target.video is not None and is_download(target.query)
        grant = await self._access.decide(credentials, target.recording, target.video, record, download=download)
        return grant.identity


def identity_headers(identity: Identity) -> dict[str, str]:
    """Returns the headers that name *identity*. A comma or backslash inside a group is preceded by a backslash.

    A group that no header can carry is left out. Raises AccessDeniedError if no header can carry the subject.
    """
    if not _fits_in_header(identity.subject):
        raise AccessDeniedError("the subject cannot be sent in a header")
    groups = sorted(group for group in identity.groups if _fits_in_header(group))
    return {
        "X-Auth-Request-User": identity.subject,
        "X-Auth-Request-Groups": ",".join(group.replace("\\", "\\\\").replace(",", "\\,") for group in groups),
        "X-Auth-Request-Provider": identity.provider,
    }


def _fits_in_header(text: str) -> bool:
    """Whether a header field can carry *text* unchanged (RFC 9110, section 5.5), non-ASCII characters as UTF-8."""
    if not text or text != text.strip() or any(ord(character) < 0x20 or ord(character) == 0x7F for character in text):
        return False
    return not any(0xD800 <= ord(character) <= 0xDFFF for character in text)
