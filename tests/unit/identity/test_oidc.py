"""Browser sign-in at an OpenID provider: which responses and tokens are accepted."""

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import BasicAuth, web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pytest_aiohttp.plugin import AiohttpServer
from yarl import URL

from gateway.errors import (
    GroupsElsewhereError,
    IdentityProviderError,
    SignInCirclesError,
    SignInDeclinedError,
    SignInFailedError,
)
from gateway.events import IdentityDecided, LogEvent
from gateway.identity.claims import TokenRequirements
from gateway.identity.discovery import EndpointsClient
from gateway.identity.jwks import JwksClient
from gateway.identity.login_state import LoginStates
from gateway.identity.oidc import OidcProvider
from gateway.identity.sign_in import SignIn
from gateway.identity.token_endpoint import Client, TokenEndpoint
from gateway.model import Identity, Secret
from gateway.store.memory import MemoryStore
from tests.support.clock import ManualClock
from tests.support.cookie_jar import CookieJar
from tests.support.provider import Provider, signing_key
from tests.support.recorder import Recorder

SECRETS = (Secret("the session's secret, of enough characters"),)
PUBLIC = "http://localhost:8080"
CLIENT_SECRET = "a secret: with %, + and ü"
LINK = "/recordings/a/videos/b?t=90"


