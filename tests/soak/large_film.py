"""``python -m tests.soak.large_film [GIBIBYTES]``: sends one large film whole, while its connections break.

Prints the figures; exits with 1 if a byte is wrong, the body does not end, or memory grows. The media server resets,
ends and stalls each response after some megabytes, and ends it when its link expires, every few seconds.
"""

import asyncio
import random
import sys
import tempfile
from pathlib import Path

from tests.soak.figures import Resources, mebibytes
from tests.support.gateway_fixture import running_stack
from tests.support.large_films import add_numbered_film, numbered

_MIB = 1024 * 1024
_PATH = "/recordings/large/videos/film"
_MORE = '[streams]\nupstream_idle = "50ms"\n'
_FLAT = 20 * _MIB
_LINK_LIFE = 3.0
"""Seconds."""


async def send_whole(folder: Path, size: int, *, seed: int = 1) -> list[str]:
    """Sends a film of *size* bytes, and prints the figures. Returns a text for each that is wrong."""
    chosen, wrong, at, most = random.Random(seed), list[str](), 0, 0
    loop = asyncio.get_running_loop()
    started, steady = loop.time(), 0
    async with running_stack(folder, valt_more='read_timeout = "1s"\n', more=_MORE) as stack:
        add_numbered_film(stack.valt, "large", "film", size)
        knobs = stack.valt.knobs
        knobs.link_life, knobs.expiry_cuts = _LINK_LIFE, True
        until = int(stack.gateway.clock.now()) + 24 * 3600
        async with stack.client.get(stack.url + _PATH, headers=stack.bearer(exp=until)) as answer:
            if answer.status != 200 or answer.headers["Content-Length"] != str(size):
                return [f"status {answer.status}, length {answer.headers.get('Content-Length')}"]
            while piece := await answer.content.read(_MIB):
                if piece != numbered(at, at + len(piece)):
                    wrong.append(f"wrong bytes between {at} and {at + len(piece)}")
                    break
                if at // (64 * _MIB) != (at + len(piece)) // (64 * _MIB):
                    faults = chosen.choice((knobs.reset_after, knobs.end_after, knobs.stall_after))
                    faults.append(chosen.randrange(64 * _MIB))
                    memory = Resources.now().memory
                    most, steady = max(most, memory), steady or (memory if at > size // 10 else 0)
                at += len(piece)
        resumed = sum(n for name, n in (await stack.metrics()).items() if name.startswith(_RESUMES))
        links, stalled = stack.valt.calls["download"], len(stack.valt.media_requests)
    seconds = loop.time() - started
    sys.stdout.write(
        f"{mebibytes(at)} in {seconds:.0f} s; {resumed:.0f} resumes, {links} links, {stalled} requests to the media "
        f"server; resident {mebibytes(steady)} after a tenth, {mebibytes(most)} at most\n"
    )
    if at != size:
        wrong.append(f"the body ended at {at} of {size}")
    if most - steady > _FLAT:
        wrong.append(f"memory grew by {mebibytes(most - steady)}")
    return wrong


_RESUMES = "valt_gateway_stream_resumes_total"


def main() -> int:
    gibibytes = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    with tempfile.TemporaryDirectory() as folder:
        wrong = asyncio.run(send_whole(Path(folder), int(gibibytes * 1024**3) + 5))
    sys.stdout.write("".join(f"WRONG: {line}\n" for line in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
