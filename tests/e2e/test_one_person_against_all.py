"""What a person with some rights tries by the order and the content of requests, found by a penetration test."""

import asyncio
import json

import pytest

from gateway.sim.catalogue import CAMERA_A, SESSION
from tests.support.gateway_fixture import VIDEO_PATH, GatewayStack

GIVEN_OUT = {
    "a redirect": ("download", "redirected", "GET", VIDEO_PATH),
    "a film": ("download", "supervisors", "GET", VIDEO_PATH),
    "a new link": ("download", "supervisors", "GET", f"/api/v3/records/download/{SESSION}/{CAMERA_A}"),
    "details": ("record", "supervisors", "GET", f"/recordings/{SESSION}"),
    "details as VALT's": ("record", "supervisors", "GET", f"/api/v3/records/{SESSION}"),
}
ODD_QUERIES: list[dict[str, object]] = [{"search": "\ud800"}, {"filter": "x" * 1000}, {"search": "%"}, {"filter": 0}]


async def ask(stack: GatewayStack, method: str, path: str, **more: object) -> int:
    body = json.dumps(more) if method == "POST" else None
    headers = stack.bearer("anna")
    async with stack.client.request(method, stack.url + path, headers=headers, data=body) as answer:
        await answer.read()
        return answer.status


@pytest.mark.promise("security-S8")
@pytest.mark.parametrize("what", GIVEN_OUT)
@pytest.mark.parametrize("proof", ["token", "header"])
async def test_who_is_revoked_while_valt_is_awaited_gets_nothing(stack: GatewayStack, what: str, proof: str) -> None:
    operation, group, method, path = GIVEN_OUT[what]
    headers = stack.bearer("anna", group) if proof == "token" else stack.front("anna", group)
    gate = stack.valt.knobs.gate[operation] = asyncio.Event()
    waiting = asyncio.create_task(
        stack.client.request(method, stack.url + path, headers=headers, allow_redirects=False)
    )
    await stack.valt.wait_for(lambda: stack.valt.calls[operation] > 0)
    now = stack.gateway.clock.now()
    await stack.gateway.store.revoke("anna", now + 1, now + 3600)
    gate.set()
    async with await waiting as answer:
        assert answer.status == 401
        assert "Location" not in answer.headers
        assert SESSION not in await answer.text()


@pytest.mark.promise("valt-I6")
async def test_no_search_of_one_person_opens_the_circuit_breaker_for_all(stack: GatewayStack) -> None:
    stack.valt.knobs.fail["search"] = [500] * 20
    for number in range(20):
        assert await ask(stack, "POST", "/api/v3/records", **ODD_QUERIES[number % len(ODD_QUERIES)]) == 503
    assert await ask(stack, "GET", VIDEO_PATH) == 200
