"""The admin listener, never the public one: metrics, health, readiness, version."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from aiohttp import web


class Readiness:
    """Whether this process may receive traffic. A drain changes it; VALT being unreachable does not."""

    def __init__(self, dependencies: Callable[[], Mapping[str, Any]]) -> None:
        self.ready = False
        self.dependencies = dependencies
        """Returns the state of each dependency, for ``/readyz?verbose``."""


def admin(
    readiness: Readiness, render_metrics: Callable[[], tuple[bytes, str]], version: Mapping[str, str]
) -> Callable[[web.BaseRequest], Coroutine[Any, Any, web.Response]]:
    """Returns the handler of the admin listener. *render_metrics* returns the exposition and its content type."""

    def metrics(_request: web.BaseRequest) -> web.Response:
        body, content_type = render_metrics()
        return web.Response(body=body, headers={"Content-Type": content_type})

    def healthz(_request: web.BaseRequest) -> web.Response:
        return web.Response(text="alive\n")

    def readyz(request: web.BaseRequest) -> web.Response:
        status = 200 if readiness.ready else 503
        if "verbose" in request.query:
            return web.json_response({"ready": readiness.ready, **readiness.dependencies()}, status=status)
        return web.Response(status=status, text="ready\n" if readiness.ready else "not ready\n")

    def version_info(_request: web.BaseRequest) -> web.Response:
        return web.json_response(dict(version))

    handlers = {"/metrics": metrics, "/healthz": healthz, "/readyz": readyz, "/version": version_info}

    async def handle(request: web.BaseRequest) -> web.Response:
        handler = handlers.get(request.path)
        if handler is None:
            response = web.Response(status=404, text="not found\n")
        elif request.method not in ("GET", "HEAD"):
            response = web.Response(status=405, text="method not allowed\n", headers={"Allow": "GET, HEAD"})
        else:
            response = handler(request)
        response.headers["Server"] = "valt-gateway"
        return response

    return handle
