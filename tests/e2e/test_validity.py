"""What ends a proof ends everything made from it: running streams, sessions and links, and new requests with them."""

import asyncio
import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.store.sqlite_revocations import revoke_in_file
from tests.e2e.test_running_it import is_aborted, watching
from tests.e2e.test_sign_out_at_the_provider import WITH_STATE
from tests.support.clock import ManualClock
from tests.support.configuration import grant, table
from tests.support.cookie_jar import CookieJar
from tests.support.gateway_fixture import NAVIGATION, VIDEO_PATH, GatewayStack, running_stack, settings_of

LINK_PATH = VIDEO_PATH.replace("/recordings/", "/api/v3/records/download/").replace("/videos/", "/")
SERVICE_SECRET = "vgk_" + "k" * 40
SERVICE_KEY = table(
    "[[service_keys]]",
    name="archive",
    secret_sha256=hashlib.sha256(SERVICE_SECRET.encode()).hexdigest(),
    groups=["supervisors"],
)


async def status(stack: GatewayStack, url: str = VIDEO_PATH, **headers: str) -> int:
    async with stack.client.get(url if "://" in url else stack.url + url, headers=headers) as answer:
        await answer.read()
        return answer.status


async def exchange(stack: GatewayStack, ticket: str) -> CookieJar:
    """Returns the cookies of a browser that followed a link with *ticket*."""
    jar, url = CookieJar(), f"{stack.url}{VIDEO_PATH}?ticket={ticket}"
    async with stack.client.get(url, headers=NAVIGATION, allow_redirects=False) as answer:
        assert answer.status == 303
        jar.store(answer.headers.getall("Set-Cookie"))
    return jar


async def link(stack: GatewayStack, **headers: str) -> str:
    """Returns the path and query of a link for one video, made with the credentials in *headers*."""
    async with stack.client.get(stack.url + LINK_PATH, headers=headers) as answer:
        url: str = (await answer.json())["url"]
        return VIDEO_PATH + url.partition(VIDEO_PATH)[2]


async def reload(stack: GatewayStack, old: str, new: str) -> None:
    """Replaces the last *old* in the configuration, and has it applied."""
    before, _, after = stack.config.read_text().rpartition(old)
    stack.config.write_text(before + new + after)
    assert await stack.gateway.reload(settings_of(stack.config))


@pytest.mark.promise("security-S7")
async def test_a_removed_provider_ends_streams_sessions_and_links_until_it_returns(
    stack: GatewayStack,
) -> None:
    cookie = (await exchange(stack, stack.ticket())).header
    by_session, by_token = await link(stack, Cookie=cookie), await link(stack, **stack.bearer())
    text = stack.config.read_text()
    async with watching(stack, {"Cookie": cookie}) as answer:
        stack.config.write_text(text.replace('name = "portal"', 'name = "other"'))
        assert await stack.gateway.reload(settings_of(stack.config))
        assert await is_aborted(answer)
    stack.valt.knobs.stall_gate.set()
    assert await status(stack, Cookie=cookie) == 401
    assert await status(stack, by_session) == 401
    assert await status(stack, by_token) == 200
    stack.config.write_text(text.replace('name = "campus"', 'name = "other"'))
    assert await stack.gateway.reload(settings_of(stack.config))
    assert await status(stack, Cookie=cookie) == 200
    assert await status(stack, by_session) == 200
    assert await status(stack, by_token) == 401


@pytest.mark.promise("security-S7")
async def test_a_replaced_session_secret_ends_the_streams_of_its_sessions_and_links(stack: GatewayStack) -> None:
    cookie = (await exchange(stack, stack.ticket())).header
    path = await link(stack, **stack.bearer())
    async with watching(stack, {"Cookie": cookie}) as by_session:
        (stack.folder / "session").write_text("another secret of more than thirty-two bytes")
        assert await stack.gateway.reload(settings_of(stack.config))
        assert await is_aborted(by_session)
    stack.valt.knobs.stall_gate.set()
    assert await status(stack, Cookie=cookie) == 401
    assert await status(stack, path) == 401


