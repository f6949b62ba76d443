"""Signed tokens in headers: what is verified, and for how long the result is cached."""

import base64
import json
import math
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.errors import InvalidCredentialsError
from gateway.events import CacheLookup, LogEvent
from gateway.identity.claims import TokenRequirements
from gateway.identity.jwks import JwksClient
from gateway.identity.jwt import JwtAuthenticator
from gateway.model import Credentials, Identity, IdentityKind
from tests.support.clock import ManualClock
from tests.support.provider import Provider, SigningKey, signing_key
from tests.support.recorder import Recorder
from tests.unit.identity.conftest import ALGORITHMS, bearer

Claims = Callable[..., dict[str, Any]]


def encoded(part: dict[str, Any] | str) -> str:
    text = part if isinstance(part, str) else json.dumps(part)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def signed_raw(provider: Provider, header: str, payload: str) -> str:
    """Returns a token with a valid signature over any text, which a library would not produce."""
    signing = f"{encoded(header)}.{encoded(payload)}"
    signature = base64.urlsafe_b64encode(provider.keys[0].private.sign(signing.encode())).rstrip(b"=").decode()
    return f"{signing}.{signature}"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_a_valid_token_identifies_the_person(
    provider: Provider, campus: JwtAuthenticator, claims: Claims, clock: ManualClock, scheme: str
) -> None:
    offered = Credentials(headers={"authorization": f"{scheme} {provider.sign(claims())}"})
    identity = await campus.authenticate(offered)
    assert identity is not None
    assert (identity.subject, identity.issuer, identity.provider) == ("anna", provider.issuer, "campus")
    assert (identity.kind, identity.groups) == ("jwt", frozenset({"supervisors"}))
    assert (identity.issued_at, identity.expires_at) == (clock.now(), clock.now() + 300)


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
async def test_a_key_without_an_alg_serves_each_algorithm_of_its_type(
    provider: Provider, campus: JwtAuthenticator, claims: Claims, algorithm: str
) -> None:
    provider.rotate("RS256" if algorithm == "PS256" else algorithm)
    assert await campus.authenticate(bearer(provider.sign(claims(), algorithm=algorithm))) is not None


@pytest.mark.parametrize("value", ["Basic YW5uYTpi", "Digest x", "Negotiate abc", "Bearer", "Bearer ", "", "rubbish"])
async def test_other_schemes_are_ignored(campus: JwtAuthenticator, value: str) -> None:
    assert await campus.authenticate(Credentials(headers={"authorization": value})) is None


async def test_a_valid_token_with_another_scheme_is_ignored(
    provider: Provider, campus: JwtAuthenticator, claims: Claims
) -> None:
    token = provider.sign(claims())
    for scheme in ("Basic", "DPoP", "Bearer,"):
        assert await campus.authenticate(Credentials(headers={"authorization": f"{scheme} {token}"})) is None


@pytest.mark.parametrize("token", ["rubbish", "a.b", "a.b.c", "a.b.c.d", "..", "\udcff.a.b", "x" * 9000])
async def test_text_that_is_not_a_token_is_ignored(campus: JwtAuthenticator, token: str) -> None:
    assert await campus.authenticate(bearer(token)) is None


async def test_a_token_of_another_issuer_is_ignored_without_a_fetch(
    provider: Provider, campus: JwtAuthenticator, claims: Claims
) -> None:
    for issuer in ("https://other.example.edu", provider.issuer + "/", provider.issuer.upper()):
        assert await campus.authenticate(bearer(provider.sign(claims(iss=issuer)))) is None
    assert not provider.request_counts


async def test_a_token_over_eight_kilobytes_is_ignored(
    provider: Provider, campus: JwtAuthenticator, claims: Claims
) -> None:
    assert await campus.authenticate(bearer(provider.sign(claims(padding="x" * 8192)))) is None


