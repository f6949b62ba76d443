"""The state directory is removed or replaced while the gateway runs: the command `revoke` reaches it no more."""

import asyncio
from collections.abc import Callable

import pytest

from gateway.store.sqlite_revocations import revoke_in_file
from tests.support.gateway_fixture import NAVIGATION, VIDEO_PATH, GatewayStack


async def readiness(stack: GatewayStack) -> tuple[int, bool]:
    """Returns the status of /readyz, and whether the state is available."""
    async with stack.client.get(f"{stack.admin}/readyz?verbose") as answer:
        return answer.status, (await answer.json())["state"]["available"]


async def until(expected: tuple[int, bool], stack: GatewayStack) -> None:
    async with asyncio.timeout(10):
        while await readiness(stack) != expected:
            await asyncio.sleep(0.05)


async def follow(stack: GatewayStack) -> int:
    """Returns the status of a navigation with a new ticket."""
    url = f"{stack.url}{VIDEO_PATH}?ticket={stack.ticket()}"
    async with stack.client.get(url, headers=NAVIGATION, allow_redirects=False) as answer:
        return answer.status


def replace_file(stack: GatewayStack) -> None:
    revoke_in_file(stack.folder / "state" / "state.sqlite3", "anna", stack.gateway.clock.now(), 1e10)


@pytest.mark.promise("operation-state")
@pytest.mark.parametrize("then", [lambda _: None, replace_file])
async def test_a_lost_state_is_a_fault_that_shows(stack: GatewayStack, then: Callable[[GatewayStack], None]) -> None:
    assert await readiness(stack) == (200, True)
    assert await follow(stack) == 303
    state, away = stack.folder / "state", stack.folder / "away"
    state.rename(away)
    await asyncio.to_thread(then, stack)
    await until((503, False), stack)
    assert await follow(stack) == 503
    async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer()) as answer:
        assert answer.status == 200  # what needs no state goes on
    assert "its file was removed or replaced: restart the gateway" in stack.log.getvalue()
    metrics = await stack.metrics()
    assert metrics["valt_gateway_state_available"] == 0
    for path in state.glob("*"):
        path.unlink()
    if state.exists():
        state.rmdir()
    away.rename(state)
    await until((200, True), stack)
    assert await follow(stack) == 303
