"""Counts the gateway's own Python calls between the arrival of a request and the end of its response.

``python -m tests.support.trace_calls [redirect|range]`` prints the calls of one request as a tree, and the counts.
"""

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import gateway
from tests.support.client import RawConnection, connect, request
from tests.support.gateway_fixture import VIDEO_PATH, GatewayStack, running_stack

_ROOT = Path(gateway.__file__).parent
_SIMULATOR = str(_ROOT / "sim")
_RANGE = 64 * 1024
_WARM_UP = 12
"""Requests before the measured ones: they fill the caches and open the connections."""
_TRACES = 12
"""More than a busy machine disturbs: a timer of the gateway fires within a request, or its bytes arrive in pieces."""


@dataclass(frozen=True)
class Call:
    """One call of a function of the gateway. *depth* counts the Python frames below the first one."""

    depth: int
    file: str
    function: str


@dataclass
class Trace:
    """The calls of one request, in order, without those of the simulator."""

    calls: list[Call] = field(default_factory=list)

    @property
    def functions(self) -> int:
        """How many different functions were called."""
        return len({(call.file, call.function) for call in self.calls})

    @property
    def files(self) -> list[str]:
        return sorted({call.file for call in self.calls})

    @property
    def file_changes(self) -> int:
        """How often a call is in another file than the call before it."""
        return sum(one.file != following.file for one, following in zip(self.calls, self.calls[1:], strict=False))

    @property
    def counts(self) -> tuple[int, int, int]:
        return self.functions, len(self.files), self.file_changes


async def trace_redirect(stack: GatewayStack) -> Trace:
    """Returns the calls of a redirect that is answered from the caches."""

    async def read(connection: RawConnection) -> None:
        assert (await connection.read_head()).status == 307

    return await _trace(stack, request("GET", VIDEO_PATH, stack.bearer("anna", "redirected")), read)


async def trace_range(stack: GatewayStack) -> Trace:
    """Returns the calls of a proxied range of 64 KiB whose link is in the cache and whose connection is open."""

    async def read(connection: RawConnection) -> None:
        assert (await connection.read_head()).status == 206
        await connection.read(_RANGE)

    headers = stack.bearer("anna", "supervisors") | {"Range": f"bytes=0-{_RANGE - 1}"}
    return await _trace(stack, request("GET", VIDEO_PATH, headers), read)


async def _trace(stack: GatewayStack, head: bytes, read: Any) -> Trace:
    """Returns the shortest of several traces."""
    traces = []
    async with connect(stack.url) as connection:
        for number in range(_WARM_UP + _TRACES):
            with _recording(number >= _WARM_UP) as trace:
                await connection.send(head)
                await read(connection)
                await asyncio.sleep(0)
            await stack.ended()
            await asyncio.sleep(0.01)  # what follows the response does not count for the next request
            traces.append(trace)
    return min(traces[_WARM_UP:], key=lambda trace: len(trace.calls))


@contextmanager
def _recording(enabled: bool) -> Iterator[Trace]:
    trace, depth = Trace(), 0

    def profile(frame: FrameType, event: str, _argument: object) -> None:
        nonlocal depth
        if event == "call":
            name = frame.f_code.co_filename
            if name.startswith(f"{_ROOT}/") and not name.startswith(_SIMULATOR):
                file = Path(name).relative_to(_ROOT.parent).as_posix()
                trace.calls.append(Call(depth, file, frame.f_code.co_qualname))
            depth += 1
        elif event == "return":
            depth -= 1

    if enabled:
        sys.setprofile(profile)
    try:
        yield trace
    finally:
        sys.setprofile(None)


async def _main(kind: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with running_stack(Path(folder)) as stack:
            trace = await (trace_range if kind == "range" else trace_redirect)(stack)
    lowest = min(call.depth for call in trace.calls)
    for call in trace.calls:
        print("  " * (call.depth - lowest) + f"{call.file} {call.function}")
    print(f"{len(trace.calls)} calls of {trace.functions} functions in {len(trace.files)} files, ", end="")
    print(f"{trace.file_changes} changes of file")


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1] if len(sys.argv) > 1 else "redirect"))
