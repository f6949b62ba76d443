"""The supervisor's side of one worker: its process, its channel and what it has reported last."""

import asyncio
import socket
import sys
from collections.abc import Iterable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any

from gateway.workers.channel import Channel, Message


class WorkerState(StrEnum):
    STARTING = "starting"
    """It has not reported that it is prepared, or accepts nothing yet."""
    RUNNING = "running"
    DRAINING = "draining"
    """It accepts nothing more and finishes its streams."""


def command_line() -> list[str]:
    """Returns the command that this process was started with, without the gateway's own arguments: workers load the
    code in the same way, from where it is on the disk at that moment."""
    arguments = len(sys.argv) - 1
    return [sys.executable, *sys.orig_argv[1 : len(sys.orig_argv) - arguments]]


class WorkerProcess:
    """A running worker. *generation* counts the configurations that workers were started with."""

    def __init__(self, number: int, generation: int, process: asyncio.subprocess.Process, channel: Channel) -> None:
        self.number = number
        self.generation = generation
        self.state = WorkerState.STARTING
        self.report: Message = {}
        """What it has reported last: ``ready``, ``streams``, ``connections``, ``faults``, ``required`` (why nobody is
        served without Redis) and ``dependencies``."""
        self.lasting: Message = {}
        """What the first message to later workers has of the configuration that this one is prepared with."""
        self.missed_reports = 0
        """Checks of its health in a row before which it had not reported."""
        self.prepared = asyncio.Event()
        """Set when it is prepared, or has ended."""
        self.accepting = asyncio.Event()
        """Set when it accepts requests, or has ended."""
        self.ended = asyncio.Event()
        """Set by the supervisor when it has taken note of the end."""
        self.status: int | None = None
        """Its exit status; the negative number of the signal that ended it; None while it runs."""
        self.started_at = asyncio.get_running_loop().time()
        self.channel = channel
        self._process = process

    def __repr__(self) -> str:
        return f"<WorkerProcess {self.number} pid={self.pid} {self.state} generation={self.generation}>"

    @classmethod
    async def start(
        cls, number: int, generation: int, config: Path, sockets: Iterable[socket.socket]
    ) -> "WorkerProcess":
        """Returns a new worker, to which *sockets* are passed. Raises OSError if it cannot be started."""
        ours, theirs = socket.socketpair()
        listening = [str(sock.fileno()) for sock in sockets]
        try:
            process = await asyncio.create_subprocess_exec(
                *(*command_line(), "worker", "--config", str(config), "--channel", str(theirs.fileno()), *listening),
                pass_fds=[theirs.fileno(), *map(int, listening)],
                stdin=asyncio.subprocess.DEVNULL,
                # Ctrl-C on a terminal is for the supervisor. Not a session of its own: Linux shares processors out by
                # sessions (sched(7), autogroup), and workers in one did a tenth less per second of processor time.
                process_group=0,
                cwd=Path.cwd(),
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return cls(number, generation, process, await Channel.open(ours))

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_prepared(self) -> bool:
        return self.prepared.is_set() and self.status is None

    def set_prepared(self, message: Message) -> None:
        """Takes note of its *message* that it is prepared."""
        self.lasting = message.get("lasting", {})
        self.prepared.set()

    def set_report(self, message: Message) -> None:
        """Takes note of its report *message*."""
        self.report, self.missed_reports = message, 0
        if message["ready"]:
            self.accepting.set()

    def do(self, action: str, *, may_be_lost: bool = False, **details: Any) -> None:
        """Has the worker do *action*."""
        self.channel.send({"do": action, **details}, may_be_lost=may_be_lost)

    def accept(self, *, reloaded: bool) -> None:
        """Has the worker accept requests. *reloaded*: it is to record that a new configuration is in force."""
        self.state = WorkerState.RUNNING
        self.do("accept", reloaded=reloaded)

    def kill(self) -> None:
        """Ends the process at once."""
        with suppress(ProcessLookupError):  # it has ended
            self._process.kill()

    async def wait(self) -> int:
        """Returns the exit status when the process has ended."""
        self.status = await self._process.wait()
        self.channel.close()
        self.prepared.set()
        self.accepting.set()
        return self.status
