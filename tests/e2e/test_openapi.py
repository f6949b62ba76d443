"""``/openapi.json`` describes every address, nothing else, and what is really answered there."""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import validate

from gateway.sim.catalogue import CAMERA_A, SESSION
from gateway.web.routes import ROUTES
from tests.support.gateway_fixture import GRANTS, NAVIGATION, VIDEO_PATH, GatewayStack, running_stack
from tests.support.measures import ROOT

SCRIPT = {"Accept": "application/json"}


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[GatewayStack]:
    async with running_stack(tmp_path, grants=GRANTS) as stack:
        yield stack


async def document(stack: GatewayStack) -> Any:
    async with stack.client.get(f"{stack.url}/openapi.json") as answer:
        assert answer.status == 200
        assert answer.content_type == "application/json"
        return await answer.json()


async def test_the_description_is_valid_openapi_3_1(stack: GatewayStack) -> None:
    described = await document(stack)
    assert described["openapi"].startswith("3.1")
    validate(described)


@pytest.mark.promise("rules-24")
async def test_exactly_the_routes_are_described(stack: GatewayStack) -> None:
    described = {
        (method, path)
        for path, item in (await document(stack))["paths"].items()
        for method in item
        if method != "parameters"
    }
    routed = {(method.lower(), path) for methods, path, _ in ROUTES for method in methods}
    anything = {(method, path) for method, path in described if ("*", path) in routed}
    assert described - anything == {(method, path) for method, path in routed if method != "*"}
    assert {path for _, path in anything} == {path for method, path in routed if method == "*"}


CALLS: list[tuple[str, str, str, Mapping[str, Any]]] = [
    ("get", VIDEO_PATH, "/recordings/{recording}/videos/{video}", {}),
    ("get", VIDEO_PATH, "/recordings/{recording}/videos/{video}", {"headers": {"Range": "bytes=0-9"}}),
    ("get", VIDEO_PATH, "/recordings/{recording}/videos/{video}", {"headers": {"Range": "bytes=99999999-"}}),
    ("get", VIDEO_PATH, "/recordings/{recording}/videos/{video}", {"headers": SCRIPT}),
    ("head", VIDEO_PATH, "/recordings/{recording}/videos/{video}", {}),
    ("options", VIDEO_PATH, "/recordings/{recording}/videos/{video}", {}),
    ("get", f"/recordings/{SESSION}/videos/a_b", "/recordings/{recording}/videos/{video}", {}),
    ("get", f"/recordings/{SESSION}", "/recordings/{recording}", {"headers": SCRIPT}),
    ("get", f"/recordings/{SESSION}", "/recordings/{recording}", {"headers": NAVIGATION}),
    ("get", "/recordings?q=1&page=1", "/recordings", {"headers": SCRIPT}),
    ("get", "/recordings", "/recordings", {"headers": NAVIGATION}),
    ("get", "/recordings?q=a&q=b", "/recordings", {}),
    ("get", "/recordings/unknown", "/recordings/{recording}", {}),
    ("get", "/oauth2/userinfo", "/oauth2/userinfo", {}),
    ("get", "/oauth2/auth", "/oauth2/auth", {}),
    ("post", "/oauth2/auth", "/oauth2/auth", {"headers": {"X-Original-URI": "/"}}),
    ("get", f"/oauth2/auth{VIDEO_PATH}", "/oauth2/auth/{path}", {}),
    ("get", "/oauth2/start", "/oauth2/start", {}),
    ("get", "/oauth2/callback?code=a&state=b", "/oauth2/callback", {}),
    ("get", "/oauth2/sign_out", "/oauth2/sign_out", {}),
    ("post", "/oauth2/sign_out", "/oauth2/sign_out", {}),
    ("post", "/oauth2/backchannel_logout", "/oauth2/backchannel_logout", {"data": {"logout_token": "a.b.c"}}),
    ("post", "/api/v3/login", "/api/v3/login", {"json": {"username": "a", "password": "b"}}),
    ("post", "/api/v3/login", "/api/v3/login", {"data": "{"}),
    ("post", "/api/v3/records", "/api/v3/records", {"json": {"search": "1", "offset": 0, "limit": 2}}),
    ("get", f"/api/v3/records/{SESSION}", "/api/v3/records/{recording}", {}),
    ("get", "/api/v3/records/unknown", "/api/v3/records/{recording}", {}),
    (
        "get",
        f"/api/v3/records/download/{SESSION}/{CAMERA_A}",
        "/api/v3/records/download/{recording}/{video}",
        {},
    ),
    ("get", "/api/v3/records/download/a/b", "/api/v3/records/download/{recording}/{video}", {}),
    ("get", "/api/v3/rooms/info", "/api/v3/rooms/info", {}),
    ("delete", f"/api/v3/records/{SESSION}", "/api/v3/{call}", {}),
    ("get", "/robots.txt", "/robots.txt", {}),
    ("get", "/openapi.json", "/openapi.json", {}),
    ("get", "/docs", "/docs", {}),
    ("get", "/", "/", {}),
]


@pytest.mark.parametrize("authenticated", [True, False], ids=["with credentials", "without credentials"])
async def test_responses_match_the_description(stack: GatewayStack, authenticated: bool) -> None:
    described = await document(stack)
    for method, path, template, more in CALLS:
        headers = {**(stack.bearer() if authenticated else {}), **more.get("headers", {})}
        async with stack.client.request(method, stack.url + path, **{**more, "headers": headers}) as answer:
            body = await answer.read()
        answers = described["paths"][template][method]["responses"]
        assert str(answer.status) in answers, (method, path, answer.status)
        response = answers[str(answer.status)]
        assert set(response.get("headers", {})) <= set(answer.headers)
        if not body:
            continue
        schema = _schema(response, answer.content_type)
        assert schema is not None, (method, path, answer.status, answer.content_type)
        if answer.content_type.endswith("json"):
            whole = {"components": described["components"], **schema}
            problems = [error.message for error in Draft202012Validator(whole).iter_errors(json.loads(body))]
            assert problems == [], (method, path, answer.status)


NOT_CHECKED = ROOT / "tests/support/schemathesis.toml"
"""What schemathesis is not to check, operation by operation, with the reasons."""


@pytest.mark.timeout(300)
@pytest.mark.promise("rules-24")
async def test_schemathesis_finds_no_response_outside_the_description(stack: GatewayStack, tmp_path: Path) -> None:
    """Schemathesis generates valid and invalid requests from the description, and makes every check that it has."""
    authorization = f"Authorization: {stack.bearer()['Authorization']}"
    arguments = ["--max-examples", "10", "--generation-deterministic", "--no-color"]
    schemathesis = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "schemathesis"),
        *("--config-file", str(NOT_CHECKED), "run", f"{stack.url}/openapi.json", "--header", authorization, *arguments),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await schemathesis.communicate()
    assert schemathesis.returncode == 0, output.decode()
    counted = re.search(r"(\d+) selected / (\d+) total", output.decode())
    assert counted is not None
    assert counted[1] == counted[2]
    assert "internal error" not in stack.log.getvalue()


def _schema(response: Mapping[str, Any], media: str) -> Mapping[str, Any] | None:
    """Returns the schema for the media type *media*, or for a range that includes it."""
    content = response.get("content", {})
    for name in (media, media.partition("/")[0] + "/*", "*/*"):
        if name in content:
            return dict(content[name]["schema"])
    return None
