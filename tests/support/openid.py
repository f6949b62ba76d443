"""Runs a certified OpenID provider, oidc-provider from npm, in its own process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.node import node_provider


@asynccontextmanager
async def openid_provider(
    port: int, gateway: str, *, backchannel: str = "", callback: str = "/oauth2/callback"
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Runs the provider on *port* for the client at *gateway*, until the end of the block or ``terminate()``.

    It reports sign-outs to the URL *backchannel*, and redirects to the path *callback*.
    """
    addresses = (gateway + callback, f"{gateway}/", backchannel)
    async with node_provider("openid-provider.mjs", str(port), *addresses) as process:
        yield process
