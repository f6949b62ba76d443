"""Signing people in at a provider: whose answer is believed, and what is never believed."""

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

from gateway.errors import IdentityProviderError, SignInCirclesError, SignInFailedError
from gateway.identity.claims import TokenRequirements
from gateway.identity.discovery import EndpointsClient
from gateway.identity.jwks import JwksClient
from gateway.identity.login_state import LoginStateCookie
from gateway.identity.oidc import Client, OidcProvider
from gateway.identity.sign_in import SignIn
from gateway.model import Identity, Secret
from gateway.store.memory import MemoryStore
from tests.support.clock import ManualClock
from tests.support.provider import Provider, signing_key
from tests.support.recorder import Recorder

SECRETS = (Secret("the session's secret, of enough characters"),)
PUBLIC = "http://localhost:8080"
CLIENT_SECRET = "a secret: with %, + and ü"
NAVIGATED = "/recordings/a/videos/b?t=90"


@dataclass
class TokenServer:
    """The endpoints behind the browser's back: they say *tokens* and *userinfo*, and keep what came."""

    url: str = ""
    tokens: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    status: int = 200
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
        return web.json_response(self.userinfo)


@dataclass
class Browser:
    """Keeps the one cookie, begins sign-ins and carries answers back."""

    sign_in: SignIn
    provider: Provider
    tokens: TokenServer
    clock: ManualClock
    cookie: str = ""

    async def begin(self, rd: str = NAVIGATED) -> URL:
        address, header = await self.sign_in.begin([self.cookie], "campus-login", rd)
        self.cookie = header.partition(";")[0]
        return URL(address)

    def vouch(self, begun: URL, **otherwise: Any) -> None:
        """What the provider will say of whoever signed in; None leaves a claim out."""
        now = int(self.clock.now())
        usual = {
            "iss": self.provider.issuer,
            "aud": "valt-gateway",
            "sub": "anna",
            "groups": ["supervisors"],
            "nonce": begun.query["nonce"],
            "iat": now,
            "exp": now + 300,
        }
        claims = {name: value for name, value in {**usual, **otherwise}.items() if value is not None}
        self.give(self.provider.sign(claims))

    def give(self, id_token: Any) -> None:
        self.tokens.tokens = {"token_type": "Bearer", "access_token": "the-access-token", "id_token": id_token}

    async def finish(self, begun: URL, **otherwise: str | None) -> tuple[Identity, str]:
        usual = {"state": begun.query["state"], "code": "the-code", "iss": self.provider.issuer}
        answer = {name: value for name, value in {**usual, **otherwise}.items() if value is not None}
        identity, rd, header = await self.sign_in.finish([self.cookie], answer)
        self.cookie = header.partition(";")[0]
        return identity, rd


Made = Callable[..., Browser]


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
def made(
    provider: Provider, tokens: TokenServer, keys: JwksClient, client: aiohttp.ClientSession, clock: ManualClock
) -> Made:
    def make(auth: str = "client_secret_basic", private_key: str | None = None) -> Browser:
        secret = Secret(CLIENT_SECRET) if auth.startswith("client_secret") else None
        known = Client(
            "valt-gateway",
            auth,
            secret,
            None if private_key is None else Secret(private_key),
            ("openid", "groups"),
            f"{PUBLIC}/oauth2/callback",
        )
        expected = TokenRequirements(provider.issuer, "valt-gateway", ("EdDSA", "RS256"), 30.0)
        endpoints = EndpointsClient(provider.issuer, client, clock)
        flow = OidcProvider("campus-login", expected, known, endpoints, keys, client, clock)
        cookie, store = LoginStateCookie(SECRETS, secure=True), MemoryStore(clock)
        return Browser(SignIn([flow], cookie, clock, Recorder(), store, 3600.0), provider, tokens, clock)

    return make


@pytest.fixture
def browser(made: Made) -> Browser:
    return made()


