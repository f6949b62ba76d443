"""Who is received, in which order, and what each of the three answers leads to."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from gateway.errors import IdentityProviderError, InvalidCredentialsError, MissingCredentialsError
from gateway.events import IdentityDecided
from gateway.identity.chain import Chain
from gateway.identity.header import HeaderAuthenticator
from gateway.identity.jwt import JwtAuthenticator
from gateway.identity.session import Sessions
from gateway.model import Credentials, Identity, IdentityKind, Secret
from gateway.store.memory import MemoryStore
from tests.support.clock import ManualClock
from tests.support.provider import Provider
from tests.support.recorder import Recorder
from tests.unit.identity.conftest import bearer

ANNA = Identity(subject="anna", issuer="i", provider="one", kind=IdentityKind.JWT, issued_at=100.0)


@dataclass
class FixedAuthenticator:
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


async def test_the_first_authenticator_that_recognises_its_credentials_decides(
    store: MemoryStore, recorder: Recorder
) -> None:
    one, two, three = (
        FixedAuthenticator("one", None),
        FixedAuthenticator("two", ANNA),
        FixedAuthenticator("three", replace(ANNA, subject="bob")),
    )
    assert await Chain([one, two, three], store, recorder).identify(Credentials()) is ANNA
    assert (len(one.received), len(two.received), len(three.received)) == (1, 1, 0)
    assert recorder.events == [IdentityDecided("two", "accepted")]


@pytest.mark.parametrize(
    ("error", "outcome"), [(InvalidCredentialsError(), "refused"), (IdentityProviderError(), "unavailable")]
)
async def test_after_an_error_no_further_authenticator_is_tried(
    store: MemoryStore, recorder: Recorder, error: Exception, outcome: str
) -> None:
    one, two = FixedAuthenticator("one", error), FixedAuthenticator("two", ANNA)
    with pytest.raises(type(error)):
        await Chain([one, two], store, recorder).identify(Credentials())
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
    store: MemoryStore, recorder: Recorder, credentials: Credentials
) -> None:
    with pytest.raises(InvalidCredentialsError):
        await Chain([FixedAuthenticator("one", None)], store, recorder).identify(credentials)


@pytest.mark.parametrize(
    "credentials",
    [Credentials(), Credentials(session=Secret("old"))]
    + [Credentials(headers={"authorization": value}) for value in ("Basic YTpi", "Negotiate x", "", "Bearerx y")],
)
async def test_other_schemes_and_old_cookies_count_as_no_credentials(
    store: MemoryStore, recorder: Recorder, credentials: Credentials
) -> None:
    with pytest.raises(MissingCredentialsError):
        await Chain([FixedAuthenticator("one", None)], store, recorder).identify(credentials)
    assert recorder.events == []


@pytest.mark.parametrize(("issued_at", "void"), [(99.0, True), (100.0, True), (100.5, False), (None, False)])
async def test_credentials_issued_up_to_a_revocation_are_void(
    store: MemoryStore, recorder: Recorder, clock: ManualClock, issued_at: float | None, void: bool
) -> None:
    chain = Chain([FixedAuthenticator("one", replace(ANNA, issued_at=issued_at))], store, recorder)
    await store.revoke("anna", 100.0, clock.now() + 60)
    await store.revoke("bob", clock.now(), clock.now() + 60)
    if void:
        with pytest.raises(InvalidCredentialsError):
            await chain.identify(Credentials())
        assert recorder.events == [IdentityDecided("one", "refused")]
    else:
        assert await chain.identify(Credentials()) is not None


async def test_a_cached_token_is_void_at_once_after_a_revocation(
    provider: Provider,
    campus: JwtAuthenticator,
    claims: Callable[..., dict[str, Any]],
    store: MemoryStore,
    recorder: Recorder,
    clock: ManualClock,
) -> None:
    chain, offered = Chain([campus], store, recorder), bearer(provider.sign(claims()))
    assert (await chain.identify(offered)).subject == "anna"
    await store.revoke("anna", clock.now(), clock.now() + 3600)
    with pytest.raises(InvalidCredentialsError):
        await chain.identify(offered)
    clock.pass_(1)
    assert (await chain.identify(bearer(provider.sign(claims())))).subject == "anna"


async def test_authenticators_are_tried_in_the_order_of_the_configuration(
    provider: Provider,
    campus: JwtAuthenticator,
    claims: Callable[..., dict[str, Any]],
    store: MemoryStore,
    recorder: Recorder,
    clock: ManualClock,
) -> None:
    front = HeaderAuthenticator("front", "X-Forwarded-User", "X-Forwarded-Groups", ",", ("10.0.0.5/32",))
    sessions = Sessions([Secret("s" * 32)], 100.0, 50.0, clock, store, secure=True, keep_groups=frozenset())
    token = bearer(provider.sign(claims())).headers
    cookie = sessions.read([sessions.issue_header(replace(ANNA, subject="cookie")).partition(";")[0]])
    assert cookie is not None
    everything = Credentials(headers={**token, "x-forwarded-user": "front"}, session=Secret(cookie), peer="10.0.0.5")

    async def subject(*order: Any, credentials: Credentials = everything) -> str:
        return (await Chain(order, store, recorder).identify(credentials)).subject

    assert await subject(campus, front, sessions) == "anna"
    assert await subject(front, campus, sessions) == "front"
    assert await subject(front, campus, sessions, credentials=replace(everything, peer="10.0.0.6")) == "anna"
    assert await subject(front, campus, sessions, credentials=Credentials(session=Secret(cookie))) == "cookie"


async def test_sessions_work_while_the_key_provider_is_down(
    provider: Provider, campus: JwtAuthenticator, store: MemoryStore, recorder: Recorder, clock: ManualClock
) -> None:
    provider.down = True
    sessions = Sessions([Secret("s" * 32)], 100.0, 50.0, clock, store, secure=True, keep_groups=frozenset())
    cookie = sessions.read([sessions.issue_header(ANNA).partition(";")[0]])
    assert cookie is not None
    identity = await Chain([campus, sessions], store, recorder).identify(Credentials(session=Secret(cookie)))
    assert identity.kind == "session"
    assert IdentityDecided("session", "accepted") in recorder.events