@dataclass
class TokenServer:
    """The token and userinfo endpoints. They return *tokens* and *userinfo*, and record the requests."""

    url: str = ""
    tokens: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    userinfo_status: int = 200
    signed_userinfo: str = ""
    rubbish: bytes | None = None
    forms: list[dict[str, str]] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_post("/token", self._token)
        application.router.add_get("/userinfo", self._userinfo)
        return application

    async def _token(self, request: web.Request) -> web.Response:
        self.forms.append({name: str(value) for name, value in (await request.post()).items()})
        self.authorizations.append(request.headers.get("Authorization"))
        if self.rubbish is not None:
            return web.Response(body=self.rubbish)
        return web.json_response(self.tokens, status=self.status)

    async def _userinfo(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer the-access-token"
        if self.userinfo_status != 200:
            return web.Response(status=self.userinfo_status, text="<html>")
        if self.signed_userinfo:
            return web.Response(text=self.signed_userinfo, content_type="application/jwt")
        return web.json_response(self.userinfo)


@dataclass
class Browser:
    """Stores the login state cookie, begins sign-ins and delivers authorization responses."""

    sign_in: SignIn
    provider: Provider
    tokens: TokenServer
    clock: ManualClock
    cookie: str = ""

    async def begin(self, rd: str = LINK) -> URL:
        address, headers = await self.sign_in.begin([self.cookie], "campus-login", rd)
        self.store(headers)
        return URL(address)

    def set_claims(self, url: URL, **changes: Any) -> None:
        """Set the ID token of the next sign-in. An argument replaces a claim, and None omits it."""
        now = int(self.clock.now())
        usual = {
            "iss": self.provider.issuer,
            "aud": "valt-gateway",
            "sub": "anna",
            "groups": ["supervisors"],
            "nonce": url.query["nonce"],
            "iat": now,
            "exp": now + 300,
        }
        claims = {name: value for name, value in {**usual, **changes}.items() if value is not None}
        self.set_id_token(self.provider.sign(claims))

    def set_id_token(self, id_token: Any) -> None:
        self.tokens.tokens = {"token_type": "Bearer", "access_token": "the-access-token", "id_token": id_token}

    async def finish(self, url: URL, **changes: str | None) -> tuple[Identity, str]:
        usual = {"state": url.query["state"], "code": "the-code", "iss": self.provider.issuer}
        answer = {name: value for name, value in {**usual, **changes}.items() if value is not None}
        identity, rd, headers = await self.sign_in.finish([self.cookie], answer)
        self.store(headers)
        return identity, rd

    def store(self, headers: list[str]) -> None:
        """Applies Set-Cookie headers."""
        jar = CookieJar(dict(pair.split("=", 1) for pair in self.cookie.split("; ") if pair))
        jar.store(headers)
        self.cookie = jar.header


BrowserFactory = Callable[..., Browser]


@pytest.fixture
async def tokens(provider: Provider, aiohttp_server: AiohttpServer) -> TokenServer:
    tokens = TokenServer()
    server = await aiohttp_server(tokens.application())
    tokens.url = str(server.make_url("/token"))
    provider.discovery = {
        "authorization_endpoint": f"{provider.issuer}/authorize?tenant=campus",
        "token_endpoint": tokens.url,
        "userinfo_endpoint": str(server.make_url("/userinfo")),
        "authorization_response_iss_parameter_supported": True,
    }
    return tokens


@pytest.fixture
def make_browser(
    provider: Provider,
    tokens: TokenServer,
    keys: JwksClient,
    client: aiohttp.ClientSession,
    clock: ManualClock,
    recorder: Recorder,
) -> BrowserFactory:
    def build(
        auth: str = "client_secret_basic",
        private_key: str | None = None,
        subject_claim: str = "sub",
        groups_claim: str = "groups",
    ) -> Browser:
        secret = Secret(CLIENT_SECRET) if auth.startswith("client_secret") else None
        registration = Client(
            "valt-gateway",
            auth,
            secret,
            None if private_key is None else Secret(private_key),
            ("openid", "groups"),
            f"{PUBLIC}/oauth2/callback",
        )
        expected = TokenRequirements(
            provider.issuer, "valt-gateway", ("EdDSA", "RS256"), 30.0, subject_claim, groups_claim
        )
        endpoints = EndpointsClient(provider.issuer, client, clock)
        flow = OidcProvider(
            "campus-login",
            expected,
            TokenEndpoint("campus-login", registration, client, clock, recorder),
            endpoints,
            keys,
            clock,
        )
        states, store = LoginStates(SECRETS, secure=True), MemoryStore(clock)
        return Browser(SignIn([flow], states, clock, recorder, store, 3600.0), provider, tokens, clock)

    return build


@pytest.fixture
def browser(make_browser: BrowserFactory) -> Browser:
    return make_browser()


@pytest.mark.promise("sign-in-2")
async def test_a_sign_in_uses_a_code_with_pkce_and_returns_to_the_link(browser: Browser) -> None:
    url = await browser.begin()
    assert dict(url.query) == {
        "tenant": "campus",
        "response_type": "code",
        "client_id": "valt-gateway",
        "redirect_uri": f"{PUBLIC}/oauth2/callback",
        "scope": "openid groups",
        "state": url.query["state"],
        "nonce": url.query["nonce"],
        "code_challenge": url.query["code_challenge"],
        "code_challenge_method": "S256",
    }
    browser.set_claims(url)
    identity, rd = await browser.finish(url)
    assert (identity.subject, identity.groups, identity.kind) == ("anna", frozenset({"supervisors"}), "oidc")
    assert rd == LINK
    form = browser.tokens.forms[0]
    hashed = hashlib.sha256(form["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(hashed).rstrip(b"=").decode() == url.query["code_challenge"]


@pytest.mark.promise("sign-in-16")
async def test_a_state_is_valid_once_and_only_in_its_browser(browser: Browser, make_browser: BrowserFactory) -> None:
    url = await browser.begin()
    browser.set_claims(url)
    with pytest.raises(SignInFailedError):
        await make_browser().finish(url)
    for state in ("forged", "", url.query["state"][:-1], url.query["state"] + "A", "ü", None):
        with pytest.raises(SignInFailedError):
            await browser.finish(url, state=state)
    assert browser.tokens.forms == []  # no code is sent for a response that belongs to no sign-in
    await browser.finish(url)
    with pytest.raises(SignInFailedError):
        await browser.finish(url)


async def test_a_sign_in_expires_after_ten_minutes(browser: Browser) -> None:
    url = await browser.begin()
    browser.clock.pass_(601)
    browser.set_claims(url)
    with pytest.raises(SignInFailedError):
        await browser.finish(url)


@pytest.mark.promise("sign-in-6")
async def test_a_response_of_another_issuer_or_of_none_is_refused(browser: Browser) -> None:
    url = await browser.begin()
    browser.set_claims(url)
    for issuer in ("https://evil.test", "", None, browser.provider.issuer + "/"):
        with pytest.raises(SignInFailedError):
            await browser.finish(url, iss=issuer)
    assert browser.tokens.forms == []


@pytest.mark.promise("sign-in-3")
@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.test"},
        {"aud": "another-client"},
        {"aud": ["valt-gateway", "another-client"]},
        {"aud": ["valt-gateway", "another-client"], "azp": "another-client"},
        {"azp": "another-client"},
        {"nonce": "of another sign-in"},
        {"nonce": "ü"},
        {"nonce": "\ud800"},
        {"nonce": None},
        {"nonce": ["a"]},
        {"sub": None},
        {"sub": ""},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"iat": 4_000_000_000},
        {"iat": None},
        {"nbf": 4_000_000_000},
        {"at_hash": "of another token"},
    ],
    ids=str,
)
async def test_an_id_token_with_a_wrong_claim_is_refused(browser: Browser, changes: dict[str, Any]) -> None:
    url = await browser.begin()
    browser.set_claims(url, **changes)
    with pytest.raises(SignInFailedError):
        await browser.finish(url)


