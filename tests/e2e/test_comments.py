"""Comments, captions and chapters over HTTP: who gets them, and that nothing waits for them."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.sim.catalogue import INTERVIEW, INTERVIEW_FILM, SESSION
from gateway.sim.comments import comment, odd_comments
from tests.support.clock import ManualClock
from tests.support.gateway_fixture import NAVIGATION, GatewayStack, running_stack
from tests.support.plain_webvtt import parse

pytestmark = pytest.mark.promise("valt-V2")

PAGE = f"/recordings/{INTERVIEW}"
CAPTIONS, CHAPTERS = f"{PAGE}/captions.vtt", f"{PAGE}/chapters.vtt"
API = f"/api/v3/comment/record/{INTERVIEW}"
ALL = (PAGE, CAPTIONS, CHAPTERS, API)
PRIVATE = ("Open question", "slept", "Maria Rossi", "Agreed", "Joan")


async def get(stack: GatewayStack, path: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    async with stack.client.get(stack.url + path, headers=headers or stack.bearer()) as answer:
        return answer.status, await answer.text()


async def comments_of(stack: GatewayStack, path: str = PAGE, headers: dict[str, str] | None = None) -> Any:
    async with stack.client.get(stack.url + path, headers=headers or stack.bearer()) as answer:
        assert answer.status == 200
        return (await answer.json())["comments"]


async def test_the_json_of_a_recording_has_its_comments_by_time(stack: GatewayStack) -> None:
    comments = await comments_of(stack)
    assert comments[:3] == [
        {"seconds": 0.5, "author": "Dr. Joan Smith", "text": "Open question, well placed.", "type": "simple"},
        {"seconds": 0.5, "author": "Tao Chen", "text": "Agreed, it invites more than a yes.", "type": "simple"},
        {
            "seconds": 0.5,
            "author": "Maria Rossi",
            "text": "Thank you for coming. How was your week?",
            "type": "transcription",
        },
    ]
    assert [entry["type"] for entry in comments].count("duration") == 1
    assert len(comments) == 8


async def test_the_transcript_is_captions_that_nothing_stores(stack: GatewayStack) -> None:
    async with stack.client.get(stack.url + CAPTIONS, headers=stack.bearer()) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/vtt; charset=utf-8"
        assert answer.headers["Cache-Control"] == "private, no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        cues = parse(await answer.text())
    assert cues[1] == (3.2, 6.0, "<v Guest>Better than the last one, I think.")
    assert len(cues) == 5
    async with stack.client.head(stack.url + CAPTIONS, headers=stack.bearer()) as answer:
        assert (answer.status, await answer.read()) == (200, b"")


async def test_markers_are_chapters(stack: GatewayStack) -> None:
    status, track = await get(stack, f"/recordings/{SESSION}/chapters.vtt")
    assert (status, parse(track)) == (
        200,
        [(3.0, 11.0, "Greeting"), (11.0, 19.0, "Task begins"), (19.0, 24.0, "Feedback")],
    )
    assert await get(stack, CHAPTERS) == (200, "WEBVTT\n")
    assert await get(stack, f"/recordings/{SESSION}/captions.vtt") == (200, "WEBVTT\n")


@pytest.mark.parametrize("more", [{}, NAVIGATION], ids=["JSON", "page"])
async def test_who_may_not_see_the_recording_gets_no_comment_and_no_caption(
    stack: GatewayStack, more: dict[str, str]
) -> None:
    await comments_of(stack)  # they are cached now, for the same account
    before = stack.valt.calls["comments"]
    stranger = stack.bearer("carla", "students") | more
    for path in ALL:
        status, body = await get(stack, path, stranger)
        assert status == (404 if path == API else 403), path
        assert not [text for text in PRIVATE if text in body], path
    for path in ALL:
        async with stack.client.get(stack.url + path) as answer:
            assert answer.status == 401, path
    assert stack.valt.calls["comments"] == before
    denials = [line for line in stack.audit() if line["subject"] == "carla"]
    assert [(line["event"], line["recording"], line["status"]) for line in denials] == [
        *[("deny", INTERVIEW, 403)] * 3,
        ("api", INTERVIEW, 404),
    ]


async def test_a_ticket_for_one_video_alone_opens_no_captions(stack: GatewayStack) -> None:
    limited = stack.ticket(video=INTERVIEW_FILM)
    assert (await get(stack, f"{CAPTIONS}?ticket={limited}", {"Accept": "*/*"}))[0] == 403
    whole = stack.ticket(recording=INTERVIEW)
    assert len(parse((await get(stack, f"{CAPTIONS}?ticket={whole}", {"Accept": "*/*"}))[1])) == 5
    other = stack.ticket(recording=SESSION)
    assert (await get(stack, f"{CAPTIONS}?ticket={other}", {"Accept": "*/*"}))[0] == 403


async def test_a_recording_whose_retention_is_over_has_no_captions(stack: GatewayStack) -> None:
    stack.valt.recording(INTERVIEW).deleted_at = 1.0
    for path in (PAGE, CAPTIONS, CHAPTERS):
        assert (await get(stack, path))[0] == 410, path
    assert (await get(stack, API))[0] == 404
    assert stack.valt.calls["comments"] == 0


async def test_the_audit_names_what_was_delivered_to_whom(stack: GatewayStack) -> None:
    for path in ALL:
        assert (await get(stack, path))[0] == 200
    lines = [
        (line["event"], line["subject"], line["recording"], line["rule"], line["status"]) for line in stack.audit()
    ]
    assert lines == [("api", "anna", INTERVIEW, "supervisors", 200)] * 4
    await get(stack, f"/recordings/{SESSION}")
    assert len(stack.audit()) == 4, "a recording without comments"


async def test_many_people_at_once_cost_one_call_a_minute(tmp_path: Path, clock: ManualClock) -> None:
    async with running_stack(tmp_path, clock=clock) as stack:
        gate = stack.valt.knobs.gate["comments"] = asyncio.Event()
        paths = [ALL[number % 4] for number in range(40)]
        people = [
            asyncio.create_task(get(stack, path, stack.bearer(f"person{number}"))) for number, path in enumerate(paths)
        ]
        await stack.valt.wait_for(lambda: stack.valt.calls["comments"] == 1)
        gate.set()
        assert {status for status, _ in await asyncio.gather(*people)} == {200}
        assert stack.valt.calls["comments"] == 1
        clock.pass_(59)
        await comments_of(stack)
        assert stack.valt.calls["comments"] == 1
        clock.pass_(2)
        await comments_of(stack)
        assert stack.valt.calls["comments"] == 2


async def test_each_account_has_its_own_comments(stack: GatewayStack) -> None:
    stack.valt.recording(SESSION).comments = [comment(1, "Well put", 1)]
    student = stack.bearer("ben", "students")
    assert len(await comments_of(stack, f"/recordings/{SESSION}")) == 1
    stack.valt.recording(SESSION).comments = []
    assert await comments_of(stack, f"/recordings/{SESSION}", student) == []


FAULTS: dict[str, dict[str, Any]] = {
    "401": {"refuse": {"comments": 401}},
    "403": {"refuse": {"comments": 403}},
    "500": {"refuse": {"comments": 500}},
    "502": {"refuse": {"comments": 502}},
    "302": {"refuse": {"comments": 302}},
    "429": {"refuse": {"comments": 429}},
    "page": {"rubbish": {"comments"}},
    "lost": {"drop": {"comments": 1000}},
    "silent": {"gate": {"comments": asyncio.Event()}},
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_of_the_comments_stops_neither_page_nor_stream(stack: GatewayStack, fault: str) -> None:
    for knob, value in FAULTS[fault].items():
        setattr(stack.valt.knobs, knob, value)
    started = time.monotonic()
    status, page = await get(stack, PAGE, stack.bearer() | NAVIGATION)
    assert (status, "Interview 12" in page) == (200, True)
    assert "comments could not be loaded" in page
    assert time.monotonic() - started < 4
    assert await comments_of(stack) is None
    async with stack.client.get(f"{stack.url}{PAGE}/videos/{INTERVIEW_FILM}", headers=stack.bearer()) as answer:
        assert answer.status == 200
        assert await answer.read() == stack.valt.recording(INTERVIEW).films[0].content
    if fault != "silent":
        assert (await get(stack, CAPTIONS))[0] in (502, 503)
        status, body = await get(stack, API)
        assert status in (502, 503)
        assert '"error"' in body


async def test_a_valt_without_comments_shows_those_of_the_details(stack: GatewayStack) -> None:
    stack.valt.knobs.version = "5.7.2"
    assert await comments_of(stack) == []
    assert await get(stack, CAPTIONS) == (200, "WEBVTT\n")
    status, page = await get(stack, PAGE, stack.bearer() | NAVIGATION)
    assert (status, "comments could not be loaded" in page) == (200, False)
    assert (await get(stack, API))[0] == 404


async def test_after_a_failure_valt_is_not_called_for_five_seconds(tmp_path: Path, clock: ManualClock) -> None:
    async with running_stack(tmp_path, clock=clock) as stack:
        stack.valt.knobs.refuse["comments"] = 500
        for _ in range(5):
            assert await comments_of(stack) is None
        assert stack.valt.calls["comments"] == 1
        stack.valt.knobs.refuse.clear()
        clock.pass_(5.1)
        assert len(await comments_of(stack)) == 8


async def test_an_account_without_the_right_is_not_logged_in_again_and_again(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with running_stack(tmp_path, clock=clock) as stack:
        stack.valt.knobs.refuse["comments"] = 401
        for recording in (INTERVIEW, SESSION, "614"):
            assert await comments_of(stack, f"/recordings/{recording}") is None
        assert (stack.valt.calls["login"], stack.valt.calls["comments"]) == (2, 2)
        stack.valt.knobs.refuse.clear()
        clock.pass_(301)
        assert len(await comments_of(stack)) == 8


async def test_a_failure_of_comments_leaves_the_breaker_closed(stack: GatewayStack) -> None:
    stack.valt.knobs.refuse["comments"] = 500
    for number in range(20):
        stack.valt.add_video(f"r{number}", f"v{number}", b"x" * 10)
        assert await comments_of(stack, f"/recordings/r{number}") is None
    breaker = f'valt_gateway_breaker_state{{server="{stack.valt.base_url}"}}'
    metrics = await stack.metrics()
    assert metrics[breaker] == 0
    assert metrics['valt_gateway_valt_requests_total{operation="comments",outcome="error"}'] == 20


async def test_odd_comments_reach_page_captions_and_api_as_text(stack: GatewayStack) -> None:
    stack.valt.recording(INTERVIEW).comments = odd_comments()
    status, page = await get(stack, PAGE, stack.bearer() | NAVIGATION)
    assert status == 200
    assert "<img src=x" not in page
    assert "<script>alert" not in page
    assert "of another recording" not in page
    assert "past the end" in page
    assert len(page) < 60_000, "a huge comment is shortened on the page"
    assert len(parse((await get(stack, CAPTIONS))[1])) == 4
    status, listed = await get(stack, API)
    assert (status, "of another recording" in listed) == (200, False)


async def test_of_ten_thousand_comments_the_page_has_a_part(stack: GatewayStack) -> None:
    stack.valt.recording(INTERVIEW).comments = [comment(number, "so " * 100, number / 10) for number in range(10_000)]
    assert (await get(stack, CAPTIONS))[0] == 200  # loads them, however long that takes: a page waits for two seconds
    status, page = await get(stack, PAGE, stack.bearer() | NAVIGATION)
    assert (status, "Not all comments" in page) == (200, True)
    assert len(page) < 1_000_000
    assert len(await comments_of(stack)) == 10_000


async def test_more_bytes_than_the_limit_are_a_fault_of_the_comments_alone(stack: GatewayStack) -> None:
    stack.valt.recording(INTERVIEW).comments = [comment(number, "x" * 9000, 1) for number in range(1000)]
    assert await comments_of(stack) is None
    assert (await get(stack, CAPTIONS))[0] == 502


async def test_half_characters_in_a_recordings_names_break_no_page(stack: GatewayStack) -> None:
    recording = stack.valt.recording(INTERVIEW)
    recording.name, recording.room, recording.author = "half \ud83d", (38, "room \udc00"), (8, "\ud800")
    recording.markers, recording.films[0].camera = ((1.0, "mark \ud83d", "red"),), "camera \ud83d"
    for path in ("/recordings", PAGE, CHAPTERS):
        for more in ({}, NAVIGATION):
            status, body = await get(stack, path, stack.bearer() | more)
            assert status == 200, path
            assert "half ?" in body or path == CHAPTERS, path
