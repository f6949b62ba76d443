"""The keys of an issuer: fetched rarely, used while the issuer is down, and restricted to public signature keys."""

import asyncio
import base64
import contextlib
import json
from collections.abc import Callable
from typing import Any

import aiohttp
import jwt
import pytest
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm

from gateway.errors import IdentityProviderError, InvalidCredentialsError
from gateway.events import JwksRefresh, LogEvent
from gateway.identity.jwks import JwksClient
from gateway.identity.jwt import JwtAuthenticator
from gateway.identity.refreshed import RefreshedValue
from tests.support.clock import ManualClock
from tests.support.provider import Provider, signing_key
from tests.support.recorder import Recorder
from tests.unit.identity.conftest import bearer

Claims = Callable[..., dict[str, Any]]


async def wait_for_requests(provider: Provider, path: str, count: int) -> None:
    async with asyncio.timeout(20):
        while provider.request_counts[path] < count:
            await asyncio.sleep(0.005)


async def refreshes(recorder: Recorder, count: int) -> None:
    """Wait until *count* refreshes have ended."""
    async with asyncio.timeout(20):
        while sum(isinstance(event, JwksRefresh) for event in recorder.events) < count:
            await asyncio.sleep(0.005)


@pytest.mark.promise("findings-G")
async def test_concurrent_requests_share_one_fetch_of_the_keys(
    provider: Provider, campus: JwtAuthenticator, claims: Claims
) -> None:
    provider.gate = asyncio.Event()
    tokens = [provider.sign(claims(sub=f"person {number}")) for number in range(50)]
    waiting = [asyncio.create_task(campus.authenticate(bearer(token))) for token in tokens]
    await wait_for_requests(provider, "/.well-known/openid-configuration", 1)
    provider.gate.set()
    assert None not in await asyncio.gather(*waiting)
    assert provider.request_counts == {"/.well-known/openid-configuration": 1, "/keys": 1}


async def test_a_cancelled_request_does_not_cancel_the_fetch_for_others(
    provider: Provider, campus: JwtAuthenticator, claims: Claims
) -> None:
    provider.gate = asyncio.Event()
    first = asyncio.create_task(campus.authenticate(bearer(provider.sign(claims()))))
    await wait_for_requests(provider, "/.well-known/openid-configuration", 1)
    second = asyncio.create_task(campus.authenticate(bearer(provider.sign(claims(sub="bob")))))
    await asyncio.sleep(0)
    first.cancel()
    provider.gate.set()
    assert await second is not None
    assert provider.request_counts["/keys"] == 1


async def test_a_configured_jwks_url_needs_no_discovery(
    provider: Provider, client: aiohttp.ClientSession, clock: ManualClock, recorder: Recorder
) -> None:
    keys = JwksClient("campus", "https://sso.example.edu", f"{provider.issuer}/keys", client, clock, recorder)
    await keys.find(provider.keys[0].kid, "EdDSA")
    assert provider.request_counts == {"/keys": 1}
    assert JwksRefresh("campus", "ok") in recorder.events


async def test_keys_that_cannot_be_fetched_are_no_fault_of_the_token(
    provider: Provider, campus: JwtAuthenticator, claims: Claims, recorder: Recorder
) -> None:
    provider.down = True
    with pytest.raises(IdentityProviderError):
        await campus.authenticate(bearer(provider.sign(claims())))
    assert JwksRefresh("campus", "error") in recorder.events
    assert any(isinstance(event, LogEvent) and event.level == "warning" for event in recorder.events)


async def test_a_provider_that_is_down_is_retried_once_a_minute(
    provider: Provider, campus: JwtAuthenticator, claims: Claims, clock: ManualClock
) -> None:
    provider.down = True
    for _ in range(20):
        with pytest.raises(IdentityProviderError):
            await campus.authenticate(bearer(provider.sign(claims())))
    assert provider.request_counts.total() == 1
    provider.down = False
    clock.pass_(60)
    assert await campus.authenticate(bearer(provider.sign(claims()))) is not None


@pytest.mark.promise("findings-12")
async def test_keys_stay_in_use_while_the_provider_is_down_for_a_day(
    provider: Provider,
    campus: JwtAuthenticator,
    keys: JwksClient,
    claims: Claims,
    clock: ManualClock,
    recorder: Recorder,
) -> None:
    await campus.authenticate(bearer(provider.sign(claims())))
    provider.down = True
    for hour in range(24):
        clock.pass_(3600)
        assert await campus.authenticate(bearer(provider.sign(claims()))) is not None
        await refreshes(recorder, 2 + hour)
    assert keys.state == "stale"


