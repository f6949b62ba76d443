"""Apache with each of its modules that sign people in, with the files of deploy/ and config/ and a whole gateway."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.server import Gateway
from gateway.sim.catalogue import CAMERA_A, SESSION, Film
from gateway.sim.valt import ValtSimulator
from tests.e2e.deploy.test_forged_headers import Backend
from tests.e2e.test_shipped_configurations import running
from tests.support import forged_headers
from tests.support.apache import readable_folder
from tests.support.apache_sign_in import MODULES, Module, SignIn
from tests.support.free_ports import free_port
from tests.support.fronts import HOST, Front, running_front
from tests.support.gateway_fixture import VIDEO_PATH, audit_lines
from tests.support.person import ADDRESS, Person, person_before
from tests.support.provider import Provider
from tests.unit.settings.configurations import CONFIG

SECRET = "planted front of more than 32 bytes"


@dataclass(frozen=True, slots=True)
class Site:
    """A gateway behind Apache, and the provider that Apache sends people to."""

    module: Module
    gateway: Gateway
    valt: ValtSimulator
    front: Front
    provider: SignIn
    folder: Path

    def person(self) -> AbstractAsyncContextManager[Person]:
        return person_before(self.front.port, self.front.tls)

    def audit(self) -> list[Mapping[str, Any]]:
        return audit_lines(self.folder / "audit.jsonl")

    @property
    def film(self) -> Film:
        film = self.valt.recording(SESSION).film(CAMERA_A)
        assert film is not None
        return film


@asynccontextmanager
async def running_apache(name: str, port: int, backend: str) -> AsyncIterator[tuple[Front, SignIn]]:
    """Runs Apache with the module *name* in front of *backend*."""
    with readable_folder() as folder, free_port() as provider_port:
        async with (
            MODULES[name].run(folder, provider_port) as sign_in,
            running_front(folder, port, sign_in.configure(backend, SECRET)) as front,
        ):
            yield front, sign_in


@pytest.fixture(params=MODULES)
async def site(request: pytest.FixtureRequest, tmp_path: Path, port: int) -> AsyncIterator[Site]:
    module = MODULES[request.param]
    more = "[streams]\nresume_tries = 0\n"
    async with (
        ValtSimulator() as valt,
        Provider().running() as unused,
        running(tmp_path, CONFIG / module.configuration, valt, unused, more=more) as gateway,
        running_apache(request.param, port, gateway.addresses[0]) as (front, sign_in),
    ):
        yield Site(module, gateway, valt, front, sign_in, tmp_path)


@pytest.mark.promise("identity-I1")
async def test_a_person_signs_in_watches_and_signs_out(site: Site) -> None:
    async with site.person() as person:
        async with person.get(VIDEO_PATH) as response:
            assert response.status in (302, 303), "Apache sends who is not signed in to the provider"
        assert site.audit() == []

        assert await site.provider.sign_in(person, VIDEO_PATH, "anna", site.module.group) == 200
        async with person.get(VIDEO_PATH, [("Range", "bytes=1000-4999")]) as response:
            assert (response.status, await response.read()) == (206, site.film.content[1000:5000])
        opened = [line for line in site.audit() if line["event"] == "open"]
        assert [(line["subject"], line["groups"], line["peer"]) for line in opened] == [
            (site.module.subject("anna"), [site.module.group], ADDRESS)
        ] * 2

        copied = [(cookie.key, cookie.value) for cookie in person.session.cookie_jar if cookie["domain"] == HOST]
        async with person.get(site.module.sign_out) as response:
            assert response.status in (200, 302, 303)
        async with person.get(VIDEO_PATH) as response:
            assert response.status in (302, 303), "nobody is signed in any more"
        person.session.cookie_jar.clear()
        async with person.get(VIDEO_PATH, [("Cookie", "; ".join(map("=".join, copied)))]) as response:
            assert response.status in (302, 303), "a copy of the session's cookie is void"


async def test_a_stream_that_is_aborted_ends_on_the_other_side_of_apache(site: Site) -> None:
    async with site.person() as person:
        assert await site.provider.sign_in(person, "/oauth2/userinfo", "anna", site.module.group) == 200
        site.valt.knobs.reset_after = [100_000] * 2
        async with person.get(VIDEO_PATH) as response:
            assert response.status == 200
            with pytest.raises(aiohttp.ClientError):
                await response.read()
        site.valt.knobs.reset_after.clear()
        site.film.content = random.Random(1).randbytes(32_000_000)
        async with person.get(VIDEO_PATH) as response:
            assert await response.content.readexactly(50_000) == site.film.content[:50_000]
            response.close()
        async with asyncio.timeout(20):
            while len(site.gateway.streams):
                await asyncio.sleep(0.02)
    assert [line["outcome"] for line in site.audit() if line["event"] == "close"] == ["failed", "left"]


@pytest.mark.promise("operation-O14")
async def test_nobody_forges_an_identity_before_or_after_signing_in(site: Site) -> None:
    names = (*forged_headers.APACHE, *forged_headers.MODULES)
    async with site.person() as person:
        for headers in forged_headers.batches(names, site.module.group):
            async with person.get(VIDEO_PATH, headers) as response:
                assert response.status in (302, 303), headers
        assert site.audit() == []
        assert await site.provider.sign_in(person, VIDEO_PATH, "ben") == 403
        for headers in forged_headers.batches(names, site.module.group):
            async with person.get(VIDEO_PATH, headers) as response:
                assert response.status == 403, headers
    denied = [(line["event"], line["subject"], line["code"]) for line in site.audit()]
    assert set(denied) == {("deny", site.module.subject("ben"), "access_denied")}


@pytest.mark.promise("operation-O14")
async def test_no_ticket_is_in_apaches_logs_even_if_the_gateway_is_down(site: Site) -> None:
    address = VIDEO_PATH + "?ticket=planted"
    headers = [("Referer", f"https://{HOST}{address}")]
    async with site.person() as person:
        async with person.get(address, headers) as response:
            assert response.status in (302, 303)
        assert await site.provider.sign_in(person, address, "anna", site.module.group) == 200
        await site.gateway.stop()
        async with person.get(address, headers) as response:
            assert response.status == 503
    await site.front.wait_until_written(f'"GET {VIDEO_PATH}" 503')
    assert "planted" not in site.front.written()


@pytest.mark.promise("operation-O14", "identity-I15")
@pytest.mark.parametrize("name", MODULES)
async def test_the_gateway_receives_the_person_and_none_of_the_modules_secrets(name: str, port: int) -> None:
    module, backend = MODULES[name], Backend()
    async with (
        backend.running() as address,
        running_apache(name, port, f"http://{address}") as (front, provider),
        person_before(front.port, front.tls) as person,
    ):
        for groups, sent, _ in module.groups:
            person.session.cookie_jar.clear()
            assert await provider.sign_in(person, "/page", "anna", *groups) == 200
            received = backend.received[-1].headers
            assert received.getall("X-Forwarded-User") == [module.subject("anna")]
            assert received.getall("X-Forwarded-Groups") == [sent]
            assert received["X-Gateway-Secret"] == SECRET
            assert (received.get("Cookie", ""), received.get("Authorization")) == ("", None)
            assert not [name for name in received if "_" in name or "token" in name.lower()]
        for groups in module.refused:
            person.session.cookie_jar.clear()
            assert await provider.sign_in(person, "/refused", "anna", *groups) in (401, 403)
        assert "/refused" not in {request.path for request in backend.received}

        person.session.cookie_jar.clear()
        assert await provider.sign_in(person, "/page", "anna") == 200
        cookies = [("Cookie", "valt_gateway_session=ours; other=1")]
        for headers in forged_headers.batches((*forged_headers.APACHE, *forged_headers.MODULES)):
            async with person.get("/page", [*cookies, *headers]) as response:
                assert response.status == 200
            assert forged_headers.arrived(backend.received[-1].headers, forged_headers.APACHE) == {}
            assert dict(backend.received[-1].cookies) == {"valt_gateway_session": "ours", "other": "1"}


@pytest.mark.promise("operation-O14")
@pytest.mark.parametrize("name", MODULES)
async def test_nobody_has_a_header_of_apache_removed_by_naming_it_in_connection(name: str, port: int) -> None:
    """Who could hide their groups would escape a rule that refuses one of them (RFC 9110, section 7.6.1)."""
    module, backend = MODULES[name], Backend()
    ours = ("X-Forwarded-User", "X-Forwarded-Groups", "X-Gateway-Secret", "X-Forwarded-For", "X-Forwarded-Proto")
    values = [
        *(f"keep-alive, {name}" for name in ours),
        *(f"{name.lower()},close" for name in ours),
        *(f'"{name}" ,\t{name.upper()} ,' for name in ours),
        ", ".join(ours),
    ]
    async with (
        backend.running() as address,
        running_apache(name, port, f"http://{address}") as (front, provider),
        person_before(front.port, front.tls) as person,
    ):
        assert await provider.sign_in(person, "/page", "anna", module.group) == 200
        expected = {name: backend.received[-1].headers[name] for name in ours}
        for value in values:
            for headers in ([("Connection", value)], [("Connection", "keep-alive"), ("Connection", value)]):
                async with person.get("/page", headers) as response:
                    assert response.status in (200, 400), value
                received = backend.received[-1].headers
                assert {name: received.get(name) for name in ours} == expected, headers