async def test_another_header_contains_the_token_without_a_scheme(
    provider: Provider, keys: JwksClient, claims: Claims, clock: ManualClock, recorder: Recorder
) -> None:
    expected = TokenRequirements(provider.issuer, "valt-gateway", ALGORITHMS, 30.0)
    access = JwtAuthenticator("access", "Cf-Access-Jwt-Assertion", expected, keys, clock, recorder)
    token = provider.sign(claims())
    assert await access.authenticate(Credentials(headers={"cf-access-jwt-assertion": token})) is not None
    assert await access.authenticate(bearer(token)) is None


async def test_subject_and_groups_come_from_the_configured_claims(
    provider: Provider, keys: JwksClient, claims: Claims, clock: ManualClock, recorder: Recorder
) -> None:
    expected = TokenRequirements(provider.issuer, "valt-gateway", ALGORITHMS, 30.0, "preferred_username", "roles")
    named = JwtAuthenticator("campus", "Authorization", expected, keys, clock, recorder)
    identity = await named.authenticate(bearer(provider.sign(claims(preferred_username="anna.s", roles="staff"))))
    assert identity is not None
    assert (identity.subject, identity.groups) == ("anna.s", frozenset({"staff"}))
    with pytest.raises(InvalidCredentialsError):
        await named.authenticate(bearer(provider.sign(claims())))


@pytest.mark.promise("security-S14")
@pytest.mark.parametrize(
    ("changes", "required", "accepted"),
    [
        ({"email_verified": True}, True, True),
        ({"email_verified": False}, True, False),
        ({"email_verified": "true"}, True, False),
        ({"email_verified": 1}, True, False),
        ({}, True, False),
        ({}, False, True),
        ({"email_verified": False}, False, True),
    ],
)
async def test_an_email_address_names_a_person_only_if_it_is_verified(
    provider: Provider,
    keys: JwksClient,
    claims: Claims,
    clock: ManualClock,
    recorder: Recorder,
    changes: dict[str, Any],
    required: bool,
    accepted: bool,
) -> None:
    expected = TokenRequirements(
        provider.issuer, "valt-gateway", ALGORITHMS, 30.0, "email", require_verified_email=required
    )
    campus = JwtAuthenticator("campus", "Authorization", expected, keys, clock, recorder)
    token = provider.sign(claims(email="anna@example.edu", **changes))
    if accepted:
        identity = await campus.authenticate(bearer(token))
        assert identity is not None
        assert identity.subject == "anna@example.edu"
    else:
        with pytest.raises(InvalidCredentialsError):
            await campus.authenticate(bearer(token))


@pytest.mark.promise("security-S18")
@pytest.mark.parametrize(
    ("lifetime", "accepted"), [(3600, True), (3630, True), (3631, False), (10 * 365 * 86400, False)]
)
async def test_a_token_valid_for_longer_than_max_lifetime_is_refused(
    provider: Provider,
    keys: JwksClient,
    claims: Claims,
    clock: ManualClock,
    recorder: Recorder,
    lifetime: int,
    accepted: bool,
) -> None:
    expected = TokenRequirements(provider.issuer, "valt-gateway", ALGORITHMS, 30.0, max_lifetime=3600.0)
    campus = JwtAuthenticator("campus", "Authorization", expected, keys, clock, recorder)
    token = provider.sign(claims(exp=int(clock.now()) + lifetime))
    if accepted:
        assert await campus.authenticate(bearer(token)) is not None
    else:
        with pytest.raises(InvalidCredentialsError):
            await campus.authenticate(bearer(token))


