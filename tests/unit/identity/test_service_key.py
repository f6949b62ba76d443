"""Service keys, and the access tokens issued to their holders."""

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from gateway.errors import GatewayError, InvalidCredentialsError
from gateway.group_selection import GroupSelection
from gateway.identity.access_token import LIFETIME, AccessTokens
from gateway.identity.chain import Chain
from gateway.identity.service_key import ServiceKey, ServiceKeys
from gateway.model import Credentials, Identity, IdentityKind, Secret, Video
from gateway.store.memory import MemoryStore
from tests.support.clock import ManualClock
from tests.support.recorder import Recorder
from tests.support.validity import validity_of

KEY, OTHER = "vgk_planted-archive", "vgk_planted-other"
SEAL = (Secret("a seal that is long enough for anybody"),)
VIDEO = Video("r", "v")
ANNA = Identity("anna", "https://sso", "campus", IdentityKind.SESSION, frozenset({"staff", "chess"}), session="s1")


def service_keys(clock: ManualClock, *keys: ServiceKey) -> ServiceKeys:
    tokens = AccessTokens(SEAL, keep_groups=GroupSelection(frozenset({"staff"})))
    return ServiceKeys(keys or (archive(),), tokens, clock)


def archive(secret: str = KEY, *, name: str = "archive", expires: float | None = None) -> ServiceKey:
    return ServiceKey(name, hashlib.sha256(secret.encode()).hexdigest(), frozenset({"archive"}), expires)


def bearer(secret: str) -> Credentials:
    return Credentials(headers={"authorization": f"Bearer {secret}"})


def token(secret: Secret | str) -> Credentials:
    return Credentials(access_token=secret if isinstance(secret, Secret) else Secret(secret))


@pytest.mark.promise("rules-15")
@pytest.mark.parametrize("offered", [bearer(KEY), token(KEY)])
async def test_a_key_is_accepted_as_a_bearer_and_as_an_access_token(clock: ManualClock, offered: Credentials) -> None:
    identity = await service_keys(clock).authenticate(offered)
    assert identity is not None
    assert (identity.subject, identity.kind, set(identity.groups)) == ("archive", "service_key", {"archive"})
    assert identity.covers("any", "video")


async def test_an_access_token_that_is_not_valid_is_refused(clock: ManualClock) -> None:
    keys = service_keys(clock)
    for offered in (Credentials(), bearer("eyJhbGciOi"), Credentials(headers={"authorization": "Basic dmdrXw=="})):
        assert await keys.authenticate(offered) is None
    for offered in (bearer(OTHER), token(OTHER), token("rubbish"), token("ü"), token("")):
        with pytest.raises(InvalidCredentialsError):
            await keys.authenticate(offered)


async def test_a_key_that_has_expired_is_refused_and_so_are_its_tokens(clock: ManualClock) -> None:
    keys = service_keys(clock, archive(expires=clock.now() + 60))
    identity, login = keys.log_in("archive", Secret(KEY))
    link = keys.issue_video_token(identity, VIDEO)
    clock.pass_(60)
    for offered in (bearer(KEY), token(KEY), token(login), token(link)):
        with pytest.raises(InvalidCredentialsError):
            await keys.authenticate(offered)


@pytest.mark.promise("rules-15")
async def test_a_key_is_valid_until_the_end_of_its_last_day() -> None:
    digest = archive().secret_sha256
    clock = ManualClock(datetime(2027, 6, 30, 23, 59, 59, tzinfo=UTC).timestamp())
    keys = service_keys(clock, ServiceKey.with_last_day(date(2027, 6, 30), "archive", digest, ["archive"]))
    assert await keys.authenticate(bearer(KEY)) is not None
    clock.pass_(1)
    with pytest.raises(InvalidCredentialsError):
        await keys.authenticate(bearer(KEY))
    assert ServiceKey.with_last_day(None, "archive", digest, ["archive"]) == archive()


@pytest.mark.promise("rules-16")
async def test_a_login_needs_the_name_and_the_secret_of_one_key(clock: ManualClock) -> None:
    keys = service_keys(clock, archive(), archive(OTHER, name="other"))
    identity, _ = keys.log_in("other", Secret(OTHER))
    assert identity.subject == "other"
    for name, secret in (("archive", OTHER), ("other", KEY), ("archive", "wrong"), ("", KEY), ("archive", "")):
        with pytest.raises(InvalidCredentialsError):
            keys.log_in(name, Secret(secret))


@pytest.mark.promise("rules-16")
async def test_a_login_token_is_valid_for_an_hour_and_only_with_its_key(clock: ManualClock) -> None:
    keys = service_keys(clock)
    _, login = keys.log_in("archive", Secret(KEY))
    clock.pass_(LIFETIME - 1)
    identity = await keys.authenticate(token(login))
    assert identity is not None
    assert (identity.subject, set(identity.groups)) == ("archive", {"archive"})
    with pytest.raises(InvalidCredentialsError):
        await service_keys(clock, archive(OTHER)).authenticate(token(login))
    clock.pass_(1)
    with pytest.raises(InvalidCredentialsError):
        await keys.authenticate(token(login))


