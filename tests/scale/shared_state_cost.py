"""What state in Redis costs a request: ranges of 64 KiB from gateways with and without it, in turns.

``python -m tests.scale.shared_state_cost`` prints the processor time of the gateway and of Redis for each request.
"""

import asyncio
import os
import statistics
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.gateway_fixture import NAVIGATION
from tests.support.redis_server import RedisServer, redis_server
from tests.support.served import ServedGateway, serving

ROUNDS, REQUESTS, CONNECTIONS = 6, 400, 8
_TICKS = os.sysconf("SC_CLK_TCK")
_PIECE = 64 * 1024
_STATE = '[state]\nurl = "redis://127.0.0.1:{port}"\nsecret_file = "session"\n'
_LIMITS = {
    "state.dir": "streams_per_person = 64",
    "Redis, default limits": "streams_per_person = 64",
    "Redis, requests_per_minute": "requests_per_minute = 10000000",
}


@dataclass
class Case:
    """A gateway with a signed-in viewer. *costs* are microseconds of a request, by the gateway and by Redis."""

    gateway: ServedGateway
    cookie: dict[str, str]
    redis: RedisServer
    costs: list[tuple[float, float]] = field(default_factory=list)


def cpu_seconds(pid: int) -> float:
    """Returns the processor time that the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


@asynccontextmanager
async def running_case(folder: Path, name: str, redis: RedisServer) -> AsyncIterator[Case]:
    """Runs the gateway of the case *name*."""
    folder.mkdir()
    state = "" if name == "state.dir" else _STATE.format(port=redis.port)
    more = f"{state}[limits]\n{_LIMITS[name]}\n"
    async with serving(folder, more=more, private_state=bool(state)) as gateway:
        gateway.valt.add_video("film", "film", bytes(_PIECE))
        url = gateway.url + gateway.path("film", "film")
        async with gateway.client.get(url, headers=NAVIGATION, allow_redirects=False) as answer:
            cookie = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
        yield Case(gateway, cookie, redis)


async def measure(case: Case) -> None:
    """Adds the costs of one round to *case*."""
    url, redis = f"{case.gateway.url}/recordings/film/videos/film", case.redis.process
    assert redis is not None

    async def request(count: int) -> None:
        for _ in range(count):
            async with case.gateway.client.get(url, headers=case.cookie | {"Range": f"bytes=0-{_PIECE - 1}"}) as answer:
                assert len(await answer.read()) == _PIECE

    pids = case.gateway.process.pid, redis.pid
    before = [cpu_seconds(pid) for pid in pids]
    await asyncio.gather(*(request(REQUESTS // CONNECTIONS) for _ in range(CONNECTIONS)))
    total = REQUESTS // CONNECTIONS * CONNECTIONS
    own, of_redis = ((cpu_seconds(pid) - old) / total * 1e6 for pid, old in zip(pids, before, strict=True))
    case.costs.append((own, of_redis))


async def main() -> None:
    """Measures all cases in turns, and prints the medians and the median of the ratios of each round."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis = await stack.enter_async_context(redis_server(folder))
        await redis.set_epoch(0.0)
        cases = {
            name: await stack.enter_async_context(running_case(folder / str(number), name, redis))
            for number, name in enumerate(_LIMITS)
        }
        for _ in range(ROUNDS):
            for case in cases.values():
                await measure(case)
    first = cases["state.dir"].costs
    for name, case in cases.items():
        own, of_redis = (statistics.median(column) for column in zip(*case.costs, strict=True))
        ratio = statistics.median(mine[0] / base[0] for mine, base in zip(case.costs, first, strict=True))
        print(f"{name}: {own:.0f} µs ({ratio:.2f}), Redis {of_redis:.0f} µs")


if __name__ == "__main__":
    asyncio.run(main())
