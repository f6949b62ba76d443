"""A server to measure: its port, and what Linux says of its processes' time and memory; and how processes are run."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs import wait_until_listening


@dataclass(frozen=True)
class Subject:
    """A server to measure: its port, and the process whose processor time counts. *others* are servers beside it that
    get as much load, and are counted as one with it."""

    name: str
    port: int
    pid: int
    others: "tuple[Subject, ...]" = ()

    @property
    def servers(self) -> "tuple[Subject, ...]":
        """It and those beside it."""
        return (self, *self.others)

    def cpu(self) -> float:
        """Returns the seconds of processor time so far, user and system, of the processes and their children."""
        return sum(_nanoseconds(pid) for server in self.servers for pid in _with_children(server.pid)) / 1e9

    def page_faults(self) -> int:
        """Returns the page faults so far that needed no disk: many mean that memory is given back and taken again."""
        # After the command's name, which is in parentheses: field 10 of proc(5).
        return int(Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[7])

    def memory(self) -> int:
        """Returns the proportional set size (PSS) of the processes and their children, in bytes."""
        return sum(_proportional_set_size(pid) for server in self.servers for pid in _with_children(server.pid))


@asynccontextmanager
async def process(*command: str, log: Path, **variables: str) -> AsyncIterator[int]:
    """Runs *command* for the length of the block, with its output in *log* and further environment *variables*. Yields
    the process id."""
    with log.open("wb") as output:
        environment = os.environ | variables
        running = await asyncio.create_subprocess_exec(*command, stdout=output, stderr=output, env=environment)
    try:
        yield running.pid
    finally:
        if running.returncode is None:
            running.terminate()
            try:
                await asyncio.wait_for(running.wait(), 5)
            except TimeoutError:
                running.kill()
        await running.wait()


async def listening(port: int) -> None:
    """Waits until *port* accepts connections. Raises TimeoutError after twenty seconds."""
    async with asyncio.timeout(20):
        await wait_until_listening(port)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _with_children(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in _with_children(int(child)))]


def _nanoseconds(pid: int) -> int:
    """Processor time of all threads, by the scheduler's own account: ``/proc/PID/stat`` counts in steps of 10 ms."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


def _proportional_set_size(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