@pytest.mark.promise("rules-21")
async def test_a_video_token_is_valid_for_one_video_for_an_hour(clock: ManualClock) -> None:
    keys = service_keys(clock)
    identity, _ = keys.log_in("archive", Secret(KEY))
    tokens = {who.subject: keys.issue_video_token(who, VIDEO) for who in (identity, ANNA)}
    for who, groups in ((identity, {"archive"}), (ANNA, {"staff"})):
        for _ in range(2):
            holder = await keys.authenticate(token(tokens[who.subject]))
            assert holder is not None
            assert (holder.subject, holder.provider, set(holder.groups)) == (
                who.subject,
                who.provider,
                groups,
            )
            assert holder.covers("r", "v")
            assert not holder.covers("r", "w")
            assert not holder.covers("q", "v")
    clock.pass_(LIFETIME)
    for video_token in tokens.values():
        with pytest.raises(InvalidCredentialsError):
            await keys.authenticate(token(video_token))


async def test_where_a_video_token_is_required_no_other_is_accepted(clock: ManualClock) -> None:
    keys = service_keys(clock)
    identity, login = keys.log_in("archive", Secret(KEY))
    for offered in (KEY, login):
        with pytest.raises(InvalidCredentialsError):
            await keys.authenticate(replace(token(offered), video_token_only=True))
    assert (
        await keys.authenticate(replace(token(keys.issue_video_token(identity, VIDEO)), video_token_only=True))
        is not None
    )
    assert await keys.authenticate(replace(bearer(KEY), video_token_only=True)) is not None


async def test_a_video_token_issued_for_another_expires_no_later(clock: ManualClock) -> None:
    keys = service_keys(clock)
    first = await keys.authenticate(token(keys.issue_video_token(ANNA, VIDEO)))
    assert first is not None
    clock.pass_(LIFETIME / 2)
    second = await keys.authenticate(token(keys.issue_video_token(first, VIDEO)))
    assert second is not None
    assert second.expires_at == first.expires_at


@pytest.mark.promise("security-S13")
async def test_a_video_token_of_a_bearer_token_expires_with_it(clock: ManualClock) -> None:
    keys = service_keys(clock)
    bearer_token = replace(ANNA, kind=IdentityKind.JWT, session=None, expires_at=clock.now() + 60)
    video_token = token(keys.issue_video_token(bearer_token, VIDEO))
    assert await keys.authenticate(video_token) is not None
    clock.pass_(60)
    with pytest.raises(InvalidCredentialsError):
        await keys.authenticate(video_token)


@pytest.mark.promise("security-S13")
@pytest.mark.parametrize("end", ["sign-out", "revocation", "provider removed", "sessions removed", "revocation key"])
async def test_a_video_token_ends_with_its_source(clock: ManualClock, end: str) -> None:
    store, keys = MemoryStore(clock), service_keys(clock)
    anna = replace(ANNA, issued_at=clock.now(), revocation_keys=("a key",))
    video_token = token(keys.issue_video_token(anna, VIDEO))
    clock.pass_(10)
    chain = Chain([], None, keys, validity_of(store, clock, [anna], secrets=SEAL), Recorder())
    assert await chain.identify(video_token)
    match end:
        case "sign-out":
            await store.sign_out("s1", clock.now() + 1000)
        case "revocation" | "revocation key":
            await store.revoke("anna" if end == "revocation" else "a key", clock.now() - 10, clock.now() + 1000)
        case "provider removed":
            chain = Chain([], None, keys, validity_of(store, clock, [], secrets=SEAL), Recorder())
        case _:
            validity = validity_of(store, clock, [anna], lifetime=None, secrets=SEAL)
            chain = Chain([], None, keys, validity, Recorder())
    with pytest.raises(InvalidCredentialsError):
        await chain.identify(video_token)


async def test_a_video_token_expires_with_its_session(clock: ManualClock) -> None:
    keys = service_keys(clock)
    video_token = token(keys.issue_video_token(replace(ANNA, expires_at=clock.now() + 60), VIDEO))
    assert await keys.authenticate(video_token) is not None
    clock.pass_(60)
    with pytest.raises(InvalidCredentialsError):
        await keys.authenticate(video_token)


async def test_groups_that_do_not_fit_into_a_url_are_an_error(clock: ManualClock) -> None:
    many = frozenset(hashlib.sha256(bytes([number])).hexdigest() for number in range(256))
    keys = ServiceKeys((), AccessTokens(SEAL, keep_groups=GroupSelection(many)), clock)
    with pytest.raises(GatewayError):
        keys.issue_video_token(replace(ANNA, groups=many), VIDEO)
