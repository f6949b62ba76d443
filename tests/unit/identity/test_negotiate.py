"""Principals, and the bounds on the Kerberos library. The library itself is tried in tests/e2e/test_kerberos.py."""

import asyncio
import base64
import errno
import os
import random
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import BusyError, IdentityProviderError, InvalidCredentialsError
from gateway.identity.negotiate import AcceptedToken, NegotiateAuthenticator, is_local_fault, parse_principal
from gateway.model import Credentials, IdentityKind, Secret
from gateway.redis_url import parse_redis_url
from gateway.store.memory import MemoryStore
from gateway.store.redis import RedisStore
from tests.support.clock import ManualClock
from tests.support.generated import sequences
from tests.support.redis_server import redis_server

REALMS = ("EXAMPLE.EDU", "PARTNER.EDU")
ANNA = AcceptedToken("anna@EXAMPLE.EDU", 1_000.0, 3_600.0, "0f", b"proof")


def credentials(token: bytes = b"token", scheme: str = "Negotiate") -> Credentials:
    return Credentials(headers={"authorization": f"{scheme} {base64.b64encode(token).decode()}"})


@pytest.mark.promise("kerberos-1")
@pytest.mark.parametrize(
    ("principal", "stripped"),
    [
        ("anna@EXAMPLE.EDU", "anna"),
        ("anna@PARTNER.EDU", "anna"),
        ("Anna.Smith@EXAMPLE.EDU", "Anna.Smith"),
        ("änne@EXAMPLE.EDU", "änne"),
        ("anna/admin@EXAMPLE.EDU", "anna/admin"),
        ("PC01$@EXAMPLE.EDU", "PC01$"),
    ],
)
def test_a_principal_of_a_listed_realm_is_a_subject(principal: str, stripped: str) -> None:
    assert parse_principal(principal, REALMS, strip_realm=True) == stripped
    assert parse_principal(principal, REALMS, strip_realm=False) == principal


@pytest.mark.promise("kerberos-3")
@pytest.mark.parametrize("strip_realm", [True, False])
@pytest.mark.parametrize(
    "principal",
    [
        "",
        "anna",
        "@",
        "@EXAMPLE.EDU",
        "anna@",
        "anna@example.edu",
        "anna@EXAMPLE.EDU.",
        "anna@SUB.EXAMPLE.EDU",
        "anna@EXAMPLE.EDU@EVIL.EDU",
        "anna@EVIL.EDU@EXAMPLE.EDU",
        r"anna\@EXAMPLE.EDU@EVIL.EDU",
        r"anna\@EXAMPLE.EDU@EXAMPLE.EDU",
        r"anna@EVIL.EDU\@EXAMPLE.EDU",
        r"anna\nben@EXAMPLE.EDU",
        "anna\n@EXAMPLE.EDU",
        " anna@EXAMPLE.EDU",
        "WELLKNOWN/ANONYMOUS@EXAMPLE.EDU",
        "WELLKNOWN/ANONYMOUS@WELLKNOWN:ANONYMOUS",
        f"{'a' * 300}@EXAMPLE.EDU",
    ],
)
def test_any_other_principal_is_refused(principal: str, strip_realm: bool) -> None:
    with pytest.raises(InvalidCredentialsError):
        parse_principal(principal, REALMS, strip_realm=strip_realm)


def plain_subject(principal: str, *, strip_realm: bool) -> str | None:
    """The plain model: the subject of *principal*, or None if it is refused."""
    parts = principal.split("@")
    if len(parts) != 2 or parts[1] not in REALMS:
        return None
    name = parts[0]
    if name == "" or name.strip() != name or "\\" in name or not name.isprintable() or name.startswith("WELLKNOWN/"):
        return None
    return name if strip_realm else principal


@pytest.mark.promise("kerberos-3")
def test_generated_principals_are_the_subjects_of_the_plain_model() -> None:
    chance = random.Random(17)
    pieces = ["anna", "@", "@", "/", "\\", "EXAMPLE.EDU", "PARTNER.EDU", "EVIL.EDU", "WELLKNOWN", " ", "\n", "ü", "."]
    accepted = 0
    for _ in range(sequences(500)):
        principal = "".join(chance.choices(pieces, k=chance.randrange(1, 7)))
        if chance.random() < 0.5:
            principal += chance.choice(["@EXAMPLE.EDU", "@PARTNER.EDU", "@EVIL.EDU"])
        for strip_realm in (True, False):
            try:
                subject: str | None = parse_principal(principal, REALMS, strip_realm=strip_realm)
            except InvalidCredentialsError:
                subject = None
            assert subject == plain_subject(principal, strip_realm=strip_realm), principal
            accepted += subject is not None
    assert accepted > 20


