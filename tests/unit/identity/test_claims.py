"""The checks of signed tokens, each with the reason that it states and at its exact limit. Pure."""

import base64
import json
import math
from dataclasses import replace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from gateway.errors import GatewayError, GroupsElsewhereError, InvalidCredentialsError, OutOfTimeError
from gateway.identity.claim_values import are_elsewhere, find_claim, parse_groups, parse_name, parse_time
from gateway.identity.claims import (
    MAX_TOKEN,
    Claims,
    TokenRequirements,
    algorithm_of_jwk,
    decode_unverified,
    token_type,
    verify,
    verify_signature,
    verify_userinfo,
)
from gateway.validity import void_seconds

NOW = 1_800_000_000.0
KEY = ed25519.Ed25519PrivateKey.generate()
EXPECTED = TokenRequirements("https://sso.example.edu", "valt-gateway", ("EdDSA", "ES256"), 30.0)
CLAIMS: dict[str, Any] = {
    "iss": EXPECTED.issuer,
    "aud": "valt-gateway",
    "sub": "anna",
    "iat": int(NOW),
    "exp": int(NOW) + 300,
    "groups": ["staff"],
}


def signed(claims: dict[str, Any], **header: Any) -> tuple[str, dict[str, Any]]:
    """Returns a token with *claims*, of which those that are None are left out, and its header."""
    present = {name: value for name, value in claims.items() if value is not None}
    token = jwt.encode(present, KEY, "EdDSA")
    return token, {"alg": "EdDSA", "typ": "JWT", **header}


def reason(
    changes: dict[str, Any], expected: TokenRequirements = EXPECTED, now: float = NOW, **header: Any
) -> tuple[type[GatewayError], str] | None:
    """Returns the error's class and message, or None if the token is accepted."""
    try:
        verify(*signed(CLAIMS | changes, **header), KEY.public_key(), expected, now)
    except GatewayError as error:
        return type(error), str(error)
    return None


def invalid(message: str) -> tuple[type[GatewayError], str]:
    return InvalidCredentialsError, message


def test_a_valid_token_states_person_groups_and_times() -> None:
    token, header = signed(CLAIMS | {"groups": ["staff", 7, ""]})
    verified = verify(token, header, KEY.public_key(), EXPECTED, NOW)
    groups = frozenset({"staff", "7"})
    assert verified == Claims("anna", groups, 1, NOW, NOW + 300, CLAIMS | {"groups": ["staff", 7, ""]})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"events": {}}, "the token reports an event (RFC 8417) and identifies nobody"),
        ({"sub": None}, "a name is empty, too long, or has characters that are not allowed"),
        ({"aud": "another"}, "the token is not valid: InvalidAudienceError"),
        ({"aud": None}, "the token is not valid: MissingRequiredClaimError"),
        ({"iss": "https://other"}, "the token is not valid: InvalidIssuerError"),
        ({"iss": None}, "the token is not valid: MissingRequiredClaimError"),
        ({"iat": None}, "the claim iat is not a time"),
        ({"exp": "soon"}, "the claim exp is not a time"),
        ({"nbf": "soon"}, "the claim nbf is not a time"),
    ],
)
def test_a_wrong_claim_is_refused_with_its_reason(changes: dict[str, Any], message: str) -> None:
    assert reason(changes) == invalid(message)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"typ": "logout+jwt"}, "the token has another type"),
        ({"typ": 7}, "the token's type is not a string"),
        ({"alg": "HS256"}, "the token's algorithm is not allowed"),
        ({"alg": None}, "the token's algorithm is not allowed"),
        ({"alg": "ES256"}, "the token is not valid: InvalidAlgorithmError"),
        ({"crit": []}, "the token has critical extensions"),
        ({"b64": False}, "the token has critical extensions"),
        ({"b64": None}, "the token has critical extensions"),
    ],
)
def test_a_wrong_header_is_refused_with_its_reason(header: dict[str, Any], message: str) -> None:
    assert reason({}, **header) == invalid(message)


def test_the_header_may_state_what_is_the_case_anyway() -> None:
    assert reason({}, b64=True) is None
    assert reason({}, typ="application/AT+JWT") is None


def test_claims_that_the_library_would_check_are_checked_here_alone() -> None:
    assert reason({"jti": 7}) is None
    assert reason({"sub": 7, "email": "a@b", "email_verified": True}, replace(EXPECTED, subject_claim="email")) is None
    assert reason({"nbf": int(NOW) + 30}) is None
    assert reason({"iat": 1.5, "exp": NOW + 0.5}) is None


