"""Runs a certified OpenID provider, oidc-provider from npm, in its own process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.programs import program

_TESTS = Path(__file__).parents[1]


@asynccontextmanager
async def openid_provider(
    port: int, gateway: str, *, backchannel: str = "", callback: str = "/oauth2/callback"
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Runs the provider on *port* for the client at *gateway*, until the end of the block or ``terminate()``.

    It reports sign-outs to the URL *backchannel*, and redirects to the path *callback*.
    """
    addresses = (gateway + callback, f"{gateway}/", backchannel)
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
