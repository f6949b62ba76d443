"""Each file of config/ admits the person that it configures. Only the addresses are replaced by the test's."""

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from gateway.identity.ticket import mint_ticket
from gateway.server import Gateway
from gateway.sim.catalogue import SESSION
from gateway.sim.demo_configuration import make_portal_key
from gateway.sim.valt import USERS, ValtSimulator
from tests.support.free_ports import free_port
from tests.support.fronts import HOST, write_certificates
from tests.support.gateway_fixture import NAVIGATION, VIDEO_PATH, audit_lines, settings_of
from tests.support.kerberos import negotiate, running_realm
from tests.support.kerberos_gateway import use
from tests.support.openid import openid_provider
from tests.support.person import person_before
from tests.support.provider import Provider
from tests.support.state import create_state
from tests.unit.settings.configurations import SHIPPED, with_secrets

PUBLIC = "https://recordings.example.edu"
FRONT_SECRET = {"X-Gateway-Secret": "planted front of more than 32 bytes"}

KERBEROS = "kerberos.toml"
"""Has a test of its own."""

Proof = Callable[[Provider, str, float], tuple[str, Mapping[str, str]]]
"""Returns a query and headers for a provider, a portal's key and the time."""


def token(subject_claim: str, subject: str) -> Proof:
    def proof(provider: Provider, _key: str, now: float) -> tuple[str, Mapping[str, str]]:
        claims: dict[str, Any] = {"iss": provider.issuer, "aud": "valt-gateway", "sub": "1", subject_claim: subject}
        claims |= {"groups": ["supervisors"], "iat": int(now), "exp": int(now) + 60}
        return "", {"Authorization": f"Bearer {provider.sign(claims)}"}

    return proof


def front(subject: str, groups: str, **more: str) -> Proof:
    headers = {"X-Forwarded-User": subject, "X-Forwarded-Groups": groups, **more}
    return lambda *_: ("", headers)


def ticket(_provider: Provider, key: str, now: float) -> tuple[str, Mapping[str, str]]:
    minted = mint_ticket(
        key, issuer="https://portal.example.edu", audience=PUBLIC, subject="anna", now=now, ttl=60, recording=SESSION
    )
    return f"?ticket={minted}", {}


CASES: dict[str, Proof | None] = {
    "gateway.toml": token("preferred_username", "anna"),
    "signed-tokens.toml": token("preferred_username", "anna"),
    "forward-auth.toml": token("preferred_username", "anna"),
    "behind-oauth2-proxy.toml": front("anna", "supervisors"),
    "behind-shibboleth.toml": front("anna@example.edu", "urn:mace:example.edu:supervisors;others", **FRONT_SECRET),
    "behind-mellon.toml": front("anna@example.edu", "urn:mace:example.edu:supervisors;others", **FRONT_SECRET),
    "behind-openidc.toml": front("anna", "supervisors;others", **FRONT_SECRET),
    "portal-tickets.toml": ticket,
    "browser-sign-in.toml": None,
    "compose.toml": None,
    "kubernetes.toml": None,
}


@asynccontextmanager
async def running(
    folder: Path, shipped: Path, valt: ValtSimulator, provider: Provider, *, more: str = "", issuer: str = ""
) -> AsyncIterator[Gateway]:
    """A gateway with the *shipped* file, the test's addresses, and *more* tables.

    With *issuer* its client's secret is that provider's, and *folder* has the certificate with which it speaks TLS.
    """
    config = with_secrets(folder, shipped)
    (folder / "secrets/valt-reviewer").write_text(USERS["svc-reviewer"])
    text = config.read_text()
    if issuer:
        (folder / "secrets/oidc").write_text("planted-client-secret")
        (folder / f"{HOST}.pem").replace(folder / "tls/fullchain.pem")
        (folder / f"{HOST}.key").replace(folder / "tls/privkey.pem")
    for old, new in (
        (r'"https://valt\.example\.edu"', f'"{valt.base_url}"'),
        (r'"https://sso\.example\.edu"', f'"{issuer or provider.issuer}"'),
        (r'"10\.0\.0\.5/32"', '"127.0.0.1/32"'),
        (r'"10\.0\.0\.0/8"', '"127.0.0.0/8"'),
        (r"^listen = .*$", 'listen = "127.0.0.1:0"'),
        (r"^tls_(cert|key)_file = .*$", r"\g<0>" if issuer else ""),
        (r'"/var/lib/valt-gateway"', '"state"'),
        (r"^url(?:_file)? = .*(?:redis).*\n(?:secret_file = .*)?$", 'dir = "state"'),
        (r'^file = "-"', 'file = "audit.jsonl"'),
    ):
        text = re.sub(old, new, text, flags=re.MULTILINE)
    if "[admin]" not in text:
        text += '\n[admin]\nlisten = "127.0.0.1:0"\n'
    if "[audit]" not in text:
        text += '\n[audit]\nfile = "audit.jsonl"\n'
    config.write_text(f"{text}\n{more}")
    await create_state(folder)
    gateway = Gateway(settings_of(config), film_indexes=False)
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.stop()


