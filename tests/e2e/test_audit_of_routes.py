"""The audit's lines of every route: whatever was decided by a rule names the rule, its account and the groups."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.sim.catalogue import CAMERA_A, SESSION
from gateway.web.routes import ROUTES
from tests.support.gateway_fixture import NAVIGATION, GatewayStack, running_stack

DECIDED = {
    "/recordings/{recording}/videos/{video}": ["open", "close"],
    "/recordings/{recording}": [],
    "/api/v3/records/{recording}": ["api"],
    "/recordings/{recording}/captions.vtt": ["api"],
    "/recordings/{recording}/chapters.vtt": ["api"],
    "/api/v3/records/download/{recording}/{video}": ["api"],
    "/api/v3/comment/record/{recording}": ["api"],
}
"""The routes that a rule decides, with the events of an allowed GET."""
CALLS = (
    "/recordings",
    "/api/v3/login",
    "/api/v3/records",
    "/api/v3/rooms/info",
    "/api/v3/rooms/info/{room}",
    "/api/v3/admin/general",
    "/api/v3/{call}",
)
"""Routes that are audited as calls and decided by no single rule: lists apply every rule of the person."""
PARAMETERS = {
    "room": "37",
    "recording": SESSION,
    "video": CAMERA_A,
    "edition": "x",
    "name": "x",
    "call": "nothing",
    "path": "",
}


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[GatewayStack]:
    async with running_stack(tmp_path) as stack:
        yield stack


async def lines_of(
    stack: GatewayStack, method: str, template: str, headers: dict[str, str]
) -> tuple[int, list[dict[str, Any]]]:
    before = len(stack.audit())
    url = stack.url + template.format(**PARAMETERS)
    async with stack.client.request(method, url, headers=headers, allow_redirects=False) as answer:
        await answer.read()
    await stack.ended()
    return answer.status, [dict(line) for line in stack.audit()[before:]]


async def test_every_line_of_a_decided_request_names_rule_account_and_groups(stack: GatewayStack) -> None:
    for methods, template, _ in ROUTES:
        for method in methods:
            headers = stack.bearer("anna", "supervisors", "other")
            status, lines = await lines_of(stack, method.replace("*", "GET"), template, headers)
            decided = None if method == "OPTIONS" else DECIDED.get(template)
            if decided is None:
                events = ["api"] if template in CALLS else []
                assert [line["event"] for line in lines] == events, (method, template)
                assert all((line["rule"], line["account"]) == (None, None) for line in lines), (method, template)
                continue
            assert status == 200, (method, template)
            assert [line["event"] for line in lines] == decided, (method, template)
            for line in lines:
                assert (line["rule"], line["account"], line["groups"]) == (
                    "supervisors",
                    "reviewer",
                    ["supervisors"],
                ), (method, template)
                assert (line["subject"], line["recording"]) == ("anna", SESSION), (method, template)


@pytest.mark.parametrize("more", [{}, NAVIGATION], ids=["JSON", "page"])
async def test_a_failure_after_the_decision_is_audited_with_the_rule(stack: GatewayStack, more: dict[str, str]) -> None:
    stack.valt.knobs.fail["download"] = [503] * 20
    stack.valt.knobs.fail["record"] = [503] * 20
    for template in DECIDED:
        status, lines = await lines_of(stack, "GET", template, stack.bearer("anna", "supervisors") | more)
        assert status == 503, template
        (line,) = lines
        assert (line["event"], line["rule"], line["account"], line["groups"]) == (
            "api" if template.startswith("/api") else "deny",
            "supervisors",
            "reviewer",
            ["supervisors"],
        ), template


async def test_a_denied_request_is_audited_without_a_rule(stack: GatewayStack) -> None:
    for template in DECIDED:
        _, (line,) = await lines_of(stack, "GET", template, stack.bearer("carla", "nobody"))
        assert (line["event"], line["subject"], line["rule"], line["account"]) == (
            "api" if template.startswith("/api") else "deny",
            "carla",
            None,
            None,
        ), template
