"""A certified OpenID provider (oidc-provider from npm) as a process of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.programs import program

_TESTS = Path(__file__).parents[1]


@asynccontextmanager
async def openid_provider(
    port: int, gateway: str, *, backchannel: str = ""
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Runs on *port* for the client at *gateway*, and tells *backchannel*, an address, of sign-outs; ends with the
    block, or sooner by *terminate*."""
    addresses = (f"{gateway}/oauth2/callback", f"{gateway}/", backchannel)
    process = await asyncio.create_subprocess_exec(
        *(program("node"), str(_TESTS / "openid-provider.mjs"), str(port), *addresses),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=_TESTS,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            while b"ready" not in (line := await process.stdout.readline()):
                assert line, "the provider did not start: run npm ci in tests/"
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
