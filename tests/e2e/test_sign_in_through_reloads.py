"""Browser sign-in while the configuration is reloaded."""

import asyncio
import gc
from pathlib import Path

import aiohttp

from tests.support.clock import ManualClock
from tests.support.gateway_fixture import OIDC, GatewayStack, running_stack, settings_of


def open_sessions() -> int:
    return sum(isinstance(one, aiohttp.ClientSession) and not one.closed for one in gc.get_objects())


def discovery_task(stack: GatewayStack) -> "asyncio.Task[None]":
    """Returns the task that fetches the discovery document."""
    name = f"discovery of {stack.provider.issuer}"
    return next(task for task in asyncio.all_tasks() if task.get_name() == name)


async def test_a_reload_closes_sessions_and_cancels_requests_to_the_provider(tmp_path: Path) -> None:
    clock = ManualClock()
    async with running_stack(tmp_path, clock=clock, more=OIDC) as stack:
        session = await stack.sign_in()
        before = open_sessions()
        clock.pass_(601)
        stack.provider.gate = asyncio.Event()
        sign_out = {**session, "Sec-Fetch-Site": "same-origin"}
        async with stack.client.post(f"{stack.url}/oauth2/sign_out", headers=sign_out) as answer:
            assert answer.status == 200
        fetching = discovery_task(stack)
        assert await stack.gateway.reload(settings_of(stack.config))
        async with asyncio.timeout(5):
            while not fetching.done() or open_sessions() > before:
                await asyncio.sleep(0.005)
        assert fetching.cancelled()
        stack.provider.gate.set()
        assert await stack.sign_in()
