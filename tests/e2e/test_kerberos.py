"""Kerberos sign-in with MIT's own KDC: curl, tokens of every kind, and the session that follows."""

import asyncio
import base64
import random
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import InvalidCredentialsError
from gateway.identity.negotiate import GssapiAcceptor
from gateway.sim.catalogue import SESSION
from tests.support.cookie_jar import CookieJar
from tests.support.gateway_fixture import NAVIGATION, VIDEO_PATH, GatewayStack, settings_of
from tests.support.generated import sequences
from tests.support.kerberos import REALM, Realm, negotiate, running_realm
from tests.support.kerberos_gateway import by_name, gateway_of, use
from tests.support.programs import run

WATCH = f"/recordings/{SESSION}"


@pytest.fixture
async def realm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Realm]:
    async with running_realm(tmp_path / "realm") as running:
        use(running, monkeypatch)
        await running.add_people("anna", "ben")
        await running.keytab("http.keytab", "HTTP/localhost", "HTTP/elsewhere")
        await running.sign_in("anna")
        yield running


@pytest.fixture
async def stack(tmp_path: Path, realm: Realm) -> AsyncIterator[GatewayStack]:
    async with gateway_of(tmp_path / "gateway", realm.folder / "http.keytab") as running:
        yield running


async def get(stack: GatewayStack, token: bytes, path: str = VIDEO_PATH, **headers: str) -> tuple[int, Any]:
    """Returns status and headers of the response to a request with *token*."""
    async with stack.client.get(stack.url + path, headers=negotiate(token) | headers) as answer:
        await answer.read()
        return answer.status, answer.headers


async def signed_in(stack: GatewayStack, realm: Realm) -> CookieJar:
    """Returns the cookies of a browser in which anna has a session."""
    _, headers = await get(stack, realm.token("anna"), WATCH, **NAVIGATION)
    jar = CookieJar()
    jar.store(headers.getall("Set-Cookie"))
    return jar


async def code_of(stack: GatewayStack, authorization: str) -> tuple[int, str, list[str]]:
    """Returns status, code and challenges of the response to a request with that Authorization header."""
    async with stack.client.get(stack.url + VIDEO_PATH, headers={"Authorization": authorization}) as answer:
        document = await answer.json(content_type=None) if answer.status != 200 else {"code": ""}
        return answer.status, document["code"], answer.headers.getall("WWW-Authenticate", [])


async def wait_until_logged(stack: GatewayStack, text: str) -> None:
    """Waits until the log, which is written in batches, has *text*. Raises TimeoutError."""
    async with asyncio.timeout(5):
        while text not in stack.log.getvalue():
            await asyncio.sleep(0.01)


@pytest.mark.promise("kerberos-1")
async def test_curl_with_a_ticket_receives_the_video(stack: GatewayStack, realm: Realm, tmp_path: Path) -> None:
    ran = await curl(stack, realm.with_tickets_of("anna"), tmp_path)
    assert ran[0] == 200
    assert re.search(r"^WWW-Authenticate: Negotiate [A-Za-z0-9+/=]{20,}$", ran[1], re.MULTILINE)
    line = stack.audit()[-1]
    assert (line["subject"], line["issuer"], line["provider"], line["rule"]) == ("anna", "domain", "domain", "people")


@pytest.mark.promise("kerberos-2")
async def test_curl_without_a_ticket_is_401_and_asks_nothing(stack: GatewayStack, realm: Realm, tmp_path: Path) -> None:
    for accept in ("*/*", "text/html"):
        status, headers = await curl(stack, realm.environment, tmp_path, accept)
        assert status == 401
        assert ("WWW-Authenticate: Negotiate\n" in headers) is (accept == "text/html")