@pytest.mark.promise("sign-in-3")
async def test_an_id_token_with_a_wrong_signature_is_refused(
    browser: Browser,
) -> None:
    url = await browser.begin()
    browser.set_claims(url)
    good = browser.tokens.tokens["id_token"]
    claims = jwt.decode(good, options={"verify_signature": False})
    header = jwt.get_unverified_header(good)
    pinned_out = signing_key("ES256")
    browser.provider.keys.append(pinned_out)
    forged = [
        jwt.encode(claims, Ed25519PrivateKey.generate(), algorithm="EdDSA", headers={"kid": header["kid"]}),
        jwt.encode(claims, "", algorithm="none", headers={"kid": header["kid"]}),
        jwt.encode(claims, CLIENT_SECRET * 2, algorithm="HS256", headers={"kid": header["kid"]}),
        browser.provider.sign(claims, key=pinned_out),
        browser.provider.sign(claims, headers={"typ": "logout+jwt"}),
        good[:-2],
        good.rpartition(".")[0] + ".",
        "",
        None,
        {"a": 1},
    ]
    for token in forged:
        browser.set_id_token(token)
        with pytest.raises(SignInFailedError):
            await browser.finish(url)


@pytest.mark.promise("sign-in-3")
async def test_correct_at_hash_and_azp_are_accepted(browser: Browser) -> None:
    url = await browser.begin()
    half = hashlib.sha512(b"the-access-token").digest()[:32]
    at_hash = base64.urlsafe_b64encode(half).rstrip(b"=").decode()
    browser.set_claims(url, at_hash=at_hash, aud=["valt-gateway", "another"], azp="valt-gateway")
    assert (await browser.finish(url))[0].subject == "anna"


async def test_lone_surrogates_of_a_provider_are_no_internal_error(browser: Browser) -> None:
    url = await browser.begin()
    browser.set_claims(url, sid="\udc00")
    assert (await browser.finish(url))[0].subject == "anna"
    url = await browser.begin()
    browser.set_claims(url, at_hash="x")
    browser.tokens.tokens["access_token"] = "\ud800"
    with pytest.raises(SignInFailedError):
        await browser.finish(url)


@pytest.mark.promise("sign-in-4")
async def test_missing_claims_come_from_userinfo_of_the_same_subject(browser: Browser) -> None:
    url = await browser.begin()
    browser.set_claims(url, groups=None)
    browser.tokens.userinfo = {"sub": "mallory", "groups": ["supervisors"]}
    with pytest.raises(SignInFailedError):
        await browser.finish(url)
    url = await browser.begin()
    browser.set_claims(url, groups=None)
    browser.tokens.userinfo = {"sub": "anna", "groups": ["supervisors"]}
    assert (await browser.finish(url))[0].groups == {"supervisors"}


