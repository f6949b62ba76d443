"""A portal hands a person over with a ticket: good once, exchanged for a session narrowed to what it allows."""

import asyncio
import re
from pathlib import Path

import pytest

from gateway.sim.catalogue import CAMERA_B, INTERVIEW, INTERVIEW_FILM, SESSION
from tests.support.clock import ManualClock
from tests.support.cookie_jar import CookieJar
from tests.support.gateway_fixture import NAVIGATION, PORTAL, VIDEO_PATH, GatewayStack, running_stack

OTHER_CAMERA = f"/recordings/{SESSION}/videos/{CAMERA_B}"
OTHER_RECORDING = f"/recordings/{INTERVIEW}/videos/{INTERVIEW_FILM}"


async def enter(stack: GatewayStack, ticket: str, path: str = VIDEO_PATH) -> tuple[int, str, str]:
    """Follow a portal's link as a browser does. Status, Location, and the Cookie to send from then on."""
    async with stack.client.get(
        f"{stack.url}{path}{'&' if '?' in path else '?'}ticket={ticket}", headers=NAVIGATION, allow_redirects=False
    ) as answer:
        cookie = answer.headers.get("Set-Cookie", "").partition(";")[0]
        return answer.status, answer.headers.get("Location", ""), cookie


async def status(stack: GatewayStack, path: str = VIDEO_PATH, **headers: str) -> int:
    async with stack.client.get(stack.url + path, headers=headers) as answer:
        await answer.read()
        return answer.status


@pytest.mark.promise("findings-J")
async def test_a_navigation_exchanges_its_ticket_for_a_session_at_the_same_address(stack: GatewayStack) -> None:
    code, location, cookie = await enter(stack, stack.ticket(), VIDEO_PATH + "?t=90")
    assert (code, location) == (303, VIDEO_PATH + "?t=90")
    assert cookie.startswith("valt_gateway_session=")
    assert await status(stack, Cookie=cookie) == 200
    assert [line["event"] for line in stack.audit()][:1] == ["sign_in"]


@pytest.mark.parametrize("element", ["iframe", "frame", "object", "embed"])
async def test_a_ticket_in_a_frame_of_any_kind_opens_the_page_without_its_surroundings(
    stack: GatewayStack, element: str
) -> None:
    address, headers = f"{stack.url}/recordings/{SESSION}", NAVIGATION | {"Sec-Fetch-Dest": element}
    query = {"ticket": stack.ticket()}
    async with stack.client.get(address, params=query, headers=headers, allow_redirects=False) as answer:
        assert answer.status == 303
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
    async with stack.client.get(address, headers=headers | {"Cookie": cookie}) as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")
        assert '<base target="_blank">' in await answer.text()
    async with stack.client.get(address, headers=headers) as answer:
        assert (answer.status, answer.content_type) == (401, "text/html")


async def test_a_ticket_is_valid_once(stack: GatewayStack) -> None:
    ticket = stack.ticket()
    assert (await enter(stack, ticket))[0] == 303
    assert await status(stack, f"{VIDEO_PATH}?ticket={ticket}") == 401


async def test_of_two_hundred_concurrent_uses_of_a_ticket_one_succeeds(stack: GatewayStack) -> None:
    ticket = stack.ticket()
    answers = await asyncio.gather(
        *(status(stack, f"{VIDEO_PATH}?ticket={ticket}", Range="bytes=0-1") for _ in range(200))
    )
    assert sorted(answers) == [206] + [401] * 199


async def test_a_ticket_in_a_get_without_navigation_is_answered_directly_once(stack: GatewayStack) -> None:
    ticket = stack.ticket()
    async with stack.client.get(f"{stack.url}{VIDEO_PATH}?ticket={ticket}") as answer:
        assert answer.status == 200
        assert "Set-Cookie" not in answer.headers


@pytest.mark.promise("findings-10")
async def test_head_does_not_consume_a_ticket(stack: GatewayStack) -> None:
    ticket = stack.ticket()
    for _ in range(2):
        async with stack.client.head(f"{stack.url}{VIDEO_PATH}?ticket={ticket}") as answer:
            assert answer.status == 200
    assert await status(stack, f"{VIDEO_PATH}?ticket={ticket}") == 200


