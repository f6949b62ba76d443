"""What a person with some rights tries by the order and the content of requests, found by a penetration test."""

import json

import pytest

from tests.support.gateway_fixture import VIDEO_PATH, GatewayStack

ODD_QUERIES: list[dict[str, object]] = [{"search": "\ud800"}, {"filter": "x" * 1000}, {"search": "%"}, {"filter": 0}]


async def ask(stack: GatewayStack, method: str, path: str, **more: object) -> int:
    body = json.dumps(more) if method == "POST" else None
    headers = stack.bearer("anna")
    async with stack.client.request(method, stack.url + path, headers=headers, data=body) as answer:
        await answer.read()
        return answer.status


@pytest.mark.promise("valt-I6")
async def test_no_search_of_one_person_opens_the_circuit_breaker_for_all(stack: GatewayStack) -> None:
    stack.valt.knobs.fail["search"] = [500] * 20
    for number in range(20):
        assert await ask(stack, "POST", "/api/v3/records", **ODD_QUERIES[number % len(ODD_QUERIES)]) == 503
    assert await ask(stack, "GET", VIDEO_PATH) == 200
