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


async def test_a_reload_while_the_provider_is_down_refuses_nobody(tmp_path: Path) -> None:
    async with running_stack(tmp_path, more=OIDC) as stack:

        async def status(subject: str) -> int:
            async with stack.client.get(f"{stack.url}/oauth2/userinfo", headers=stack.bearer(subject)) as answer:
                return answer.status

        assert await stack.sign_in()
        assert await status("anna") == 200
        stack.provider.down = True
        for _ in range(2):
            assert await stack.gateway.reload(settings_of(stack.config))
        assert (await status("anna"), await status("ben")) == (200, 200)
        stack.provider.down = False
        withdrawn = stack.bearer("carl")
        stack.provider.rotate()
        assert await stack.gateway.reload(settings_of(stack.config))
        async with stack.client.get(f"{stack.url}/oauth2/userinfo", headers=withdrawn) as answer:
            assert answer.status == 401
        assert await status("dora") == 200
