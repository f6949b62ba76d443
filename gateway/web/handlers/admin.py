"""The admin listener, never the public one: metrics, health, readiness, version."""

import hmac
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any

from aiohttp import web

from gateway.model import Secret
from gateway.network import parse_address
from gateway.web.negotiation import accepts_gzip

AdminHandler = Callable[[web.BaseRequest], Coroutine[Any, Any, web.Response]]


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


def admin(
    readiness: Readiness,
    render_metrics: Callable[[], tuple[bytes, str]],
    version: Mapping[str, str],
    hosts: Collection[str] = (),
    token: Secret | None = None,
) -> AdminHandler:
    """Returns the handler of the admin listener. *render_metrics* returns the exposition and its content type.

    *hosts* are the names that Host may have besides localhost and any IP address, so that no web page whose own name
    resolves to this address can read it. *token* is the bearer token that all but health and readiness require.
    """
    names = {host.lower() for host in hosts} | {"localhost"}

    def metrics(request: web.BaseRequest) -> web.Response:
        body, content_type = render_metrics()
        response = web.Response(body=body, headers={"Content-Type": content_type, "Vary": "Accept-Encoding"})
        if accepts_gzip(request.headers.get("Accept-Encoding", "")):
            response.enable_compression(web.ContentCoding.gzip)
        return response

    def healthz(_request: web.BaseRequest) -> web.Response:
        return web.Response(text="alive\n")

    def readyz(request: web.BaseRequest) -> web.Response:
        faults = readiness.local_faults()
        ready = readiness.ready and not faults
        status = 200 if ready else 503
        if "verbose" in request.query:
            verbose = {"ready": ready, "faults": list(faults), **readiness.dependencies()}
            return web.json_response(verbose, status=status)
        return web.Response(status=status, text="ready\n" if ready else "\n".join(["not ready", *faults, ""]))

    def version_info(_request: web.BaseRequest) -> web.Response:
        return web.json_response(dict(version))

    handlers = {"/metrics": metrics, "/healthz": healthz, "/readyz": readyz, "/version": version_info}

    async def handle(request: web.BaseRequest) -> web.Response:
        handler = handlers.get(request.path)
        if not _is_expected_host(request.host, names):
            response = web.Response(status=421, text="the host is not one of admin.hosts\n")
        elif token is not None and request.path_qs not in _OPEN and not _has_token(request, token):
            response = web.Response(
                status=401, text="unauthorized\n", headers={"WWW-Authenticate": 'Bearer realm="valt-gateway admin"'}
            )
        elif handler is None:
            response = web.Response(status=404, text="not found\n")
        elif request.method not in ("GET", "HEAD"):
            response = web.Response(status=405, text="method not allowed\n", headers={"Allow": "GET, HEAD"})
        else:
            response = handler(request)
        response.headers["Server"] = "valt-gateway"
        if request.method == "CONNECT" or request.body_exists or "Upgrade" in request.headers:
            response.force_close()  # what follows could be taken for another request
        return response

    return handle


def _is_expected_host(host: str, names: Collection[str]) -> bool:
    """Whether *host*, a Host header with or without a port, is one of *names* or an IP address."""
    name = host.lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    return name in names or parse_address(name) is not None


def _has_token(request: web.BaseRequest, token: Secret) -> bool:
    offered = request.headers.get("Authorization", "")
    return hmac.compare_digest(offered.encode("utf-8", "replace"), f"Bearer {token.reveal()}".encode())
