"""``valt-gateway serve`` as a process of its own, in front of a simulated VALT, with a limit of open files."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from gateway.identity.ticket import mint_ticket
from gateway.sim.demo_configuration import make_portal_key, write_demo_configuration
from gateway.sim.valt import ValtSimulator
from tests.support.programs import program
from tests.support.state import create_state

_PORTAL = "http://127.0.0.1:8090"
_PUBLIC = "http://localhost:8080"


@dataclass(frozen=True, slots=True)
class ServedGateway:
    """A running gateway. *url* and *admin* are the URLs of its two listeners."""

    url: str
    admin: str
    valt: ValtSimulator
    process: asyncio.subprocess.Process
    client: aiohttp.ClientSession
    config: Path
    log: Path
    """What the process and its workers print on standard error."""
    portal_key: str = field(repr=False)

    def path(self, recording: str, video: str) -> str:
        """Returns the path of *video* with a ticket for a supervisor, valid for a minute."""
        ticket = mint_ticket(
            self.portal_key,
            issuer=_PORTAL,
            audience=_PUBLIC,
            subject="anna",
            now=time.time(),
            ttl=60,
            groups=["supervisors"],
        )
        return f"/recordings/{recording}/videos/{video}?ticket={ticket}"

    async def metrics(self) -> dict[str, float]:
        """Returns every sample by its name and labels, as the exposition writes them."""
        async with self.client.get(f"{self.admin}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}

    async def reload(self, outcome: str = "configuration reloaded") -> None:
        """Sends SIGHUP, and waits until *outcome* is printed once more."""
        count = self.log.read_text().count(outcome)
        self.process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(90):
            while self.log.read_text().count(outcome) == count:
                await asyncio.sleep(0.05)

    async def workers(self) -> dict[str, dict[str, Any]]:
        """Returns what ``/readyz?verbose`` says of each worker, by its number."""
        async with self.client.get(f"{self.admin}/readyz?verbose") as answer:
            workers: dict[str, dict[str, Any]] = (await answer.json())["workers"]
        return workers

    def descriptors(self) -> int:
        """Returns how many descriptors the process has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))


@asynccontextmanager
async def serving(
    folder: Path,
    *,
    open_files: int | None = None,
    server: str = "",
    listen: str = "127.0.0.1:0",
    admin: str = "",
    audit: str = "audit.jsonl",
    more: str = "",
    log: str = "console",
    private_state: bool = False,
    code: Path | None = None,
    python: tuple[str, ...] = (),
    terminal: int | None = None,
) -> AsyncIterator[ServedGateway]:
    """Runs a gateway with ``ulimit -n`` *open_files* until the block ends.

    Its configuration has *listen* and *server* in ``[server]``, *admin* as ``[admin]``, the audit file *audit*, and
    *more* at its end; *log* is the log's format. *code* is a folder with another copy of the package; *python* are
    options of the interpreter. *private_state*: without a state directory. *terminal*: the descriptor of a terminal
    that controls the process and has its standard output.
    """
    portal_key = make_portal_key(folder)
    command = (sys.executable, *python, "-m", "gateway", "serve", "--config")
    environ = os.environ if code is None else os.environ | {"PYTHONPATH": str(code)}
    limit = () if open_files is None else ("sh", "-c", f'ulimit -n {open_files} && exec "$@"', "sh")
    control = () if terminal is None else (program("setsid"), "--ctty")
    async with ValtSimulator() as valt, aiohttp.ClientSession() as client:
        config = write_demo_configuration(
            folder, port=0, public_url=_PUBLIC, valt_url=valt.base_url, portal_url=_PORTAL
        )
        config.write_text(config.read_text().replace("[admin]", f"{server}\n[admin]", 1) + more)
        config.write_text(config.read_text().replace('file = "audit.jsonl"', f'file = "{audit}"', 1))
        config.write_text(config.read_text().replace('format = "console"', f'format = "{log}"', 1))
        config.write_text(config.read_text().replace('listen = "127.0.0.1:0"', f'listen = "{listen}"', 1))
        if admin:
            default = '[admin]\nlisten = "127.0.0.1:0"\n'
            config.write_text(config.read_text().replace(default, f"[admin]\n{admin}\n", 1))
        await create_state(folder)
        if private_state:
            config.write_text(config.read_text().replace('[state]\ndir = "state"\n', ""))
        stderr_file = folder / "stderr"
        with stderr_file.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                *(*control, *limit, *command, str(config)),
                stdin=terminal,
                stdout=terminal,
                stderr=stderr,
                env=environ,
                cwd=code,
            )
        try:
            words = await _ready_line(process, stderr_file)
            url, admin = words[words.index("on") + 1], words[-1].rstrip(")")
            yield ServedGateway(url, admin, valt, process, client, config, stderr_file, portal_key)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _ready_line(process: asyncio.subprocess.Process, log: Path) -> list[str]:
    """Waits for the line that names the addresses, and returns its words."""
    async with asyncio.timeout(90):
        while True:
            for line in log.read_text().splitlines(keepends=True):
                if "is ready on" in line and line.endswith("\n"):
                    return line.split()
            assert process.returncode is None, log.read_text()
            await asyncio.sleep(0.05)
