"""The admin listener, never the public one: metrics, health, readiness, version."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from aiohttp import web


class Readiness:
    """Whether this process may take traffic. VALT being down does not change it; a drain does."""

    def __init__(self, dependencies: Callable[[], Mapping[str, Any]]) -> None:
        self.ready = False
        self.dependencies = dependencies


def admin(
    readiness: Readiness, render_metrics: Callable[[], tuple[bytes, str]], version: Mapping[str, str]
) -> Callable[[web.BaseRequest], Coroutine[Any, Any, web.Response]]:
    """What answers there. *render_metrics* gives the exposition and its content type."""

    def metrics(_request: web.BaseRequest) -> web.Response:
        body, content_type = render_metrics()
        return web.Response(body=body, headers={"Content-Type": content_type})

    def healthz(_request: web.BaseRequest) -> web.Response:
        return web.Response(text="alive\n")

    def readyz(request: web.BaseRequest) -> web.Response:
        status = 200 if readiness.ready else 503
        if "verbose" in request.query:
            told = {"ready": readiness.ready, **readiness.dependencies()}
            return web.json_response(told, status=status)
        return web.Response(status=status, text="ready\n" if readiness.ready else "not ready\n")

    def told_version(_request: web.BaseRequest) -> web.Response:
        return web.json_response(dict(version))

    paths = {"/metrics": metrics, "/healthz": healthz, "/readyz": readyz, "/version": told_version}

    async def answer(request: web.BaseRequest) -> web.Response:
        choose = paths.get(request.path)
        if choose is None:
            response = web.Response(status=404, text="not found\n")
        elif request.method not in ("GET", "HEAD"):
            response = web.Response(status=405, text="method not allowed\n", headers={"Allow": "GET, HEAD"})
        else:
            response = choose(request)
        response.headers["Server"] = "valt-gateway"
        return response

    return answer