@pytest.mark.promise("kerberos-1")
@pytest.mark.parametrize("scheme", ["Negotiate", "negotiate", "NEGOTIATE"])
async def test_the_identity_has_the_times_of_the_ticket(scheme: str) -> None:
    clock = ManualClock()
    authenticator = NegotiateAuthenticator("domain", lambda _: ANNA, REALMS, clock, MemoryStore(clock))
    identity = await authenticator.authenticate(credentials(scheme=scheme))
    assert identity is not None
    assert (identity.subject, identity.issuer, identity.provider) == ("anna", "domain", "domain")
    assert (identity.kind, identity.groups) == (IdentityKind.NEGOTIATE, frozenset())
    assert (identity.issued_at, identity.expires_at) == (1_000.0, clock.now() + 3_600.0)
    assert identity.response_token == base64.b64encode(b"proof").decode()
    assert identity.response_token not in repr(identity)


@pytest.mark.promise("kerberos-3")
async def test_of_concurrent_requests_with_one_token_one_is_accepted() -> None:
    clock = ManualClock()
    authenticator = NegotiateAuthenticator("domain", lambda _: ANNA, REALMS, clock, MemoryStore(clock))
    results = await asyncio.gather(
        *(authenticator.authenticate(credentials()) for _ in range(20)), return_exceptions=True
    )
    assert sum(isinstance(result, InvalidCredentialsError) for result in results) == 19
    other = NegotiateAuthenticator(
        "domain", lambda _: replace(ANNA, replay_key="10"), REALMS, clock, MemoryStore(clock)
    )
    assert await other.authenticate(credentials()) is not None


@pytest.mark.promise("kerberos-3")
async def test_a_token_from_before_redis_was_emptied_is_accepted_by_no_replica(tmp_path: Path) -> None:
    clock = ManualClock()

    def accept(token: bytes) -> AcceptedToken:
        return replace(ANNA, replay_key=token.hex())

    async with redis_server(tmp_path) as server, server.client() as client:
        await server.set_epoch(0.0, "test:")
        stores = [RedisStore(parse_redis_url(Secret(server.url)), "test:", clock) for _ in range(2)]
        replicas = [NegotiateAuthenticator("domain", accept, REALMS, clock, store) for store in stores]
        try:
            for store in stores:
                await store.start()
            assert await replicas[0].authenticate(credentials(b"overheard")) is not None
            await client.flushall()
            for seconds in (1, 598):
                clock.pass_(seconds)
                for replica in replicas:
                    for token in (b"overheard", b"new"):
                        with pytest.raises(BusyError):
                            await replica.authenticate(credentials(token))
            clock.pass_(12)
            assert await replicas[1].authenticate(credentials(b"newer")) is not None
            with pytest.raises(InvalidCredentialsError):
                await replicas[0].authenticate(credentials(b"newer"))
        finally:
            for store in stores:
                await store.close()


@pytest.mark.promise("kerberos-3", "operation-replicas")
async def test_while_redis_is_away_no_token_is_accepted(tmp_path: Path) -> None:
    clock = ManualClock()
    async with redis_server(tmp_path) as server:
        await server.set_epoch(0.0, "test:")
        store = RedisStore(parse_redis_url(Secret(server.url)), "test:", clock)
        replica = NegotiateAuthenticator("domain", lambda _: ANNA, REALMS, clock, store)
        try:
            await store.start()
            await server.stop()
            for _ in range(2):
                with pytest.raises(BusyError):
                    await replica.authenticate(credentials())
        finally:
            await store.close()


@pytest.mark.promise("kerberos-5")
async def test_a_library_that_hangs_is_unavailable_and_takes_no_more_than_its_threads() -> None:
    clock, go_on = ManualClock(), threading.Event()
    calls: list[bytes] = []

    def hang(token: bytes) -> AcceptedToken:
        calls.append(token)
        go_on.wait(20)
        return replace(ANNA, replay_key=token.hex())

    authenticator = NegotiateAuthenticator("domain", hang, REALMS, clock, MemoryStore(clock), timeout=0.2)
    tokens = [bytes([number]) for number in range(200)]
    try:
        waiting = (authenticator.authenticate(credentials(token)) for token in tokens)
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(result) for result in results} == {IdentityProviderError}
        assert {str(result) for result in results} == {
            "too many Kerberos tokens are waiting to be verified",
            "the Kerberos library did not verify a token in time",
        }
        assert len(calls) == 2
    finally:
        go_on.set()
    async with asyncio.timeout(5):
        while True:
            try:
                assert await authenticator.authenticate(credentials(b"later")) is not None
                return
            except IdentityProviderError:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("reason", "local"),
    [
        ("Is a directory (filename: /var/tmp/krb5_0.rcache2)", True),
        ("Permission denied", True),
        (os.strerror(errno.ESTALE), True),
        (os.strerror(errno.EDQUOT), True),
        ("Replay cache type is unknown", True),
        ("Request is a replay", False),
        ("Clock skew too great", False),
        (os.strerror(errno.EINVAL), False),
        ("Request ticket server HTTP/No such file or directory@A not found in keytab (ticket kvno 5)", False),
        ("Request ticket server eplay cache@Permission denied not found in keytab (ticket kvno 5)", False),
    ],
)
def test_only_what_a_message_begins_with_makes_it_a_fault_of_this_machine(reason: str, local: bool) -> None:
    assert is_local_fault(reason) is local