@pytest.mark.promise("security-S13")
async def test_keys_are_used_for_at_most_a_day_after_the_last_fetch(
    provider: Provider, keys: JwksClient, clock: ManualClock
) -> None:
    kid = provider.keys[0].kid
    await keys.find(kid, "EdDSA")
    provider.down = True
    clock.pass_(24 * 3600)
    await keys.find(kid, "EdDSA")
    clock.pass_(1)
    for _ in range(2):
        with pytest.raises(IdentityProviderError):
            await keys.find(kid, "EdDSA")
    provider.down = False
    clock.pass_(60)
    assert await keys.find(kid, "EdDSA") is not None


async def test_old_keys_are_used_while_new_ones_are_fetched(
    provider: Provider,
    campus: JwtAuthenticator,
    keys: JwksClient,
    claims: Claims,
    clock: ManualClock,
    recorder: Recorder,
) -> None:
    await campus.authenticate(bearer(provider.sign(claims())))
    provider.gate = asyncio.Event()
    clock.pass_(601)
    assert await campus.authenticate(bearer(provider.sign(claims()))) is not None
    await wait_for_requests(provider, "/.well-known/openid-configuration", 2)
    provider.gate.set()
    await refreshes(recorder, 2)
    assert provider.request_counts["/keys"] == 2
    assert keys.generation == 1


@pytest.mark.promise("security-S13")
@pytest.mark.parametrize("failed_before", [False, True])
async def test_a_key_that_was_withdrawn_in_a_pause_is_refused_at_once(
    provider: Provider,
    campus: JwtAuthenticator,
    claims: Claims,
    clock: ManualClock,
    recorder: Recorder,
    failed_before: bool,
) -> None:
    await campus.authenticate(bearer(provider.sign(claims())))
    withdrawn = provider.keys[0]
    if failed_before:
        provider.down = True
        clock.pass_(601)
        await campus.authenticate(bearer(provider.sign(claims())))
        await refreshes(recorder, 2)
        provider.down = False
    provider.rotate()
    clock.pass_(1201)
    with pytest.raises(InvalidCredentialsError):
        await campus.authenticate(bearer(provider.sign(claims(), key=withdrawn)))
    assert await campus.authenticate(bearer(provider.sign(claims()))) is not None


async def test_after_a_pause_the_provider_that_is_down_is_waited_for_once(
    provider: Provider, campus: JwtAuthenticator, claims: Claims, clock: ManualClock
) -> None:
    await campus.authenticate(bearer(provider.sign(claims())))
    provider.down = True
    clock.pass_(9 * 3600)
    for _ in range(2):
        assert await campus.authenticate(bearer(provider.sign(claims()))) is not None
    assert provider.request_counts["/.well-known/openid-configuration"] == 2


@pytest.mark.promise("identity-I19")
@pytest.mark.parametrize("algorithm", ["EdDSA", "RS256"])
@pytest.mark.parametrize("kid", ["the same", None])
async def test_a_key_that_is_replaced_under_its_kid_counts_after_a_minute(
    provider: Provider, campus: JwtAuthenticator, claims: Claims, clock: ManualClock, kid: str | None, algorithm: str
) -> None:
    def publish(algorithm: str = "EdDSA") -> str:
        """Publishes a new key, and returns a token that it has signed."""
        key = provider.rotate(algorithm)
        row = {**key.row(), "kid": kid} if kid else {name: value for name, value in key.row().items() if name != "kid"}
        provider.rubbish = json.dumps({"keys": [row]}).encode()
        return provider.sign(claims(), headers={"kid": kid} if kid else {})

    old = publish()
    assert await campus.authenticate(bearer(old)) is not None
    new = publish(algorithm)
    with pytest.raises(InvalidCredentialsError):
        await campus.authenticate(bearer(new))
    clock.pass_(60)
    assert await campus.authenticate(bearer(new)) is not None
    for _ in range(20):
        with pytest.raises(InvalidCredentialsError):
            await campus.authenticate(bearer(old))
    assert provider.request_counts["/keys"] == 2