SOURCES = {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.test/"}}}
ELSEWHERE: list[dict[str, Any]] = [
    SOURCES,
    {**SOURCES, "groups": "src1"},
    {"groups": "src1", "_claim_sources": SOURCES["_claim_sources"]},
    {"hasgroups": True},
    {"hasgroups": "true"},
]


@pytest.mark.promise("sign-in-4", "identity-I9")
@pytest.mark.parametrize("elsewhere", ELSEWHERE)
async def test_groups_that_the_id_token_has_elsewhere_come_from_userinfo_or_are_denied(
    browser: Browser, elsewhere: dict[str, Any]
) -> None:
    answers: list[tuple[int, dict[str, Any], set[str] | None]] = [
        (200, {"groups": ["supervisors"]}, {"supervisors"}),
        (200, {"groups": []}, set()),
        (200, {"groups": ["supervisors"], "hasgroups": True}, {"supervisors"}),
        (200, {}, None),
        (200, {"groups": None}, None),
        (200, {"groups": "src1", "_claim_sources": SOURCES["_claim_sources"]}, None),
        (403, {}, None),
    ]
    for status, userinfo, groups in answers:
        browser.clock.pass_(61)
        url = await browser.begin()
        browser.set_claims(url, **{"groups": None, **elsewhere})
        browser.tokens.userinfo_status, browser.tokens.userinfo = status, {"sub": "anna", **userinfo}
        if groups is None:
            with pytest.raises(GroupsElsewhereError):
                await browser.finish(url)
        else:
            assert (await browser.finish(url))[0].groups == groups, userinfo


@pytest.mark.promise("sign-in-4", "identity-I8")
async def test_a_dotted_path_is_looked_for_in_userinfo_below_a_claim_that_both_have(
    make_browser: BrowserFactory,
) -> None:
    browser = make_browser(groups_claim="resource_access.recordings.roles")
    url = await browser.begin()
    browser.set_claims(url, resource_access={"account": {"roles": ["view-profile"]}})
    browser.tokens.userinfo = {"sub": "anna", "resource_access": {"recordings": {"roles": ["viewer"]}}}
    assert (await browser.finish(url))[0].groups == {"viewer"}


@pytest.mark.parametrize(
    ("id_token", "userinfo", "accepted"),
    [
        ({"email": "anna@example.edu", "email_verified": True}, {}, True),
        ({"email": "anna@example.edu", "email_verified": False}, {"email_verified": True}, False),
        ({"email": "anna@example.edu"}, {"email": "anna@example.edu", "email_verified": True}, True),
        ({"email": "anna@example.edu"}, {"email": "mallory@example.edu", "email_verified": True}, False),
        ({}, {"email": "anna@example.edu", "email_verified": True}, True),
        ({}, {"email": "anna@example.edu", "email_verified": False}, False),
        ({}, {"email": "anna@example.edu"}, False),
        ({"email_verified": True}, {"email": "anna@example.edu"}, False),
        ({"email_verified": True}, {"email": "anna@example.edu", "email_verified": False}, False),
        ({"email_verified": False}, {"email": "anna@example.edu", "email_verified": True}, True),
        ({"email": "anna@example.edu", "email_verified": True}, {"email_verified": False, "groups": []}, True),
    ],
)
async def test_an_email_address_as_subject_must_be_verified_by_the_same_source(
    make_browser: BrowserFactory, id_token: dict[str, Any], userinfo: dict[str, Any], accepted: bool
) -> None:
    browser = make_browser(subject_claim="email")
    url = await browser.begin()
    browser.set_claims(url, **id_token)
    browser.tokens.userinfo = {"sub": "anna", **userinfo}
    if accepted:
        assert (await browser.finish(url))[0].subject == "anna@example.edu"
    else:
        with pytest.raises(SignInFailedError):
            await browser.finish(url)


@pytest.mark.promise("identity-I11")
@pytest.mark.parametrize("status", [401, 403])
async def test_without_userinfo_the_id_token_suffices(browser: Browser, status: int) -> None:
    url = await browser.begin()
    browser.set_claims(url, groups=None)
    browser.tokens.userinfo_status = status
    identity, _ = await browser.finish(url)
    assert (identity.subject, identity.groups) == ("anna", frozenset())


@pytest.mark.promise("identity-I11")
async def test_userinfo_with_only_the_subject_adds_nothing(browser: Browser) -> None:
    url = await browser.begin()
    browser.set_claims(url, groups=None)
    browser.tokens.userinfo = {"sub": "anna"}
    assert (await browser.finish(url))[0].subject == "anna"


@pytest.mark.promise("identity-I11")
async def test_a_signed_userinfo_is_verified(browser: Browser) -> None:
    good = {"sub": "anna", "groups": ["supervisors"]}
    stranger = signing_key("EdDSA")
    stranger.kid = browser.provider.keys[0].kid
    for token, accepted in (
        (browser.provider.sign(good), True),
        (browser.provider.sign({**good, "iss": browser.provider.issuer, "aud": ["valt-gateway"]}), True),
        (browser.provider.sign(good, key=stranger), False),
        (browser.provider.sign({**good, "iss": "https://evil.test"}), False),
        (browser.provider.sign({**good, "aud": "another"}), False),
        (browser.provider.sign({**good, "sub": "mallory"}), False),
        (jwt.encode(good, "", algorithm="none"), False),
        ("rubbish", False),
    ):
        browser.clock.pass_(61)
        url = await browser.begin()
        browser.set_claims(url, groups=None)
        browser.tokens.signed_userinfo = token
        if accepted:
            assert (await browser.finish(url))[0].groups == {"supervisors"}
        else:
            with pytest.raises(SignInFailedError):
                await browser.finish(url)


@pytest.mark.promise("sign-in-5")
async def test_a_client_secret_is_sent_in_the_header_or_the_form(
    make_browser: BrowserFactory, tokens: TokenServer
) -> None:
    for browser in (make_browser("client_secret_basic"), make_browser("client_secret_post"), make_browser("none")):
        url = await browser.begin()
        browser.set_claims(url)
        await browser.finish(url)
    basic, post, none = tokens.forms
    sent = BasicAuth.decode(tokens.authorizations[0] or "")
    assert (sent.login, sent.password) == ("valt-gateway", "a%20secret%3A%20with%20%25%2C%20%2B%20and%20%C3%BC")
    assert "client_secret" not in basic
    assert post["client_secret"] == CLIENT_SECRET
    assert none["client_id"] == "valt-gateway"
    assert "client_secret" not in none
    assert tokens.authorizations[1:] == [None, None]


@pytest.mark.promise("sign-in-5")
async def test_a_private_key_signs_a_client_assertion_valid_for_a_minute(make_browser: BrowserFactory) -> None:
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    browser = make_browser("private_key_jwt", pem)
    url = await browser.begin()
    browser.set_claims(url)
    await browser.finish(url)
    assertion = jwt.decode(
        browser.tokens.forms[0]["client_assertion"],
        key.public_key(),
        ["EdDSA"],
        options={"verify_aud": False, "verify_exp": False, "verify_iat": False},
    )
    assert (assertion["iss"], assertion["sub"], assertion["aud"]) == (
        "valt-gateway",
        "valt-gateway",
        browser.tokens.url,
    )
    assert assertion["exp"] - assertion["iat"] == 60
    assert assertion["jti"]


async def test_a_code_that_the_provider_refuses_fails_the_sign_in(browser: Browser) -> None:
    url = await browser.begin()
    browser.set_claims(url)
    browser.tokens.status, browser.tokens.tokens = 400, {"error": "invalid_grant"}
    with pytest.raises(SignInFailedError):
        await browser.finish(url)


@pytest.mark.parametrize("bad", ["rubbish", "500"])
async def test_a_failing_provider_is_a_provider_error(browser: Browser, bad: str) -> None:
    url = await browser.begin()
    browser.set_claims(url)
    browser.tokens.rubbish = b"<html>" if bad == "rubbish" else None
    browser.tokens.status = 500
    with pytest.raises(IdentityProviderError):
        await browser.finish(url)


async def test_a_provider_that_is_down_is_retried_every_five_seconds(
    browser: Browser,
) -> None:
    browser.provider.down = True
    for _ in range(3):
        with pytest.raises(IdentityProviderError):
            await browser.begin()
    assert browser.provider.request_counts["/.well-known/openid-configuration"] == 1
    browser.provider.down = False
    browser.clock.pass_(5)
    assert (await browser.begin()).path == "/authorize"


async def test_no_sign_in_begins_at_a_provider_that_went_down(
    browser: Browser,
) -> None:
    url = await browser.begin()
    browser.set_claims(url)
    browser.provider.down = True
    browser.clock.pass_(31)
    with pytest.raises(IdentityProviderError):
        await browser.begin()
    browser.provider.down = False
    assert (await browser.finish(url))[0].subject == "anna"
    browser.clock.pass_(5)
    await browser.begin()


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://evil.test"},
        {"token_endpoint": None},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"userinfo_endpoint": 7},
    ],
    ids=str,
)
async def test_an_invalid_discovery_document_is_refused(browser: Browser, change: dict[str, Any]) -> None:
    browser.provider.discovery |= change
    with pytest.raises(IdentityProviderError):
        await browser.begin()


