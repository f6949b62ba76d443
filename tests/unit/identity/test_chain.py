"""Who is received, in which order, and what each of the three answers leads to."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from gateway.errors import IdentityProviderError, InvalidCredentialsError, MissingCredentialsError
from gateway.events import IdentityDecided
from gateway.group_selection import GroupSelection
from gateway.identity.chain import Chain
from gateway.identity.header import HeaderAuthenticator
from gateway.identity.ignored_groups import IgnoredGroups
from gateway.identity.jwt import JwtAuthenticator
from gateway.identity.session import Sessions
from gateway.model import Credentials, Identity, IdentityKind, Secret
from gateway.ports import Authenticator
from gateway.store.memory import MemoryStore
from gateway.validity import Validity
from gateway.web.http_server import MAX_FIELD
from tests.support.clock import ManualClock
from tests.support.cookie_jar import CookieJar
from tests.support.provider import Provider
from tests.support.recorder import Recorder
from tests.support.validity import validity_of
from tests.unit.identity.conftest import bearer

ANNA = Identity(subject="anna", issuer="i", provider="one", kind=IdentityKind.JWT, issued_at=100.0)


SECRET = Secret("s" * 32)


def sessions_of(store: MemoryStore, clock: ManualClock, validity: Validity) -> Sessions:
    options: dict[str, Any] = {"secure": True, "keep_groups": GroupSelection(), "max_header": MAX_FIELD}
    return Sessions([SECRET], 100.0, 50.0, clock, store, validity, **options)


@dataclass
class FixedAuthenticator(Authenticator):
    """Returns or raises *answer* and records the credentials."""

    name: str
    answer: Identity | Exception | None
    received: list[Credentials] = field(default_factory=list)

    async def authenticate(self, credentials: Credentials) -> Identity | None:
        self.received.append(credentials)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def store(clock: ManualClock) -> MemoryStore:
    return MemoryStore(clock)


@pytest.fixture
def validity(store: MemoryStore, clock: ManualClock) -> Validity:
    return validity_of(store, clock, [ANNA])


async def test_the_first_authenticator_that_recognises_its_credentials_decides(
    validity: Validity, recorder: Recorder
) -> None:
    one, two, three = (
        FixedAuthenticator("one", None),
        FixedAuthenticator("two", ANNA),
        FixedAuthenticator("three", replace(ANNA, subject="bob")),
    )
    assert await Chain([one, two, three], None, None, validity, recorder).identify(Credentials()) == (ANNA,)
    assert (len(one.received), len(two.received), len(three.received)) == (1, 1, 0)
    assert recorder.events == [IdentityDecided("two", "accepted")]


@pytest.mark.parametrize(
    ("error", "outcome"), [(InvalidCredentialsError(), "refused"), (IdentityProviderError(), "unavailable")]
)
async def test_after_an_error_no_further_authenticator_is_tried(
    validity: Validity, recorder: Recorder, error: Exception, outcome: str
) -> None:
    one, two = FixedAuthenticator("one", error), FixedAuthenticator("two", ANNA)
    with pytest.raises(type(error)):
        await Chain([one, two], None, None, validity, recorder).identify(Credentials())
    assert not two.received
    assert recorder.events == [IdentityDecided("one", outcome)]


@pytest.mark.parametrize(
    "credentials",
    [
        bearer("rubbish"),
        bearer(""),
        Credentials(headers={"authorization": "bearer"}),
        Credentials(ticket=Secret("rubbish")),
        Credentials(ticket=Secret("")),
        Credentials(access_token=Secret("x")),
    ],
)
async def test_credentials_that_no_authenticator_recognises_are_invalid(
    validity: Validity, recorder: Recorder, credentials: Credentials
) -> None:
    with pytest.raises(InvalidCredentialsError):
        await Chain([FixedAuthenticator("one", None)], None, None, validity, recorder).identify(credentials)


@pytest.mark.parametrize(("value", "error"), [("rubbish", InvalidCredentialsError), (" ", MissingCredentialsError)])
async def test_a_token_in_a_providers_own_header_is_offered_proof(
    validity: Validity, recorder: Recorder, value: str, error: type[Exception]
) -> None:
    one, headers = FixedAuthenticator("one", None), {"x-assertion": value, "x-other": "text"}
    with pytest.raises(error):
        await Chain([one], None, None, validity, recorder, ["x-assertion"]).identify(Credentials(headers=headers))
    with pytest.raises(MissingCredentialsError):
        await Chain([one], None, None, validity, recorder, ["authorization"]).identify(Credentials(headers=headers))


@pytest.mark.parametrize(
    "credentials",
    [Credentials(), Credentials(sessions={"valt_gateway_session": Secret("old")})]
    + [Credentials(headers={"authorization": value}) for value in ("Basic YTpi", "Negotiate x", "", "Bearerx y")],
)
async def test_other_schemes_and_old_cookies_count_as_no_credentials(
    validity: Validity, recorder: Recorder, credentials: Credentials
) -> None:
    with pytest.raises(MissingCredentialsError):
        await Chain([FixedAuthenticator("one", None)], None, None, validity, recorder).identify(credentials)
    assert recorder.events == []


@pytest.mark.parametrize(("issued_at", "void"), [(99.0, True), (100.0, True), (100.5, False), (None, False)])
async def test_credentials_issued_up_to_a_revocation_are_void(
    validity: Validity,
    store: MemoryStore,
    recorder: Recorder,
    clock: ManualClock,
    issued_at: float | None,
    void: bool,
) -> None:
    authenticator = FixedAuthenticator("one", replace(ANNA, issued_at=issued_at))
    chain = Chain([authenticator], None, None, validity, recorder)
    await store.revoke("anna", 100.0, clock.now() + 60)
    await store.revoke("bob", clock.now(), clock.now() + 60)
    if void:
        with pytest.raises(InvalidCredentialsError):
            await chain.identify(Credentials())
        assert recorder.events == [IdentityDecided("one", "refused")]
    else:
        assert await chain.identify(Credentials()) is not None


async def test_credentials_of_a_provider_that_is_not_configured_are_refused(
    store: MemoryStore, recorder: Recorder, clock: ManualClock
) -> None:
    for other in (replace(ANNA, issuer="j"), replace(ANNA, provider="two")):
        chain = Chain([FixedAuthenticator("one", ANNA)], None, None, validity_of(store, clock, [other]), recorder)
        with pytest.raises(InvalidCredentialsError):
            await chain.identify(Credentials())


@pytest.mark.promise("security-S8")
async def test_a_revocation_voids_tokens_of_a_provider_whose_clock_is_ahead(
    provider: Provider,
    campus: JwtAuthenticator,
    claims: Callable[..., dict[str, Any]],
    store: MemoryStore,
    recorder: Recorder,
    clock: ManualClock,
) -> None:
    campus_identity = replace(ANNA, issuer=provider.issuer, provider="campus")
    chain = Chain([campus], None, None, validity_of(store, clock, [campus_identity]), recorder)
    ahead = bearer(provider.sign(claims(iat=clock.now() + 20, exp=clock.now() + 3600)))
    assert (await chain.identify(ahead))[0].subject == "anna"
    await store.revoke("anna", clock.now(), clock.now() + 3600)
    for _ in range(3):
        with pytest.raises(InvalidCredentialsError):
            await chain.identify(ahead)
        campus.forget()
        clock.pass_(20)


async def test_a_cached_token_is_void_at_once_after_a_revocation(
    provider: Provider,
    campus: JwtAuthenticator,
    claims: Callable[..., dict[str, Any]],
    store: MemoryStore,
    recorder: Recorder,
    clock: ManualClock,
) -> None:
    campus_identity = replace(ANNA, issuer=provider.issuer, provider="campus")
    chain = Chain([campus], None, None, validity_of(store, clock, [campus_identity]), recorder)
    offered = bearer(provider.sign(claims()))
    assert (await chain.identify(offered))[0].subject == "anna"
    await store.revoke("anna", clock.now(), clock.now() + 3600)
    with pytest.raises(InvalidCredentialsError):
        await chain.identify(offered)
    clock.pass_(31)  # the provider's clock may be 30 seconds ahead
    assert (await chain.identify(bearer(provider.sign(claims()))))[0].subject == "anna"


async def test_proofs_are_tried_in_the_order_of_the_file_then_sessions_then_service_keys(
    provider: Provider,
    campus: JwtAuthenticator,
    claims: Callable[..., dict[str, Any]],
    store: MemoryStore,
    recorder: Recorder,
    clock: ManualClock,
) -> None:
    front = HeaderAuthenticator(
        "front",
        "X-Forwarded-User",
        "X-Forwarded-Groups",
        ",",
        ("10.0.0.5/32",),
        ignored_groups=IgnoredGroups("front", clock, Recorder()),
    )
    cookie = replace(ANNA, subject="cookie")
    identities = [cookie, replace(ANNA, issuer=provider.issuer, provider="campus")]
    everybody = [*identities, replace(ANNA, issuer="front", provider="front")]
    validity = validity_of(store, clock, everybody, secrets=[SECRET])
    sessions = sessions_of(store, clock, validity)
    jar = CookieJar()
    jar.store([sessions.issue_header(cookie)])
    token = bearer(provider.sign(claims())).headers
    everything = replace(jar.credentials(sessions), headers={**token, "x-forwarded-user": "front"}, peer="10.0.0.5")

    async def subject(*order: Any, credentials: Credentials = everything) -> str:
        key = FixedAuthenticator("key", replace(cookie, subject="key"))
        return (await Chain(order, sessions, key, validity, recorder).identify(credentials))[0].subject

    assert await subject(campus, front) == "anna"
    assert await subject(front, campus) == "front"
    assert await subject(front, campus, credentials=replace(everything, peer="10.0.0.6")) == "anna"
    assert await subject(front, campus, credentials=jar.credentials(sessions)) == "cookie"
    assert await subject(front, campus, credentials=Credentials()) == "key"


async def test_sessions_work_while_the_key_provider_is_down(
    provider: Provider, campus: JwtAuthenticator, store: MemoryStore, recorder: Recorder, clock: ManualClock
) -> None:
    provider.down = True
    validity = validity_of(store, clock, [ANNA], secrets=[SECRET])
    sessions, jar = sessions_of(store, clock, validity), CookieJar()
    jar.store([sessions.issue_header(ANNA)])
    (identity,) = await Chain([campus], sessions, None, validity, recorder).identify(jar.credentials(sessions))
    assert identity.kind == "session"
    assert IdentityDecided("session", "accepted") in recorder.events
