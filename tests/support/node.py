"""Runs an identity provider from npm, a script of the tests, in its own process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.programs import program

_TESTS = Path(__file__).parents[1]


@asynccontextmanager
async def node_provider(script: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Runs *script*, a file of tests/, from its line "ready" to the end of the block, or until ``terminate()``."""
    process = await asyncio.create_subprocess_exec(
        *(program("node"), str(_TESTS / script), *arguments),
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
