"""``python -m tests.bench.profile [FOLDER]``: where the gateway's processor time goes in each kind of case.

Two files for each case: ``NAME.txt`` is perf's table of processor time by library and symbol, the kernel included, and
``NAME.svg`` is py-spy's flame graph of the Python functions. py-spy samples wall time, in which a process that waits
for a processor seems to be inside its last system call; it therefore counts only samples that hold the GIL, which a
system call does not.
"""

import asyncio
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from tests.bench.environment import running_stack
from tests.bench.sink import Sink
from tests.support.programs import run

_SECONDS = 6
_RATE = 400
"""Samples a second."""
_CASES = {
    "redirects": ("redirect", "redirect", False, 32, 0),
    "http-whole-film": ("http", "proxy", False, 8, 0),
    "http-ranges": ("http", "proxy", False, 8, 1 << 20),
    "https-whole-film": ("https", "proxy", True, 8, 0),
    "https-ranges": ("https", "proxy", True, 8, 1 << 20),
}
"""By the name of the files: the gateway's name, its delivery, TLS to the media server or not, connections, range."""


async def profile(folder: Path) -> None:
    """Writes two files for each case into *folder*. Raises RuntimeError if perf or py-spy may not trace the process."""
    folder.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as exits:
        stack = await exits.enter_async_context(
            running_stack(Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="valt-gateway-profile-"))))
        )
        sink = Sink(stack.folder)
        await sink.build()
        for name, (kind, delivery, encrypted, connections, range_) in _CASES.items():
            async with stack.gateway(kind, delivery, encrypted=encrypted) as subject:
                load = asyncio.ensure_future(
                    sink.load(subject.port, stack.requests(), connections, 2 * _SECONDS + 3, range_)
                )
                await _perf(subject.pid, folder / f"{name}.txt")
                await _py_spy(subject.pid, folder / f"{name}.svg")
                await load
            print(folder / f"{name}.txt", folder / f"{name}.svg")


async def _perf(pid: int, table: Path) -> None:
    with tempfile.NamedTemporaryFile() as data:
        options = ("-q", "-e", "cpu-clock", "-F", str(_RATE), "-p", str(pid), "-o", data.name)
        await _checked("perf", "record", *options, "--", "sleep", str(_SECONDS))
        order = ("--stdio", "--no-children", "--sort", "dso,symbol", "--percent-limit", "0.5")
        table.write_bytes(await _checked("perf", "report", "-i", data.name, *order))


async def _py_spy(pid: int, drawing: Path) -> None:
    program = str(Path(sys.executable).with_name("py-spy"))
    options = ("--gil", "--pid", str(pid), "--duration", str(_SECONDS), "--rate", str(_RATE), "--output", str(drawing))
    await _checked(program, "record", *options)


async def _checked(*command: str) -> bytes:
    """Returns the output of *command*. Raises RuntimeError with its error output if it fails."""
    ran = await run(*command)
    if ran.code:
        raise RuntimeError(ran.err.decode())
    return ran.out


if __name__ == "__main__":
    asyncio.run(profile(Path(sys.argv[1] if len(sys.argv) > 1 else "profiles")))
