"""``python -m tests.soak.replicas MINUTES``: two replicas behind nginx and HAProxy, to which everything happens.

The media server cuts and stalls, replicas are reloaded, upgraded and restarted in turn, people are revoked, clocks are
set forward and back by seconds, and Redis is paused and restarted. Prints the figures; exits with 1 if a byte is wrong,
an answer is neither right nor an error of the server, a revoked person is admitted, or something is left over.
"""

import asyncio
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.deploy.test_rolling_restarts import FILM, PATH, SETTLE, Audience, watching
from tests.support.code_copy import install
from tests.support.replicas_behind_fronts import Installation, client_of, installation

_CLOCK = '''"""Sets this process's clock forward by what the file beside this one says, in seconds."""
import pathlib, time
_time, _file, _read = time.time, pathlib.Path(__file__).with_name("clock"), [0.0, 0.0]
def now():
    if time.monotonic() - _read[1] > 0.5:
        _read[:] = [float(_file.read_text() or 0), time.monotonic()]
    return _time() + _read[0]
time.time = now
'''
_FLAT = 24 * 1024 * 1024
_SERVER_ERRORS = {"status 502", "status 503", "status 504"}


@dataclass
class Events:
    """What happens to *site*, whose replicas run *code*."""

    site: Installation
    code: Path
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    chosen: random.Random = field(default_factory=lambda: random.Random(4))
    resources: list[tuple[int, int]] = field(default_factory=list)
    """Resident bytes and descriptors of all processes, each time after the viewers have used new ones for a while."""
    _removed: list[dict[str, str]] = field(default_factory=list, repr=False)

    async def run(self, until: float) -> None:
        """Lets one event after another happen until that time of the event loop."""
        kinds: list[Callable[[], Coroutine[Any, Any, None]]] = [
            *(self.reload, self.upgrade, self.revoke, self.revoke, self.set_clock, self.set_clock),
            *(self.pause_redis, self.restart_redis),
        ]
        while asyncio.get_running_loop().time() < until:
            event = self.chosen.choice(kinds)
            await event()
            self.counts[event.__name__] += 1
            await asyncio.sleep(10)
            await self.check_revocations()
        await self.upgrade()
        await asyncio.sleep(20)
        await self.measure()

    async def fail(self) -> None:
        """Has the media server cut and stall bodies for ever."""
        knobs = self.site.valt.knobs
        while True:
            kind = self.chosen.choice(("reset", "end", "stall", "403"))
            at = self.chosen.randrange(len(FILM))
            if kind == "403":
                knobs.refuse_media = [403]
            else:
                {"reset": knobs.reset_after, "end": knobs.end_after, "stall": knobs.stall_after}[kind][:] = [at]
            self.counts[f"media {kind}"] += 1
            await asyncio.sleep(0.5)

    async def reload(self) -> None:
        for replica in self.site.replicas:
            await replica.reload()

    async def upgrade(self) -> None:
        install(self.code, f"9.9.{self.counts['upgrade'] + 1}")
        for replica in self.site.replicas:
            await replica.restart()
            await asyncio.sleep(SETTLE)
        if self.counts["upgrade"]:
            await asyncio.sleep(10)
            await self.measure()

    async def set_clock(self) -> None:
        (self.code / "clock").write_text(str(self.chosen.uniform(-3, 3)))
        await asyncio.sleep(1)

    async def pause_redis(self) -> None:
        self.site.redis.pause()
        await asyncio.sleep(5)
        self.site.redis.resume()

    async def restart_redis(self) -> None:
        await self.site.redis.stop()
        await asyncio.sleep(3)
        await self.site.redis.start()
        await asyncio.sleep(10)

    async def revoke(self) -> None:
        """Revokes a person who has been admitted until now."""
        subject = f"removed-{len(self._removed)}"
        config = self.site.replicas[0].config
        command = (sys.executable, "-m", "gateway", "revoke", "--subject", subject, "--config", str(config))
        process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
        if status := await process.wait():
            self.wrong.append(f"revoke ended with {status}")
            return
        self._removed.append(self.site.bearer(subject))
        await asyncio.sleep(5)

    async def check_revocations(self) -> None:
        """Notes each revoked person whom a replica admits."""
        for front in self.site.fronts:
            async with client_of(front) as client:
                for headers in self._removed[-20:]:
                    async with client.get(PATH, headers=headers | {"Range": "bytes=0-9"}) as answer:
                        if answer.status < 400:
                            self.wrong.append(f"a revoked person is admitted: {answer.status}")

    async def measure(self) -> None:
        memory = descriptors = 0
        for replica in self.site.replicas:
            assert replica.process is not None
            for pid in (replica.process.pid, *await replica.workers()):
                memory += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
                descriptors += len(list(Path(f"/proc/{pid}/fd").iterdir()))
        self.resources.append((memory, descriptors))


async def lasting_keys(site: Installation) -> int:
    """Returns how many keys of Redis never expire."""
    async with site.redis.client() as client:
        return [await client.ttl(key) async for key in client.scan_iter()].count(-1)


async def soak(folder: Path, seconds: float) -> list[str]:
    """Runs for about so many *seconds* and prints the figures. Returns a text for each that is wrong."""
    code = folder / "code"
    install(code, "9.9.0")
    (code / "sitecustomize.py").write_text(_CLOCK)
    (code / "clock").write_text("0")
    async with installation(folder, socket_timeout=2.0, server='shutdown_delay = "8s"', code=code) as site:
        site.valt.add_video("film", "film", FILM)
        events = Events(site, code)
        for replica in site.replicas:
            text = replica.config.read_text()
            replica.config.write_text(text.replace("[valt]\n", '[valt]\nread_timeout = "2s"\n', 1))
        await events.reload()
        async with watching(site) as audience:
            failing = asyncio.create_task(events.fail())
            await events.revoke()  # the first one makes the keys that all revocations are in
            keys = await lasting_keys(site)
            await events.run(asyncio.get_running_loop().time() + seconds)
            failing.cancel()
        more_keys = await lasting_keys(site) - keys
        streams = sum([_streams(await replica.metrics()) for replica in site.replicas])
    return events.wrong + verdict(audience, events, more_keys, streams)


def _streams(metrics: str) -> float:
    lines = (line for line in metrics.splitlines() if line.startswith("valt_gateway_streams_active"))
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def verdict(audience: Audience, events: Events, more_keys: int, streams: float) -> list[str]:
    """Prints the figures. Returns a text for each that is wrong."""
    wrong, bodies = [], sum(audience.outcomes.values(), Counter[str]())
    sys.stdout.write(
        f"bodies: {dict(bodies)}\nevents: {dict(events.counts)}\nresident MiB, descriptors: "
        f"{[(memory // 2**20, descriptors) for memory, descriptors in events.resources]}\n"
        f"afterwards: {streams:.0f} streams, {more_keys:+} keys of Redis that never expire\n"
    )
    odd = {outcome for outcome in bodies if not outcome.startswith("cut: ")} - _SERVER_ERRORS - {"right"}
    if odd:
        wrong.append(f"answers that are neither right nor visibly failed: {odd}")
    memory = [memory for memory, _ in events.resources]
    if memory and memory[-1] - min(memory) > 2 * _FLAT:
        wrong.append("memory grew")
    if streams or more_keys > 0:
        wrong.append("streams or keys are left over")
    return wrong


def main() -> int:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    with tempfile.TemporaryDirectory() as folder:
        wrong = asyncio.run(soak(Path(folder), minutes * 60))
    sys.stdout.write("".join(f"WRONG: {line}\n" for line in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
