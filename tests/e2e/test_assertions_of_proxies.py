"""Signed assertions of identity-aware proxies, with issuers and audiences as Pomerium and Cloudflare document them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway_fixture import VIDEO_PATH, GatewayStack, running_stack
from tests.support.provider import signing_key

HOST = "recordings.example.edu"
TEAM = "https://yourteam.cloudflareaccess.com"
AUD = "32eafc7626e974616deaf0dc3ce63d7bcbed58a2731e84d06bc3cdf1b53c4228"
TABLES = f"""
[[identity]]
type = "jwt"
name = "pomerium"
header = "X-Pomerium-Jwt-Assertion"
issuer = "{HOST}"
audience = "{HOST}"
jwks_url = "{{issuer}}/keys"
algorithms = ["ES256"]

[[identity]]
type = "jwt"
name = "cloudflare"
header = "Cf-Access-Jwt-Assertion"
issuer = "{TEAM}"
audience = "{AUD}"
jwks_url = "{{issuer}}/keys"
algorithms = ["RS256"]
subject_claim = "email"
require_verified_email = false
groups_claim = "custom.groups"
"""
GRANTS = """
[[grants]]
name = "people"
groups = ["supervisors"]
subjects = ["cloudflare#anna@example.edu"]
recordings = ["*"]
account = "reviewer"
"""
POMERIUM: dict[str, Any] = {
    "iss": HOST,
    "aud": HOST,
    "sub": "7f1",
    "email": "anna@example.edu",
    "groups": ["supervisors"],
}
CLOUDFLARE: dict[str, Any] = {
    "iss": TEAM,
    "aud": [AUD],
    "email": "anna@example.edu",
    "type": "app",
    "identity_nonce": "6ei69kawdKzMIAPF",
    "sub": "7335d417-61da-459d-899c-0a01c76a2f94",
    "country": "US",
}
SERVICE: dict[str, Any] = {"iss": TEAM, "aud": [AUD], "type": "app", "common_name": "e367.access", "sub": ""}
P, C = "X-Pomerium-Jwt-Assertion", "Cf-Access-Jwt-Assertion"


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[GatewayStack]:
    async with running_stack(tmp_path, grants=GRANTS, more=TABLES) as running:
        running.provider.keys = [signing_key("ES256"), signing_key("RS256")]
        yield running


async def status(stack: GatewayStack, header: str, claims: dict[str, Any], **more: Any) -> int:
    now = int(stack.gateway.clock.now())
    key = more.pop("key", stack.provider.keys[0 if header == P else 1])
    headers = {header: stack.provider.sign({"iat": now, "nbf": now, "exp": now + 60} | claims, key=key), **more}
    async with stack.client.get(stack.url + VIDEO_PATH, headers=headers) as answer:
        await answer.read()
        return answer.status


@pytest.mark.promise("identity-I13", "identity-I14")
async def test_an_assertion_as_documented_admits_its_person(stack: GatewayStack) -> None:
    assert await status(stack, P, POMERIUM) == 200
    assert await status(stack, C, CLOUDFLARE) == 200
    assert await status(stack, C, CLOUDFLARE | {"email": "ben@example.edu"}) == 403
    assert (
        await status(stack, C, CLOUDFLARE | {"email": "ben@example.edu", "custom": {"groups": ["supervisors"]}}) == 200
    )


WRONG: dict[str, tuple[str, dict[str, Any]]] = {
    "another route of Pomerium": (P, {"aud": "other.example.edu"}),
    "another issuer": (P, {"iss": f"https://{HOST}"}),
    "the host with a slash": (P, {"iss": f"{HOST}/"}),
    "the host in capitals": (P, {"iss": HOST.upper()}),
    "no audience": (P, {"aud": []}),
    "no person": (P, {"sub": ""}),
    "expired": (P, {"exp": 1}),
    "another application of the team": (C, {"aud": ["0" * 64]}),
    "another team": (C, {"iss": "https://other.cloudflareaccess.com"}),
    "a service token": (C, {"email": None}),
    "an address in a list": (C, {"email": ["anna@example.edu"]}),
    "an address with a space": (C, {"email": "anna@example.edu "}),
}


@pytest.mark.promise("identity-I14")
@pytest.mark.parametrize("kind", WRONG)
async def test_an_assertion_that_differs_admits_nobody(stack: GatewayStack, kind: str) -> None:
    header, changes = WRONG[kind]
    assert await status(stack, header, (POMERIUM if header == P else CLOUDFLARE) | changes) == 401


async def test_an_assertion_counts_in_its_own_header_and_with_its_own_key(stack: GatewayStack) -> None:
    ours, theirs = stack.provider.keys
    assert await status(stack, C, SERVICE) == 401
    assert await status(stack, P, CLOUDFLARE, key=theirs) == 401
    assert await status(stack, C, POMERIUM, key=ours) == 401
    assert await status(stack, P, POMERIUM, key=signing_key("ES256")) == 401
    assert await status(stack, P, POMERIUM, key=theirs) == 401
    assert await status(stack, "Authorization", POMERIUM, key=ours) == 401


async def test_an_assertion_that_nobody_recognises_is_invalid_and_not_missing(stack: GatewayStack) -> None:
    for value, code in (("rubbish", "credentials_invalid"), ("", "credentials_missing")):
        async with stack.client.get(stack.url + VIDEO_PATH, headers={C: value}) as answer:
            assert (await answer.json(content_type=None))["code"] == code