@pytest.mark.promise("security-S7", "rules-refusals")
async def test_a_new_refusal_ends_sessions_that_do_not_tell_whether_it_is_met(stack: GatewayStack) -> None:
    cookies = {
        name: (await exchange(stack, stack.ticket(name, "supervisors", *groups))).header
        for name, groups in (("anna", ["Banned"]), ("ben", []))
    }
    path = await link(stack, Cookie=cookies["anna"])
    text = stack.config.read_text()
    refusal = grant("never", groups=["banned"], allow=False)
    async with watching(stack, {"Cookie": cookies["anna"]}) as answer:
        stack.config.write_text(text.replace("[[grants]]", f"{refusal}[[grants]]", 1))
        assert await stack.gateway.reload(settings_of(stack.config))
        assert await is_aborted(answer)
    stack.valt.knobs.stall_gate.set()
    assert [await status(stack, Cookie=cookie) for cookie in cookies.values()] == [401, 401]
    assert await status(stack, path) == 401
    for name, groups, expected in (("anna", ["Banned"], 403), ("ben", [], 200)):
        cookie = (await exchange(stack, stack.ticket(name, "supervisors", *groups))).header
        assert await status(stack, Cookie=cookie) == expected
    stack.config.write_text(text)
    assert await stack.gateway.reload(settings_of(stack.config))
    assert [await status(stack, Cookie=cookie) for cookie in cookies.values()] == [200, 200]


@pytest.mark.promise("security-S7", "rules-days")
async def test_the_last_day_of_a_service_key_ends_its_streams_and_links(tmp_path: Path) -> None:
    clock = ManualClock(wall=datetime(2027, 6, 30, 23, 59, 50, tzinfo=UTC).timestamp())
    async with running_stack(tmp_path, clock=clock, more=SERVICE_KEY.strip() + "\nexpires = 2027-06-30\n") as stack:
        headers = {"Authorization": f"Bearer {SERVICE_SECRET}"}
        path = await link(stack, **headers)
        async with watching(stack, headers) as answer:
            clock.pass_(9)
            assert await status(stack, path) == 200
            assert len(stack.gateway.streams) == 1
            clock.pass_(1)
            assert await is_aborted(answer)
        stack.valt.knobs.stall_gate.set()
        assert await status(stack, path) == 401
        assert await status(stack, **headers) == 401


@pytest.mark.promise("security-S7")
@pytest.mark.parametrize(
    ("old", "new", "refusal"),
    [
        ('name = "archive"', 'name = "archive"\nexpires = 2027-06-29', 401),
        ('groups = ["supervisors"]', 'groups = ["directors"]', 403),
    ],
)
async def test_a_service_key_that_a_reload_changes_ends_its_streams_and_links(
    tmp_path: Path, old: str, new: str, refusal: int
) -> None:
    clock = ManualClock(wall=datetime(2027, 6, 30, 12, tzinfo=UTC).timestamp())
    async with running_stack(tmp_path, clock=clock, more=SERVICE_KEY) as stack:
        headers = {"Authorization": f"Bearer {SERVICE_SECRET}"}
        path = await link(stack, **headers)
        async with watching(stack, headers) as answer:
            await reload(stack, 'name = "archive"', 'name = "archive"\nexpires = 2027-07-30')
            await reload(stack, "\nexpires = 2027-07-30", "")
            assert len(stack.gateway.streams) == 1
            await reload(stack, old, new)
            assert await is_aborted(answer)
        stack.valt.knobs.stall_gate.set()
        assert await status(stack, **headers) == refusal
        assert await status(stack, path) == refusal