async def curl(stack: GatewayStack, environment: dict[str, str], folder: Path, accept: str = "*/*") -> tuple[int, str]:
    """Returns the last status and all response headers of ``curl --negotiate``."""
    arguments = ("--negotiate", "-u", ":", "-s", "-o", "/dev/null", "-D", str(folder / "headers"), "-w", "%{http_code}")
    variables = [f"{name}={environment[name]}" for name in ("KRB5_CONFIG", "KRB5CCNAME")]
    ran = await run("env", *variables, "curl", *arguments, "-H", f"Accept: {accept}", by_name(stack, VIDEO_PATH))
    assert ran.code == 0, ran.err
    return int(ran.out), (folder / "headers").read_text()


@pytest.mark.promise("kerberos-1")
@pytest.mark.parametrize("spnego", [True, False], ids=["spnego", "bare Kerberos"])
async def test_the_response_proves_the_gateway_to_the_client(stack: GatewayStack, realm: Realm, spnego: bool) -> None:
    context = realm.initiate("anna", spnego=spnego)
    status, headers = await get(stack, context.step() or b"")
    assert status == 200
    context.step(base64.b64decode(headers["WWW-Authenticate"].removeprefix("Negotiate ")))
    assert context.complete


@pytest.mark.promise("kerberos-1")
async def test_a_person_whom_no_rule_allows_is_403_and_the_gateway_proven(stack: GatewayStack, realm: Realm) -> None:
    await realm.sign_in("ben")
    status, headers = await get(stack, realm.token("ben"))
    assert status == 403
    assert headers["WWW-Authenticate"].startswith("Negotiate ")


@pytest.mark.promise("kerberos-3")
async def test_a_replayed_token_is_refused(stack: GatewayStack, realm: Realm) -> None:
    token = realm.token("anna")
    assert (await get(stack, token))[0] == 200
    status, headers = await get(stack, token)
    assert (status, headers["WWW-Authenticate"][:6]) == (401, "Bearer")
    await wait_until_logged(stack, "Request is a replay")