@pytest.mark.parametrize(
    ("changes", "now", "message"),
    [
        ({}, NOW + 329.9, None),
        ({}, NOW + 330, "the token has expired"),
        ({}, NOW - 30, None),
        ({}, NOW - 30.1, "the token is not valid yet"),
        ({"iat": 0, "nbf": int(NOW)}, NOW - 30, None),
        ({"iat": 0, "nbf": int(NOW)}, NOW - 30.1, "the token is not valid yet"),
    ],
)
def test_a_token_out_of_its_time_is_refused_at_the_exact_second(
    changes: dict[str, Any], now: float, message: str | None
) -> None:
    assert reason(changes, now=now) == (None if message is None else (OutOfTimeError, message))


@pytest.mark.promise("security-S18")
def test_the_longest_lifetime_counts_from_now_and_from_the_issue_with_the_leeway() -> None:
    expected, now = replace(EXPECTED, max_lifetime=100.0), int(NOW)
    longer = invalid("the token is valid for longer than max_lifetime")
    assert reason({"iat": now, "exp": now + 130}, expected) is None
    assert reason({"iat": now, "exp": now + 131}, expected) == longer
    assert reason({"iat": now + 20, "exp": now + 131}, expected) == longer
    assert reason({"iat": now - 120, "exp": now + 10}, expected) is None
    assert reason({"iat": now - 121, "exp": now + 10}, expected) == longer  # only at its end it was within it


def test_no_token_that_is_accepted_outlives_what_is_stored_of_a_revocation() -> None:
    day = 24 * 3600
    for lifetime in (day, 40 * day, 365 * day):
        expected = replace(EXPECTED, max_lifetime=float(lifetime))
        for exp in range(day, 800 * day, day):
            last = int(NOW) + exp - 1  # the token, issued and revoked at NOW, is presented for the last time
            if reason({"iat": int(NOW), "exp": int(NOW) + exp}, expected, now=float(last)) is None:
                assert last < NOW + void_seconds(lifetime)


def test_an_email_address_must_be_verified_if_it_names_the_person() -> None:
    expected = replace(EXPECTED, subject_claim="email")
    unverified = invalid("the e-mail address is not verified (email_verified)")
    assert reason({"email": "a@b"}, expected) == unverified
    assert reason({"email": "a@b", "email_verified": 1}, expected) == unverified
    assert reason({"email": "a@b", "email_verified": True}, expected) is None
    assert reason({"email": "a@b"}, replace(expected, require_verified_email=False)) is None
    assert reason({"email_verified": False}) is None


def test_groups_that_are_elsewhere_are_an_error_that_says_what_to_configure() -> None:
    assert reason({"groups": None, "hasgroups": True}) == (
        GroupsElsewhereError,
        "the token has too many groups to list them (_claim_names, hasgroups): configure the provider to send "
        'only groups assigned to the application, or app roles with groups_claim = "roles"',
    )


def test_a_signature_is_verified_for_a_token_of_any_type() -> None:
    token, header = signed(CLAIMS, typ="logout+jwt")
    assert verify_signature(token, header, KEY.public_key(), EXPECTED, NOW) == CLAIMS
    with pytest.raises(InvalidCredentialsError, match=r"^the token is not valid: InvalidSignatureError$") as refused:
        verify_signature(token, header, ed25519.Ed25519PrivateKey.generate().public_key(), EXPECTED, NOW)
    assert refused.value.__suppress_context__
    with pytest.raises(InvalidCredentialsError, match=r"^the token is not valid: "):
        verify_signature(token, header, "no key", EXPECTED, NOW)


def test_the_algorithm_of_a_jwk_is_the_one_that_tokens_of_its_key_name() -> None:
    assert algorithm_of_jwk({"kty": "OKP", "alg": "Ed25519"}) == "EdDSA"  # RFC 9864
    assert algorithm_of_jwk({"kty": "OKP", "alg": "EdDSA"}) == "EdDSA"
    assert algorithm_of_jwk({"kty": "EC", "alg": "ES256"}) == "ES256"
    assert algorithm_of_jwk({"kty": "OKP"}) is None


def test_a_key_that_is_shorter_than_its_algorithm_demands_is_refused() -> None:
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        token = jwt.encode(CLAIMS, short, "RS256")
    with pytest.raises(InvalidCredentialsError, match=r"^the token is not valid: InvalidKeyError$"):
        verify(token, {"alg": "RS256"}, short.public_key(), replace(EXPECTED, algorithms=("RS256",)), NOW)


