"""Two gateways of one configuration that share their state in Redis, in front of one simulated VALT."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from yarl import URL

from gateway.server import Gateway
from tests.support.clock import ManualClock
from tests.support.gateway_fixture import NAVIGATION, VIDEO_PATH, GatewayStack, running_stack, settings_of
from tests.support.redis_server import RedisServer


@asynccontextmanager
async def two_replicas(
    folder: Path, redis: RedisServer, *, more: str = "", socket_timeout: float = 60.0
) -> AsyncIterator[tuple[GatewayStack, GatewayStack]]:
    """Runs both, on a clock that stands still: on a busy machine no ticket expires. The state counts as complete since
    long before, so that tickets are accepted at once."""
    clock = ManualClock()
    await redis.set_epoch(0.0)
    state = (
        f'\n[state]\nurl = "redis://127.0.0.1:{redis.port}?socket_timeout={socket_timeout}"\nsecret_file = "session"\n'
    )
    async with running_stack(folder, clock=clock, more=more + state) as one:
        config = folder / "other.toml"
        config.write_text(one.config.read_text().replace('"audit.jsonl"', '"other.jsonl"'))
        log = io.StringIO()
        gateway = Gateway(settings_of(config), clock=clock, log=log, film_indexes=False)
        await gateway.start()
        url, admin = gateway.addresses
        try:
            yield one, replace(one, config=config, gateway=gateway, url=url, admin=admin, log=log)
        finally:
            await gateway.stop()


async def sign_in(stack: GatewayStack, **limits: str) -> dict[str, str]:
    """Returns the Cookie header of a session that a ticket, with *limits*, has made."""
    url = URL(stack.url + VIDEO_PATH) % {"ticket": stack.ticket(**limits)}
    async with stack.client.get(url, headers=NAVIGATION, allow_redirects=False) as answer:
        assert answer.status == 303
        return {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}


async def play(stack: GatewayStack, headers: dict[str, str]) -> int:
    """Returns the status of a request for a video that presents *headers*."""
    async with stack.client.get(stack.url + VIDEO_PATH, headers=headers, allow_redirects=False) as answer:
        await answer.read()
        return answer.status
