"""Targets of identity: tokens, tickets, keys, discovery documents, cookies, and the headers of trusted proxies.

Claims are signed here after they have been changed, so that what is read after the signature is reached too.
"""

import base64
import hashlib
import hmac
import json
import re
from contextlib import suppress
from ipaddress import ip_address

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.errors import GroupsElsewhereError, IdentityProviderError, InvalidCredentialsError
from gateway.identity import claims as tokens
from gateway.identity.cookies import read_cookie, read_cookies
from gateway.identity.discovery import Endpoints, ProviderMetadata
from gateway.identity.header import HeaderAuthenticator
from gateway.identity.ignored_groups import IgnoredGroups
from gateway.identity.jwks import parse_key_set
from gateway.identity.login_state import LoginStates
from gateway.identity.logout import read_logout
from gateway.identity.negotiate import parse_principal
from gateway.identity.ticket import read_ticket
from gateway.model import Credentials, Secret
from gateway.network import UNKNOWN, TrustedNetworks, parse_hop
from gateway.sealed import SealedTokens
from gateway.web.credentials import TrustedProxies
from tests.fuzz.target import Target, field_of, lines_of, text_of
from tests.support.clock import ManualClock
from tests.support.recorder import Recorder

_NOW = 1_796_000_000.0
_SECRET = "0123456789abcdef0123456789abcdef"
_ISSUER, _AUDIENCE = "https://portal.example", "https://recordings.example"
_EXPECTED = tokens.TokenRequirements(_ISSUER, _AUDIENCE, ("HS256",), 30.0)
_TIMES = f'"iat": {_NOW:.0f}, "exp": {_NOW + 60:.0f}'
_CLAIMS = (
    f'{{"iss": "{_ISSUER}", "aud": "{_AUDIENCE}", "sub": "anna", {_TIMES}, "jti": "a", "groups": ["staff", 7]}}'
).encode()
_LOGOUT = _CLAIMS[:-1] + b', "sid": "s", "events": {"http://schemas.openid.net/event/backchannel-logout": {}}}'
_HEADER = b'{"alg":"HS256","typ":"JWT"}'