def userinfo(changes: dict[str, Any], **header: Any) -> Any:
    """Returns the claims of a userinfo response without times, or the error's message."""
    try:
        return verify_userinfo(*signed({"sub": "anna"} | changes, **header), KEY.public_key(), EXPECTED)
    except InvalidCredentialsError as error:
        return str(error)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"iss": EXPECTED.issuer},
        {"aud": "valt-gateway"},
        {"aud": ["other", "valt-gateway"]},
        {"exp": 1, "iat": int(NOW) * 2, "nbf": int(NOW) * 2},
    ],
)
def test_a_userinfo_needs_neither_issuer_nor_audience_nor_times(changes: dict[str, Any]) -> None:
    assert userinfo(changes) == {"sub": "anna"} | changes
    assert userinfo(changes, b64=True) == {"sub": "anna"} | changes


@pytest.mark.parametrize(
    "changes", [{"iss": "https://other"}, {"aud": "other"}, {"aud": "valt-gateway-2"}, {"aud": ["other"]}, {"aud": []}]
)
def test_a_userinfo_of_another_issuer_or_audience_is_refused(changes: dict[str, Any]) -> None:
    assert userinfo(changes) == "the userinfo has another issuer or audience"


@pytest.mark.parametrize("header", [{"alg": "HS256"}, {"crit": ["x"]}, {"b64": False}, {"b64": None}])
def test_a_userinfo_of_another_algorithm_or_with_extensions_is_refused(header: dict[str, Any]) -> None:
    assert userinfo({}, **header) == "the userinfo's algorithm is not allowed, or it has critical extensions"


def test_a_userinfo_with_a_wrong_signature_is_refused() -> None:
    token, header = signed({"sub": "anna"})
    with pytest.raises(InvalidCredentialsError, match=r"^the userinfo is not valid: InvalidSignatureError$") as refused:
        verify_userinfo(token, header, ed25519.Ed25519PrivateKey.generate().public_key(), EXPECTED)
    assert refused.value.__suppress_context__
    assert userinfo({}, alg="ES256") == "the userinfo is not valid: InvalidAlgorithmError"


