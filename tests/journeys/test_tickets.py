"""A portal hands a person over with a ticket: good once, exchanged for a session narrowed to what it allows."""

import asyncio
from pathlib import Path

import pytest

from gateway.sim.catalogue import CAMERA_B, INTERVIEW, INTERVIEW_FILM, SESSION
from tests.support.clock import ManualClock
from tests.support.harness import NAVIGATION, PORTAL, VIDEO_PATH, House, house

OTHER_CAMERA = f"/recordings/{SESSION}/videos/{CAMERA_B}"
OTHER_RECORDING = f"/recordings/{INTERVIEW}/videos/{INTERVIEW_FILM}"


async def enter(home: House, ticket: str, path: str = VIDEO_PATH) -> tuple[int, str, str]:
    """Follow a portal's link as a browser does. Status, Location, and the Cookie to send from then on."""
    async with home.client.get(
        f"{home.url}{path}{'&' if '?' in path else '?'}ticket={ticket}", headers=NAVIGATION, allow_redirects=False
    ) as answer:
        cookie = answer.headers.get("Set-Cookie", "").partition(";")[0]
        return answer.status, answer.headers.get("Location", ""), cookie


async def status(home: House, path: str = VIDEO_PATH, **headers: str) -> int:
    async with home.client.get(home.url + path, headers=headers) as answer:
        await answer.read()
        return answer.status


async def test_a_navigation_exchanges_its_ticket_for_a_session_at_the_same_address(home: House) -> None:
    code, location, cookie = await enter(home, home.ticket(), VIDEO_PATH + "?t=90")
    assert (code, location) == (303, VIDEO_PATH + "?t=90")
    assert cookie.startswith("valt_gateway_session=")
    assert await status(home, Cookie=cookie) == 200
    assert [line["event"] for line in home.audit()][:1] == ["sign_in"]


async def test_a_ticket_is_spent_by_its_first_use(home: House) -> None:
    ticket = home.ticket()
    assert (await enter(home, ticket))[0] == 303
    assert await status(home, f"{VIDEO_PATH}?ticket={ticket}") == 401


async def test_two_hundred_at_once_with_one_ticket_are_one_success(home: House) -> None:
    ticket = home.ticket()
    answers = await asyncio.gather(
        *(status(home, f"{VIDEO_PATH}?ticket={ticket}", Range="bytes=0-1") for _ in range(200))
    )
    assert sorted(answers) == [206] + [401] * 199


async def test_a_get_that_is_no_navigation_is_answered_directly_once(home: House) -> None:
    ticket = home.ticket()
    async with home.client.get(f"{home.url}{VIDEO_PATH}?ticket={ticket}") as answer:
        assert answer.status == 200
        assert "Set-Cookie" not in answer.headers


async def test_head_spends_no_ticket(home: House) -> None:
    ticket = home.ticket()
    for _ in range(2):
        async with home.client.head(f"{home.url}{VIDEO_PATH}?ticket={ticket}") as answer:
            assert answer.status == 200
    assert await status(home, f"{VIDEO_PATH}?ticket={ticket}") == 200


async def test_a_ticket_for_one_video_opens_no_other_and_neither_does_its_session(home: House) -> None:
    ticket = home.ticket("anna", "supervisors", recording=SESSION, video=VIDEO_PATH.rpartition("/")[2])
    _, _, cookie = await enter(home, ticket)
    assert await status(home, Cookie=cookie) == 200
    assert await status(home, OTHER_CAMERA, Cookie=cookie) == 403
    assert await status(home, OTHER_RECORDING, Cookie=cookie) == 403


async def test_a_ticket_for_one_recording_opens_all_its_videos_and_no_other_recording(home: House) -> None:
    _, _, cookie = await enter(home, home.ticket("anna", "supervisors", recording=SESSION))
    assert await status(home, OTHER_CAMERA, Cookie=cookie) == 200
    assert await status(home, OTHER_RECORDING, Cookie=cookie) == 403


@pytest.mark.parametrize("age", [61, 600, -120])
async def test_a_ticket_too_old_or_of_the_future_is_refused(tmp_path: Path, clock: ManualClock, age: int) -> None:
    async with house(tmp_path, clock=clock, more='[state]\ndir = "state"\n') as home:
        ticket = home.ticket(now=clock.now() - age, ttl=60.0)
        assert await status(home, f"{VIDEO_PATH}?ticket={ticket}") == 401


async def test_a_ticket_made_to_live_longer_than_max_age_is_refused(home: House) -> None:
    assert await status(home, f"{VIDEO_PATH}?ticket={home.ticket(ttl=3600.0)}") == 401


@pytest.mark.parametrize("audience", ["https://elsewhere.example.edu", PORTAL])
async def test_a_ticket_for_another_service_is_refused(home: House, audience: str) -> None:
    assert await status(home, f"{VIDEO_PATH}?ticket={home.ticket(audience=audience)}") == 401


