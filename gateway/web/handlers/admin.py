"""The admin listener, never the public one: metrics, health, readiness, version, and the running streams.

Whoever may connect may see the streams where no token is configured, as the metrics. Cutting one needs the token;
without one configured it needs a unix socket, because on a TCP port every user of the machine may connect.
"""

import hmac
import re
import socket
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from aiohttp import web

from gateway.model import Secret
from gateway.network import parse_address
from gateway.web.negotiation import accepts_gzip

_STREAM = "/streams/"
_REQUEST_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[0-9a-z._-]+)(?::[0-9]*)?")


class Readiness:
    """Whether this process may receive traffic. A drain changes it; VALT being unreachable does not."""

    def __init__(
        self, dependencies: Callable[[], Mapping[str, Any]], local_faults: Callable[[], Sequence[str]] = list
    ) -> None:
        self.ready = False
        self.local_faults = local_faults
        """Returns the faults that another replica would not have, each in words; with any of them it is not ready."""
        self.dependencies = dependencies
        """Returns the state of each dependency, for ``/readyz?verbose``."""


_OPEN = frozenset({"/healthz", "/readyz"})
"""What balancers and service managers request, which have no token. `/readyz?verbose` is not among them."""


class StreamCommands(NamedTuple):
    """What an operator may do with the running streams of the whole gateway. The second argument is the address of the
    operator, None over a unix socket. All attempts to cut are audited."""

    list_streams: Callable[[], Awaitable[dict[str, Any]]]
    """Returns the streams, their number, and whose streams are missing, as JSON."""
    cut: Callable[[str, str | None], Awaitable[bool | None]]
    """Resets the stream of that request; False if there is none, None if not every process has responded."""
    refuse_cut: Callable[[str, str | None], Awaitable[None]]
    """Records that somebody who may not cut has tried to."""


class AdminHandler:
    """The handler of the admin listener. *render_metrics* returns the exposition and its content type.

    *streams* lists and cuts streams. *hosts* and *token* as for `set_access`.
    """

    def __init__(
        self,
        readiness: Readiness,
        render_metrics: Callable[[], tuple[bytes, str]],
        version: Mapping[str, str],
        hosts: Collection[str] = (),
        token: Secret | None = None,
        streams: StreamCommands | None = None,
    ) -> None:
        self._readiness = readiness
        self._render_metrics = render_metrics
        self._version = dict(version)
        self._streams = streams
        self._handlers = {
            "/metrics": self._metrics,
            "/healthz": self._health,
            "/readyz": self._ready,
            "/version": self._version_info,
        }
        if streams is not None:
            self._handlers["/streams"] = self._list_streams
        self.set_access(hosts, token)

    def set_access(self, hosts: Collection[str], token: Secret | None) -> None:
        """Changes who may request what, from the next request on. *hosts* are the names that Host may have besides
        localhost and any IP address, so that no web page whose own name resolves to this address can read it. *token*
        is the bearer token that all but health and readiness require."""
        self._names = {host.lower() for host in hosts} | {"localhost"}
        self._token = token

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        """Returns the response to *request*."""
        response = await self._respond(request)
        response.headers["Server"] = "valt-gateway"
        if request.method == "CONNECT" or request.body_exists or "Upgrade" in request.headers:
            response.force_close()  # what follows could be taken for another request
        return response

    async def _respond(self, request: web.BaseRequest) -> web.Response:
        if not _is_expected_host(request.host, self._names):
            return web.Response(status=421, text="the host is not one of admin.hosts\n")
        may_cut = _is_unix(request) if self._token is None else _has_token(request, self._token)
        if self._streams is not None and request.method == "DELETE" and request.path.startswith(_STREAM):
            return await self._cut(request, self._streams, allowed=may_cut)
        if self._token is not None and request.path_qs not in _OPEN and not may_cut:
            return _unauthorized()
        handler = self._handlers.get(request.path)
        if handler is None:
            return web.Response(status=404, text="not found\n")
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, text="method not allowed\n", headers={"Allow": "GET, HEAD"})
        return await handler(request)

    async def _cut(self, request: web.BaseRequest, streams: StreamCommands, *, allowed: bool) -> web.Response:
        request_id = request.path.removeprefix(_STREAM)
        if not _REQUEST_ID.fullmatch(request_id):
            return web.Response(status=404, text="this is no request id\n")
        if not allowed:
            await streams.refuse_cut(request_id, request.remote or None)
            if self._token is not None:
                return _unauthorized()
            return web.Response(status=403, text="set admin.token, or let admin.listen be a unix socket\n")
        done = await streams.cut(request_id, request.remote or None)
        if done is None:
            return web.Response(status=503, text="not every worker has responded: try again\n")
        return web.Response(status=204) if done else web.Response(status=404, text="no stream has this request id\n")

    async def _list_streams(self, _request: web.BaseRequest) -> web.Response:
        listed = {} if self._streams is None else await self._streams.list_streams()
        return web.json_response(listed, headers={"Cache-Control": "no-store"})

    async def _metrics(self, request: web.BaseRequest) -> web.Response:
        body, content_type = self._render_metrics()
        response = web.Response(body=body, headers={"Content-Type": content_type, "Vary": "Accept-Encoding"})
        if accepts_gzip(request.headers.get("Accept-Encoding", "")):
            response.enable_compression(web.ContentCoding.gzip)
        return response

    async def _health(self, _request: web.BaseRequest) -> web.Response:
        return web.Response(text="alive\n")

    async def _ready(self, request: web.BaseRequest) -> web.Response:
        faults = self._readiness.local_faults()
        ready = self._readiness.ready and not faults
        status = 200 if ready else 503
        if "verbose" in request.query:
            verbose = {"ready": ready, "faults": list(faults), **self._readiness.dependencies()}
            return web.json_response(verbose, status=status)
        return web.Response(status=status, text="ready\n" if ready else "\n".join(["not ready", *faults, ""]))

    async def _version_info(self, _request: web.BaseRequest) -> web.Response:
        return web.json_response(self._version)


def _unauthorized() -> web.Response:
    return web.Response(
        status=401, text="unauthorized\n", headers={"WWW-Authenticate": 'Bearer realm="valt-gateway admin"'}
    )


def _is_unix(request: web.BaseRequest) -> bool:
    """Whether *request* came over a unix socket, whose permissions decide who may connect."""
    sock = None if request.transport is None else request.transport.get_extra_info("socket")
    return sock is not None and sock.family == socket.AF_UNIX


def _is_expected_host(host: str, names: Collection[str]) -> bool:
    """Whether *host*, a Host header with or without a port, is one of *names* or an IP address."""
    match = _HOST.fullmatch(host.lower())
    name = "" if match is None else match[1].strip("[]")
    return name in names or parse_address(name) is not None


def _has_token(request: web.BaseRequest, token: Secret) -> bool:
    offered = request.headers.get("Authorization", "")
    return hmac.compare_digest(offered.encode("utf-8", "replace"), f"Bearer {token.reveal()}".encode())