def test_every_file_has_a_case() -> None:
    assert {path.name for path in SHIPPED} == {*CASES, KERBEROS}


@pytest.mark.parametrize("shipped", [path for path in SHIPPED if path.name in CASES], ids=lambda path: path.stem)
async def test_a_shipped_configuration_admits_only_the_configured_person(tmp_path: Path, shipped: Path) -> None:
    async with (
        ValtSimulator() as valt,
        Provider().running() as provider,
        aiohttp.ClientSession() as client,
        running(tmp_path, shipped, valt, provider) as gateway,
    ):
        url = gateway.addresses[0] + VIDEO_PATH
        async with client.get(url) as refused:
            assert refused.status == 401
        proof = CASES[shipped.name]
        if proof is None:
            async with client.get(url, headers=NAVIGATION, allow_redirects=False) as sent:
                assert sent.status == 302
                assert sent.headers["Location"].startswith("/oauth2/start?rd=")
            return
        key = make_portal_key(tmp_path)
        await gateway.reload(settings_of(tmp_path / shipped.name))
        query, headers = proof(provider, key, gateway.clock.now())
        async with client.get(url + query, headers=headers) as answer:
            assert answer.status == 200
            await answer.read()
        lines = audit_lines(tmp_path / "audit.jsonl")
        assert lines[-1]["event"] == "close"


async def test_people_sign_in_at_a_certified_provider_with_the_shipped_file(tmp_path: Path) -> None:
    shipped = next(path for path in SHIPPED if path.name == "browser-sign-in.toml")
    certificates = write_certificates(tmp_path)
    with free_port() as port:
        issuer = f"http://localhost:{port}"
        async with (
            ValtSimulator() as valt,
            Provider().running() as unused,
            openid_provider(port, PUBLIC),
            running(tmp_path, shipped, valt, unused, issuer=issuer) as gateway,
            person_before(urlsplit(gateway.addresses[0]).port or 0, certificates) as person,
        ):
            for name, status in (("anna", 200), ("mallory", 403)):
                person.session.cookie_jar.clear()
                begin = f"/oauth2/start?rd={VIDEO_PATH}"
                assert await person.sign_in(begin, login=name, password="any") == status
                async with person.get("/oauth2/userinfo") as answer:
                    assert (await answer.json())["subject"] == name
                async with person.session.post(f"{PUBLIC}/oauth2/sign_out", headers={"Origin": PUBLIC}) as answer:
                    assert answer.ok
                async with person.get("/oauth2/userinfo") as answer:
                    assert answer.status == 401


@pytest.mark.promise("kerberos-1")
async def test_the_kerberos_configuration_admits_the_people_of_the_domain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = next(path for path in SHIPPED if path.name == KERBEROS)
    service = "HTTP/recordings.example.edu"
    async with (
        ValtSimulator() as valt,
        Provider().running() as provider,
        aiohttp.ClientSession() as client,
        running_realm(tmp_path / "realm") as realm,
        running(tmp_path, shipped, valt, provider) as gateway,
    ):
        use(realm, monkeypatch)
        await realm.add_people("anna", "ben")
        (await realm.keytab("http.keytab", service)).replace(tmp_path / "secrets/http.keytab")
        url = gateway.addresses[0] + VIDEO_PATH
        async with client.get(url, headers=NAVIGATION) as challenged:
            assert (challenged.status, challenged.headers["WWW-Authenticate"]) == (401, "Negotiate")
        for person, status in (("anna", 200), ("ben", 403)):
            await realm.sign_in(person)
            async with client.get(url, headers=negotiate(realm.token(person, service))) as answer:
                assert answer.status == status
                await answer.read()
        assert audit_lines(tmp_path / "audit.jsonl")[-1]["subject"] == "ben"
