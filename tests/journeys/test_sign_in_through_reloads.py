"""Browser sign-in while the configuration is read anew."""

import asyncio
import gc
from pathlib import Path

import aiohttp

from tests.support.clock import ManualClock
from tests.support.harness import House, house, settings_of

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


def asking(home: House) -> "asyncio.Task[None]":
    """Who is asking the provider for its endpoints."""
    name = f"discovery of {home.provider.issuer}"
    return next(task for task in asyncio.all_tasks() if task.get_name() == name)


async def test_a_reload_leaves_nothing_open_and_nobody_asking_the_provider(tmp_path: Path) -> None:
    clock = ManualClock()
    async with house(tmp_path, clock=clock, more=OIDC) as home:
        session = await home.sign_in()
        before = open_sessions()
        clock.pass_(601)
        home.provider.gate = asyncio.Event()
        sign_out = {**session, "Sec-Fetch-Site": "same-origin"}
        async with home.client.post(f"{home.url}/oauth2/sign_out", headers=sign_out) as answer:
            assert answer.status == 200
        still_asking = asking(home)
        assert await home.gateway.reload(settings_of(home.config))
        async with asyncio.timeout(5):
            while not still_asking.done() or open_sessions() > before:
                await asyncio.sleep(0.005)
        assert still_asking.cancelled()
        home.provider.gate.set()
        assert await home.sign_in()