async def test_a_replay_after_a_restart_is_refused_where_state_is_kept(tmp_path: Path, clock: ManualClock) -> None:
    async with house(tmp_path, clock=clock, more='[state]\ndir = "state"\n') as home:
        ticket = home.ticket()
        assert await status(home, f"{VIDEO_PATH}?ticket={ticket}") == 200
        key = (tmp_path / "portal.pub").read_bytes()
    async with house(tmp_path, clock=clock, more='[state]\ndir = "state"\n') as home:
        # The portal's key is made anew with the house: put back the one that signed.
        (tmp_path / "portal.pub").write_bytes(key)
        from tests.support.harness import settings_of

        await home.gateway.reload(settings_of(home.config))
        assert await status(home, f"{VIDEO_PATH}?ticket={ticket}") == 401


async def test_without_state_a_ticket_issued_before_the_start_is_refused(tmp_path: Path, clock: ManualClock) -> None:
    async with house(tmp_path, clock=clock) as home:
        before = home.ticket(now=clock.now() - 30)
        assert await status(home, f"{VIDEO_PATH}?ticket={before}") == 401
        assert await status(home, f"{VIDEO_PATH}?ticket={home.ticket()}") == 200


async def test_a_session_ends_with_its_lifetime_and_playing_keeps_it_from_idling_out(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with house(tmp_path, clock=clock) as home:
        _, _, cookie = await enter(home, home.ticket())
        for _ in range(14):
            clock.pass_(1800)
            async with home.client.get(home.url + VIDEO_PATH, headers={"Cookie": cookie}) as answer:
                assert answer.status == 200
                cookie = answer.headers["Set-Cookie"].partition(";")[0]
        clock.pass_(3600)
        assert await status(home, Cookie=cookie) == 401


async def test_a_session_that_nobody_uses_idles_out(tmp_path: Path, clock: ManualClock) -> None:
    async with house(tmp_path, clock=clock) as home:
        _, _, cookie = await enter(home, home.ticket())
        clock.pass_(3601)
        assert await status(home, Cookie=cookie) == 401


async def test_a_repeated_ticket_is_a_bad_request(home: House) -> None:
    assert await status(home, f"{VIDEO_PATH}?ticket={home.ticket()}&ticket={home.ticket()}") == 400


async def test_a_session_cookie_is_secure_and_host_only_on_https(tmp_path: Path) -> None:
    public = "https://recordings.example.edu"
    async with house(tmp_path, public=public) as home:
        ticket = home.ticket(audience=public)
        async with home.client.get(
            f"{home.url}{VIDEO_PATH}?ticket={ticket}", headers=NAVIGATION, allow_redirects=False
        ) as answer:
            name, *attributes = answer.headers["Set-Cookie"].split("; ")
    assert name.startswith("__Host-valt_gateway_session=")
    assert {"Path=/", "HttpOnly", "Secure", "SameSite=Lax"} <= set(attributes)
    assert not any(attribute.startswith("Domain") for attribute in attributes)


async def test_a_person_in_three_hundred_groups_fits_into_the_cookie(home: House) -> None:
    groups = [f"{n:08d}-0000-4000-8000-000000000000" for n in range(300)]
    async with home.client.get(
        f"{home.url}{VIDEO_PATH}?ticket={home.ticket('anna', 'supervisors', *groups[:60])}",
        headers=NAVIGATION,
        allow_redirects=False,
    ) as answer:
        assert answer.status == 303
        assert len(answer.headers["Set-Cookie"]) < 4096


async def test_two_narrow_tickets_in_two_tabs_both_go_on_playing(home: House) -> None:
    _, _, first = await enter(home, home.ticket("anna", "supervisors", recording=SESSION))
    ticket = home.ticket("anna", "supervisors", recording=INTERVIEW)
    async with home.client.get(
        f"{home.url}{OTHER_RECORDING}?ticket={ticket}", headers=NAVIGATION | {"Cookie": first}, allow_redirects=False
    ) as answer:
        both = answer.headers["Set-Cookie"].partition(";")[0]
    assert await status(home, Cookie=both) == 200
    assert await status(home, OTHER_RECORDING, Cookie=both) == 200
    assert await status(home, "/recordings/614/videos/9101", Cookie=both) == 403


async def test_another_persons_ticket_does_not_join_the_session_that_is_there(home: House) -> None:
    _, _, first = await enter(home, home.ticket("anna", "supervisors", recording=SESSION))
    ticket = home.ticket("ben", "supervisors", recording=INTERVIEW)
    async with home.client.get(
        f"{home.url}{OTHER_RECORDING}?ticket={ticket}", headers=NAVIGATION | {"Cookie": first}, allow_redirects=False
    ) as answer:
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
    assert await status(home, Cookie=cookie) == 403


async def test_an_hour_of_playing_without_a_request_keeps_the_session(tmp_path: Path, clock: ManualClock) -> None:
    async with house(tmp_path, clock=clock) as home:
        home.valt.add_video("long", "film", bytes(4 * 1024 * 1024))
        _, _, cookie = await enter(home, home.ticket())
        home.valt.knobs.stall_after.append(1_000_000)
        async with home.client.get(f"{home.url}/recordings/long/videos/film", headers={"Cookie": cookie}) as playing:
            await playing.content.readexactly(1000)
            clock.pass_(4000)
            assert await status(home, Cookie=cookie) == 200
            home.valt.knobs.stall_gate.set()
            await playing.read()
        await home.ended()
        clock.pass_(3000)
        assert await status(home, Cookie=cookie) == 200
        clock.pass_(3601)
        assert await status(home, Cookie=cookie) == 401