_PRIVATE = Ed25519PrivateKey.from_private_bytes(b"f" * 32)
_PUBLIC = _PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
_SIGNED = jwt.encode(
    json.loads(_CLAIMS), _PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), algorithm="EdDSA"
)
_ED25519 = tokens.TokenRequirements(_ISSUER, _AUDIENCE, ("EdDSA", "RS256", "ES256"), 30.0)
_X = base64.urlsafe_b64encode(_PRIVATE.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode().rstrip("=")
_JWKS = json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": _X, "kid": "a", "use": "sig", "alg": "EdDSA"}]})
_RSA = json.dumps({"keys": [{"kty": "RSA", "n": "u" * 342, "e": "AQAB", "kid": "b"}, {"kty": "oct", "k": "AAAA"}]})
_EC = json.dumps({"keys": [{"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "B" * 43}]})
_DISCOVERY = json.dumps(
    {
        "issuer": "https://op.example",
        "authorization_endpoint": "https://op.example/authorize",
        "token_endpoint": "https://op.example/token",
        "userinfo_endpoint": "https://op.example/userinfo",
        "end_session_endpoint": "https://op.example/logout",
        "jwks_uri": "https://op.example/jwks",
        "authorization_response_iss_parameter_supported": True,
    }
)

_TRUSTED = "10.0.0.0/8"
_PROXIES = TrustedProxies([_TRUSTED])
_SEALED = SealedTokens([Secret(_SECRET)], "session", 5)
_SESSION = _SEALED.seal({"id": "0123456789abcdef", "sub": "anna", "exp": _NOW})
_STATES = LoginStates([Secret(_SECRET)], secure=True)
_ATTEMPT, _ = _STATES.begin((), "portal", "/recordings/1", _NOW)
_NAMES = re.compile(r"__Host-valt_gateway(_[0-9a-f]{8})?")
_ACCEPTED = (InvalidCredentialsError, GroupsElsewhereError)


def _sign(data: bytes) -> tuple[str, dict[str, str]]:
    """Returns a JWT with the claims *data*, whose signature is right; with a line before them, that is the header."""
    header, separator, claims = data.partition(b"\n")
    header, claims = (header, claims) if separator else (_HEADER, data)
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in (header, claims))
    signature = base64.urlsafe_b64encode(hmac.digest(_SECRET.encode(), signed, hashlib.sha256)).rstrip(b"=")
    try:
        read = json.loads(header)
    except (ValueError, RecursionError):
        read = {}
    return (signed + b"." + signature).decode(), read if isinstance(read, dict) else {}


def foreign_token(data: bytes) -> None:
    """A token that was not signed is never accepted, however it differs from one that was."""
    token = text_of(data)
    unverified = tokens.decode_unverified(token)
    if unverified is None:
        return
    with suppress(*_ACCEPTED):
        read = tokens.verify(token, unverified[0], _PUBLIC, _ED25519, _NOW)
        assert token == _SIGNED
        assert read.subject == "anna"


def signed_token(data: bytes) -> None:
    """What a token names has the form of a name, and it is in its time; no header makes another algorithm count."""
    token, header = _sign(data)
    with suppress(*_ACCEPTED):
        read = tokens.verify(token, header, _SECRET, _EXPECTED, _NOW)
        assert header["alg"] == "HS256"
        assert read.all["iss"] == _ISSUER
        assert read.expires_at + 30 > _NOW >= read.issued_at - 30
        for name in (read.subject, *(group.removesuffix("\u2003") for group in read.groups)):
            assert 0 < len(name) <= 255
            assert name.isprintable()
    with suppress(*_ACCEPTED):
        tokens.verify_userinfo(token, header, _SECRET, _EXPECTED)


def ticket(data: bytes) -> None:
    """A ticket's lifetime and age are limited."""
    token, _ = _sign(data)
    with suppress(*_ACCEPTED):
        read = read_ticket(token, [_SECRET], _EXPECTED, 300.0, _NOW)
        assert read.expires_at - read.issued_at <= 300
        assert _NOW - read.issued_at <= 300
        assert read.all["jti"]


def logout_token(data: bytes) -> None:
    """A logout token ends something, and can be replayed no longer than it says."""
    token, header = _sign(data)
    with suppress(*_ACCEPTED):
        logout = read_logout(token, header, _SECRET, _EXPECTED, _NOW)
        assert logout.revocation_keys
        assert logout.jti
        assert logout.expires_at > _NOW


def key_set(data: bytes) -> None:
    """A JWK set yields public keys alone, at most 64, and each has a type for which an algorithm is allowed."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return
    with suppress(IdentityProviderError):
        keys = parse_key_set(document)
        assert 0 < len(keys) <= 64
        for key in keys:
            assert not hasattr(key.public, "sign")
            assert isinstance(key.kid, str | None)
            assert not key.fits("HS256")
            assert not key.fits("none")


def discovery(data: bytes) -> None:
    """An endpoint of a discovery document is an https URL that holds no character which could end a header."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return
    if not isinstance(document, dict):
        return
    with suppress(IdentityProviderError):
        endpoints = Endpoints.from_metadata(ProviderMetadata("https://op.example", document))
        for url in (endpoints.authorization, endpoints.token, endpoints.userinfo, endpoints.end_session):
            assert url is None or (url.startswith("https://") and not set("\r\n\0 ") & set(url))


def cookies(data: bytes) -> None:
    """Of two cookies of one name neither is read, and a cookie is read byte for byte."""
    headers = lines_of(data)
    for name, value in read_cookies(headers, _NAMES).items():
        assert re.fullmatch(r"[A-Za-z0-9_=-]{16,4000}", value) is not None
        assert sum(header.count(name + "=") for header in headers) >= 1
        assert any(value in header for header in headers)
        assert read_cookie([*headers, f"{name}={value}"], name) is None
        assert read_cookie([*headers, f"{name}=other"], name) is None


def sealed(data: bytes) -> None:
    """A sealed token that is accepted has the content that was sealed, and no state or session is made up."""
    text = field_of(data)
    content = _SEALED.unseal(text)
    assert content is None or content["sub"] == "anna"
    attempt = _STATES.read(text)
    assert attempt is None or attempt == _ATTEMPT
    assert not _STATES.is_redirect_loop(lines_of(data), _NOW)
    assert not _STATES.is_bound(lines_of(data), _ATTEMPT)


def forwarded_for(data: bytes) -> None:
    """Only a trusted proxy names a client, by an address in its one spelling; and none names a trusted one that is
    followed by another address."""
    values = lines_of(data)
    headers = CIMultiDictProxy(CIMultiDict(("X-Forwarded-For", value) for value in values))
    for peer in ("192.0.2.7", None, "fe80::1%eth0"):
        assert _PROXIES.client(peer, headers) == peer
    client = _PROXIES.client("10.0.0.1", headers)
    assert client is not None
    if client != UNKNOWN:
        assert str(ip_address(client)) == client == parse_hop(client)
    hops = [hop.strip(" \t") for hop in ",".join(values).split(",") if hop.strip(" \t")]
    if client not in TrustedNetworks([_TRUSTED]):
        assert client == (
            parse_hop(next(h for h in reversed(hops) if (parse_hop(h) or UNKNOWN) not in _NETWORKS)) or UNKNOWN
        )


_NETWORKS = TrustedNetworks([_TRUSTED])


def _header(groups_separator: str) -> HeaderAuthenticator:
    ignored = IgnoredGroups("proxy", ManualClock(), Recorder())
    return HeaderAuthenticator(
        "proxy",
        "X-Forwarded-User",
        "X-Groups",
        groups_separator,
        [_TRUSTED],
        "X-Secret",
        Secret(_SECRET),
        ignored_groups=ignored,
    )


_HEADER_PROVIDERS = (_header(","), _header(";"))


def proxy_headers(data: bytes) -> None:
    """A person is never named by headers of another peer than the proxy, nor without the secret."""
    subject, groups, secret = (*lines_of(data), "", "")[:3]
    headers = {"x-forwarded-user": subject, "x-groups": groups, "x-secret": secret}
    for provider in _HEADER_PROVIDERS:
        for peer in ("192.0.2.7", None):
            assert _result(provider, Credentials(headers=headers, peer=peer)) is None
        with suppress(InvalidCredentialsError):
            identity = _result(provider, Credentials(headers=headers, peer="10.0.0.1"))
            assert identity is None or secret == _SECRET
        with suppress(InvalidCredentialsError):
            identity = _result(provider, Credentials(headers={**headers, "x-secret": _SECRET}, peer="10.0.0.1"))
            if identity is not None:
                assert identity.subject == subject  # type: ignore[attr-defined]
                # What is no name ends with one space, so that a rule that refuses can compare it: see parse_groups.
                assert all(name.removesuffix("\u2003").isprintable() for name in identity.groups)  # type: ignore[attr-defined]


def _result(provider: HeaderAuthenticator, credentials: Credentials) -> object:
    """Returns what a coroutine returns that waits for nothing."""
    try:
        provider.authenticate(credentials).send(None)
    except StopIteration as stopped:
        result: object = stopped.value
        return result
    raise AssertionError("the coroutine waits")


def principal(data: bytes) -> None:
    """A Kerberos principal of another realm names nobody."""
    text = text_of(data)
    with suppress(InvalidCredentialsError):
        subject = parse_principal(text, ["EXAMPLE.ORG"], strip_realm=False)
        assert subject == text
        assert subject.endswith("@EXAMPLE.ORG")
        assert parse_principal(text, ["EXAMPLE.ORG"], strip_realm=True) == subject.removesuffix("@EXAMPLE.ORG")


_COOKIES = f"a=b; __Host-valt_gateway={_SESSION}; __Host-valt_gateway_0123abcd={'x' * 20}".encode()

TARGETS = (
    Target("foreign JWT", foreign_token, (_SIGNED.encode(), _SIGNED.encode()[:-3], b"e30.e30.")),
    Target("signed claims", signed_token, (_CLAIMS, _HEADER + b"\n" + _CLAIMS, b'{"alg":"none"}\n' + _CLAIMS)),
    Target("ticket", ticket, (_CLAIMS, _CLAIMS[:-1] + b', "recording": "12", "video": "3"}')),
    Target("logout token", logout_token, (_LOGOUT, b'{"alg":"HS256","typ":"logout+jwt"}\n' + _LOGOUT)),
    Target("JWK set", key_set, (_JWKS.encode(), _RSA.encode(), _EC.encode())),
    Target("discovery document", discovery, (_DISCOVERY.encode(),)),
    Target("cookies", cookies, (_COOKIES, b'__Host-valt_gateway="' + b"a" * 20 + b'"; b', _COOKIES + b"\n" + _COOKIES)),
    Target("sealed tokens", sealed, (_SESSION.encode(), _ATTEMPT.state.encode())),
    Target(
        "X-Forwarded-For",
        forwarded_for,
        (
            b"203.0.113.9, 10.1.2.3",
            b"[2001:db8::1]:443\n10.0.0.2:80",
            b'"[::ffff:10.0.0.1]", unknown',
            b"fe80::1%25eth0",
        ),
    ),
    Target(
        "headers of a proxy",
        proxy_headers,
        (f"anna\nstaff,a\\,b\n{_SECRET}".encode(), "ü\na;b\\;c\nx".encode(), b"(null)\n\n"),
    ),
    Target("Kerberos principal", principal, (b"anna@EXAMPLE.ORG", b"host/a@EXAMPLE.ORG", b"a\\@b@EXAMPLE.ORG")),
)
