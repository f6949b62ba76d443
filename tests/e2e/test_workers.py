"""Several worker processes act as one gateway: tickets, sign-outs, revocations and the audit."""

import asyncio
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from tests.support.gateway_fixture import NAVIGATION, OIDC, audit_lines
from tests.support.programs import run
from tests.support.provider import Provider
from tests.support.served import ServedGateway, serving
from tests.support.worker_requests import WORKERS, eventually, status, statuses

pytestmark = pytest.mark.timeout(300)


async def session_of(gateway: ServedGateway) -> str:
    """Returns the cookie of a session that a ticket was exchanged for."""
    url = gateway.url + gateway.path("session", "film")
    async with gateway.client.get(url, headers=NAVIGATION, allow_redirects=False) as answer:
        assert answer.status == 303
        return answer.headers["Set-Cookie"].partition(";")[0]


def all_audit_lines(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("audit*.jsonl")):
        yield from (line["event"] for line in audit_lines(path))


@pytest.mark.promise("restart-4")
async def test_a_ticket_is_accepted_by_one_worker_only(tmp_path: Path) -> None:
    async with serving(tmp_path, server=WORKERS) as gateway:
        gateway.valt.add_video("one", "film", bytes(1000))
        for _ in range(3):
            answers = await statuses(gateway.url + gateway.path("one", "film"), 12)
            assert sorted(answers) == [200] + [401] * 11


@pytest.mark.promise("restart-4")
@pytest.mark.parametrize("state", ["configured", "private"])
async def test_a_sign_out_holds_in_every_worker_at_once(tmp_path: Path, state: str) -> None:
    async with serving(tmp_path, server=WORKERS, private_state=state == "private") as gateway:
        gateway.valt.add_video("session", "film", bytes(1000))
        if state == "private":
            await asyncio.sleep(6)  # a ticket that may have been issued before the start is refused
        for _ in range(3):
            cookie = await session_of(gateway)
            url = f"{gateway.url}/recordings/session/videos/film"
            assert await statuses(url, 8, Cookie=cookie) == [200] * 8
            async with gateway.client.post(
                f"{gateway.url}/oauth2/sign_out",
                headers={"Cookie": cookie, "Sec-Fetch-Site": "same-origin"},
                allow_redirects=False,
            ) as answer:
                assert answer.status == 200
            assert await statuses(url, 8, Cookie=cookie) == [401] * 8


async def signed_in(gateway: ServedGateway, provider: Provider, sid: str) -> str:
    """Returns the cookie of anna's session *sid*, from a sign-in at *provider*."""
    start = f"{gateway.url}/oauth2/start"
    async with gateway.client.get(start, headers=NAVIGATION, allow_redirects=False) as answer:
        query = URL(answer.headers["Location"]).query
        attempt = answer.headers["Set-Cookie"].partition(";")[0]
    now = int(time.time())
    claims = {"sub": "anna", "sid": sid, "nonce": query["nonce"], "iat": now, "exp": now + 300}
    provider.id_token = {"iss": provider.issuer, "aud": query["client_id"], "groups": ["supervisors"], **claims}
    finished = f"{gateway.url}/oauth2/callback?code=the-code&state={query['state']}"
    async with gateway.client.get(finished, headers={"Cookie": attempt}, allow_redirects=False) as answer:
        cookies = [one.partition(";")[0] for one in answer.headers.getall("Set-Cookie", [])]
    return next(one for one in cookies if one.startswith("valt_gateway_session="))