@pytest.mark.promise("security-S12")
async def test_head_with_a_used_ticket_is_refused(stack: GatewayStack) -> None:
    ticket = stack.ticket()
    assert await status(stack, f"{VIDEO_PATH}?ticket={ticket}") == 200
    async with stack.client.head(f"{stack.url}{VIDEO_PATH}?ticket={ticket}") as answer:
        assert answer.status == 401


async def test_a_ticket_for_one_video_and_its_session_allow_no_other_video(stack: GatewayStack) -> None:
    ticket = stack.ticket("anna", "supervisors", recording=SESSION, video=VIDEO_PATH.rpartition("/")[2])
    _, _, cookie = await enter(stack, ticket)
    assert await status(stack, Cookie=cookie) == 200
    assert await status(stack, OTHER_CAMERA, Cookie=cookie) == 403
    assert await status(stack, OTHER_RECORDING, Cookie=cookie) == 403


async def test_a_ticket_for_one_recording_allows_all_its_videos_and_no_other(stack: GatewayStack) -> None:
    _, _, cookie = await enter(stack, stack.ticket("anna", "supervisors", recording=SESSION))
    assert await status(stack, OTHER_CAMERA, Cookie=cookie) == 200
    assert await status(stack, OTHER_RECORDING, Cookie=cookie) == 403


@pytest.mark.parametrize("age", [61, 600, -120])
async def test_an_expired_or_future_ticket_is_refused(tmp_path: Path, clock: ManualClock, age: int) -> None:
    async with running_stack(tmp_path, clock=clock, more='[state]\ndir = "state"\n') as stack:
        ticket = stack.ticket(now=clock.now() - age, ttl=60.0)
        assert await status(stack, f"{VIDEO_PATH}?ticket={ticket}") == 401


async def test_a_ticket_with_a_lifetime_above_max_age_is_refused(stack: GatewayStack) -> None:
    assert await status(stack, f"{VIDEO_PATH}?ticket={stack.ticket(ttl=3600.0)}") == 401


@pytest.mark.parametrize("audience", ["https://elsewhere.example.edu", PORTAL])
async def test_a_ticket_for_another_service_is_refused(stack: GatewayStack, audience: str) -> None:
    assert await status(stack, f"{VIDEO_PATH}?ticket={stack.ticket(audience=audience)}") == 401


async def test_a_ticket_used_before_a_restart_is_refused_with_durable_state(tmp_path: Path, clock: ManualClock) -> None:
    async with running_stack(tmp_path, clock=clock, more='[state]\ndir = "state"\n') as stack:
        ticket = stack.ticket()
        assert await status(stack, f"{VIDEO_PATH}?ticket={ticket}") == 200
        key = (tmp_path / "portal.pub").read_bytes()
    async with running_stack(tmp_path, clock=clock, more='[state]\ndir = "state"\n') as stack:
        # The fixture creates a new key for the portal: restore the one that signed the ticket.
        (tmp_path / "portal.pub").write_bytes(key)
        from tests.support.gateway_fixture import settings_of

        await stack.gateway.reload(settings_of(stack.config))
        assert await status(stack, f"{VIDEO_PATH}?ticket={ticket}") == 401


@pytest.mark.promise("security-S12")
async def test_without_state_a_ticket_issued_before_the_start_is_refused(tmp_path: Path, clock: ManualClock) -> None:
    async with running_stack(tmp_path, clock=clock, durable=False) as stack:
        before = stack.ticket(now=clock.now() - 30)
        assert await status(stack, f"{VIDEO_PATH}?ticket={before}") == 401
        clock.pass_(2)
        ahead = stack.ticket(now=clock.now() + 2)  # of a portal whose clock may be five seconds ahead
        assert await status(stack, f"{VIDEO_PATH}?ticket={ahead}") == 401
        clock.pass_(3)
        assert await status(stack, f"{VIDEO_PATH}?ticket={stack.ticket()}") == 200


