"""Rules with conditions on a recording's details, against the VALT simulator."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.sim.catalogue import CAMERA_A, CAMERA_B, INTERVIEW, INTERVIEW_FILM, LATE_MOOV, LATE_MOOV_FILM, SESSION
from tests.support.clock import ManualClock
from tests.support.configuration import grant, table
from tests.support.gateway_fixture import NAVIGATION, GatewayStack, running_stack

DAY = 86_400.0

GRANTS = "".join(
    (
        grant("rooms", groups=["rooms"], rooms=["Room *"]),
        grant("authors", groups=["authors"], authors=["mrossi"]),
        grant("course", groups=["course"], template={"Course": "PSY *"}),
        grant("fresh", groups=["fresh"], created_within="90d"),
        grant("mine", groups=["mine"], author_is_me=True),
        grant("shared", subjects=["*"], shared_with_me=True, account="trainee"),
        grant("anything", groups=["anything"]),
    )
)
MAPPING = table("[valt.people]", anna="jsmith", dora=9) + table("[valt.groups]", psychology=4)
FILMS = {SESSION: CAMERA_A, INTERVIEW: INTERVIEW_FILM, LATE_MOOV: LATE_MOOV_FILM}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def stack(tmp_path: Path, clock: ManualClock) -> AsyncIterator[GatewayStack]:
    async with running_stack(tmp_path, clock=clock, grants=GRANTS, more=MAPPING) as stack:
        yield stack


async def statuses(stack: GatewayStack, subject: str, *groups: str) -> dict[str, int]:
    return {recording: await status(stack, recording, subject, *groups) for recording in FILMS}


async def status(stack: GatewayStack, recording: str, subject: str, *groups: str) -> int:
    url = f"{stack.url}/recordings/{recording}/videos/{FILMS[recording]}"
    async with stack.client.get(url, headers=stack.bearer(subject, *groups)) as answer:
        await answer.read()
        return answer.status


@pytest.mark.promise("rules-1", "rules-2")
@pytest.mark.parametrize(
    ("subject", "group", "seen"),
    [
        ("eva", "rooms", {SESSION, LATE_MOOV}),
        ("eva", "authors", {INTERVIEW}),
        ("eva", "course", {SESSION}),
        ("eva", "fresh", {INTERVIEW}),
        ("anna", "mine", {SESSION, LATE_MOOV}),
        ("mrossi", "mine", {INTERVIEW}),
        ("eva", "mine", set()),
        ("eva", "psychology", {SESSION}),
        ("dora", "other", {INTERVIEW}),
        ("eva", "other", set()),
        ("eva", "anything", set(FILMS)),
    ],
    ids=["room", "author", "template", "created", "mapped author", "author", "nobody", "group", "person", "no", "all"],
)
async def test_rules_on_details_decide_alike_for_videos_lists_and_the_api(
    stack: GatewayStack, clock: ManualClock, subject: str, group: str, seen: set[str]
) -> None:
    stack.valt.recording(INTERVIEW).created = clock.now() - 10 * DAY
    stack.valt.recording(INTERVIEW).shared_users = (9,)
    answers = await statuses(stack, subject, group)
    assert {recording for recording, status in answers.items() if status == 200} == seen
    assert set(answers.values()) <= {200, 403}

    headers, api = stack.bearer(subject, group), f"{stack.url}/api/v3/records"
    async with stack.client.post(api, headers=headers) as answer:
        assert {row["id"] for row in (await answer.json())["data"]["records"]} & set(FILMS) == seen
    for recording in FILMS:
        async with stack.client.get(f"{api}/{recording}", headers=headers) as answer:
            assert answer.status == (200 if recording in seen else 404)


@pytest.mark.promise("rules-3")
async def test_the_account_of_the_rule_that_matches_is_used(stack: GatewayStack) -> None:
    assert await status(stack, SESSION, "eva", "psychology") == 200
    await stack.ended()
    assert [(line["event"], line["rule"], line["account"]) for line in stack.audit()] == [
        ("open", "shared", "trainee"),
        ("close", "shared", "trainee"),
    ]


@pytest.mark.promise("rules-4")
async def test_details_are_cached_for_a_minute_and_no_longer(stack: GatewayStack, clock: ManualClock) -> None:
    for _ in range(3):
        assert await status(stack, SESSION, "eva", "rooms") == 200
    assert stack.valt.calls["record"] == 1
    stack.valt.recording(SESSION).room = (38, "Interview room")
    clock.pass_(59)
    assert await status(stack, SESSION, "eva", "rooms") == 200
    clock.pass_(1)
    assert await status(stack, SESSION, "eva", "rooms") == 403


@pytest.mark.promise("rules-4")
async def test_fifty_concurrent_requests_cause_one_call_for_details(stack: GatewayStack) -> None:
    gate = stack.valt.knobs.gate["record"] = asyncio.Event()
    asking = [asyncio.create_task(status(stack, SESSION, f"person-{number}", "rooms")) for number in range(50)]
    await stack.valt.wait_for(lambda: stack.valt.calls["record"] > 0)
    gate.set()
    assert await asyncio.gather(*asking) == [200] * 50
    assert stack.valt.calls["record"] == 1


@pytest.mark.promise("rules-10")
@pytest.mark.parametrize("headers", [{}, NAVIGATION], ids=["JSON", "a page"])
async def test_the_log_line_of_a_refused_request_has_the_reasons(stack: GatewayStack, headers: dict[str, str]) -> None:
    url = f"{stack.url}/recordings/{INTERVIEW}/videos/{INTERVIEW_FILM}"
    async with stack.client.get(url, headers=headers | stack.bearer("eva", "rooms", "course")) as answer:
        text = await answer.text()
        assert answer.status == 403
    request_id = answer.headers["X-Request-ID"]
    assert request_id in text
    stack.gateway.refusals.flush()
    (line,) = (line for line in map(json.loads, stack.log.getvalue().splitlines()) if line.get("reason"))
    assert line["request_id"] == request_id
    assert line["reason"].split("; ")[:3] == [
        "rooms: the recording does not meet rooms",
        "authors: the person is not among its subjects and in none of its groups",
        "course: the recording does not meet template",
    ]


@pytest.mark.promise("rules-6")
async def test_a_person_whom_no_rule_names_causes_no_call_for_details(tmp_path: Path) -> None:
    about_some = GRANTS.replace('subjects = ["*"]', 'groups = ["all"]')
    async with running_stack(tmp_path, grants=about_some, more=MAPPING) as stack:
        assert await status(stack, SESSION, "eva", "nobody") == 403
        assert not stack.valt.calls


@pytest.mark.promise("rules-5")
@pytest.mark.parametrize("trouble", [500, 502, 503, 429])
async def test_a_failure_of_valt_neither_allows_nor_denies(stack: GatewayStack, trouble: int) -> None:
    stack.valt.knobs.fail["record"] = [trouble] * 10
    url = f"{stack.url}/recordings/{SESSION}/videos/{CAMERA_A}"
    async with stack.client.get(url, headers=stack.bearer("eva", "rooms", "anything")) as answer:
        assert (answer.status, (await answer.json())["code"]) == (503, "valt_unavailable")
        assert answer.headers["Retry-After"]
    stack.valt.knobs.fail["record"].clear()


@pytest.mark.promise("rules-7")
async def test_a_recording_whose_retention_is_over_is_410(stack: GatewayStack, clock: ManualClock) -> None:
    stack.valt.recording(SESSION).deleted_at = clock.now() + 60
    assert await status(stack, SESSION, "eva", "rooms") == 200
    clock.pass_(60)
    url = f"{stack.url}/recordings/{SESSION}/videos/{CAMERA_A}"
    async with stack.client.get(url, headers=stack.bearer("eva", "rooms")) as answer:
        assert (answer.status, (await answer.json())["code"]) == (410, "recording_expired")
    assert await status(stack, SESSION, "eva", "fresh") == 403


@pytest.mark.promise("rules-6")
async def test_a_rule_without_conditions_on_details_ignores_retention(tmp_path: Path, clock: ManualClock) -> None:
    about_some = GRANTS.replace('subjects = ["*"]', 'groups = ["all"]')
    async with running_stack(tmp_path, clock=clock, grants=about_some, more=MAPPING) as stack:
        stack.valt.recording(SESSION).deleted_at = clock.now() - 1
        assert await status(stack, SESSION, "eva", "anything") == 200
        assert not stack.valt.calls["record"]
        stack.valt.recording(SESSION).films.clear()
        clock.pass_(3600)
        assert await status(stack, SESSION, "eva", "anything") == 404


@pytest.mark.promise("rules-8")
async def test_a_recording_that_valt_does_not_have_matches_no_rule_on_details(stack: GatewayStack) -> None:
    url = f"{stack.url}/recordings/unknown/videos/{CAMERA_B}"
    async with stack.client.get(url, headers=stack.bearer("eva", "rooms")) as answer:
        assert (answer.status, (await answer.json())["code"]) == (403, "access_denied")


REFUSING = """\
[[grants]]
name = "never"
subjects = ["*"]
recordings = ["*"]
rooms = ["Interview room"]
account = "reviewer"
allow = false

