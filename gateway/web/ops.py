"""The admin listener, never the public one: metrics, health, readiness, version."""

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web


class Readiness:
    """Whether this process may take traffic. VALT being down does not change it; a drain does."""

    def __init__(self, dependencies: Callable[[], Mapping[str, Any]]) -> None:
        self.ready = False
        self.dependencies = dependencies


def admin_application(
    readiness: Readiness, render_metrics: Callable[[], tuple[bytes, str]], version: Mapping[str, str]
) -> web.Application:
    """*render_metrics* gives the exposition and its content type."""

    async def metrics(_request: web.Request) -> web.Response:
        body, content_type = render_metrics()
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def healthz(_request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def readyz(request: web.Request) -> web.Response:
        status = 200 if readiness.ready else 503
        if "verbose" in request.query:
            told = {"ready": readiness.ready, **readiness.dependencies()}
            return web.json_response(told, status=status)
        return web.Response(status=status, text="ready\n" if readiness.ready else "not ready\n")

    async def told_version(_request: web.Request) -> web.Response:
        return web.json_response(dict(version))

    async def name(_request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Server"] = "valt-gateway"

    application = web.Application()
    application.on_response_prepare.append(name)
    application.router.add_get("/metrics", metrics)
    application.router.add_get("/healthz", healthz)
    application.router.add_get("/readyz", readyz)
    application.router.add_get("/version", told_version)
    return application
