"""The watch page in Chromium: comments as moments, the transcript, captions and chapters."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, Route

from gateway.sim.catalogue import CAMERA_B, INTERVIEW, SESSION
from gateway.sim.comments import comment, odd_comments
from gateway.sim.valt import ValtSimulator
from tests.support.axe import violations_in_every_view
from tests.support.gateway_fixture import NAVIGATION, GatewayStack, running_stack
from tests.support.watching import WATCH, moved_to, ready, stands, until, watching

pytestmark = pytest.mark.promise("watch-17")

GUIDE, GUEST = (8, "mrossi", "Maria Rossi"), (21, "guest", "Zoë Guest")
LINES = ("How was your week?", "Better, I think.", "What made the difference?", "I slept; I went to Besançon.")
SHOWING = "document.querySelector('.large video').textTracks"
CUES = f"[...{SHOWING}].filter(track => track.mode === 'showing').flatMap(track => [...track.activeCues])"
MANY = 40


def talk() -> list[dict[str, object]]:
    """Returns a transcript with a line each half second, and three comments."""
    spoken = [
        comment(100 + number, LINES[number % 4], number / 2, number / 2 + 0.45, kind="transcription", author=GUIDE)
        if number % 2 == 0
        else comment(100 + number, LINES[number % 4], number / 2, number / 2 + 0.45, kind="transcription", author=GUEST)
        for number in range(MANY)
    ]
    return [
        comment(1, "Open question, well placed.", 5.0, color="#2e8b57"),
        comment(2, "Leaves a pause. " * 40, 7.0, 9.0, kind="duration"),
        comment(3, "שלום", 12.0, author=(2, "b", "דנה")),
        *spoken,
    ]


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[GatewayStack]:
    async with running_stack(tmp_path) as built:
        built.valt.recording(SESSION).comments = talk()
        yield built


@pytest.fixture
async def page(stack: GatewayStack) -> AsyncIterator[Page]:
    async with watching(stack) as opened:
        yield opened


async def open_transcript(page: Page, address: str = WATCH) -> None:
    await ready(page, address)
    await page.get_by_role("tab", name="Transcript").click()
    await until(page, f"document.querySelectorAll('.lines li').length === {MANY}")


async def current(page: Page) -> str:
    return await page.locator(".lines [aria-current]").inner_text()


async def test_comments_are_moments_with_author_and_text(page: Page) -> None:
    await ready(page)
    link = page.get_by_role("link", name="Open question, well placed.")
    assert await link.inner_text() == "0:05\nDr. Joan Smith Open question, well placed."
    assert await page.locator(".moments time").all_inner_texts() == [
        "0:03",
        "0:05",
        "0:07\u20130:09",
        "0:11",
        "0:12",
        "0:19",
    ]
    await link.click()
    await moved_to(page, 5)
    assert await link.get_attribute("aria-current") == "true"
    await page.keyboard.press("]")
    await moved_to(page, 7)
    assert await page.get_by_role("status").filter(has_text="Leaves a pause.").is_visible()


async def test_a_long_comment_is_folded_until_its_button_is_pressed(page: Page) -> None:
    await ready(page)
    remark = page.locator(".remark.folded")
    assert await remark.count() == 1
    folded = await remark.evaluate("element => element.clientHeight < element.scrollHeight")
    unfold = page.get_by_role("button", name="Whole comment")
    assert (folded, await unfold.get_attribute("aria-expanded")) == (True, "false")
    await unfold.click()
    assert (await remark.count(), await unfold.get_attribute("aria-expanded")) == (0, "true")


async def test_the_transcript_follows_the_position(page: Page) -> None:
    await open_transcript(page, f"{WATCH}?t=9.1")
    assert await current(page) == "0:09\nMaria Rossi What made the difference?"
    inside = """() => {
        const box = name => document.querySelector(name).getBoundingClientRect();
        const [list, line] = [box(".lines"), box(".lines [aria-current]")];
        return line.top >= list.top && line.bottom <= list.bottom;
    }"""
    assert await page.evaluate(inside)
    await page.get_by_role("button", name="Play").click()
    await until(page, "document.querySelector('.lines [aria-current]').textContent.includes('Better')")
    assert await page.evaluate(inside)


async def test_scrolling_away_stops_following_until_it_is_wanted_again(page: Page) -> None:
    await open_transcript(page, f"{WATCH}?t=15.1")
    follow = page.get_by_role("button", name="Follow the recording")
    assert not await follow.is_visible()
    await page.locator(".lines").hover()
    await page.mouse.wheel(0, -10_000)
    await until(page, "document.querySelector('.lines').scrollTop === 0")
    await follow.wait_for()
    await page.get_by_role("slider", name="Time line").fill("18.1")
    await until(page, "document.querySelector('.lines [aria-current]').textContent.startsWith('0:18')")
    assert await page.evaluate("document.querySelector('.lines').scrollTop") == 0
    await follow.click()
    assert await page.evaluate("document.querySelector('.lines').scrollTop") > 0
    assert not await follow.is_visible()


async def test_a_line_of_the_transcript_seeks(page: Page) -> None:
    await open_transcript(page)
    await page.locator(".lines button").nth(20).click()
    await moved_to(page, 10)
    assert await current(page) == "0:10\nMaria Rossi How was your week?"


@pytest.mark.parametrize(
    ("wanted", "count", "marks"),
    [("WEEK", 10, 10), ("besancon", 10, 10), ("zoe", 20, 0), ("i", 40, 50), ("none", 0, 0)],
)
async def test_the_transcript_is_searched_without_case_and_accents(
    page: Page, wanted: str, count: int, marks: int
) -> None:
    await open_transcript(page)
    await page.get_by_role("searchbox", name="Search the transcript").fill(wanted)
    await page.get_by_role("status").filter(has_text=f"Lines that match: {count}").wait_for()
    visible = await page.locator(".lines li:not([hidden])").count()
    assert (visible, await page.locator(".lines li:not([hidden]) mark").count()) == (count, marks)
    await page.get_by_role("searchbox").fill("")
    assert await page.locator(".lines li:not([hidden])").count() == MANY
    assert await page.locator(".lines mark").count() == 0


async def test_enter_in_the_search_seeks_to_the_next_line_that_matches(page: Page) -> None:
    await open_transcript(page)
    await page.get_by_role("searchbox").fill("difference")
    for key, seconds in (("Enter", 1), ("Enter", 3), ("Shift+Enter", 1), ("Shift+Enter", 19)):
        await page.keyboard.press(key)
        await moved_to(page, seconds)
        await stands(page)
    assert await page.get_by_role("searchbox").input_value() == "difference"


async def test_transcript_and_tabs_are_reached_by_the_keyboard_alone(page: Page) -> None:
    await ready(page)
    await page.get_by_role("tab", name="Moments").focus()
    await page.keyboard.press("ArrowRight")
    focus = "document.activeElement.textContent"
    assert await page.evaluate(focus) == "Transcript"
    assert await page.get_by_role("tabpanel", name="Transcript").is_visible()
    assert not await page.get_by_role("tabpanel", name="Moments").is_visible()
    await until(page, f"document.querySelectorAll('.lines li').length === {MANY}")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.type") == "search"
    await page.keyboard.press("Tab")
    assert str(await page.evaluate(focus)).startswith("0:00")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await moved_to(page, 1)
    await page.keyboard.press("End")
    assert str(await page.evaluate(focus)).startswith("0:19")
    assert await page.evaluate("document.querySelector('.volume').value") == "1", "the arrows changed no volume"
    await page.keyboard.press("Shift+Tab")
    assert await page.evaluate("document.activeElement.type") == "search"


async def test_captions_show_on_the_large_camera_and_are_remembered(page: Page) -> None:
    await ready(page, f"{WATCH}?t=1.1")
    button = page.get_by_role("button", name="Captions")
    assert await page.evaluate(f"{CUES}.length") == 0
    await page.keyboard.press("c")
    await until(page, f"{CUES}.map(cue => cue.getCueAsHTML().textContent).join() === 'What made the difference?'")
    assert await button.get_attribute("aria-pressed") == "true"
    await page.keyboard.press("2")
    await until(page, f"document.querySelector('.large video').src.endsWith('{CAMERA_B}') && {CUES}.length === 1")
    showing = (
        "[...document.querySelectorAll('video')].map(v => [...v.textTracks].filter(t => t.mode === 'showing').length)"
    )
    assert await page.evaluate(showing) == [1, 0]
    await ready(page, f"{WATCH}?t=1.1")
    await until(page, f"{CUES}.length === 1")
    await page.get_by_role("button", name="Captions").click()
    assert await page.evaluate(f"{CUES}.length") == 0


async def test_captions_stay_while_links_are_renewed(tmp_path: Path) -> None:
    valt = ValtSimulator()
    valt.knobs.link_life, valt.knobs.expiry_cuts = 3, True
    valt.recording(SESSION).comments = talk()
    async with running_stack(tmp_path, valt=valt) as stack, watching(stack, stack.front("dora", "redirected")) as page:
        await ready(page)
        await page.keyboard.press("c")
        await page.keyboard.press("k")
        await until(page, "document.querySelector('.large video').currentSrc.includes('again=')", seconds=30)
        await until(page, f"{CUES}.length === 1")


async def test_markers_are_chapters(page: Page) -> None:
    await ready(page)
    cues = """async () => {
        const element = document.querySelector(".large track[kind=chapters]");
        element.track.mode = "hidden";
        await new Promise(resolve => element.addEventListener("load", resolve));
        return [...element.track.cues].map(cue => [cue.startTime, cue.endTime, cue.text]);
    }"""
    assert await page.evaluate(cues) == [[3, 11, "Greeting"], [11, 19, "Task begins"], [19, 24, "Feedback"]]


async def test_odd_comments_are_text_everywhere(stack: GatewayStack, page: Page) -> None:
    stack.valt.recording(SESSION).comments = odd_comments()
    alerts: list[str] = []
    page.on("dialog", lambda dialog: alerts.append(dialog.message))
    await ready(page)
    await page.get_by_role("tab", name="Transcript").click()
    await until(page, "document.querySelectorAll('.lines li').length === 4")
    lines = [line.split("\n", 1)[1] for line in await page.locator(".lines button").all_inner_texts()]
    assert lines == [
        "Dr. Joan Smith one 00:00:09.000 --> 00:00:10.000 two",
        "A > B C a --> b <c.loud>&lt;</c>",
        "Dr. Joan Smith [31m",
        "last words",
    ]
    await page.get_by_role("tab", name="Moments").click()
    assert await page.get_by_text("<img src=x onerror=alert(1)> & <b>bold</b>").is_visible()
    await page.get_by_role("link", name="past the end").click()
    await moved_to(page, 23)
    assert await page.locator("main img, main script script").count() == 0
    assert alerts == []


async def fail(route: Route) -> None:
    await route.fulfill(status=503)


async def test_a_transcript_that_fails_is_reported_and_the_rest_works(page: Page) -> None:
    await page.route("**/captions.vtt", fail)
    await ready(page)
    await page.get_by_role("tab", name="Transcript").click()
    await page.get_by_text("The transcript could not be loaded.").wait_for()
    await page.get_by_role("button", name="Play").click()
    await moved_to(page, 0.3)


async def test_a_transcript_that_never_comes_holds_nothing_back(page: Page) -> None:
    waiting = asyncio.Event()

    async def wait(route: Route) -> None:
        await waiting.wait()
        await route.abort()

    await page.route("**/captions.vtt", wait)
    await ready(page)
    await page.keyboard.press("c")
    await page.get_by_role("button", name="Play").click()
    await moved_to(page, 1)
    await page.keyboard.press("2")
    await until(page, "document.querySelector('.large video').currentTime > 2")
    waiting.set()


async def test_comments_that_valt_does_not_return_are_reported(stack: GatewayStack, page: Page) -> None:
    stack.valt.knobs.refuse["comments"] = 500
    await ready(page)
    assert await page.get_by_text("The comments could not be loaded.").is_visible()
    assert await page.get_by_role("link", name="Task begins").is_visible()
    assert await page.get_by_role("tab").count() == 0
    assert await page.get_by_role("button", name="Captions").count() == 0


async def test_an_embedded_player_has_captions_and_no_lists(page: Page) -> None:
    await ready(page, f"{WATCH}?embed&t=1.1")
    assert await page.locator(".side").count() == 0
    await page.get_by_role("button", name="Captions").click()
    await until(page, f"{CUES}.length === 1")


async def test_without_script_comments_and_tracks_are_there(stack: GatewayStack) -> None:
    async with stack.client.get(stack.url + WATCH, headers=stack.bearer() | NAVIGATION) as answer:
        body = await answer.text()
    assert body.count(f'<track kind="captions" src="/recordings/{SESSION}/captions.vtt" label="Captions">') == 2
    assert body.count(f'<track kind="chapters" src="/recordings/{SESSION}/chapters.vtt" label="Chapters">') == 2
    assert "Open question, well placed." in body
    assert "Besançon" not in body, "the transcript is loaded when it is wanted"


async def test_the_page_of_an_hours_transcript_is_small(stack: GatewayStack) -> None:
    hour = [comment(number, LINES[number % 4] * 3, number * 3.6, kind="transcription") for number in range(1000)]
    remarks = [comment(5000 + number, LINES[number % 4] * 3, number * 100) for number in range(36)]
    stack.valt.recording(SESSION).comments = hour + remarks
    async with stack.client.get(stack.url + WATCH, headers=stack.front("anna") | NAVIGATION) as answer:
        body = await answer.text()
    total = len(body.encode())
    for asset in set(re.findall(r'"(/assets/[^"]+)"', body)):
        async with stack.client.get(stack.url + asset) as answer:
            total += int(answer.headers["Content-Length"])
    assert total < 80 * 1024


async def test_axe_finds_nothing_in_moments_transcript_and_search(page: Page) -> None:
    await open_transcript(page, f"{WATCH}?t=9.1")
    assert await violations_in_every_view(page) == []
    await page.get_by_role("searchbox").fill("week")
    await page.get_by_role("status").filter(has_text="Lines that match").wait_for()
    await page.keyboard.press("c")
    assert await violations_in_every_view(page) == []
    await page.get_by_role("tab", name="Moments").click()
    assert await violations_in_every_view(page) == []


async def test_a_recording_with_a_transcript_alone_has_a_heading_and_no_tabs(stack: GatewayStack, page: Page) -> None:
    stack.valt.recording(INTERVIEW).comments = [comment(1, "Well.", 1.0, 2.0, kind="transcription")]
    await ready(page, f"/recordings/{INTERVIEW}")
    assert await page.get_by_role("heading", name="Transcript").is_visible()
    assert await page.get_by_role("tab").count() == 0
    await until(page, "document.querySelectorAll('.lines li').length === 1")


async def test_in_full_screen_captions_are_above_the_bar(page: Page) -> None:
    await ready(page, f"{WATCH}?t=1.1")
    await page.keyboard.press("c")
    line = f"{CUES}.map(cue => cue.line).join()"
    await until(page, f"{line} === 'auto'")
    await page.keyboard.press("f")
    await until(page, f"{line} === '-4'")
    await page.keyboard.press("f")
    await until(page, f"{line} === 'auto'")


async def test_the_bar_with_captions_fits_every_width(stack: GatewayStack) -> None:
    for locale in ("en-GB", "de-DE", "es-ES"):
        async with watching(stack, locale=locale) as page:
            await ready(page)
            for width in (320, 400, 480, 500, 640, 660, 700, 719, 721, 760, 1088, 1280):
                await page.set_viewport_size({"width": width, "height": 600})
                fits = "(bar => bar.scrollWidth <= bar.clientWidth)(document.querySelector('.bar'))"
                assert await page.evaluate(fits), (locale, width)