[[grants]]
name = "elsewhere"
groups = ["campus-only"]
recordings = ["*"]
account = "reviewer"
networks = ["192.0.2.0/24"]

[[grants]]
name = "here"
groups = ["here"]
recordings = ["*"]
account = "reviewer"
networks = ["127.0.0.0/8"]

[[grants]]
name = "over"
groups = ["over"]
recordings = ["*"]
account = "reviewer"
valid_until = 2020-12-31

[[grants]]
name = "one-provider"
subjects = ["campus#anna", "front#berta"]
recordings = ["*"]
account = "reviewer"
"""


@pytest.mark.promise("security-S14")
async def test_refusing_rules_networks_days_and_providers_decide_over_http(tmp_path: Path) -> None:
    async with running_stack(tmp_path, grants=REFUSING) as stack:
        for one in stack.valt.recordings:
            one.room = (38, "Interview room") if one.recording == INTERVIEW else (37, "Room 1")
        expected = {
            ("zoe", "campus-only"): (403, 403),
            ("zoe", "here"): (200, 403),
            ("zoe", "over"): (403, 403),
            ("anna", "none"): (200, 403),
            ("berta", "none"): (403, 403),
        }
        for (subject, group), statuses in expected.items():
            assert (
                await status(stack, SESSION, subject, group),
                await status(stack, INTERVIEW, subject, group),
            ) == statuses, (subject, group)
        url = f"{stack.url}/recordings"
        async with stack.client.get(url, headers=stack.bearer("zoe", "here")) as answer:
            listed = {row["recording"] for row in (await answer.json())["recordings"]}
        assert SESSION in listed
        assert INTERVIEW not in listed