@pytest.mark.promise("findings-G")
async def test_algorithm_confusion_is_refused(provider: Provider, campus: JwtAuthenticator, claims: Claims) -> None:
    key = provider.rotate("RS256")
    public = key.private.public_key()
    modulus = public.public_numbers().n.to_bytes(256, "big")
    secrets = [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(key.row()).encode(),
        modulus,
    ]
    payload = encoded(claims())
    hmac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    for secret in secrets:
        signing = f"{encoded({'alg': 'HS256', 'typ': 'JWT', 'kid': key.kid})}.{payload}"
        signature = base64.urlsafe_b64encode(hmac.sign(signing.encode(), secret)).rstrip(b"=").decode()
        with pytest.raises(InvalidCredentialsError):
            await campus.authenticate(bearer(f"{signing}.{signature}"))
    for algorithm in ("none", "nOnE", "NONE", "", None, ["RS256"], {"a": 1}, 7, "rs256", "RS256 ", "HS256", "RS512"):
        for signature in ("", encoded("x" * 256)):
            token = f"{encoded({'alg': algorithm, 'kid': key.kid})}.{payload}.{signature}"
            with pytest.raises(InvalidCredentialsError):
                await campus.authenticate(bearer(token))


async def test_a_key_of_another_type_does_not_verify_a_token(
    provider: Provider, campus: JwtAuthenticator, claims: Claims
) -> None:
    published, other = provider.rotate("RS256"), signing_key("ES256")
    with pytest.raises(InvalidCredentialsError):
        await campus.authenticate(bearer(provider.sign(claims(), key=other, headers={"kid": published.kid})))


@pytest.mark.promise("findings-13")
async def test_a_key_that_is_too_short_is_refused(provider: Provider, campus: JwtAuthenticator, claims: Claims) -> None:
    weak = SigningKey("weak", "RS256", rsa.generate_private_key(public_exponent=65537, key_size=1024))
    provider.keys = [weak]
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        token = provider.sign(claims())
    with pytest.raises(InvalidCredentialsError):
        await campus.authenticate(bearer(token))


async def test_a_signature_by_another_key_is_refused(
    provider: Provider, campus: JwtAuthenticator, claims: Claims
) -> None:
    stranger = signing_key("EdDSA")
    with pytest.raises(InvalidCredentialsError):
        await campus.authenticate(bearer(provider.sign(claims(), key=stranger, headers={"kid": provider.keys[0].kid})))


def each(name: str, *values: Any) -> list[dict[str, Any]]:
    return [{name: value} for value in values]


INVALID_TIMES: tuple[Any, ...] = (None, "1800000100", [1], True, {}, math.nan, math.inf, -1, 1e308, 10**400)
WRONG = [
    *each("exp", *INVALID_TIMES, 1_799_999_970),
    *each("iat", *INVALID_TIMES, 1_800_000_031),
    *each("nbf", "soon", math.nan, 1_800_000_031),
    *each("aud", None, "another", "valt-gateway ", "valt", [], ["a", "b"], 7),
    *each("sub", None, "", 7, ["anna"], "a\nb", "a\x00", "a\x7f", " anna", "x" * 256, "a\u202eb"),
]


@pytest.mark.promise("findings-13")
@pytest.mark.parametrize(
    "changes",
    WRONG,
    ids=lambda changes: json.dumps(changes)[:40],
)
async def test_a_claim_that_is_missing_or_wrong_is_refused(
    provider: Provider, campus: JwtAuthenticator, claims: Claims, changes: dict[str, Any]
) -> None:
    with pytest.raises(InvalidCredentialsError):
        await campus.authenticate(bearer(provider.sign(claims(**changes))))


@pytest.mark.parametrize("changes", [{"exp": 1_799_999_971}, {"iat": 1_800_000_030}, {"exp": 1_800_000_300.5}])
async def test_clocks_may_differ_by_the_leeway(
    provider: Provider, campus: JwtAuthenticator, claims: Claims, changes: dict[str, Any]
) -> None:
    assert await campus.authenticate(bearer(provider.sign(claims(**changes)))) is not None


@pytest.mark.promise("security-S18")
@pytest.mark.parametrize("kind", [None, "JWT", "jwt", "at+jwt", "application/at+jwt", "AT+JWT"])
async def test_tokens_of_these_types_identify_a_person(
    provider: Provider, campus: JwtAuthenticator, claims: Claims, kind: str | None
) -> None:
    header = {"alg": "EdDSA", "kid": provider.keys[0].kid} | ({} if kind is None else {"typ": kind})
    assert await campus.authenticate(bearer(signed_raw(provider, json.dumps(header), json.dumps(claims())))) is not None