@pytest.mark.promise("kerberos-3")
async def test_a_token_is_valid_once_without_the_librarys_cache_and_however_wrapped(
    stack: GatewayStack, realm: Realm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KRB5RCACHENAME", "none:")
    token = realm.token("anna")
    assert (await get(stack, token))[0] == 200
    assert (await get(stack, token))[0] == 401
    assert (await get(stack, unwrapped(token)))[0] == 401
    await wait_until_logged(stack, "the Kerberos token was used before")
    assert (await get(stack, unwrapped(realm.token("anna"))))[0] == 200


def unwrapped(token: bytes) -> bytes:
    """Returns the token of the Kerberos mechanism inside a token of SPNEGO."""
    start = token.index(bytes.fromhex("06092a864886f71201020201 00".replace(" ", ""))) - 4
    assert token[start : start + 2] == b"\x60\x82"
    return token[start : start + 4 + int.from_bytes(token[start + 2 : start + 4], "big")]


@pytest.mark.promise("kerberos-3")
async def test_an_expired_ticket_and_an_old_token_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_realm(tmp_path / "realm", clock_skew=1) as realm:
        use(realm, monkeypatch)
        await realm.add_people("anna", "ben")
        keytab = await realm.keytab("http.keytab", "HTTP/localhost")
        async with gateway_of(tmp_path / "gateway", keytab) as stack:
            await realm.sign_in("ben")
            await realm.sign_in("anna", lifetime="3s")
            expired, old = realm.token("anna"), realm.token("ben")
            await run("sleep", "6")  # the library has a clock of its own
            for token, reason in ((expired, "Ticket expired"), (old, "Clock skew too great")):
                assert (await get(stack, token))[0] == 401
                await wait_until_logged(stack, reason)


@pytest.mark.promise("kerberos-3")
async def test_a_ticket_of_a_realm_that_is_not_listed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The realm is trusted by the gateway's own, so that its KDC issues a ticket."""
    async with AsyncExitStack() as running:
        ours = await running.enter_async_context(running_realm(tmp_path / "ours"))
        partner = await running.enter_async_context(running_realm(tmp_path / "partner", "PARTNER.EDU", others=(ours,)))
        for one in (ours, partner):
            await one.administer("addprinc -pw planted-trust krbtgt/EXAMPLE.EDU@PARTNER.EDU")
        await partner.add_people("ben")
        keytab = await ours.keytab("http.keytab", "HTTP/localhost")
        use(partner, monkeypatch)
        await partner.sign_in("ben")
        stack = await running.enter_async_context(gateway_of(tmp_path / "gateway", keytab))
        assert (await get(stack, partner.token("ben", f"HTTP/localhost@{REALM}")))[0] == 401
        await wait_until_logged(stack, "the Kerberos realm 'PARTNER.EDU' is not one of the provider's realms")

        text = stack.config.read_text().replace(
            '["EXAMPLE.EDU"]', '["EXAMPLE.EDU", "PARTNER.EDU"]\nstrip_realm = false'
        )
        stack.config.write_text(text)
        await stack.gateway.reload(settings_of(stack.config))
        assert (await get(stack, partner.token("ben", f"HTTP/localhost@{REALM}")))[0] == 200
        assert stack.audit()[-1]["subject"] == "ben@PARTNER.EDU"


@pytest.mark.promise("kerberos-3")
async def test_a_ticket_of_another_kdc_of_the_same_name_is_refused(
    stack: GatewayStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_realm(tmp_path / "forged") as forged:
        use(forged, monkeypatch)
        await forged.add_people("anna")
        await forged.keytab("http.keytab", "HTTP/localhost")
        await forged.sign_in("anna")
        assert (await get(stack, forged.token("anna")))[0] == 401


@pytest.mark.promise("kerberos-3")
async def test_a_ticket_for_another_service_of_the_keytab_is_refused(stack: GatewayStack, realm: Realm) -> None:
    assert (await get(stack, realm.token("anna", "HTTP/elsewhere")))[0] == 401
    await wait_until_logged(stack, "the Kerberos ticket is for another service: HTTP/elsewhere")


def encoded(token: bytes) -> str:
    return f"Negotiate {base64.b64encode(token).decode()}"


NTLM = b"NTLMSSP\0\1\0\0\0\x97\x82\x08\xe2" + bytes(24)
WRAPPED_NTLM = bytes.fromhex("6040 06062b0601050502 a036 3034 a00e300c 060a2b06010401823702020a a222 0420") + NTLM[:32]
MALFORMED = {
    "no token": "Negotiate",
    "blank": "Negotiate ",
    "not base64": "Negotiate ÄÖÜ!",
    "half base64": "Negotiate YII",
    "garbage": encoded(b"x" * 50),
    "NTLM": encoded(NTLM),
    "NTLM inside SPNEGO": encoded(WRAPPED_NTLM),
    "a lone tag": encoded(b"\x60"),
    "a length beyond the end": encoded(b"\x60\x84\xff\xff\xff\xff"),
    "zeros": encoded(bytes(2000)),
    "huge": encoded(b"\x60\x83\x00\xff\xff" + b"A" * 17_000),
}


@pytest.mark.promise("kerberos-3")
async def test_a_malformed_token_is_refused_without_a_new_challenge(stack: GatewayStack) -> None:
    for kind, authorization in MALFORMED.items():
        status, code, challenges = await code_of(stack, authorization)
        assert (status, code) == (401, "credentials_invalid"), kind
        assert [challenge.partition(" ")[0] for challenge in challenges] == ["Bearer"], kind
        headers = NAVIGATION | {"Authorization": authorization}
        async with stack.client.get(stack.url + WATCH, headers=headers) as answer:
            assert answer.status == 401
            assert not answer.headers["WWW-Authenticate"].startswith("Negotiate"), kind


def der(tag: int, *parts: bytes) -> bytes:
    """Returns *parts* as one element in DER."""
    content = b"".join(parts)
    size = b"" if len(content) < 128 else len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size) if size else len(content)]) + size + content


