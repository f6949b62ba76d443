"""Keys, the repeated part, the speed, the media session: everything that moves the position of the watch page."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page

from gateway.sim.catalogue import INTERVIEW, SESSION
from tests.support.gateway_fixture import GatewayStack
from tests.support.watching import EVERY, WATCH, ready, stands, times, until, watching

SESSION_ACTIONS = """
    window.actions = {};
    const original = MediaSession.prototype.setActionHandler;
    MediaSession.prototype.setActionHandler = function (action, handler) {
        window.actions[action] = handler;
        return original.call(this, action, handler);
    };
"""


@pytest.fixture
async def page(stack: GatewayStack) -> AsyncIterator[Page]:
    async with watching(stack) as opened:
        yield opened


async def at(page: Page, seconds: float) -> None:
    """Waits until every camera stands at *seconds*."""
    near = f"at => {EVERY}(video => video.paused && !video.seeking && Math.abs(video.currentTime - at) < 0.1)"
    await until(page, near, seconds)


async def announced(page: Page, text: str) -> None:
    await page.get_by_role("status").filter(has_text=text).wait_for()


@pytest.mark.promise("watch-6")
async def test_home_and_end_seek_to_the_start_and_the_end(page: Page) -> None:
    await ready(page, f"{WATCH}?t=7")
    await page.keyboard.press("End")
    await until(page, f"{EVERY}(video => !video.seeking && video.duration - video.currentTime < 0.1)")
    await page.keyboard.press("Home")
    await at(page, 0)


@pytest.mark.promise("watch-6")
async def test_up_and_down_change_the_volume_by_a_twentieth(page: Page) -> None:
    await ready(page)
    volume = page.get_by_role("slider", name="Volume")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await announced(page, "Volume: 90 %")
    assert await volume.input_value() == "0.9"
    await page.keyboard.press("ArrowUp")
    await announced(page, "Volume: 95 %")
    assert await page.evaluate(f"{EVERY}(video => video.volume === 0.95)")
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("ArrowUp")
    assert await volume.input_value() == "1"


@pytest.mark.promise("watch-6")
async def test_digits_choose_a_camera_or_with_one_camera_a_tenth_of_the_recording(page: Page) -> None:
    await ready(page, f"{WATCH}?t=7")
    for digit, camera in (("2", "Door"), ("1", "Ceiling")):
        await page.keyboard.press(digit)
        assert await page.locator(".large .name").inner_text() == camera
    await page.keyboard.press("0")
    await at(page, 0)
    await ready(page, f"/recordings/{INTERVIEW}?t=1")
    length = await page.evaluate("document.querySelector('video').duration")
    for tenth in range(9, -1, -1):
        await page.keyboard.press(str(tenth))
        await at(page, length * tenth / 10)
    await page.keyboard.press("?")
    assert await page.get_by_text("Go to 0 % to 90 % of the recording").is_visible()


@pytest.mark.promise("watch-6")
async def test_brackets_seek_to_the_previous_and_the_next_marker(page: Page) -> None:
    await ready(page, f"{WATCH}?t=5")
    for key, seconds, name in (
        ("]", 11, "Task begins"),
        ("]", 19, "Feedback"),
        ("]", 19, "Feedback"),
        ("[", 11, "Task begins"),
        ("[", 3, "Greeting"),
        ("[", 3, "Greeting"),
    ):
        await page.keyboard.press(key)
        await at(page, seconds)
        assert await page.get_by_role("link", name=name).get_attribute("aria-current") == "true"
        await announced(page, name)


@pytest.mark.promise("watch-18")
async def test_a_part_is_repeated_from_its_start_to_its_end_until_the_third_press(page: Page) -> None:
    await ready(page, f"{WATCH}?t=12")
    button = page.get_by_role("button", name="Repeat a part")
    await button.click()
    await announced(page, "Repeat from 0:12. Press again at the end of the part.")
    assert await button.get_attribute("aria-pressed") == "true"
    await page.get_by_role("slider", name="Time line").fill("13")
    await at(page, 13)
    await page.keyboard.press("r")
    await announced(page, "Repeating up to 0:13")
    assert await page.locator(".range").is_visible()
    await page.evaluate(
        """() => {
            window.starts = 0;
            window.latest = 0;
            const video = document.querySelector("video");
            video.addEventListener("seeked", () => (window.starts += Math.abs(video.currentTime - 12) < 0.3));
            video.addEventListener("timeupdate", () => (window.latest = Math.max(window.latest, video.currentTime)));
        }"""
    )
    await page.keyboard.press("k")
    await until(page, "window.starts >= 3", seconds=60)
    await page.keyboard.press("r")
    await announced(page, "No repetition")
    assert await button.get_attribute("aria-pressed") == "false"
    await until(page, "document.querySelector('video').currentTime > 15", seconds=60)
    assert not await page.locator(".range").is_visible()


@pytest.mark.promise("watch-18")
async def test_the_speed_goes_up_to_three_with_the_pitch_preserved(page: Page) -> None:
    await ready(page)
    speed = page.get_by_role("combobox", name="Speed")
    choices = [f"{each}\N{MULTIPLICATION SIGN}" for each in (0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3)]
    assert await speed.locator("option").all_inner_texts() == choices
    await speed.select_option("3")
    assert await page.evaluate("document.querySelector('video').playbackRate") == 3
    assert await page.evaluate("[...document.querySelectorAll('video')].find(video => !video.muted).preservesPitch")
    await page.evaluate("document.activeElement.blur()")
    await page.keyboard.press("k")
    await until(page, "document.querySelector('video').currentTime > 4")
    assert await page.evaluate("document.querySelector('video').playbackRate") == 3
    await page.keyboard.press(">")
    assert await speed.input_value() == "3"
    await page.keyboard.press("<")
    assert await speed.input_value() == "2.5"


@pytest.mark.promise("watch-18")
async def test_lock_screens_and_headsets_control_every_camera(stack: GatewayStack, page: Page) -> None:
    await page.add_init_script(SESSION_ACTIONS)
    await ready(page, f"{WATCH}?t=5")
    metadata = "(({ title, artist }) => [title, artist])(navigator.mediaSession.metadata)"
    assert await page.evaluate(metadata) == ["Session 1451", "Room 1"]
    for call, seconds in (
        ("window.actions.seekforward({})", 15),
        ("window.actions.seekbackward({ seekOffset: 6 })", 9),
        ("window.actions.seekto({ seekTime: 4 })", 4),
        ("window.actions.nexttrack()", 11),
        ("window.actions.previoustrack()", 3),
    ):
        await page.evaluate(call)
        await at(page, seconds)
    await page.evaluate("window.actions.play()")
    await until(page, "navigator.mediaSession.playbackState === 'playing'")
    await until(page, f"{EVERY}(video => video.currentTime > 3.3)")
    await page.evaluate("window.actions.pause()")
    await stands(page)
    assert await page.evaluate("navigator.mediaSession.playbackState") == "paused"
    one, other = await times(page)
    assert one == pytest.approx(other, abs=0.05)


@pytest.mark.promise("watch-5")
async def test_the_time_line_shows_the_time_or_the_marker_under_the_pointer(page: Page) -> None:
    await ready(page)
    line = page.locator(".line")
    box = await line.bounding_box()
    assert box is not None
    tip = page.locator(".tip")
    tick = await page.locator(".ticks span").nth(1).bounding_box()
    assert tick is not None
    await page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 14)
    await until(page, "/^0:0[56]$/.test(document.querySelector('.tip').textContent)")
    await page.mouse.move(tick["x"] + tick["width"] / 2 + 2, box["y"] + 14)
    await tip.filter(has_text="0:11 Task begins").wait_for()
    await page.mouse.move(box["x"] + 5, box["y"] - 100)
    await tip.wait_for(state="hidden")
    for x in (box["x"] + 1, box["x"] + box["width"] - 1):
        await page.mouse.move(x, box["y"] + 14)
        await tip.wait_for()
        assert await page.evaluate(
            "(tip => tip.left >= 0 && tip.right <= innerWidth)(document.querySelector('.tip').getBoundingClientRect())"
        )


@pytest.mark.promise("watch-5")
async def test_ticks_that_overlap_are_each_hit_at_their_middle(stack: GatewayStack, page: Page) -> None:
    recording = stack.valt.recording(SESSION)
    recording.markers = ((6.0, "First", "green"), (6.1, "Second", "red"), (18.0, "Third", "blue"))
    await ready(page)
    for number, seconds in ((0, 6), (1, 6.1), (2, 18)):
        tick = await page.locator(".ticks span").nth(number).bounding_box()
        assert tick is not None
        assert tick["width"] >= 12
        await page.mouse.click(tick["x"] + tick["width"] / 2, tick["y"] + 3)
        await until(page, f"{EVERY}(video => !video.seeking && Math.abs(video.currentTime - {seconds}) < 0.04)")


@pytest.mark.promise("watch-7")
async def test_a_link_to_a_marker_is_copied_and_opens_there_in_another_tab(stack: GatewayStack, page: Page) -> None:
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await ready(page)
    await page.get_by_role("button", name="Copy link to Task begins").click()
    await page.get_by_text("Link to 0:11 copied").wait_for()
    link = await page.evaluate("navigator.clipboard.readText()")
    assert link == f"{stack.url}{WATCH}?t=11"
    other = await page.context.new_page()
    await ready(other, link)
    await at(other, 11)
    await at(page, 0)


@pytest.mark.promise("watch-5")
async def test_on_a_phone_a_marker_below_the_player_brings_it_into_the_window(page: Page) -> None:
    await page.set_viewport_size({"width": 390, "height": 640})
    await ready(page)
    link = page.get_by_role("link", name="Feedback")
    await page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    await link.click()
    await at(page, 19)
    await until(page, "document.querySelector('video').getBoundingClientRect().top >= 0")


@pytest.mark.promise("watch-6")
async def test_the_menu_of_a_narrow_bar_closes_with_escape_and_a_press_outside(page: Page) -> None:
    await page.set_viewport_size({"width": 390, "height": 640})
    await ready(page)
    more = page.get_by_role("button", name="More")
    for close in ("Escape", "press"):
        await more.click()
        await page.get_by_role("combobox", name="Speed").wait_for()
        if close == "Escape":
            await page.keyboard.press("Escape")
        else:
            await page.get_by_role("heading", level=1).click()
        await page.get_by_role("combobox", name="Speed").wait_for(state="hidden")
        assert await more.get_attribute("aria-expanded") == "false"
