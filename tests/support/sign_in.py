"""A gateway with sign-in at a certified provider, and the steps of its sign-in pages."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Page

from gateway.ports import Clock
from gateway.server import Gateway
from gateway.sim.valt import USERS, ValtSimulator
from tests.support.free_ports import free_port
from tests.support.gateway_fixture import settings_of
from tests.support.openid import openid_provider

TOML = """\
[server]
listen = "127.0.0.1:{port}"
public_url = "{public}"
[admin]
listen = "127.0.0.1:0"
[valt]
base_url = "{valt}"
[valt.accounts.reviewer]
username = "svc-reviewer"
password = "{password}"
[[identity]]
type = "oidc"
name = "campus-login"
issuer = "{issuer}"
client_id = "valt-gateway"
client_secret = "planted-client-secret"
subject_claim = "preferred_username"
[session]
secret = "a-session-secret-of-more-than-32-bytes"
{session}
[[grants]]
name = "supervisors"
groups = ["supervisors"]
recordings = ["*"]
account = "reviewer"
[audit]
file = "audit.jsonl"
{more}
"""


@dataclass
class Site:
    url: str
    gateway: Gateway
    valt: ValtSimulator
    provider: asyncio.subprocess.Process
    provider_port: int
    folder: Path


@asynccontextmanager
async def site(folder: Path, *, clock: Clock | None = None, session: str = "", more: str = "") -> AsyncIterator[Site]:
    """Runs VALT, the provider and a gateway. *clock* is the gateway's; *session* are more lines of the ``[session]``
    table, *more* are more tables."""
    with free_port() as port, free_port() as provider_port:
        url = f"http://localhost:{port}"
        async with ValtSimulator() as valt, openid_provider(provider_port, url) as provider:
            config = folder / "gateway.toml"
            issuer = f"http://localhost:{provider_port}"
            config.write_text(
                TOML.format(
                    port=port,
                    public=url,
                    valt=valt.base_url,
                    password=USERS["svc-reviewer"],
                    issuer=issuer,
                    session=session,
                    more=more,
                )
            )
            gateway = Gateway(settings_of(config), clock=clock)
            await gateway.start()
            try:
                yield Site(url, gateway, valt, provider, provider_port, folder)
            finally:
                await gateway.stop()


async def sign_in_as(page: Page, name: str, *, consents: bool = True) -> None:
    """Fills in the provider's login page, and its consent page, which it shows at the first sign-in only."""
    await page.fill("input[name=login]", name)
    await page.fill("input[name=password]", "any")
    await page.click("button[type=submit]")
    if consents:
        await page.click("button[type=submit]")
