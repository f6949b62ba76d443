"""``python -m tests.bench.profile [FOLDER]``: a flame graph of the gateway in each kind of case, drawn by py-spy."""

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
"""By the file's name: the gateway's name, its delivery, whether the media server speaks TLS, connections, range."""


async def profile(folder: Path) -> None:
    """Write an SVG a case into *folder*. RuntimeError where py-spy may not look at the process."""
    folder.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as exits:
        stack = await exits.enter_async_context(
            running_stack(Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="valt-gateway-profile-"))))
        )
        sink = Sink(stack.folder)
        await sink.build()
        for name, (kind, delivery, encrypted, connections, range_) in _CASES.items():
            drawing = folder / f"{name}.svg"
            async with stack.gateway(kind, delivery, encrypted=encrypted) as subject:
                load = asyncio.ensure_future(
                    sink.load(subject.port, stack.requests(), connections, _SECONDS + 2, range_)
                )
                command = ("record", "--pid", subject.pid, "--duration", _SECONDS, "--rate", _RATE, "--output", drawing)
                ran = await run(str(Path(sys.executable).with_name("py-spy")), *map(str, command))
                if ran.code:
                    raise RuntimeError(ran.err.decode())
                await load
            print(drawing)


if __name__ == "__main__":
    asyncio.run(profile(Path(sys.argv[1] if len(sys.argv) > 1 else "profiles")))