@pytest.mark.promise("security-S18")
@pytest.mark.parametrize(
    "headers",
    [
        {"typ": kind}
        for kind in (
            "logout+jwt",
            "dpop+jwt",
            "application/logout+jwt",
            "DPoP+JWT",
            "vc+jwt",
            "xat+jwt",
            "at+jwt+x",
            "x",
            "",
        )
    ]
    + [{"crit": ["exp"]}, {"crit": ["b64"], "b64": False}, {"b64": "x"}],
    ids=json.dumps,
)
async def test_other_token_types_and_critical_extensions_are_refused(
    provider: Provider, campus: JwtAuthenticator, claims: Claims, headers: dict[str, Any]
) -> None:
    header = json.dumps({"alg": "EdDSA", "kid": provider.keys[0].kid, **headers})
    with pytest.raises(InvalidCredentialsError):
        await campus.authenticate(bearer(signed_raw(provider, header, json.dumps(claims()))))


@pytest.mark.promise("findings-13")
async def test_a_token_with_a_duplicate_claim_is_ignored(
    provider: Provider, campus: JwtAuthenticator, claims: Claims
) -> None:
    header = json.dumps({"alg": "EdDSA", "kid": provider.keys[0].kid})
    twice = json.dumps(claims()).removesuffix("}") + ', "sub": "mallory"}'
    assert await campus.authenticate(bearer(signed_raw(provider, header, json.dumps(claims())))) is not None
    assert await campus.authenticate(bearer(signed_raw(provider, header, twice))) is None


async def test_a_verified_token_is_cached(
    provider: Provider, campus: JwtAuthenticator, claims: Claims, recorder: Recorder
) -> None:
    offered = bearer(provider.sign(claims()))
    first = await campus.authenticate(offered)
    assert await campus.authenticate(offered) is first
    lookups = [
        event.result for event in recorder.events if isinstance(event, CacheLookup) and event.cache == "verified"
    ]
    assert lookups == ["loaded", "hit"]


async def test_the_lookups_are_reported_as_what_they_are(
    provider: Provider, keys: JwksClient, claims: Claims, clock: ManualClock
) -> None:
    class Kinds(Recorder):
        def reporter(self, kind: type[Any]) -> Callable[[Any], None]:
            return lambda event: super(Kinds, self).on_event(event) if type(event) is kind else None

    recorder, expected = Kinds(), TokenRequirements(provider.issuer, "valt-gateway", ALGORITHMS, 30.0)
    authenticator = JwtAuthenticator("campus", "Authorization", expected, keys, clock, recorder)
    assert await authenticator.authenticate(bearer(provider.sign(claims()))) is not None
    assert CacheLookup("verified", "loaded") in recorder.events


async def test_a_cached_token_expires_with_its_exp(
    provider: Provider, campus: JwtAuthenticator, claims: Claims, clock: ManualClock
) -> None:
    offered = bearer(provider.sign(claims(exp=int(clock.now()) + 10)))
    assert await campus.authenticate(offered) is not None
    clock.pass_(41)
    with pytest.raises(InvalidCredentialsError):
        await campus.authenticate(offered)


async def test_a_cached_token_is_void_once_its_key_is_withdrawn(
    provider: Provider, campus: JwtAuthenticator, claims: Claims, clock: ManualClock
) -> None:
    old = bearer(provider.sign(claims()))
    await campus.authenticate(old)
    provider.rotate()
    clock.pass_(60)
    assert await campus.authenticate(bearer(provider.sign(claims()))) is not None
    with pytest.raises(InvalidCredentialsError):
        await campus.authenticate(old)