SPNEGO_OID = bytes.fromhex("06062b0601050502")
KERBEROS, MICROSOFTS, NEGOEX, NTLMSSP = (
    bytes.fromhex(oid)
    for oid in (
        "06092a864886f712010202",
        "06092a864882f712010202",
        "060a2b06010401823702021e",
        "060a2b06010401823702020a",
    )
)


def offered(mechanisms: list[bytes], token: bytes) -> bytes:
    """Returns a NegTokenInit of SPNEGO (RFC 4178, section 4.2.1) that offers *mechanisms*, and *token* of the first."""
    return der(0x60, SPNEGO_OID, der(0xA0, der(0x30, der(0xA0, der(0x30, *mechanisms)), der(0xA2, der(0x04, token)))))


@pytest.mark.promise("kerberos-1")
async def test_a_token_as_windows_wraps_it_is_accepted(stack: GatewayStack, realm: Realm) -> None:
    """Windows first names Kerberos by an object identifier of its own, and offers NEGOEX and NTLM besides (MS-SPNG)."""
    for mechanisms in ([MICROSOFTS, KERBEROS, NEGOEX, NTLMSSP], [MICROSOFTS, KERBEROS, NTLMSSP], [KERBEROS, NTLMSSP]):
        status, headers = await get(stack, offered(mechanisms, realm.token("anna", spnego=False)))
        assert status == 200
        assert headers["WWW-Authenticate"].startswith("Negotiate ")


@pytest.mark.promise("kerberos-3")
async def test_ntlm_offered_first_is_refused_although_kerberos_is_offered_too(
    stack: GatewayStack, realm: Realm
) -> None:
    for mechanisms in ([NTLMSSP, KERBEROS], [NEGOEX, NTLMSSP, MICROSOFTS], [NTLMSSP]):
        assert (await get(stack, offered(mechanisms, NTLM)))[0] == 401
    await wait_until_logged(stack, "perhaps NTLM")