async def test_playing_prevents_idling_out_and_the_lifetime_ends_the_session(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with running_stack(tmp_path, clock=clock) as stack:
        _, _, cookie = await enter(stack, stack.ticket())
        for _ in range(14):
            clock.pass_(1800)
            async with stack.client.get(stack.url + VIDEO_PATH, headers={"Cookie": cookie}) as answer:
                assert answer.status == 200
                cookie = answer.headers["Set-Cookie"].partition(";")[0]
        clock.pass_(3600)
        assert await status(stack, Cookie=cookie) == 401


async def test_an_unused_session_idles_out(tmp_path: Path, clock: ManualClock) -> None:
    async with running_stack(tmp_path, clock=clock) as stack:
        _, _, cookie = await enter(stack, stack.ticket())
        clock.pass_(3601)
        assert await status(stack, Cookie=cookie) == 401


async def test_a_repeated_ticket_is_a_bad_request(stack: GatewayStack) -> None:
    assert await status(stack, f"{VIDEO_PATH}?ticket={stack.ticket()}&ticket={stack.ticket()}") == 400


async def test_a_session_cookie_is_secure_and_host_only_on_https(tmp_path: Path) -> None:
    public = "https://recordings.example.edu"
    async with running_stack(tmp_path, public=public) as stack:
        ticket = stack.ticket(audience=public)
        async with stack.client.get(
            f"{stack.url}{VIDEO_PATH}?ticket={ticket}", headers=NAVIGATION, allow_redirects=False
        ) as answer:
            name, *attributes = answer.headers["Set-Cookie"].split("; ")
    assert name.startswith("__Host-valt_gateway_session=")
    assert {"Path=/", "HttpOnly", "Secure", "SameSite=Lax"} <= set(attributes)
    assert not any(attribute.startswith("Domain") for attribute in attributes)


@pytest.mark.promise("sign-in-7")
async def test_a_person_in_three_hundred_groups_fits_into_the_cookie(stack: GatewayStack) -> None:
    groups = [f"{n:08d}-0000-4000-8000-000000000000" for n in range(300)]
    async with stack.client.get(
        f"{stack.url}{VIDEO_PATH}?ticket={stack.ticket('anna', 'supervisors', *groups[:60])}",
        headers=NAVIGATION,
        allow_redirects=False,
    ) as answer:
        assert answer.status == 303
        assert len(answer.headers["Set-Cookie"]) < 4096


async def exchange(stack: GatewayStack, jar: CookieJar, ticket: str, path: str = VIDEO_PATH) -> int:
    """Follows a portal's link with the cookies of *jar*, and stores those of the answer. Returns its status."""
    async with stack.client.get(
        f"{stack.url}{path}?ticket={ticket}", headers=NAVIGATION | {"Cookie": jar.header}, allow_redirects=False
    ) as answer:
        jar.store(answer.headers.getall("Set-Cookie", []))
        return answer.status


async def test_tickets_for_two_recordings_in_two_tabs_both_stay_valid(stack: GatewayStack) -> None:
    jar = CookieJar()
    assert await exchange(stack, jar, stack.ticket("anna", "supervisors", recording=SESSION)) == 303
    other = stack.ticket("anna", "supervisors", recording=INTERVIEW)
    assert await exchange(stack, jar, other, OTHER_RECORDING) == 303
    assert len(jar.cookies) == 2
    assert await status(stack, Cookie=jar.header) == 200
    assert await status(stack, OTHER_RECORDING, Cookie=jar.header) == 200
    assert await status(stack, "/recordings/614/videos/9101", Cookie=jar.header) == 403


@pytest.mark.promise("security-S1")
async def test_tickets_exchanged_at_the_same_moment_all_stay_valid(stack: GatewayStack) -> None:
    jar, paths = CookieJar(), {SESSION: VIDEO_PATH, INTERVIEW: OTHER_RECORDING}
    answers = await asyncio.gather(
        *(exchange(stack, jar, stack.ticket("anna", recording=name), path) for name, path in paths.items())
    )
    assert answers == [303, 303]
    assert [await status(stack, path, Cookie=jar.header) for path in paths.values()] == [200, 200]


@pytest.mark.promise("security-S1")
async def test_a_narrowed_ticket_with_more_groups_widens_no_other_session(stack: GatewayStack) -> None:
    jar = CookieJar()
    assert await exchange(stack, jar, stack.ticket("anna", "students")) == 303
    assert await exchange(stack, jar, stack.ticket("anna", "supervisors", recording=SESSION)) == 303
    assert await status(stack, Cookie=jar.header) == 200
    assert await status(stack, OTHER_RECORDING, Cookie=jar.header) == 403


@pytest.mark.promise("security-S1")
async def test_a_session_that_the_rules_refuse_hides_no_older_one(stack: GatewayStack) -> None:
    jar = CookieJar()
    assert await exchange(stack, jar, stack.ticket("anna", "supervisors")) == 303
    assert await exchange(stack, jar, stack.ticket("anna", "students", recording=SESSION)) == 303
    assert await status(stack, VIDEO_PATH + "?download", Cookie=jar.header) == 200
    assert stack.audit()[-1]["rule"] == "supervisors"


@pytest.mark.promise("security-S2")
async def test_a_ticket_with_a_video_alone_allows_that_videos_address_alone(stack: GatewayStack) -> None:
    jar, video = CookieJar(), VIDEO_PATH.rpartition("/")[2]
    assert await exchange(stack, jar, stack.ticket("anna", "supervisors", video=video)) == 303
    assert await status(stack, Cookie=jar.header) == 200
    for path in (OTHER_CAMERA, OTHER_RECORDING, f"/recordings/{INTERVIEW}/videos/{video}", f"/recordings/{SESSION}"):
        assert await status(stack, path, Cookie=jar.header) == 403
    assert await status(stack, f"/api/v3/records/{SESSION}", Cookie=jar.header) == 404
    async with stack.client.get(f"{stack.url}/recordings", headers={"Cookie": jar.header}) as answer:
        assert (await answer.json())["recordings"] == []
    async with stack.client.get(f"{stack.url}/api/v3/rooms/info", headers={"Cookie": jar.header}) as answer:
        assert (await answer.json())["data"]["rooms"] == []
    assert await exchange(stack, jar, stack.ticket("anna", "supervisors", recording=SESSION)) == 303
    assert await status(stack, OTHER_RECORDING, Cookie=jar.header) == 403


async def ask(stack: GatewayStack, jar: CookieJar, ticket: str) -> str:
    """Follows a link with another person's ticket. Returns the page that asks."""
    async with stack.client.get(
        f"{stack.url}{VIDEO_PATH}?t=90&ticket={ticket}",
        headers=NAVIGATION | {"Cookie": jar.header},
        allow_redirects=False,
    ) as answer:
        assert answer.status == 200
        assert "Set-Cookie" not in answer.headers
        assert answer.headers["Referrer-Policy"] == "same-origin"
        return await answer.text()


async def confirm(stack: GatewayStack, jar: CookieJar, page: str, **headers: str) -> tuple[int, str]:
    """Presses the button of the page. Returns the status and the Location."""
    (sealed,) = re.findall(r'name="switch" value="([^"]+)"', page)
    async with stack.client.post(
        f"{stack.url}/oauth2/switch",
        data={"switch": sealed},
        headers={"Sec-Fetch-Site": "same-origin", "Cookie": jar.header} | headers,
        allow_redirects=False,
    ) as answer:
        jar.store(answer.headers.getall("Set-Cookie", []))
        return answer.status, answer.headers.get("Location", "")


@pytest.mark.promise("security-S9")
async def test_another_persons_ticket_is_used_and_changes_the_person_only_when_confirmed(stack: GatewayStack) -> None:
    jar = CookieJar()
    await exchange(stack, jar, stack.ticket("anna", "supervisors"))
    await exchange(stack, jar, stack.ticket("anna", "supervisors", recording=SESSION))
    annas, ticket = jar.header, stack.ticket("mallory", "supervisors", recording=INTERVIEW)
    page = await ask(stack, jar, ticket)
    assert page.count("anna") >= 1
    assert page.count("mallory") >= 1
    assert f'href="{VIDEO_PATH}?t=90"' in page
    assert await exchange(stack, CookieJar(), ticket) == 401
    assert await status(stack, Cookie=jar.header) == 200
    assert (await confirm(stack, jar, page, **{"Sec-Fetch-Site": "cross-site"}))[0] == 403
    assert await status(stack, Cookie=jar.header) == 200
    assert await confirm(stack, jar, page) == (303, VIDEO_PATH + "?t=90")
    assert len(jar.cookies) == 1
    assert await status(stack, OTHER_RECORDING, Cookie=jar.header) == 200
    assert await status(stack, Cookie=jar.header) == 403
    assert await status(stack, Cookie=annas) == 401
    assert (await confirm(stack, CookieJar(), page))[0] == 401
    events = [(line["event"], line["subject"]) for line in stack.audit() if line["event"].startswith("sign_")]
    assert events[-3:] == [("sign_out", "anna"), ("sign_out", "anna"), ("sign_in", "mallory")]


@pytest.mark.promise("security-S9")
@pytest.mark.parametrize("meanwhile", ["five minutes pass", "revoked", "altered"])
async def test_a_change_of_person_that_is_no_longer_valid_is_refused(
    tmp_path: Path, clock: ManualClock, meanwhile: str
) -> None:
    async with running_stack(tmp_path, clock=clock) as stack:
        jar = CookieJar()
        await exchange(stack, jar, stack.ticket("anna", "supervisors"))
        page = await ask(stack, jar, stack.ticket("mallory", "supervisors"))
        match meanwhile:
            case "revoked":
                await stack.gateway.store.revoke("mallory", clock.now(), clock.now() + 3600)
            case "altered":
                page = page.replace('name="switch" value="gAAAAAB', 'name="switch" value="gAAAAAC')
            case _:
                pass
        clock.pass_(300 if meanwhile == "five minutes pass" else 60)
        assert (await confirm(stack, jar, page))[0] == 401
        assert await status(stack, Cookie=jar.header) == 200


@pytest.mark.promise("security-S10")
async def test_a_sign_out_ends_the_sessions_of_all_tickets_and_their_copies(stack: GatewayStack) -> None:
    jar = CookieJar()
    await exchange(stack, jar, stack.ticket("anna", "supervisors"))
    first = jar.header
    await exchange(stack, jar, stack.ticket("anna", "supervisors"))
    await exchange(stack, jar, stack.ticket("anna", "supervisors", recording=SESSION))
    narrowed = jar.header
    assert [await status(stack, Cookie=cookies) for cookies in (first, narrowed)] == [200, 200]
    headers = {"Cookie": jar.header, "Sec-Fetch-Site": "same-origin"}
    async with stack.client.get(f"{stack.url}/oauth2/sign_out", headers=headers) as answer:
        assert answer.status == 200
        jar.store(answer.headers.getall("Set-Cookie"))
    assert jar.cookies == {}
    assert [await status(stack, Cookie=cookies) for cookies in (first, narrowed)] == [401, 401]


async def test_an_hour_of_playing_without_a_request_keeps_the_session(tmp_path: Path, clock: ManualClock) -> None:
    async with running_stack(tmp_path, clock=clock) as stack:
        stack.valt.add_video("long", "film", bytes(4 * 1024 * 1024))
        _, _, cookie = await enter(stack, stack.ticket())
        stack.valt.knobs.stall_after.append(1_000_000)
        async with stack.client.get(f"{stack.url}/recordings/long/videos/film", headers={"Cookie": cookie}) as playing:
            await playing.content.readexactly(1000)
            clock.pass_(4000)
            assert await status(stack, Cookie=cookie) == 200
            stack.valt.knobs.stall_gate.set()
            await playing.read()
        await stack.ended()
        clock.pass_(3000)
        assert await status(stack, Cookie=cookie) == 200
        clock.pass_(3601)
        assert await status(stack, Cookie=cookie) == 401
