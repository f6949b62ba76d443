"""``python -m tests.fuzz [MINUTES]``: random pipelines, plain and over TLS; exits with 1 if a response is wrong.

The environment variable SEED makes a run repeatable; without it each run has another.
"""

import asyncio
import os
import random
import sys
import tempfile
import time
from pathlib import Path

import trustme

from tests.fuzz.pipelines import Figures, Pipelines
from tests.support.gateway_fixture import running_stack
from tests.support.tls import CERTIFIED, client_context, write_certificate

_PIPELINES = 400
"""Between two looks at the clock."""


async def fuzz(folder: Path, seconds: float, seed: int) -> list[Figures]:
    """Returns the figures of plain connections and of TLS."""
    authority = trustme.CA()
    until = time.monotonic() + seconds
    results = []
    for number, tls in enumerate((None, client_context(authority))):
        place = folder / str(number)
        place.mkdir()
        write_certificate(place, authority)
        async with running_stack(place, server="" if tls is None else CERTIFIED) as stack:
            pipelines = Pipelines(stack, seed + number, tls)
            share = time.monotonic() + (until - time.monotonic()) / (2 - number)
            while time.monotonic() < share:
                await pipelines.run(_PIPELINES)
        results.append(pipelines.figures)
    return results


def main() -> int:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    seed = int(os.environ.get("SEED", random.randrange(10**9)))
    with tempfile.TemporaryDirectory() as folder:
        results = asyncio.run(fuzz(Path(folder), minutes * 60, seed))
    for name, figures in zip(("http", "https"), results, strict=True):
        sys.stdout.write("\n".join([f"{name}, seed {seed}:", *figures.lines(), ""]))
    return 1 if any(figures.wrong for figures in results) else 0


if __name__ == "__main__":
    sys.exit(main())
