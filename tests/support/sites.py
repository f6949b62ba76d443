"""Sites under their own host names, over https, for a browser that resolves every ``*.test`` name to loopback."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trustme
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import BrowserContext, Frame, Page

from tests.support.browser import browser
from tests.support.gateway_fixture import GatewayStack, running_stack

PUBLIC = "https://recordings.clinic.test"
API = """address => {
    const frame = Object.assign(document.createElement("iframe"), { src: address, width: 640, height: 400 });
    document.body.replaceChildren(frame);
    window.state = null;
    addEventListener("message", ({ origin, data }) => {
        if (origin === new URL(address).origin && data.source === "valt-gateway") window.state = data;
    });
    window.send = message =>
        frame.contentWindow.postMessage({ source: "valt-gateway", v: 1, ...message }, new URL(address).origin);
}"""
"""Shows an address in a frame of a portal's page, and defines ``send(message)`` and ``state``, the last message."""


@asynccontextmanager
async def elsewhere(authority: trustme.CA | None, name: str) -> AsyncIterator[str]:
    """Serves another site with one empty page, over https if *authority* is given. Yields its origin."""

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>elsewhere</title>", content_type="text/html")

    context = None
    if authority is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(name).configure_cert(context)
    application = web.Application()
    application.router.add_get("/", page)
    server = TestServer(application)
    await server.start_server(ssl=context)
    try:
        yield f"{'http' if context is None else 'https'}://{name}:{server.port}"
    finally:
        await server.close()


@asynccontextmanager
async def clinic(
    folder: Path, authority: trustme.CA, portals: list[str], *, branding: str = ""
) -> AsyncIterator[tuple[GatewayStack, str]]:
    """Runs a gateway over https that lists *portals*; *branding* is TOML. Yields it and its origin for browsers."""
    certificate = authority.issue_cert("recordings.clinic.test")
    (folder / "cert.pem").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    (folder / "key.pem").write_bytes(certificate.private_key_pem.bytes())
    listed = str(portals).replace("'", '"')
    server = f'tls_cert_file = "cert.pem"\ntls_key_file = "key.pem"\ncors_origins = {listed}\n'
    more = f"[branding]\nframe_ancestors = {listed}\n{branding}"
    async with running_stack(folder, server=server, more=more, public=PUBLIC) as stack:
        yield stack, f"{PUBLIC}:{stack.url.rpartition(':')[2]}"


async def embed(page: Page, address: str) -> Frame:
    """Adds a frame to *page*. Returns it once it has loaded *address*."""
    await page.evaluate(
        """address => new Promise(loaded => {
            const frame = Object.assign(document.createElement("iframe"), { src: address, onload: loaded });
            document.body.append(frame);
        })""",
        address,
    )
    return page.frames[-1]


@asynccontextmanager
async def visitor(*flags: str) -> AsyncIterator[BrowserContext]:
    """Runs a browser with *flags* that resolves these sites and accepts their certificates."""
    async with browser("--host-resolver-rules=MAP *.test 127.0.0.1", *flags) as chromium:
        opened = await chromium.new_context(ignore_https_errors=True, locale="en-GB")
        opened.set_default_timeout(15_000)
        yield opened