@pytest.mark.promise("sign-in-2")
async def test_a_sign_in_asks_for_a_code_with_pkce_and_ends_with_the_person_at_the_link(browser: Browser) -> None:
    begun = await browser.begin()
    assert dict(begun.query) == {
        "tenant": "campus",
        "response_type": "code",
        "client_id": "valt-gateway",
        "redirect_uri": f"{PUBLIC}/oauth2/callback",
        "scope": "openid groups",
        "state": begun.query["state"],
        "nonce": begun.query["nonce"],
        "code_challenge": begun.query["code_challenge"],
        "code_challenge_method": "S256",
    }
    browser.vouch(begun)
    identity, rd = await browser.finish(begun)
    assert (identity.subject, identity.groups, identity.kind) == ("anna", frozenset({"supervisors"}), "oidc")
    assert rd == NAVIGATED
    form = browser.tokens.forms[0]
    hashed = hashlib.sha256(form["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(hashed).rstrip(b"=").decode() == begun.query["code_challenge"]


@pytest.mark.promise("sign-in-16")
async def test_a_state_is_good_once_and_in_the_browser_that_began(browser: Browser, made: Made) -> None:
    begun = await browser.begin()
    browser.vouch(begun)
    with pytest.raises(SignInFailedError):
        await made().finish(begun)
    for state in ("forged", "", begun.query["state"][:-1], begun.query["state"] + "A", "ü", None):
        with pytest.raises(SignInFailedError):
            await browser.finish(begun, state=state)
    assert browser.tokens.forms == []  # no code is spent on an answer that nobody asked for
    await browser.finish(begun)
    with pytest.raises(SignInFailedError):
        await browser.finish(begun)


async def test_a_sign_in_that_takes_more_than_ten_minutes_is_over(browser: Browser) -> None:
    begun = await browser.begin()
    browser.clock.pass_(601)
    browser.vouch(begun)
    with pytest.raises(SignInFailedError):
        await browser.finish(begun)


@pytest.mark.promise("sign-in-6")
async def test_an_answer_of_another_issuer_or_of_none_is_a_mix_up(browser: Browser) -> None:
    begun = await browser.begin()
    browser.vouch(begun)
    for issuer in ("https://evil.test", "", None, browser.provider.issuer + "/"):
        with pytest.raises(SignInFailedError):
            await browser.finish(begun, iss=issuer)
    assert browser.tokens.forms == []


@pytest.mark.promise("sign-in-3")
@pytest.mark.parametrize(
    "otherwise",
    [
        {"iss": "https://evil.test"},
        {"aud": "another-client"},
        {"aud": ["valt-gateway", "another-client"]},
        {"aud": ["valt-gateway", "another-client"], "azp": "another-client"},
        {"azp": "another-client"},
        {"nonce": "of another sign-in"},
        {"nonce": "ü"},
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
        {"at_hash": None, "groups": [1]},
    ],
    ids=str,
)
async def test_an_id_token_that_says_anything_wrong_signs_nobody_in(
    browser: Browser, otherwise: dict[str, Any]
) -> None:
    begun = await browser.begin()
    browser.vouch(begun, **otherwise)
    with pytest.raises(SignInFailedError):
        await browser.finish(begun)


@pytest.mark.promise("sign-in-3")
async def test_an_id_token_of_a_strange_key_of_no_key_or_of_another_algorithm_signs_nobody_in(
    browser: Browser,
) -> None:
    begun = await browser.begin()
    browser.vouch(begun)
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
        browser.give(token)
        with pytest.raises(SignInFailedError):
            await browser.finish(begun)


@pytest.mark.promise("sign-in-3")
async def test_at_hash_and_azp_that_are_right_are_believed(browser: Browser) -> None:
    begun = await browser.begin()
    half = hashlib.sha512(b"the-access-token").digest()[:32]
    at_hash = base64.urlsafe_b64encode(half).rstrip(b"=").decode()
    browser.vouch(begun, at_hash=at_hash, aud=["valt-gateway", "another"], azp="valt-gateway")
    assert (await browser.finish(begun))[0].subject == "anna"


@pytest.mark.promise("sign-in-4")
async def test_what_the_id_token_lacks_is_looked_for_in_userinfo_of_the_same_person_alone(browser: Browser) -> None:
    begun = await browser.begin()
    browser.vouch(begun, groups=None)
    browser.tokens.userinfo = {"sub": "mallory", "groups": ["supervisors"]}
    with pytest.raises(SignInFailedError):
        await browser.finish(begun)
    browser.tokens.userinfo = {"sub": "anna", "groups": ["supervisors"]}
    assert (await browser.finish(begun))[0].groups == {"supervisors"}


@pytest.mark.promise("sign-in-5")
async def test_a_secret_goes_form_encoded_into_the_header_or_into_the_form(made: Made, tokens: TokenServer) -> None:
    for browser in (made("client_secret_basic"), made("client_secret_post"), made("none")):
        begun = await browser.begin()
        browser.vouch(begun)
        await browser.finish(begun)
    basic, post, none = tokens.forms
    sent = BasicAuth.decode(tokens.authorizations[0] or "")
    assert (sent.login, sent.password) == ("valt-gateway", "a%20secret%3A%20with%20%25%2C%20%2B%20and%20%C3%BC")
    assert "client_secret" not in basic
    assert post["client_secret"] == CLIENT_SECRET
    assert none["client_id"] == "valt-gateway"
    assert "client_secret" not in none
    assert tokens.authorizations[1:] == [None, None]


@pytest.mark.promise("sign-in-5")
async def test_a_client_with_a_private_key_proves_it_by_an_assertion_good_for_a_minute(made: Made) -> None:
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    browser = made("private_key_jwt", pem)
    begun = await browser.begin()
    browser.vouch(begun)
    await browser.finish(begun)
    told = jwt.decode(
        browser.tokens.forms[0]["client_assertion"],
        key.public_key(),
        ["EdDSA"],
        options={"verify_aud": False, "verify_exp": False, "verify_iat": False},
    )
    assert (told["iss"], told["sub"], told["aud"]) == (
        "valt-gateway",
        "valt-gateway",
        browser.tokens.url,
    )
    assert told["exp"] - told["iat"] == 60
    assert told["jti"]


async def test_a_code_that_the_provider_refuses_signs_nobody_in(browser: Browser) -> None:
    begun = await browser.begin()
    browser.vouch(begun)
    browser.tokens.status = 400
    with pytest.raises(SignInFailedError):
        await browser.finish(begun)


@pytest.mark.parametrize("bad", ["rubbish", "500"])
async def test_a_provider_that_fails_is_not_the_persons_fault(browser: Browser, bad: str) -> None:
    begun = await browser.begin()
    browser.vouch(begun)
    browser.tokens.rubbish = b"<html>" if bad == "rubbish" else None
    browser.tokens.status = 500
    with pytest.raises(IdentityProviderError):
        await browser.finish(begun)


async def test_with_the_provider_down_from_the_start_it_is_said_so_and_it_is_asked_once_in_five_seconds(
    browser: Browser,
) -> None:
    browser.provider.down = True
    for _ in range(3):
        with pytest.raises(IdentityProviderError):
            await browser.begin()
    assert browser.provider.asked["/.well-known/openid-configuration"] == 1
    browser.provider.down = False
    browser.clock.pass_(5)
    assert (await browser.begin()).path == "/authorize"


async def test_nobody_is_sent_to_a_provider_that_went_down_and_who_is_there_already_may_finish(
    browser: Browser,
) -> None:
    begun = await browser.begin()
    browser.vouch(begun)
    browser.provider.down = True
    browser.clock.pass_(31)
    with pytest.raises(IdentityProviderError):
        await browser.begin()
    browser.provider.down = False
    assert (await browser.finish(begun))[0].subject == "anna"
    browser.clock.pass_(5)
    await browser.begin()


@pytest.mark.parametrize(
    "lie",
    [
        {"issuer": "https://evil.test"},
        {"token_endpoint": None},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"userinfo_endpoint": 7},
    ],
    ids=str,
)
async def test_a_discovery_document_that_lies_is_not_believed(browser: Browser, lie: dict[str, Any]) -> None:
    browser.provider.discovery |= lie
    with pytest.raises(IdentityProviderError):
        await browser.begin()


@pytest.mark.promise("sign-in-2")
async def test_tabs_sign_in_side_by_side_and_of_many_the_newest_count(browser: Browser) -> None:
    begun = [await browser.begin(f"/?tab={number}") for number in range(6)]
    for number in (5, 2):
        browser.vouch(begun[number])
        assert (await browser.finish(begun[number]))[1] == f"/?tab={number}"
    with pytest.raises(SignInFailedError):
        await browser.finish(begun[0])


@pytest.mark.promise("sign-in-2")
async def test_the_cookie_stays_one_that_browsers_keep_however_long_the_links_are(browser: Browser) -> None:
    for _ in range(8):
        await browser.begin("/?" + "x" * 1500)
        assert len(browser.cookie) < 4000
    begun = await browser.begin("/?" + "x" * 1500)
    browser.vouch(begun)
    assert (await browser.finish(begun))[1] == "/?" + "x" * 1500
    begun = await browser.begin("/?" + "x" * 6000)
    assert len(browser.cookie) < 4000
    browser.vouch(begun)
    assert (await browser.finish(begun))[1] == "/"


@pytest.mark.promise("sign-in-16")
async def test_a_cookie_of_another_key_or_another_purpose_begins_nothing(browser: Browser, made: Made) -> None:
    begun = await browser.begin()
    browser.vouch(begun)
    name, _, value = browser.cookie.partition("=")
    now = browser.clock.now()
    other = LoginStateCookie((Secret("another secret, of enough characters too"),), secure=True)
    for cookie in (
        f"{name}={value[:-4]}AAAA",
        f"{name}=",
        f"{browser.cookie}; {browser.cookie}",
        browser.cookie.replace("__Host-", ""),
        other.header(LoginStateCookie(SECRETS, secure=True).read([browser.cookie], now), now).partition(";")[0],
    ):
        kept, browser.cookie = browser.cookie, cookie
        with pytest.raises(SignInFailedError):
            await browser.finish(begun)
        browser.cookie = kept


@pytest.mark.promise("sign-in-11")
async def test_a_fourth_round_trip_within_a_minute_is_not_begun_and_a_minute_later_it_is(browser: Browser) -> None:
    for _ in range(3):
        begun = await browser.begin()
        browser.vouch(begun)
        await browser.finish(begun)
    with pytest.raises(SignInCirclesError):
        await browser.begin()
    browser.clock.pass_(61)
    await browser.begin()


async def test_no_secret_is_in_what_could_be_printed(browser: Browser) -> None:
    begun = await browser.begin()
    browser.vouch(begun)
    identity, _ = await browser.finish(begun)
    assert CLIENT_SECRET not in json.dumps([repr(identity), repr(browser.sign_in)])
