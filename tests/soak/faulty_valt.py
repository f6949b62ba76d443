"""``python -m tests.soak.faulty_valt SECONDS``: a simulated VALT and a provider, as a process, which fail at random.

Prints its addresses and a viewer's token as JSON, sends films for SECONDS of faults once a line arrives on its standard
input, and prints the number of the faults when its standard input ends.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter

from gateway.sim.knobs import Knobs
from gateway.sim.valt import ValtSimulator
from tests.support.provider import Provider

FILM_SIZE = 32 * 1024 * 1024
_SEND_BUFFER = 64 * 1024
"""Bytes. Otherwise each new stream fills megabytes of the kernel's buffers, and this process is the bottleneck."""
_PER_SECOND = 6
"""Faults. Each is taken by the next request to the media server."""


def film() -> bytes:
    """Returns the film, which each process makes for itself."""
    return random.Random(22).randbytes(FILM_SIZE)


async def inject(knobs: Knobs, seconds: float, faults: Counter[str]) -> None:
    """Has the responses of the media server fail at random bytes, and no more of them after so many *seconds*."""
    chosen = random.Random(1)
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while loop.time() < until:
        at = chosen.randrange(1024 * 1024)
        kind = chosen.choice(("reset", "end", "stall", "503"))
        faults[kind] += 1
        if kind == "503":
            knobs.refuse_media.append(503)
        else:
            {"reset": knobs.reset_after, "end": knobs.end_after, "stall": knobs.stall_after}[kind].append(at)
        await asyncio.sleep(1 / _PER_SECOND)
    for pending in (knobs.refuse_media, knobs.reset_after, knobs.end_after, knobs.stall_after):
        pending.clear()


async def main() -> None:
    faults: Counter[str] = Counter()
    async with ValtSimulator() as valt, Provider().running() as provider:
        assert valt.add_video("crowd", "film", film()).etag  # computed before a viewer waits for it
        valt.knobs.send_buffer = _SEND_BUFFER
        now = int(time.time())
        claims = {"iss": provider.issuer, "aud": "valt-gateway", "sub": "viewer", "groups": ["supervisors"]}
        token = provider.sign({**claims, "iat": now, "exp": now + 3600})
        sys.stdout.write(json.dumps({"valt": valt.base_url, "issuer": provider.issuer, "token": token}) + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        injecting = asyncio.create_task(inject(valt.knobs, float(sys.argv[1]), faults))
        await asyncio.to_thread(sys.stdin.read)
        injecting.cancel()
        await asyncio.gather(injecting, return_exceptions=True)
        sys.stdout.write(
            json.dumps({**faults, "requests": valt.calls["media"], "links": valt.calls["download"]}) + "\n"
        )


if __name__ == "__main__":
    asyncio.run(main())