def part(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def test_the_longest_text_that_is_read_as_a_token_is_exactly_so_long() -> None:
    start = f"{part({'a': 1})}.{part({'b': 2})}."
    longest = start + "x" * (MAX_TOKEN - len(start))
    assert decode_unverified(longest) == ({"a": 1}, {"b": 2})
    assert decode_unverified(longest + "x") is None
    assert decode_unverified(longest + "x", longest=MAX_TOKEN + 1) == ({"a": 1}, {"b": 2})


TWICE, TWICE_INSIDE, DEEP, CUT = '{"a": 1, "a": 1}', '{"a": {"b": 1, "b": 2}}', "[" * 100_000, "{"


@pytest.mark.parametrize(
    "token",
    [
        f"{part({})}.{part({})}",
        f"{part({})}.{part({})}.x.x",
        f"{part([])}.{part({})}.x",
        f"{part({})}.{part([])}.x",
        f"{part({})}.{part({})}.ä",
        f"{part(CUT)}.{part({})}.x",
        f"{part({})}=.{part({})}.x",
        f"{part({})}\n.{part({})}.x",
        f"e31.{part({})}.x",  # {} in another spelling: its last bits are not zero
        f"{part({})}.{part(TWICE)}.x",
        f"{part({})}.{part(TWICE_INSIDE)}.x",
        f"{part({})}.{part(DEEP)}.x",
    ],
)
def test_text_that_is_not_one_token_in_its_only_spelling_is_none(token: str) -> None:
    assert decode_unverified(token, longest=1_000_000) is None


def test_a_part_of_any_length_is_decoded() -> None:
    for length in range(8):
        claims = {"a": "x" * length}
        assert decode_unverified(f"{part(claims)}.{part(claims)}.x") == (claims, claims)


@pytest.mark.parametrize(
    ("header", "expected"),
    [({}, "jwt"), ({"typ": "application/DPoP+JWT"}, "dpop+jwt"), ({"typ": "x/jwt"}, "x/jwt"), ({"typ": ""}, "")],
)
def test_the_type_of_a_token_is_in_lower_case_without_its_prefix(header: dict[str, Any], expected: str) -> None:
    assert token_type(header) == expected


def test_a_name_has_one_to_255_printable_characters_without_surrounding_spaces() -> None:
    for name in ("a", "x" * 255, "Anna Öz", "a b", "日本"):
        assert parse_name(name) == name
    for value in ("", "x" * 256, " a", "a ", "a\n", "a\x00b", "a\u2028b", None, 7, ["a"], b"a"):
        with pytest.raises(InvalidCredentialsError, match=r"^a name is empty, too long, or has characters that are"):
            parse_name(value)


@pytest.mark.parametrize(
    ("value", "groups", "ignored"),
    [
        (None, set(), 0),
        ("staff", {"staff"}, 0),
        ([], set(), 0),
        (["a", "b", "a"], {"a", "b"}, 0),
        (["a", "", None, True, {}, ["b"], "x" * 256], {"a"}, 6),
        ([" c", "c", "\ufeffd\u00a0", "\u200b"], {"c", "c\u2003", "d\u2003"}, 3),
        ([7, 1.5, 0, -3], {"7", "1.5", "0", "-3"}, 0),
        ([math.inf, math.nan, 10**255, -(10**255), int(1e255)], set(), 5),
        ([10**254], {str(10**254)}, 0),
        (7, {"7"}, 0),
        ({"a": 1}, set(), 1),
    ],
)
def test_what_is_no_name_of_a_group_is_counted_and_harms_no_other(value: Any, groups: set[str], ignored: int) -> None:
    assert parse_groups(value) == (frozenset(groups), ignored)


@pytest.mark.parametrize(
    ("claims", "path", "value"),
    [
        ({"groups": 1}, "groups", 1),
        ({"a.b": 1, "a": {"b": 2}}, "a.b", 1),
        ({"a": {"b": 2}}, "a.b", 2),
        ({"a": {"b.c": 3}}, "a.b.c", 3),
        ({"a.b": {"c": 4}}, "a.b.c", 4),
        ({"a": {"b": {}}, "a.b": {"c": 5}}, "a.b.c", 5),
        ({"a": {"b": None}, "a.b": None}, "a.b", None),
        ({"a": 1}, "a.b", None),
        ({"a": "b"}, "a.b", None),
        ({}, "a.b", None),
        ({"a": {"": 6}}, "a.", 6),
    ],
)
def test_a_claim_has_a_name_or_a_dotted_path(claims: dict[str, Any], path: str, value: Any) -> None:
    assert find_claim(claims, path) == value


@pytest.mark.parametrize(
    ("claims", "name", "elsewhere"),
    [
        ({}, "groups", False),
        ({"groups": ["a"], "hasgroups": True, "_claim_names": {"groups": "s"}}, "groups", False),
        ({"groups": [], "hasgroups": True}, "groups", True),
        ({"groups": "", "hasgroups": "TRUE"}, "groups", True),
        ({"hasgroups": "false"}, "groups", False),
        ({"hasgroups": True}, "roles", False),
        ({"_claim_names": {"groups": "s"}}, "groups", True),
        ({"_claim_names": {"a": "s"}}, "a.b", True),
        ({"_claim_names": {"a": "s"}}, "ab", False),
        ({"_claim_names": {"groups": "s"}}, "roles", False),
        ({"_claim_names": ["groups"]}, "groups", False),
        ({"groups": "s", "_claim_sources": {"s": {}}}, "groups", True),
        ({"groups": "s", "_claim_sources": {"t": {}}}, "groups", False),
        ({"groups": "s", "_claim_sources": ["s"]}, "groups", False),
        ({"groups": "s"}, "groups", False),
        ({"groups": ["s"], "_claim_sources": {"s": {}}}, "groups", False),
    ],
)
def test_groups_are_elsewhere_if_a_provider_says_so_in_its_way(
    claims: dict[str, Any], name: str, elsewhere: bool
) -> None:
    assert are_elsewhere(claims, name) is elsewhere


def test_a_time_is_a_number_from_zero_to_a_hundred_billion() -> None:
    for value in (0, 1, 1.5, 99_999_999_999):
        time = parse_time({"exp": value}, "exp")
        assert (time, type(time)) == (value, float)
    for other in (-1, -0.001, 100_000_000_000, math.nan, math.inf, True, False, "1", None, [1]):
        with pytest.raises(InvalidCredentialsError, match=r"^the claim exp is not a time$"):
            parse_time({"exp": other}, "exp")
