"""Logout tokens end sessions at once (OpenID Connect Back-Channel Logout 1.0)."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.errors import BusyError
from gateway.server import Gateway
from tests.e2e.test_running_it import is_aborted, watching
from tests.support.clock import ManualClock
from tests.support.gateway_fixture import NAVIGATION, OIDC, VIDEO_PATH, GatewayStack, running_stack, settings_of
from tests.support.provider import SigningKey, signing_key

WITH_STATE = OIDC + '[state]\ndir = "state"\n'
EVENTS: dict[str, Any] = {"http://schemas.openid.net/event/backchannel-logout": {}}


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[GatewayStack]:
    async with running_stack(tmp_path, more=WITH_STATE) as stack:
        yield stack


def logout_token(
    stack: GatewayStack, *, key: SigningKey | None = None, typ: str | None = "logout+jwt", **claims: Any
) -> str:
    """Returns a valid logout token for anna. An argument replaces a claim, and None omits it."""
    now = int(stack.gateway.clock.now())
    usual = {
        "iss": stack.provider.issuer,
        "aud": "gateway-client",
        "sub": "anna",
        "iat": now,
        "exp": now + 120,
        "jti": f"logout {next(_COUNT)}",
        "events": EVENTS,
    }
    token_claims = {name: value for name, value in {**usual, **claims}.items() if value is not None}
    return stack.provider.sign(token_claims, key=key, headers={} if typ is None else {"typ": typ})


_COUNT = iter(range(1_000_000))


async def log_out(stack: GatewayStack, token: str) -> int:
    async with stack.client.post(f"{stack.url}/oauth2/backchannel_logout", data={"logout_token": token}) as answer:
        assert answer.headers["Cache-Control"] == "no-store"
        if answer.status >= 400:
            assert answer.content_type == "application/problem+json"
        return answer.status


async def is_signed_in(stack: GatewayStack, headers: dict[str, str]) -> bool:
    async with stack.client.get(f"{stack.url}/oauth2/userinfo", headers=headers) as answer:
        return answer.status == 200


@pytest.mark.promise("sign-in-8")
async def test_a_logout_token_may_be_sent_again_after_a_failure_of_the_store(
    stack: GatewayStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie, token = await stack.sign_in(sid="one"), logout_token(stack)

    async def fail(*_: object) -> None:
        raise BusyError("the state store failed")

    with monkeypatch.context() as patched:
        patched.setattr(stack.gateway.store, "revoke", fail)
        assert await log_out(stack, token) == 503
    assert await is_signed_in(stack, cookie)
    assert await log_out(stack, token) == 200
    assert not await is_signed_in(stack, cookie)
    assert await log_out(stack, token) == 400


@pytest.mark.promise("sign-in-8")
async def test_a_logout_token_with_a_sub_ends_all_sessions_of_that_person(stack: GatewayStack) -> None:
    annas = [await stack.sign_in("anna", sid="first"), await stack.sign_in("anna")]
    bobs = await stack.sign_in("bob", sid="other")
    assert await log_out(stack, logout_token(stack)) == 200
    assert [await is_signed_in(stack, session) for session in (*annas, bobs)] == [False, False, True]
    line = next(line for line in stack.audit() if line["event"] == "sign_out")
    assert (line["subject"], line["provider"]) == ("anna", "campus-login")


@pytest.mark.promise("sign-in-8")
async def test_a_logout_during_the_exchange_of_a_code_begins_no_session(stack: GatewayStack) -> None:
    """The provider ends its session after it has accepted the code, and before its response arrives."""
    await stack.sign_in("bob")  # the keys and endpoints are fetched
    stack.provider.gate = asyncio.Event()
    sign_in = asyncio.create_task(stack.sign_in("anna", sid="one", code="another"))
    while stack.provider.request_counts["/token"] < 2:
        await asyncio.sleep(0.005)
    assert await log_out(stack, logout_token(stack, sid="one")) == 200
    stack.provider.gate.set()
    assert await sign_in == {}


async def test_a_logout_token_with_only_a_sid_ends_that_session(stack: GatewayStack) -> None:
    ended, other = await stack.sign_in("anna", sid="first"), await stack.sign_in("anna", sid="second")
    assert await log_out(stack, logout_token(stack, sub=None, sid="first")) == 200
    assert [await is_signed_in(stack, session) for session in (ended, other)] == [False, True]
    line = next(line for line in stack.audit() if line["event"] == "sign_out")
    assert line["subject"] is None


async def test_a_logout_token_with_both_ends_that_session_and_those_without_a_sid(
    stack: GatewayStack,
) -> None:
    phone, desk = await stack.sign_in("anna", sid="phone"), await stack.sign_in("anna", sid="desk")
    unnamed, bobs = await stack.sign_in("anna"), await stack.sign_in("bob")
    assert await log_out(stack, logout_token(stack, sid="phone")) == 200
    assert [await is_signed_in(stack, session) for session in (phone, desk, unnamed, bobs)] == [
        False,
        True,
        False,
        True,
    ]


async def test_a_new_sign_in_after_a_logout_token_is_valid(stack: GatewayStack) -> None:
    await stack.sign_in("anna", sid="first")
    assert await log_out(stack, logout_token(stack, sid="first")) == 200
    assert await is_signed_in(stack, await stack.sign_in("anna", sid="first"))


async def test_a_browser_with_an_ended_session_is_redirected_to_sign_in(stack: GatewayStack) -> None:
    session = await stack.sign_in("anna")
    await log_out(stack, logout_token(stack))
    async with stack.client.get(
        stack.url + VIDEO_PATH, headers={**NAVIGATION, **session}, allow_redirects=False
    ) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, f"/oauth2/start?rd={VIDEO_PATH}")


@pytest.mark.promise("sign-in-8")
async def test_a_logout_token_ends_a_running_stream(stack: GatewayStack) -> None:
    async with watching(stack, await stack.sign_in("anna")) as answer:
        assert await log_out(stack, logout_token(stack)) == 200
        assert await is_aborted(answer)


async def test_an_access_token_issued_in_the_session_ends_with_it(stack: GatewayStack) -> None:
    session = await stack.sign_in("anna", sid="first")
    path = stack.url + VIDEO_PATH.replace("/recordings/", "/api/v3/records/download/").replace("/videos/", "/")
    async with stack.client.get(path, headers=session) as answer:
        link = (await answer.json())["url"]
    path = stack.url + link.removeprefix("http://localhost:8080")
    async with stack.client.get(path, headers={"Range": "bytes=0-1"}) as answer:
        assert answer.status == 206
    await log_out(stack, logout_token(stack, sub=None, sid="first"))
    async with stack.client.get(path, headers={"Range": "bytes=0-1"}) as answer:
        assert answer.status == 401


@pytest.mark.promise("sign-in-8")
async def test_a_logout_token_has_effect_after_a_restart(stack: GatewayStack) -> None:
    session = await stack.sign_in("anna")
    token = logout_token(stack)
    assert await log_out(stack, token) == 200
    await stack.gateway.stop()
    again = Gateway(settings_of(stack.config), log=stack.log)
    await again.start()
    try:
        stack.url = again.addresses[0]
        assert not await is_signed_in(stack, session)
        assert await log_out(stack, token) == 400
    finally:
        await again.stop()


@pytest.mark.parametrize("typ", [None, "JWT", "logout+jwt", "application/logout+jwt"])
async def test_every_type_of_logout_tokens_is_accepted(stack: GatewayStack, typ: str | None) -> None:
    assert await log_out(stack, logout_token(stack, typ=typ)) == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.test"},
        {"aud": "another-client"},
        {"aud": None},
        {"iat": None},
        {"iat": 4_000_000_000},
        {"exp": None},
        {"exp": 1_000_000_000},
        {"nonce": "of a sign-in"},
        {"events": None},
        {"events": {}},
        {"events": {"http://schemas.openid.net/event/other": {}}},
        {"events": {"http://schemas.openid.net/event/backchannel-logout": None}},
        {"events": list(EVENTS)},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"sub": None},
        {"sub": 7},
        {"sid": ["first"]},
        {"typ": "at+jwt"},
        {"typ": "secevent+jwt"},
    ],
    ids=json.dumps,
)
async def test_a_logout_token_with_a_wrong_claim_ends_nothing(stack: GatewayStack, changes: dict[str, Any]) -> None:
    session = await stack.sign_in("anna", sid="first")
    assert await log_out(stack, logout_token(stack, **changes)) == 400
    assert await is_signed_in(stack, session)


async def test_a_logout_token_with_a_wrong_signature_ends_nothing(stack: GatewayStack) -> None:
    session = await stack.sign_in("anna")
    ours = stack.provider.keys[0]
    forger = SigningKey(ours.kid, ours.algorithm, Ed25519PrivateKey.generate())
    for token in (
        logout_token(stack, key=forger),
        logout_token(stack, key=signing_key("ES256")),
        logout_token(stack)[:-4],
        "rubbish",
        "",
    ):
        assert await log_out(stack, token) == 400
    assert await is_signed_in(stack, session)


@pytest.mark.promise("sign-in-8")
async def test_a_replayed_logout_token_is_refused(stack: GatewayStack) -> None:
    token = logout_token(stack)
    assert await log_out(stack, token) == 200
    session = await stack.sign_in("anna")
    assert await log_out(stack, token) == 400
    assert await is_signed_in(stack, session)


async def test_a_logout_token_does_not_authenticate(stack: GatewayStack) -> None:
    for typ in ("logout+jwt", "JWT"):
        token = logout_token(stack, aud="valt-gateway", typ=typ)
        assert not await is_signed_in(stack, {"Authorization": f"Bearer {token}"})


async def test_an_id_token_is_not_accepted_as_a_logout_token(stack: GatewayStack) -> None:
    session = await stack.sign_in("anna")
    claims = {**stack.provider.id_token, "jti": "one"}
    assert await log_out(stack, stack.provider.sign(claims)) == 400
    assert await log_out(stack, stack.provider.sign({**claims, "events": EVENTS})) == 400
    assert await is_signed_in(stack, session)


@pytest.mark.parametrize("body", [b"", b"logout_token=a&logout_token=b", b"\xff\xfe", b"{}", b"logout_token"])
async def test_a_body_without_exactly_one_token_is_a_bad_request(stack: GatewayStack, body: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=rubbish"}
    async with stack.client.post(f"{stack.url}/oauth2/backchannel_logout", data=body, headers=headers) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, "bad_request")


async def test_a_logout_token_whose_key_cannot_be_fetched_gets_503(tmp_path: Path) -> None:
    clock = ManualClock()
    async with running_stack(tmp_path, clock=clock, more=WITH_STATE) as stack:
        stack.provider.down = True
        token = logout_token(stack)
        assert await log_out(stack, token) == 503
        stack.provider.down = False
        clock.pass_(61)
        assert await log_out(stack, token) == 200


async def test_without_sign_in_there_is_no_backchannel_logout(tmp_path: Path) -> None:
    async with running_stack(tmp_path) as stack:
        assert await log_out(stack, "a.b.c") == 404