@pytest.mark.promise("identity-I19")
async def test_a_key_of_another_curve_under_its_kid_is_fetched(
    provider: Provider, keys: JwksClient, clock: ManualClock
) -> None:
    def publish() -> None:
        row = {**provider.rotate().row(), "kid": "the same"}
        provider.rubbish = json.dumps({"keys": [row]}).encode()

    publish()
    await keys.find("the same", "EdDSA")
    publish()
    clock.pass_(60)
    checked: list[object] = []

    def check(key: object) -> int:
        checked.append(key)
        try:
            if len(checked) == 1:
                raise jwt.InvalidKeyError  # as PyJWT does for a key of another curve
        except jwt.InvalidKeyError:
            raise InvalidCredentialsError("the key does not fit") from None
        return len(checked)

    assert await keys.verify({"kid": "the same", "alg": "EdDSA"}, check) == 2


async def test_an_unknown_kid_refreshes_the_keys(
    provider: Provider, campus: JwtAuthenticator, keys: JwksClient, claims: Claims, clock: ManualClock
) -> None:
    await campus.authenticate(bearer(provider.sign(claims())))
    provider.rotate()
    clock.pass_(60)
    assert await campus.authenticate(bearer(provider.sign(claims()))) is not None
    assert keys.generation == 2


async def test_an_unknown_kid_with_the_provider_down_is_unavailable(
    provider: Provider, campus: JwtAuthenticator, claims: Claims, clock: ManualClock
) -> None:
    await campus.authenticate(bearer(provider.sign(claims())))
    rotated = provider.rotate()
    provider.down = True
    clock.pass_(60)
    with pytest.raises(IdentityProviderError):
        await campus.authenticate(bearer(provider.sign(claims())))
    provider.down = False
    clock.pass_(60)
    assert await campus.authenticate(bearer(provider.sign(claims()))) is not None
    with pytest.raises(InvalidCredentialsError):
        await campus.authenticate(bearer(provider.sign(claims(), key=signing_key("EdDSA"))))
    assert provider.keys == [rotated]


async def test_five_thousand_random_kids_cost_one_fetch_a_minute(
    provider: Provider, campus: JwtAuthenticator, claims: Claims, clock: ManualClock
) -> None:
    good, stranger = provider.sign(claims()), signing_key("EdDSA")
    await campus.authenticate(bearer(good))
    clock.pass_(60)
    payload, signature = provider.sign(claims(), key=stranger).split(".")[1:]

    async def attack(number: int) -> None:
        header = base64.urlsafe_b64encode(json.dumps({"alg": "EdDSA", "kid": f"kid {number}"}).encode())
        with pytest.raises(InvalidCredentialsError):
            await campus.authenticate(bearer(f"{header.rstrip(b'=').decode()}.{payload}.{signature}"))

    for number in range(0, 5000, 50):
        await asyncio.gather(*(attack(number + step) for step in range(50)))
        assert await campus.authenticate(bearer(good)) is not None
    assert provider.request_counts["/keys"] == 2
    clock.pass_(60)
    await attack(5000)
    assert provider.request_counts["/keys"] == 3


@pytest.mark.promise("findings-12")
async def test_random_kids_with_the_provider_down_cost_one_attempt_a_minute(
    provider: Provider, keys: JwksClient, clock: ManualClock
) -> None:
    await keys.find(provider.keys[0].kid, "EdDSA")
    provider.down = True
    clock.pass_(60)
    for number in range(5000):
        with pytest.raises(IdentityProviderError):
            await keys.find(f"kid {number}", "EdDSA")
    assert provider.request_counts["/.well-known/openid-configuration"] == 2
    assert await keys.find(provider.keys[0].kid, "EdDSA") is not None


INVALID_KEY_SETS = [
    b"",
    b"<html>Sign in</html>",
    b"[]",
    b"{}",
    b"null",
    b'{"keys": []}',
    b'{"keys": {}}',
    b'{"keys": [7, null, "x", []]}',
    b'{"keys": [{"kty": []}]}',
    b'{"keys": [{"kty": "RSA", "key_ops": 7, "n": "AQAB", "e": "AQAB"}]}',
    b'{"keys": [{"kty": "RSA", "n": 5, "e": []}, {"kty": "EC", "crv": [], "x": 1}, {"kty": "OKP", "crv": "X25519"}]}',
    b'{"keys": [{"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}]}',
    b"[" * 100_000,
    b"\xff\xfe",
    b'{"keys": [' + b" " * 300_000 + b"]}",
]


