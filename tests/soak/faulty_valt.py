"""``python -m tests.soak.faulty_valt SECONDS``: a simulated VALT and a provider in one process; films fail at random.

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
_PAUSE = 0.01
"""Seconds between two looks whether the fault that waits for the next response has been taken. Only one waits, or those
of a time without requests would all meet the first stream that is interrupted then."""
_KINDS = ("reset", "end", "stall") * 3 + ("503",)


def film() -> bytes:
    """Returns the film, which each process makes for itself."""
    return random.Random(22).randbytes(FILM_SIZE)


async def inject(knobs: Knobs, seconds: float, faults: Counter[str]) -> None:
    """Has the responses of the media server fail at random bytes of the film, for so many *seconds*."""
    chosen = random.Random(1)
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    lists = {"reset": knobs.reset_after, "end": knobs.end_after, "stall": knobs.stall_after, "503": knobs.refuse_media}
    while loop.time() < until:
        if not any(lists.values()):
            kind = chosen.choice(_KINDS)
            faults[kind] += 1
            lists[kind].append(503 if kind == "503" else chosen.randrange(FILM_SIZE))
        await asyncio.sleep(_PAUSE)
    for waiting in lists.values():
        waiting.clear()


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
