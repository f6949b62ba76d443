"""``python -m tests.soak.crowd``: more viewers than a gateway admits, while its media server fails.

Of VIEWERS (2,000) two workers admit STREAMS (600), each at 2 Mbit/s, for SECONDS (60) after ARRIVAL (30) seconds; the
others are refused and come again when they are allowed to. Prints the figures, with the processor time of each side: on
a busy machine they say more of the machine. Exits with 1 if one of them is wrong.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.soak.crowd_processes import Processes, processes
from tests.soak.crowd_viewers import RATE, Crowd
from tests.soak.faulty_valt import film

VIEWERS = int(os.environ.get("VIEWERS", "2000"))
STREAMS = int(os.environ.get("STREAMS", "600"))
SECONDS = float(os.environ.get("SECONDS", "60"))
ARRIVAL = float(os.environ.get("ARRIVAL", "30"))
PATH = "/recordings/crowd/videos/film"
MEMORY = 512 * 1024 * 1024
LAG = 3.0
"""Seconds that bytes may be late: a stall is noticed after two, and players have far more in their buffers."""
REFUSAL = 0.1
AFTER = 10.0
"""Seconds after the last viewer in which all is normal again."""


def percentile(values: list[float], share: float) -> float:
    """Returns the value below which *share* of them are, in milliseconds; 0 if there is none."""
    return 1000 * sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0.0


def described(values: list[float]) -> str:
    """Returns number, median, 99th percentile and longest of *values*, which are seconds."""
    figures = [f"{percentile(values, share):.1f}" for share in (0.5, 0.99, 1.0)]
    return f"{len(values)}; median {figures[0]} ms, 99 % within {figures[1]} ms, longest {figures[2]} ms"


def play(running: Processes, crowd: Crowd) -> tuple[int, dict[str, float]]:
    """Runs the viewers. Returns the most memory, and the processors that each side used once all had come."""
    most, used, since = 0, dict[str, float](), 0.0
    crowd.arrive(VIEWERS, ARRIVAL)
    started = time.monotonic()
    while (now := time.monotonic()) < started + ARRIVAL + SECONDS:
        if not used and now >= started + ARRIVAL:
            used, since = running.processor_seconds(), now
        crowd.run(now + 1.0)
        most = max(most, running.memory())
    spent = running.processor_seconds()
    return most, {side: (spent[side] - used[side]) / (time.monotonic() - since) for side in spent}


def main() -> int:
    wrong = []
    with (
        tempfile.TemporaryDirectory() as folder,
        processes(Path(folder), streams=STREAMS, seconds=ARRIVAL + SECONDS) as running,
    ):
        crowd = Crowd(running.ports[0], PATH, running.token, film())
        before, descriptors = running.memory(), running.descriptors()
        assert running.valt.stdin is not None
        assert running.valt.stdout is not None
        running.valt.stdin.write("\n")
        running.valt.stdin.flush()
        most, shares = play(running, crowd)
        streams, lags = running.metric("valt_gateway_streams_active"), [viewer.lag for viewer in crowd.playing]
        playing, outcomes = len(crowd.playing), dict(crowd.outcomes)
        crowd.leave()
        time.sleep(AFTER)
        left = (running.metric("valt_gateway_streams_active"), running.metric("valt_gateway_connections_active"))
        after = Crowd(running.ports[0], PATH, running.token, crowd.film)
        after.arrive(20, 1.0)
        after.run(time.monotonic() + 3.0)
        after.leave()
        extra = running.descriptors() - descriptors
        running.valt.stdin.close()
        faults = json.loads(running.valt.stdout.readline())
    sys.stdout.write(
        f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors; used of them, all admitted: "
        f"{', '.join(f'{side} {share:.2f}' for side, share in shares.items())}\n"
        f"{playing} streams of {8 * RATE / 1e6:.0f} Mbit/s at the end "
        f"({streams:.0f} by the metric), outcomes {outcomes}, "
        f"{crowd.failed_starts} starts failed and were tried again\n"
        f"late bytes: {described(lags)}\nstarts: {described(crowd.first_bytes)}\nrefusals: {described(crowd.refused)}\n"
        f"faults: {faults}\nresident: {before / 2**20:.0f} MiB before, {most / 2**20:.0f} MiB at most\n"
        f"after {AFTER:.0f} s: streams and connections {left}, {extra:+} descriptors, "
        f"starts: {described(after.first_bytes)}\n"
    )
    if outcomes or playing != min(STREAMS, VIEWERS):
        wrong.append("not every admitted stream went on")
    if max(lags, default=0.0) > LAG:
        wrong.append(f"bytes were {max(lags):.1f} s late")
    if percentile(crowd.refused, 0.99) > 1000 * REFUSAL:
        wrong.append("refusals took too long")
    if most > MEMORY:
        wrong.append(f"{most / 2**20:.0f} MiB were resident")
    if any(left) or len(after.first_bytes) != 20:
        wrong.append("not all was normal afterwards")
    sys.stdout.write("".join(f"WRONG: {line}\n" for line in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