@pytest.mark.promise("findings-12")
@pytest.mark.parametrize("body", INVALID_KEY_SETS, ids=range(len(INVALID_KEY_SETS)))
async def test_an_invalid_key_set_does_not_replace_the_old_one(
    provider: Provider, keys: JwksClient, clock: ManualClock, body: bytes
) -> None:
    current = await keys.find(provider.keys[0].kid, "EdDSA")
    provider.rubbish = body
    clock.pass_(60)
    with pytest.raises(IdentityProviderError):
        await keys.find("unknown", "EdDSA")
    assert await keys.find(provider.keys[0].kid, "EdDSA") is current
    assert keys.generation == 1


async def test_a_key_set_of_more_than_64_keys_is_refused(provider: Provider, keys: JwksClient) -> None:
    row = provider.keys[0].row()
    provider.rubbish = json.dumps({"keys": [{**row, "kid": str(number)} for number in range(65)]}).encode()
    with pytest.raises(IdentityProviderError):
        await keys.find("1", "EdDSA")


async def test_no_redirect_is_followed(provider: Provider, keys: JwksClient) -> None:
    provider.redirects = True
    with pytest.raises(IdentityProviderError):
        await keys.find(provider.keys[0].kid, "EdDSA")
    assert provider.request_counts["/elsewhere"] == 0


@pytest.mark.parametrize(
    "change",
    [{"issuer": "https://other.example.edu"}, {"issuer": None}, {"jwks_uri": None}, {"jwks_uri": "file:///etc/passwd"}],
    ids=json.dumps,
)
async def test_a_discovery_document_of_another_issuer_or_without_keys_is_refused(
    provider: Provider, keys: JwksClient, change: dict[str, Any]
) -> None:
    provider.discovery = change
    with pytest.raises(IdentityProviderError):
        await keys.find(provider.keys[0].kid, "EdDSA")
    assert provider.request_counts["/keys"] == 0


@pytest.mark.promise("identity-I19")
async def test_a_single_key_without_a_kid_serves_a_token_with_one(provider: Provider, keys: JwksClient) -> None:
    row = {name: value for name, value in provider.keys[0].row().items() if name != "kid"}
    provider.rubbish = json.dumps({"keys": [row]}).encode()
    assert await keys.find("any", "EdDSA") is not None
    with pytest.raises(InvalidCredentialsError):
        await keys.find("any", "RS256")


async def test_keys_are_used_for_at_most_a_day_while_the_provider_is_down(
    provider: Provider, keys: JwksClient, clock: ManualClock
) -> None:
    kid = provider.keys[0].kid
    await keys.find(kid, "EdDSA")
    provider.down = True
    clock.pass_(24 * 3600)
    assert await keys.find(kid, "EdDSA") is not None
    clock.pass_(61)
    with pytest.raises(IdentityProviderError):
        await keys.find(kid, "EdDSA")


async def test_an_issuer_that_differs_by_a_slash_is_refused(
    provider: Provider, client: aiohttp.ClientSession, clock: ManualClock, recorder: Recorder
) -> None:
    with pytest.raises(IdentityProviderError):
        await JwksClient("campus", f"{provider.issuer}/", "", client, clock, recorder).find(
            provider.keys[0].kid, "EdDSA"
        )