@pytest.mark.promise("security-S7")
async def test_a_shorter_lifetime_ends_the_streams_and_links_of_older_sessions(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with running_stack(tmp_path, clock=clock) as stack:
        cookie = (await exchange(stack, stack.ticket())).header
        path = await link(stack, Cookie=cookie)
        async with watching(stack, {"Cookie": cookie}) as answer:
            clock.pass_(1800)
            await reload(stack, 'secret_file = "session"', 'secret_file = "session"\nlifetime = "30m"')
            assert await is_aborted(answer)
        stack.valt.knobs.stall_gate.set()
        assert await status(stack, Cookie=cookie) == 401
        assert await status(stack, path) == 401


@pytest.mark.promise("security-S10")
async def test_a_sign_out_lasts_when_a_reload_makes_sessions_longer_again(tmp_path: Path, clock: ManualClock) -> None:
    longer, shorter = 'secret_file = "session"\nlifetime = "30d"\nidle = "30d"', 'secret_file = "session"'
    async with running_stack(tmp_path, clock=clock) as stack:
        await reload(stack, shorter, longer)
        cookie = (await exchange(stack, stack.ticket())).header
        await reload(stack, longer, shorter)
        headers = {"Sec-Fetch-Site": "same-origin", "Cookie": cookie}
        async with stack.client.post(f"{stack.url}/oauth2/sign_out", headers=headers) as answer:
            assert answer.status == 200
        await reload(stack, shorter, longer)
        clock.pass_(29 * 86_400)
        assert await status(stack, Cookie=cookie) == 401


@pytest.mark.promise("security-S8")
async def test_a_revocation_that_arrives_late_ends_the_session_of_an_older_ticket(
    tmp_path: Path, clock: ManualClock
) -> None:
    """The command writes to the state's file, which the gateway looks at once a second."""
    async with running_stack(tmp_path, clock=clock) as stack:
        ticket, revoked_at = stack.ticket(), clock.now() + 10
        clock.pass_(11)
        cookie = (await exchange(stack, ticket)).header
        path = await link(stack, Cookie=cookie)
        file = stack.folder / "state" / "state.sqlite3"
        async with watching(stack, {"Cookie": cookie}) as answer:
            await asyncio.to_thread(revoke_in_file, file, "anna", revoked_at, clock.now() + 3600)
            assert await is_aborted(answer)
        stack.valt.knobs.stall_gate.set()
        assert await status(stack, Cookie=cookie) == 401
        assert await status(stack, path) == 401
        clock.pass_(5)
        assert await status(stack, Cookie=(await exchange(stack, stack.ticket())).header) == 200


@pytest.mark.promise("security-S8")
async def test_a_revocation_ends_a_token_whose_clock_is_ahead_and_its_stream_and_link(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with running_stack(tmp_path, clock=clock) as stack:
        ahead = stack.bearer(iat=int(clock.now()) + 20)
        path = await link(stack, **ahead)
        async with watching(stack, ahead) as answer:
            await stack.gateway.store.revoke("anna", clock.now(), clock.now() + 3600)
            assert await is_aborted(answer)
        stack.valt.knobs.stall_gate.set()
        for _ in range(2):
            assert await status(stack, **ahead) == 401
            assert await status(stack, path) == 401
            clock.pass_(120)
        assert await status(stack, **stack.bearer()) == 200


@pytest.mark.promise("security-S13")
async def test_a_link_from_a_bearer_token_ends_with_its_exp(tmp_path: Path, clock: ManualClock) -> None:
    async with running_stack(tmp_path, clock=clock) as stack:
        path = await link(stack, **stack.bearer(exp=int(clock.now()) + 60))
        clock.pass_(59)
        assert await status(stack, path) == 200
        clock.pass_(1)
        assert await status(stack, path) == 401


@pytest.mark.promise("security-S2")
@pytest.mark.parametrize("proof", ["a token", "a ticket for the video alone"])
async def test_a_link_for_one_video_opens_nothing_else_of_its_recording(stack: GatewayStack, proof: str) -> None:
    recording, video = VIDEO_PATH.split("/")[2::2]
    headers = (
        stack.bearer() if proof == "a token" else {"Cookie": (await exchange(stack, stack.ticket(video=video))).header}
    )
    path = await link(stack, **headers)
    token = path.partition("?")[2]
    assert await status(stack, path) == 200
    assert await status(stack, f"{LINK_PATH}?{token}") == 200
    for address in (f"/api/v3/records/{recording}", f"/api/v3/comment/record/{recording}"):
        assert await status(stack, f"{address}?{token}") == 404
    for address in (f"/recordings/{recording}", f"/recordings/{recording}/captions.vtt", "/recordings"):
        assert await status(stack, f"{address}?{token}") == 401
    async with stack.client.post(f"{stack.url}/api/v3/records?{token}", json={}) as answer:
        assert await answer.json() == {"data": {"records": []}}


@pytest.mark.promise("security-S9")
async def test_a_sign_in_as_another_person_ends_every_session_that_is_presented(tmp_path: Path) -> None:
    async with running_stack(tmp_path, more=WITH_STATE) as stack:
        jar = await exchange(stack, stack.ticket("anna"))
        narrowed = await exchange(stack, stack.ticket("anna", recording=VIDEO_PATH.split("/")[2]))
        jar.cookies |= narrowed.cookies
        copies = jar.header
        await stack.sign_in("ben", jar=jar)
        assert len(jar.cookies) == 1
        assert await status(stack, Cookie=jar.header) == 200
        assert await status(stack, Cookie=copies) == 401


async def test_a_sign_in_as_the_same_person_continues_the_session(tmp_path: Path) -> None:
    async with running_stack(tmp_path, more=WITH_STATE) as stack:
        jar = CookieJar()
        await stack.sign_in("anna", jar=jar)
        first = jar.header
        await stack.sign_in("anna", jar=jar)
        assert [await status(stack, Cookie=cookies) for cookies in (first, jar.header)] == [200, 200]
        headers = {"Sec-Fetch-Site": "same-origin", "Cookie": jar.header}
        async with stack.client.post(f"{stack.url}/oauth2/sign_out", headers=headers) as answer:
            assert answer.status == 200
        assert [await status(stack, Cookie=cookies) for cookies in (first, jar.header)] == [401, 401]
