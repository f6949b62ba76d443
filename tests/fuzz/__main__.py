"""``python -m tests.fuzz [MINUTES]``: every target for its share of the time; exits with 1 if there is a finding.

The targets are those of `tests.fuzz.targets`, and random pipelines of requests over real sockets, plain and over TLS.
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

from tests.fuzz import campaign
from tests.fuzz.pipelines import Figures, Pipelines
from tests.fuzz.targets import TARGETS
from tests.support.gateway_fixture import running_stack
from tests.support.tls import CERTIFIED, client_context, write_certificate

_PIPELINES = 400
"""Between two looks at the clock."""


async def fuzz_pipelines(folder: Path, seconds: float, seed: int) -> list[Figures]:
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


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    seed = int(os.environ.get("SEED", random.randrange(10**9)))
    share = minutes * 60 / (len(TARGETS) + 2)
    guided = "guided by coverage" if campaign.is_guided() else "atheris is missing: random changes of seeds"
    _print(f"{len(TARGETS)} targets, and pipelines over http and https, {share:.1f} s each; seed {seed}; {guided}")
    with tempfile.TemporaryDirectory() as folder:
        results = campaign.run(TARGETS, share * len(TARGETS), seed, Path(folder), _print)
        place = Path(folder, "pipelines")
        place.mkdir()
        pipelines = asyncio.run(fuzz_pipelines(place, share * 2, seed))
    for result in results:
        if result.finding:
            _print(f"\n{result.name}: {result.finding}")
    _print("\n" + campaign.HEADING)
    for result in results:
        _print(result.row())
    for name, figures in zip(("http", "https"), pipelines, strict=True):
        _print("\n".join([f"{name}, seed {seed}:", *figures.lines()]))
    return 1 if any(result.finding for result in results) or any(figures.wrong for figures in pipelines) else 0


if __name__ == "__main__":
    sys.exit(main())