async def test_private_secret_and_encryption_keys_are_ignored(provider: Provider, keys: JwksClient) -> None:
    good = provider.keys[0]
    private = OKPAlgorithm.to_jwk(good.private, as_dict=True)
    row = good.row()
    others = [
        {**private, "kid": "private"},
        {"kty": "oct", "kid": "secret", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"},
        {**row, "kid": "encryption", "use": "enc"},
        {**row, "kid": "signing only", "key_ops": ["sign"]},
        {**row, "kid": 7},
        {**row, "kid": "unsigned", "alg": "none"},
    ]
    provider.rubbish = json.dumps({"keys": [*others, row]}).encode()
    assert await keys.find(good.kid, "EdDSA") is not None
    for other in others:
        with pytest.raises(InvalidCredentialsError):
            await keys.find(other["kid"], "EdDSA")


async def test_a_key_is_used_only_with_the_algorithm_it_names(provider: Provider, keys: JwksClient) -> None:
    row = {**RSAAlgorithm.to_jwk(signing_key("RS256").private.public_key(), as_dict=True), "kid": "a", "alg": "RS256"}
    provider.rubbish = json.dumps({"keys": [row]}).encode()
    assert await keys.find("a", "RS256") is not None
    for algorithm in ("PS256", "ES256", "EdDSA", "HS256", "none", ""):
        with pytest.raises(InvalidCredentialsError):
            await keys.find("a", algorithm)


async def test_a_key_for_ed25519_verifies_eddsa(provider: Provider, keys: JwksClient) -> None:
    private = signing_key("EdDSA").private
    row = {**OKPAlgorithm.to_jwk(private.public_key(), as_dict=True), "kid": "a", "alg": "Ed25519"}  # RFC 9864
    provider.rubbish = json.dumps({"keys": [row]}).encode()
    assert (await keys.find("a", "EdDSA")).public_bytes_raw() == private.public_key().public_bytes_raw()
    with pytest.raises(InvalidCredentialsError):
        await keys.find("a", "RS256")


async def test_of_two_keys_with_the_same_kid_the_first_is_used(provider: Provider, keys: JwksClient) -> None:
    one, two = signing_key("EdDSA"), signing_key("EdDSA")
    two.kid = one.kid
    provider.keys = [one, two]
    key = await keys.find(one.kid, "EdDSA")
    assert key.public_bytes_raw() == one.private.public_key().public_bytes_raw()


@pytest.mark.promise("identity-I19")
async def test_keys_of_two_types_may_have_the_same_kid(provider: Provider, keys: JwksClient) -> None:
    provider.keys = [signing_key(algorithm) for algorithm in ("RS256", "EdDSA", "ES256")]
    for key in provider.keys:
        key.kid = "2026"
    matching = [await keys.find("2026", algorithm) for algorithm in ("RS256", "EdDSA", "ES256")]
    assert matching == [key.private.public_key() for key in provider.keys]


async def test_a_token_without_a_kid_needs_a_single_key(
    provider: Provider, keys: JwksClient, clock: ManualClock
) -> None:
    assert await keys.find(None, "EdDSA") is not None
    provider.keys.append(signing_key("EdDSA"))
    clock.pass_(60)
    with pytest.raises(InvalidCredentialsError):
        await keys.find("unknown", "EdDSA")
    with pytest.raises(InvalidCredentialsError):
        await keys.find(None, "EdDSA")


@pytest.mark.parametrize("kid", [7, ["a"], {"a": 1}, True])
async def test_a_kid_that_is_not_a_string_is_refused_without_a_fetch(
    provider: Provider, keys: JwksClient, kid: object
) -> None:
    with pytest.raises(InvalidCredentialsError):
        await keys.find(kid, "EdDSA")
    assert not provider.request_counts


@pytest.mark.parametrize(
    ("issuer", "jwks_url", "status"), [("", "", "used"), ("/", "", "unused"), ("", "/keys", "unused")]
)
async def test_keys_are_taken_over_from_the_same_source_only(
    provider: Provider,
    keys: JwksClient,
    client: aiohttp.ClientSession,
    clock: ManualClock,
    recorder: Recorder,
    issuer: str,
    jwks_url: str,
    status: str,
) -> None:
    kid = provider.keys[0].kid
    old = await keys.find(kid, "EdDSA")
    clock.pass_(23 * 3600)
    provider.down = True
    url = f"{provider.issuer}{jwks_url}" if jwks_url else ""
    new = JwksClient("campus", provider.issuer + issuer, url, client, clock, recorder)
    new.take_over(keys)
    if status == "unused":
        with pytest.raises(IdentityProviderError):
            await new.find(kid, "EdDSA")
        return
    assert await new.find(kid, "EdDSA") is old
    clock.pass_(3601)
    with pytest.raises(IdentityProviderError):
        await new.find(kid, "EdDSA")


@pytest.mark.parametrize("error", [NotImplementedError, IdentityProviderError])
async def test_whatever_a_load_raises_is_no_fault_of_later_tokens(clock: ManualClock, error: type[Exception]) -> None:
    async def load() -> int:
        raise error

    value = RefreshedValue("test", load, clock, cooldown=60.0)
    with contextlib.suppress(NotImplementedError):
        await value.refresh()
    await value.refresh()
    assert isinstance(value.error, IdentityProviderError)
    assert value.value is None