@pytest.mark.promise("sign-in-2", "identity-I3")
async def test_any_number_of_tabs_sign_in_and_each_ends_at_its_own_link(browser: Browser) -> None:
    url = [await browser.begin(f"/?tab={number}") for number in range(50)]
    for number in (49, 2, 0):
        browser.set_claims(url[number])
        assert (await browser.finish(url[number]))[1] == f"/?tab={number}"


@pytest.mark.promise("identity-I16")
async def test_a_refused_discovery_document_is_logged_once_with_its_reason(
    browser: Browser, recorder: Recorder
) -> None:
    browser.provider.discovery |= {"issuer": "https://sso.example.edu/{tenantid}"}
    for _ in range(5):
        with pytest.raises(IdentityProviderError):
            await browser.begin()
        browser.clock.pass_(6)
    (warning,) = [event for event in recorder.events if isinstance(event, LogEvent)]
    reason = dict(warning.fields)["error"]
    assert "'https://sso.example.edu/{tenantid}'" in reason
    assert f"expected '{browser.provider.issuer}'" in reason


@pytest.mark.promise("sign-in-2")
async def test_the_cookies_stay_small_and_a_long_link_is_replaced_by_the_home_page(browser: Browser) -> None:
    for _ in range(8):
        await browser.begin("/?" + "x" * 1500)
        assert len(browser.cookie) < 100
    url = await browser.begin("/?" + "x" * 1500)
    browser.set_claims(url)
    assert (await browser.finish(url))[1] == "/?" + "x" * 1500
    url = await browser.begin("/?" + "x" * 6000)
    assert len(str(url)) < 1500
    browser.set_claims(url)
    assert (await browser.finish(url))[1] == "/"


