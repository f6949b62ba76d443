"""Browser sign-in while the configuration is read anew."""

import asyncio
import gc
from pathlib import Path

import aiohttp

from tests.support.clock import ManualClock
from tests.support.gateway_fixture import GatewayStack, running_stack, settings_of

OIDC = """
[[identity]]
type = "oidc"
name = "campus-login"
issuer = "{issuer}"
client_id = "gateway-client"
client_auth = "none"
"""


def open_sessions() -> int:
    return sum(isinstance(one, aiohttp.ClientSession) and not one.closed for one in gc.get_objects())


def asking(stack: GatewayStack) -> "asyncio.Task[None]":
    """Who is asking the provider for its endpoints."""
    name = f"discovery of {stack.provider.issuer}"
    return next(task for task in asyncio.all_tasks() if task.get_name() == name)


async def test_a_reload_leaves_nothing_open_and_nobody_asking_the_provider(tmp_path: Path) -> None:
    clock = ManualClock()
    async with running_stack(tmp_path, clock=clock, more=OIDC) as stack:
        session = await stack.sign_in()
        before = open_sessions()
        clock.pass_(601)
        stack.provider.gate = asyncio.Event()
        sign_out = {**session, "Sec-Fetch-Site": "same-origin"}
        async with stack.client.post(f"{stack.url}/oauth2/sign_out", headers=sign_out) as answer:
            assert answer.status == 200
        still_asking = asking(stack)
        assert await stack.gateway.reload(settings_of(stack.config))
        async with asyncio.timeout(5):
            while not still_asking.done() or open_sessions() > before:
                await asyncio.sleep(0.005)
        assert still_asking.cancelled()
        stack.provider.gate.set()
        assert await stack.sign_in()