@pytest.mark.promise("restart-4", "sign-in-8")
async def test_a_logout_by_the_provider_holds_in_every_worker_at_once(tmp_path: Path) -> None:
    async with (
        Provider().running() as provider,
        serving(tmp_path, server=WORKERS, more=OIDC.format(issuer=provider.issuer)) as gateway,
    ):
        for number in range(3):
            cookies = [await signed_in(gateway, provider, f"{number} {name}") for name in ("ends", "stays")]
            url = f"{gateway.url}/oauth2/userinfo"
            assert await statuses(url, 8, Cookie=cookies[0]) == [200] * 8
            now = int(time.time())
            claims = {"sub": "anna", "sid": f"{number} ends", "jti": f"logout {number}", "iat": now, "exp": now + 120}
            events: dict[str, object] = {"http://schemas.openid.net/event/backchannel-logout": {}}
            token = provider.sign(
                {"iss": provider.issuer, "aud": "gateway-client", "events": events, **claims},
                headers={"typ": "logout+jwt"},
            )
            logout = f"{gateway.url}/oauth2/backchannel_logout"
            async with gateway.client.post(logout, data={"logout_token": token}) as answer:
                assert answer.status == 200
            assert await statuses(url, 8, Cookie=cookies[0]) == [401] * 8
            assert await statuses(url, 8, Cookie=cookies[1]) == [200] * 8


@pytest.mark.promise("restart-4")
async def test_a_revocation_by_the_command_ends_streams_in_every_worker(tmp_path: Path) -> None:
    async with serving(tmp_path, server=WORKERS) as gateway:
        gateway.valt.add_video("long", "film", bytes(64 * 1024 * 1024))
        streams = [await gateway.client.get(gateway.url + gateway.path("long", "film")) for _ in range(6)]
        for stream in streams:
            assert stream.status == 200
            await stream.content.readexactly(1000)
        revoked = await run(
            sys.executable, "-m", "gateway", "revoke", "--config", str(gateway.config), "--subject", "anna"
        )
        assert b"revoked" in revoked.err
        await eventually(gateway, lambda metrics: metrics['valt_gateway_streams_active{delivery="proxy"}'] == 0)
        for stream in streams:
            with pytest.raises(aiohttp.ClientError):
                async with asyncio.timeout(30):
                    await stream.read()
    assert list(all_audit_lines(tmp_path)).count("close") == 6


async def test_each_worker_has_an_audit_file_and_they_are_whole_together(tmp_path: Path) -> None:
    async with serving(tmp_path, server=WORKERS) as gateway:
        gateway.valt.add_video("one", "film", bytes(1000))
        for _ in range(12):
            assert await status(gateway.url + gateway.path("one", "film")) == 200
        gateway.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            assert await gateway.process.wait() == 0
    files = sorted(tmp_path.glob("audit*.jsonl"))
    assert [path.name for path in files] == ["audit.1.jsonl", "audit.2.jsonl"]
    events = list(all_audit_lines(tmp_path))
    assert (events.count("open"), events.count("close")) == (12, 12)
    verified = await run(sys.executable, "-m", "gateway", "audit", "verify", *map(str, files))
    assert verified.code == 0, verified.out + verified.err


async def test_the_limit_of_streams_is_divided_so_that_all_workers_together_have_it(tmp_path: Path) -> None:
    limits = "\n[limits]\nstreams = 4\nstreams_per_person = 0\nstreams_per_address = 0\n"
    async with serving(tmp_path, server=WORKERS, more=limits) as gateway:
        gateway.valt.add_video("long", "film", bytes(64 * 1024 * 1024))
        running: list[aiohttp.ClientResponse] = []
        async with asyncio.timeout(120):
            while len(running) < 4:  # a worker that has its two refuses a third, which another one may accept
                stream = await play_long(gateway)
                if stream.status == 200:
                    running.append(stream)
        assert [(await play_long(gateway)).status for _ in range(20)] == [503] * 20
        await eventually(gateway, lambda metrics: metrics['valt_gateway_streams_active{delivery="proxy"}'] == 4)
        for stream in running:
            stream.close()


async def play_long(gateway: ServedGateway) -> aiohttp.ClientResponse:
    """Begins a stream over a new connection. Returns its response, or the refusal, which is read."""
    url = gateway.url + gateway.path("long", "film")
    answer = await gateway.client.get(url, headers={"Connection": "close"})
    if answer.status != 200:
        await answer.read()
    return answer
