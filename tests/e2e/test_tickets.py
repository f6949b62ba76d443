"""A portal hands a person over with a ticket: good once, exchanged for a session narrowed to what it allows."""

import asyncio
from pathlib import Path

import pytest

from gateway.sim.catalogue import CAMERA_B, INTERVIEW, INTERVIEW_FILM, SESSION
from tests.support.clock import ManualClock
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


async def test_tickets_for_two_recordings_in_two_tabs_both_stay_valid(stack: GatewayStack) -> None:
    _, _, first = await enter(stack, stack.ticket("anna", "supervisors", recording=SESSION))
    ticket = stack.ticket("anna", "supervisors", recording=INTERVIEW)
    async with stack.client.get(
        f"{stack.url}{OTHER_RECORDING}?ticket={ticket}", headers=NAVIGATION | {"Cookie": first}, allow_redirects=False
    ) as answer:
        both = answer.headers["Set-Cookie"].partition(";")[0]
    assert await status(stack, Cookie=both) == 200
    assert await status(stack, OTHER_RECORDING, Cookie=both) == 200
    assert await status(stack, "/recordings/614/videos/9101", Cookie=both) == 403


async def test_another_persons_ticket_adds_nothing_to_the_session(stack: GatewayStack) -> None:
    _, _, first = await enter(stack, stack.ticket("anna", "supervisors", recording=SESSION))
    ticket = stack.ticket("ben", "supervisors", recording=INTERVIEW)
    async with stack.client.get(
        f"{stack.url}{OTHER_RECORDING}?ticket={ticket}", headers=NAVIGATION | {"Cookie": first}, allow_redirects=False
    ) as answer:
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
    assert await status(stack, Cookie=cookie) == 403


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
