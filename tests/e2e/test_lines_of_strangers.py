"""Whatever a client without a proven identity requests, it causes a bounded number of lines in audit and log."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.sim.catalogue import CAMERA_A, SESSION
from gateway.web.routes import ROUTES
from tests.e2e.test_sign_out_at_the_provider import log_out, logout_token
from tests.support.gateway_fixture import NAVIGATION, OIDC, GatewayStack, running_stack

LIMIT = 4
REQUESTS = 3 * LIMIT
PARAMETERS = {
    "recording": SESSION,
    "video": CAMERA_A,
    "room": "37",
    "edition": "x",
    "name": "x",
    "call": "nothing",
    "path": "recordings",
}
HEADERS = {"script": {}, "page": NAVIGATION, "own page": {**NAVIGATION, "Sec-Fetch-Site": "same-origin"}}
ANY_METHOD = ("GET", "POST", "DELETE")
EVERY_ROUTE = sorted(
    {
        (method, template)
        for methods, template, _ in ROUTES
        for own in methods
        for method in (ANY_METHOD if own == "*" else (own,))
    }
)
NO_ROUTE = [("GET", "/nothing"), ("PUT", "/"), ("DELETE", "/oauth2/sign_out"), ("GET", "/recordings/..x")]

pytestmark = pytest.mark.promise("bounds-S6", "security-S6")


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[GatewayStack]:
    async with running_stack(tmp_path, more=OIDC + f"[limits]\nrefusals_per_minute = {LIMIT}\n") as stack:
        yield stack


async def request(stack: GatewayStack, method: str, template: str, headers: dict[str, str]) -> None:
    url = stack.url + template.format(**PARAMETERS)
    async with stack.client.request(method, url, headers=headers, allow_redirects=False) as answer:
        await answer.read()


def log_lines(stack: GatewayStack) -> list[dict[str, object]]:
    """Returns the lines about single requests; those that strangers cannot cause are left out."""
    stack.gateway.refusals.flush()
    lines = [json.loads(line) for line in stack.log.getvalue().splitlines()]
    return [line for line in lines if "request_id" in line and line["event"] == "request"]


async def counted(stack: GatewayStack) -> float:
    """Returns how many requests the metrics have."""
    metrics = await stack.metrics()
    return sum(value for name, value in metrics.items() if name.startswith("valt_gateway_requests_total"))


def test_the_simplest_addresses_are_among_the_routes() -> None:
    assert {("GET", "/robots.txt"), ("GET", "/"), ("POST", "/oauth2/sign_out")} < set(EVERY_ROUTE)


@pytest.mark.parametrize("kind", HEADERS)
async def test_no_route_lets_a_stranger_cause_more_lines_than_the_limit(stack: GatewayStack, kind: str) -> None:
    written = 0
    for number, (method, template) in enumerate(EVERY_ROUTE + NO_ROUTE, 1):
        stack.gateway.refusals.end_window()
        audited = len(stack.audit())
        for _ in range(REQUESTS):
            await request(stack, method, template, HEADERS[kind])
        lines = len(log_lines(stack))
        assert 0 < lines - written <= LIMIT, (method, template)
        assert len(stack.audit()) - audited <= LIMIT, (method, template)
        assert await counted(stack) == number * REQUESTS, (method, template)
        written = lines


async def test_all_routes_together_do_not_either(stack: GatewayStack) -> None:
    for method, template in EVERY_ROUTE + NO_ROUTE:
        await request(stack, method, template, {})
    assert len(log_lines(stack)) == LIMIT
    assert len(stack.audit()) <= LIMIT
    stack.gateway.refusals.end_window()
    summaries = [json.loads(line) for line in stack.log.getvalue().splitlines() if "instead of written" in line]
    suppressed = sum(int(line["count"]) for line in summaries if "text" not in line["event"])
    assert suppressed == len(EVERY_ROUTE + NO_ROUTE) - LIMIT


async def test_a_request_with_a_proven_identity_has_its_line_all_the_same(stack: GatewayStack) -> None:
    for _ in range(REQUESTS):
        await request(stack, "GET", "/robots.txt", {})
        await request(stack, "GET", "/", stack.bearer("anna"))
        assert await log_out(stack, logout_token(stack, sub="bob")) == 200
    lines = [(line["route"], line.get("subject")) for line in log_lines(stack)]
    assert lines.count(("/", "anna")) == REQUESTS
    assert lines.count(("/oauth2/backchannel_logout", "bob")) == REQUESTS