async def test_forget_empties_the_cache(
    provider: Provider, campus: JwtAuthenticator, claims: Claims, recorder: Recorder
) -> None:
    offered = bearer(provider.sign(claims()))
    await campus.authenticate(offered)
    campus.forget()
    recorder.events.clear()
    await campus.authenticate(offered)
    assert CacheLookup("verified", "loaded") in recorder.events


async def test_an_invalid_token_is_not_cached(provider: Provider, campus: JwtAuthenticator, claims: Claims) -> None:
    good = provider.sign(claims())
    bad = good[:-10] + ("A" * 10 if not good.endswith("A" * 10) else "B" * 10)
    for _ in range(2):
        with pytest.raises(InvalidCredentialsError):
            await campus.authenticate(bearer(bad))
    assert await campus.authenticate(bearer(good)) is not None


async def test_no_error_contains_the_token(provider: Provider, campus: JwtAuthenticator, claims: Claims) -> None:
    token = provider.sign(claims(aud="another"))
    with pytest.raises(InvalidCredentialsError) as refused:
        await campus.authenticate(bearer(token))
    assert all(part not in f"{refused.value!r}" for part in token.split("."))
    assert token not in repr(bearer(token))


async def test_an_identity_has_all_that_the_token_says(
    provider: Provider, campus: JwtAuthenticator, claims: Claims, clock: ManualClock
) -> None:
    assert await campus.authenticate(bearer(provider.sign(claims()))) == Identity(
        "anna",
        provider.issuer,
        "campus",
        IdentityKind.JWT,
        frozenset({"supervisors"}),
        issued_at=clock.now(),
        leeway=30.0,
        expires_at=clock.now() + 300,
    )


async def test_an_algorithm_that_is_not_allowed_is_refused_before_any_fetch(
    provider: Provider, campus: JwtAuthenticator, claims: Claims
) -> None:
    token = f"{encoded({'alg': 'HS256'})}.{encoded(claims())}.x"
    with pytest.raises(InvalidCredentialsError, match=r"^the token's algorithm is not allowed$"):
        await campus.authenticate(bearer(token))
    assert not provider.request_counts


@pytest.mark.parametrize(("lifetime", "seconds"), [(300, 60), (20, 20)])
async def test_a_verified_token_is_cached_for_a_minute_or_until_its_exp(
    provider: Provider,
    campus: JwtAuthenticator,
    claims: Claims,
    clock: ManualClock,
    recorder: Recorder,
    lifetime: int,
    seconds: float,
) -> None:
    token = bearer(provider.sign(claims(exp=int(clock.now()) + lifetime)))
    assert campus.cached(token) is None
    identity = await campus.authenticate(token)
    clock.pass_(seconds - 0.1)
    assert campus.cached(token) is identity
    assert campus.cached(Credentials()) is None
    clock.pass_(0.1)
    assert campus.cached(token) is None
    recorder.events.clear()
    assert await campus.authenticate(token) == identity
    assert CacheLookup("verified", "loaded") in recorder.events


async def test_values_that_are_no_groups_are_counted_for_the_operator(
    provider: Provider, campus: JwtAuthenticator, claims: Claims, recorder: Recorder
) -> None:
    await campus.authenticate(bearer(provider.sign(claims(groups=["a", "", " b"]))))
    (warning,) = [event for event in recorder.events if isinstance(event, LogEvent)]
    assert warning.level == "warning"
    assert dict(warning.fields) == {"provider": "campus", "count": "2"}


@pytest.mark.parametrize("value", ["Bearer  {} ", "bEARER {}"])
async def test_spaces_around_a_token_and_the_case_of_bearer_do_not_matter(
    provider: Provider, campus: JwtAuthenticator, claims: Claims, value: str
) -> None:
    token = value.format(provider.sign(claims()))
    assert await campus.authenticate(Credentials(headers={"authorization": token})) is not None
    tabbed = token.replace(" ", " \t", 1)
    assert await campus.authenticate(Credentials(headers={"authorization": tabbed})) is None