@pytest.mark.promise("sign-in-2")
async def test_tabs_that_begin_in_parallel_bind_by_small_cookies_of_a_bounded_number(browser: Browser) -> None:
    started = [await browser.sign_in.begin([], "campus-login", f"/?tab={number}") for number in range(100)]
    for _, headers in started:
        assert len(headers) == 1
        browser.store(headers)
    assert len(browser.cookie) < 100 * 90
    url = URL(started[37][0])
    browser.set_claims(url)
    assert (await browser.finish(url))[1] == "/?tab=37"
    await browser.begin()
    assert browser.cookie.count("sign_in_") <= 33


@pytest.mark.promise("identity-I6")
async def test_a_response_that_arrives_twice_at_once_sends_its_code_once(browser: Browser) -> None:
    url = await browser.begin()
    browser.set_claims(url)
    first, second = await asyncio.gather(browser.finish(url), browser.finish(url))
    assert first[0] == second[0]
    assert len(browser.tokens.forms) == 1


@pytest.mark.promise("identity-I4")
@pytest.mark.parametrize("status", [200, 400, 401, 500])
@pytest.mark.parametrize("code", ["invalid_client", "unauthorized_client", "server_error", "odd\n\u20accode"])
async def test_another_error_of_the_token_endpoint_is_the_operators(
    browser: Browser, recorder: Recorder, status: int, code: str
) -> None:
    url = await browser.begin()
    browser.tokens.status, browser.tokens.tokens = status, {"error": code}
    with pytest.raises(IdentityProviderError):
        await browser.finish(url)
    (warning,) = [event for event in recorder.events if isinstance(event, LogEvent)]
    assert warning.level == "warning"
    assert dict(warning.fields)["error"] == code.replace("\n\u20ac", "")
    assert URL(str(url)).query["state"] not in str(warning)