@pytest.mark.promise("kerberos-3")
async def test_a_truncated_or_changed_token_is_refused(stack: GatewayStack, realm: Realm) -> None:
    token = realm.token("anna")
    for end in (1, 2, 20, 60, 100, len(token) // 2, len(token) - 1):
        assert (await get(stack, token[:end]))[0] == 401, end
    for place in range(0, len(token), len(token) // 40):
        changed = token[:place] + bytes([token[place] ^ 1]) + token[place + 1 :]
        status, _ = await get(stack, changed)
        assert status in (200, 401), place
        if status == 200:  # a byte that says nothing, as the version of an optional part
            assert stack.audit()[-1]["subject"] == "anna"
            token = realm.token("anna")


@pytest.mark.promise("kerberos-3")
async def test_a_token_of_a_mechanism_without_a_key_is_no_fault_of_the_keytab(stack: GatewayStack) -> None:
    for mechanism in (
        "06062b0601050205",
        "06052b05010502",
        "06092a864882f712010202",
    ):  # IAKERB, old Kerberos, Microsoft's
        oid = bytes.fromhex(mechanism)
        assert (await get(stack, bytes([0x60, len(oid) + 5]) + oid + b"\x05\x01\0\0\0"))[0] == 401
    metrics = await stack.metrics()
    assert metrics['valt_gateway_identity_total{outcome="unavailable",provider="domain"}'] == 0


@pytest.mark.promise("kerberos-5")
# gssapi frees what it did not acquire by the configuration that cannot be read.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_file_of_tokens_or_krb5_conf_that_cannot_be_used_is_503(
    stack: GatewayStack, realm: Realm, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in (realm.folder, realm.folder / "krb5.conf" / "below", realm.folder / "none" / "file"):
        token = realm.token("anna")
        with monkeypatch.context() as changed:
            changed.setenv("KRB5RCACHENAME", f"file2:{place}")
            assert (await get(stack, token))[0] == 503, place
    token, conf = realm.token("anna"), realm.folder / "krb5.conf"
    text = conf.read_text()
    conf.write_text("[libdefaults\nrubbish{")
    assert (await get(stack, token))[0] == 503
    conf.write_text(text)
    assert (await get(stack, token))[0] == 200


@pytest.mark.promise("kerberos-3")
async def test_generated_changes_of_a_token_never_name_anybody_else(realm: Realm) -> None:
    accept = GssapiAcceptor(realm.folder / "http.keytab", "HTTP@localhost")
    chance, token = random.Random(18), realm.token("anna")
    refused, tried = 0, 0
    for _ in range(sequences(500)):
        start, end = sorted(chance.choices(range(len(token) + 1), k=2))
        inserted = chance.choice(
            [b"", token[start:end], token[end:], chance.randbytes(chance.randrange(1, 9)), bytes(3)]
        )
        changed = token[:start] + inserted + token[chance.choice([start, end, start + len(inserted)]) :]
        if changed == token:
            continue
        tried += 1
        try:
            assert accept(changed).principal == "anna@EXAMPLE.EDU"
            token = realm.token("anna")
        except InvalidCredentialsError:
            refused += 1
    assert refused > 0.9 * tried > 100


@pytest.mark.promise("kerberos-4")
async def test_a_navigation_begins_a_session_and_no_ticket_is_needed_any_more(
    stack: GatewayStack, realm: Realm
) -> None:
    status, headers = await get(stack, realm.token("anna"), WATCH, **NAVIGATION)
    assert status == 200
    (cookie,) = headers.getall("Set-Cookie")
    assert [line["event"] for line in stack.audit()] == ["sign_in"]
    session = {"Cookie": cookie.partition(";")[0]}
    async with stack.client.get(f"{stack.url}/oauth2/userinfo", headers=session) as answer:
        facts = await answer.json()
        assert (facts["subject"], facts["issuer"], facts["provider"], facts["groups"]) == ("anna", *["domain"] * 2, [])
        assert "WWW-Authenticate" not in answer.headers
    async with stack.client.get(stack.url + VIDEO_PATH, headers=session) as answer:
        assert answer.status == 200
    leave = {"Sec-Fetch-Site": "same-origin"} | session
    async with stack.client.post(f"{stack.url}/oauth2/sign_out", headers=leave) as answer:
        assert answer.status == 200
    async with stack.client.get(stack.url + VIDEO_PATH, headers=session) as answer:
        assert answer.status == 401


@pytest.mark.promise("kerberos-4")
async def test_a_ticket_of_another_person_ends_the_sessions_of_the_browser(stack: GatewayStack, realm: Realm) -> None:
    _, headers = await get(stack, realm.token("anna"), WATCH, **NAVIGATION)
    session = {"Cookie": headers["Set-Cookie"].partition(";")[0]}
    await realm.administer("addprinc -pw planted-cleo cleo")
    await realm.sign_in("cleo")
    _, headers = await get(stack, realm.token("cleo"), "/recordings", **NAVIGATION, **session)
    lines = [(line["event"], line["subject"]) for line in stack.audit() if line["event"] != "api"]
    assert lines == [("sign_in", "anna"), ("sign_out", "anna"), ("sign_in", "cleo")]
    async with stack.client.get(f"{stack.url}/oauth2/userinfo", headers=session) as answer:
        assert answer.status == 401
    other = {"Cookie": headers["Set-Cookie"].partition(";")[0]}
    async with stack.client.get(f"{stack.url}/oauth2/userinfo", headers=other) as answer:
        assert (await answer.json())["subject"] == "cleo"


@pytest.mark.promise("kerberos-4")
async def test_a_navigation_with_a_token_that_waits_undoes_no_change_of_person(
    stack: GatewayStack, realm: Realm
) -> None:
    jar = await signed_in(stack, realm)
    searches, answer = stack.valt.calls["search"], asyncio.Event()
    stack.valt.knobs.gate["search"] = answer
    with_session = NAVIGATION | {"Cookie": jar.header}
    waiting = asyncio.create_task(get(stack, realm.token("anna"), "/recordings?q=x", **with_session))
    await stack.valt.wait_for(lambda: stack.valt.calls["search"] > searches)
    path = f"{VIDEO_PATH}?ticket={stack.ticket('ben')}"
    async with stack.client.get(stack.url + path, headers=with_session, allow_redirects=False) as page:
        (sealed,) = re.findall(r'name="switch" value="([^"]+)"', await page.text())
    same_origin = {"Cookie": jar.header, "Sec-Fetch-Site": "same-origin"}
    async with stack.client.post(
        f"{stack.url}/oauth2/switch", data={"switch": sealed}, headers=same_origin, allow_redirects=False
    ) as changed:
        jar.store(changed.headers.getall("Set-Cookie"))
    answer.set()
    status, headers = await waiting
    assert status == 200
    jar.store(headers.getall("Set-Cookie", []))
    async with stack.client.get(f"{stack.url}/oauth2/userinfo", headers={"Cookie": jar.header}) as facts:
        assert (await facts.json())["subject"] == "ben"


@pytest.mark.promise("kerberos-4")
async def test_a_navigation_with_a_token_ends_another_persons_session_beside_the_own(
    stack: GatewayStack, realm: Realm
) -> None:
    """Both began at the same moment, so that neither request presented the other's cookie."""
    jar = await signed_in(stack, realm)
    path = f"{VIDEO_PATH}?ticket={stack.ticket('ben', recording=SESSION)}"
    async with stack.client.get(stack.url + path, headers=NAVIGATION, allow_redirects=False) as answer:
        jar.store(answer.headers.getall("Set-Cookie"))
    assert len(jar.cookies) == 2
    _, headers = await get(stack, realm.token("anna"), WATCH, **NAVIGATION, Cookie=jar.header)
    jar.store(headers.getall("Set-Cookie"))
    assert len(jar.cookies) == 1
    ended = [line["subject"] for line in stack.audit() if line["event"] == "sign_out"]
    assert sorted(ended) == ["anna", "ben"]


@pytest.mark.promise("kerberos-4")
async def test_a_request_that_is_no_navigation_begins_no_session(stack: GatewayStack, realm: Realm) -> None:
    for path in (VIDEO_PATH, WATCH, "/recordings", "/oauth2/userinfo", "/oauth2/auth", "/api/v3/rooms/info"):
        status, headers = await get(stack, realm.token("anna"), path)
        assert status in (200, 202), path
        assert "Set-Cookie" not in headers
        assert headers["WWW-Authenticate"].startswith("Negotiate ")


REQUESTS: dict[str, tuple[str, dict[str, str], bool]] = {
    "navigation": (VIDEO_PATH, NAVIGATION, True),
    "navigation to the list": ("/recordings", NAVIGATION, True),
    "browser without fetch metadata": (WATCH, {"Accept": "text/html,*/*;q=0.8"}, True),
    "frame": (WATCH, NAVIGATION | {"Sec-Fetch-Dest": "iframe"}, False),
    "player": (VIDEO_PATH, {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "video"}, False),
    "script": (WATCH, {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "application/json"}, False),
    "program": (VIDEO_PATH, {}, False),
    "forward authentication": ("/oauth2/auth", NAVIGATION, False),
    "VALT's API": ("/api/v3/records/1", {}, False),
    "refused token": (WATCH, NAVIGATION | {"Authorization": "Bearer rubbish"}, False),
    "refused ticket": (f"{WATCH}?ticket=rubbish", NAVIGATION, False),
}


@pytest.mark.promise("kerberos-2")
async def test_only_a_navigation_of_the_window_is_challenged(stack: GatewayStack) -> None:
    for kind, (path, headers, challenged) in REQUESTS.items():
        async with stack.client.get(stack.url + path, headers=headers, allow_redirects=False) as answer:
            assert answer.status == 401, kind
            assert ("Negotiate" in answer.headers.getall("WWW-Authenticate", [])) is challenged, kind


@pytest.mark.promise("kerberos-1")
async def test_a_ticket_with_many_groups_fits_only_where_kerberos_is_configured(stack: GatewayStack) -> None:
    large = {"Authorization": f"Negotiate {'A' * 22_000}"}
    async with stack.client.get(stack.url + VIDEO_PATH, headers=large) as answer:
        assert answer.status == 401
    text = stack.config.read_text()
    stack.config.write_text(
        text.replace(text[text.index('[[identity]]\ntype = "negotiate"') : text.index("[state]")], "")
    )
    await stack.gateway.reload(settings_of(stack.config))
    async with stack.client.get(stack.url + VIDEO_PATH, headers=large | {"Connection": "close"}) as answer:
        assert answer.status in (401, 431)
    async with stack.client.get(stack.url + VIDEO_PATH, headers=large) as answer:
        assert answer.status == 431


async def test_a_sign_out_ends_as_many_sessions_as_a_header_may_have_cookies(stack: GatewayStack) -> None:
    """Those of frames that are opened at the same moment: more than fit into a header without Kerberos."""
    jar = CookieJar()
    for number in range(40):
        ticket = stack.ticket(f"anna-{'x' * 100}", recording=f"recording-{number}")
        url = f"{stack.url}/recordings/recording-{number}/videos/film?ticket={ticket}"
        async with stack.client.get(url, headers=NAVIGATION, allow_redirects=False) as answer:
            jar.store(answer.headers.getall("Set-Cookie"))
    assert len(jar.header) > 8190
    presented = {"Cookie": jar.header, "Sec-Fetch-Site": "same-origin"}
    async with stack.client.post(f"{stack.url}/oauth2/sign_out", headers=presented) as answer:
        assert answer.status == 200
        jar.store(answer.headers.getall("Set-Cookie"))
    assert jar.cookies == {}
    assert [line["event"] for line in stack.audit()].count("sign_out") == 40


async def test_a_page_is_loaded_again_once_whatever_cookies_other_sites_have_set(stack: GatewayStack) -> None:
    """Chromium on Linux is asked a second time, because it loads its Kerberos library at the first one."""
    browser = NAVIGATION | {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0.0.0"}
    for other in ("", "theme=dark", "a[b]=1", 'settings={"a": "b", "c": "d"}', "lone", "valt_gateway_kerberos2=1"):
        for cookie in (other, f"{other}; valt_gateway_kerberos=1", f"valt_gateway_kerberos=1; {other}"):
            headers = browser | {"Cookie": cookie}
            async with stack.client.get(stack.url + WATCH, headers=headers) as answer:
                assert answer.status == 401
                assert ("Set-Cookie" in answer.headers) is (cookie == other), cookie


@pytest.mark.promise("kerberos-4")
async def test_pages_without_a_session_lead_to_where_a_ticket_counts(stack: GatewayStack) -> None:
    async with stack.client.get(f"{stack.url}/", headers=NAVIGATION) as answer:
        assert answer.status == 200
        assert '<a class="button" href="/recordings">' in await answer.text()
    frame, refused = {"Sec-Fetch-Dest": "iframe"}, {"Authorization": "Negotiate YII="}
    for more in ({}, frame, refused):
        async with stack.client.get(f"{stack.url}{WATCH}?t=4", headers=NAVIGATION | more) as answer:
            text = await answer.text()
            assert answer.status == 401
            assert f'<a class="button" href="{WATCH}?t=4">' in text
            assert ('<base target="_blank">' in text) is (more is frame)


@pytest.mark.promise("kerberos-3")
async def test_no_token_is_in_the_log_the_audit_or_a_metric(stack: GatewayStack, realm: Realm) -> None:
    token = realm.token("anna")
    _, headers = await get(stack, token)
    await get(stack, token)
    await get(stack, token[:-1] + b"x")
    await wait_until_logged(stack, "the Kerberos token was refused")
    response = headers["WWW-Authenticate"].partition(" ")[2]
    sinks = stack.log.getvalue() + (stack.folder / "audit.jsonl").read_text() + str(await stack.metrics())
    for secret in (base64.b64encode(token).decode(), response):
        assert not any(secret[place : place + 24] in sinks for place in range(0, len(secret) - 24, 8))


@pytest.mark.promise("kerberos-5")
async def test_a_keytab_that_is_gone_is_503_and_a_new_one_counts_at_once(stack: GatewayStack, realm: Realm) -> None:
    keytab = realm.folder / "http.keytab"
    keytab.rename(realm.folder / "away")
    status, headers = await get(stack, realm.token("anna"))
    assert (status, "WWW-Authenticate" in headers) == (503, False)
    await wait_until_logged(stack, "the keytab cannot be used")
    await realm.administer(f"ktadd -k {keytab} HTTP/localhost")
    await realm.sign_in("anna")
    assert (await get(stack, realm.token("anna")))[0] == 200


@pytest.mark.promise("kerberos-5")
async def test_a_replay_cache_that_cannot_be_written_is_503(
    stack: GatewayStack, realm: Realm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KRB5RCACHENAME", f"file2:{realm.folder}/missing/replays")
    assert (await get(stack, realm.token("anna")))[0] == 503


@pytest.mark.promise("kerberos-5")
async def test_a_revoked_person_needs_a_newer_sign_in_to_the_domain(stack: GatewayStack, realm: Realm) -> None:
    now = stack.gateway.clock.now()
    await stack.gateway.store.revoke("domain#anna", now, now + 3600)
    assert (await get(stack, realm.token("anna")))[0] == 401


SPELLINGS = """\
[[grants]]
name = "dismissed"
subjects = ["anna", "domain#ben"]
recordings = ["*"]
account = "reviewer"
allow = false

[[grants]]
name = "named"
subjects = ["clara"]
recordings = ["*"]
account = "reviewer"

[[grants]]
name = "others"
subjects = ["Anna", "ANNA", "BEN", "dora"]
recordings = ["*"]
account = "reviewer"

"""


@pytest.mark.promise("kerberos-5", "rules-refusals")
async def test_another_spelling_escapes_no_refusal_and_gains_nothing(tmp_path: Path, realm: Realm) -> None:
    """To this KDC each spelling is a person; Active Directory issues tickets in any spelling of an account's name."""
    people = {"Anna": 403, "ANNA": 403, "BEN": 403, "clara": 200, "Clara": 403, "CLARA": 403, "dora": 200}
    await realm.add_people(*people)
    async with gateway_of(tmp_path / "gateway", realm.folder / "http.keytab", grants=SPELLINGS) as stack:
        for person, status in people.items():
            await realm.sign_in(person)
            assert (await get(stack, realm.token(person)))[0] == status, person


@pytest.mark.promise("kerberos-3")
@pytest.mark.parametrize("listed", ["example.edu", "Example.EDU"])
async def test_a_realm_in_another_letter_case_is_another_realm(tmp_path: Path, realm: Realm, listed: str) -> None:
    async with gateway_of(tmp_path / "gateway", realm.folder / "http.keytab") as stack:
        stack.config.write_text(stack.config.read_text().replace('["EXAMPLE.EDU"]', f'["{listed}"]'))
        await stack.gateway.reload(settings_of(stack.config))
        assert (await get(stack, realm.token("anna")))[0] == 401
        await wait_until_logged(stack, "the Kerberos realm 'EXAMPLE.EDU' is not one of the provider's realms")


@pytest.mark.promise("kerberos-5")
async def test_requests_with_tickets_count_for_the_persons_limit(tmp_path: Path, realm: Realm) -> None:
    limits = "\n[limits]\nrequests_per_minute = 2\n"
    async with gateway_of(tmp_path / "gateway", realm.folder / "http.keytab", more=limits) as stack:
        statuses = [(await get(stack, realm.token("anna"), "/oauth2/userinfo"))[0] for _ in range(3)]
        assert statuses == [200, 200, 429]
        metrics = await stack.metrics()
        assert metrics['valt_gateway_identity_total{outcome="accepted",provider="domain"}'] == 3
