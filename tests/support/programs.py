"""Runs programs that tests need; a missing one fails the test instead of skipping it."""

import asyncio
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.support.free_ports import free_port


def program(name: str, search_path: str | None = None) -> str:
    """Returns the path of *name*. Raises AssertionError if it is not installed: tests/programs.sh installs it.
    *search_path* replaces the PATH, for servers that Debian keeps elsewhere."""
    path = shutil.which(name, path=search_path)
    if path is None:
        raise AssertionError(f"{name} is not installed: run tests/programs.sh")
    return path


@dataclass(frozen=True, slots=True)
class Ran:
    code: int
    out: bytes
    err: bytes


async def run(*command: str, seconds: float = 60.0, stdin: bytes | None = None) -> Ran:
    """Runs *command* to its end, and kills it after *seconds*. Raises TimeoutError then."""
    process = await asyncio.create_subprocess_exec(
        program(command[0]),
        *command[1:],
        stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(seconds):
            out, err = await process.communicate(stdin)
    except BaseException:
        process.kill()
        await process.wait()
        raise
    return Ran(process.returncode or 0, out, err)


async def wait_until_listening(port: int, process: asyncio.subprocess.Process | None = None) -> None:
    """Waits until *port* of loopback accepts connections. Raises AssertionError if *process* ends before that."""
    while process is None or process.returncode is None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return
    raise AssertionError(f"the program ended before it listened on port {port}")


@dataclass(frozen=True, slots=True)
class Demo:
    """A running ``valt-gateway demo``, with the URLs and the file of the portal's key that it printed."""

    portal: str
    gateway: str
    metrics: str
    key: str
    process: asyncio.subprocess.Process


@asynccontextmanager
async def demo() -> AsyncIterator[Demo]:
    """Runs the demo on free ports, and waits until it is ready."""
    with free_port() as port, free_port() as portal, free_port() as admin:
        ports = ("--port", str(port), "--portal-port", str(portal), "--admin-port", str(admin))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "demo", *ports),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert process.stdout is not None
        urls: dict[str, str] = {}
        try:
            async with asyncio.timeout(30):
                while "audit" not in urls:
                    line = (await process.stdout.readline()).decode()
                    assert line, "the demo ended before it was ready"
                    match = re.match(r"(\w+): +(\S+)", line)
                    if match:
                        urls[match[1]] = match[2]
            yield Demo(urls["portal"], urls["gateway"], urls["metrics"], urls["key"], process)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