DECLINED = [("access_denied", None), ("login_required", None), ("temporarily_unavailable", "authentication_expired")]
UNAVAILABLE = [("temporarily_unavailable", None), ("server_error", None), ("invalid_scope", "authentication_expired")]


@pytest.mark.promise("identity-I5")
@pytest.mark.parametrize(("code", "description"), DECLINED)
async def test_an_error_that_another_sign_in_repairs_is_declined(
    browser: Browser, code: str, description: str | None
) -> None:
    url = await browser.begin()
    with pytest.raises(SignInDeclinedError):
        await browser.finish(url, error=code, error_description=description, code=None, iss=None)
    assert browser.tokens.forms == []


@pytest.mark.parametrize(("code", "description"), UNAVAILABLE)
async def test_every_other_error_of_the_provider_is_unavailable(
    browser: Browser, recorder: Recorder, code: str, description: str | None
) -> None:
    url = await browser.begin()
    with pytest.raises(IdentityProviderError, match=code):
        await browser.finish(url, error=code, error_description=description, code=None)
    assert [event.level for event in recorder.events if isinstance(event, LogEvent)] == ["warning"]


async def test_an_error_that_a_browser_brings_does_not_count_as_an_unavailable_provider(
    browser: Browser, recorder: Recorder
) -> None:
    url = await browser.begin()
    with pytest.raises(IdentityProviderError):
        await browser.finish(url, error="server_error", code=None, iss=None)
    browser.tokens.status = 500
    with pytest.raises(IdentityProviderError):
        await browser.finish(url)
    outcomes = [event.outcome for event in recorder.events if isinstance(event, IdentityDecided)]
    assert outcomes == ["refused", "unavailable"]


@pytest.mark.promise("sign-in-16")
async def test_a_cookie_that_was_altered_is_ignored(browser: Browser) -> None:
    url = await browser.begin()
    browser.set_claims(url)
    name, _, value = browser.cookie.partition("=")
    for cookie in (
        f"{name}={value[:-4]}AAAA",
        f"{name}=",
        f"{browser.cookie}; {browser.cookie}",
        browser.cookie.replace("__Host-", ""),
    ):
        valid, browser.cookie = browser.cookie, cookie
        with pytest.raises(SignInFailedError):
            await browser.finish(url)
        browser.cookie = valid


@pytest.mark.promise("sign-in-11")
async def test_a_fourth_sign_in_within_a_minute_is_a_redirect_loop(browser: Browser) -> None:
    for _ in range(3):
        url = await browser.begin()
        browser.set_claims(url)
        await browser.finish(url)
    with pytest.raises(SignInCirclesError):
        await browser.begin()
    browser.clock.pass_(61)
    await browser.begin()


async def test_no_representation_contains_a_secret(browser: Browser) -> None:
    url = await browser.begin()
    browser.set_claims(url)
    identity, _ = await browser.finish(url)
    assert CLIENT_SECRET not in json.dumps([repr(identity), repr(browser.sign_in)])
