"""The watch page in Chromium: one clock for all cameras, controls, keys, markers, and the page without script."""

import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page

from gateway.sim.catalogue import INTERVIEW, SESSION
from tests.support.browser import browser
from tests.support.gateway_fixture import NAVIGATION, GatewayStack
from tests.support.watching import EVERY, WATCH, moved_to, ready, stands, times, until, watching


@pytest.fixture
async def page(stack: GatewayStack) -> AsyncIterator[Page]:
    async with watching(stack) as opened:
        yield opened


@pytest.mark.promise("watch-1")
async def test_play_pause_seek_and_speed_move_every_camera(stack: GatewayStack, page: Page) -> None:
    await ready(page)
    await page.get_by_role("button", name="Play").click()
    await moved_to(page, 0.5)
    await page.get_by_role("slider", name="Time line").fill("12")
    await moved_to(page, 12.2)
    await page.get_by_role("combobox", name="Speed").select_option("2")
    await moved_to(page, 14.0)
    assert await page.evaluate("document.querySelector('video').playbackRate") == 2
    await page.get_by_role("button", name="Pause").click()
    await until(page, "[...document.querySelectorAll('video')].every(video => video.paused && !video.seeking)")
    one, other = await times(page)
    assert one == pytest.approx(other, abs=0.05)


@pytest.mark.promise("watch-5")
async def test_the_page_is_in_the_language_of_the_viewer(stack: GatewayStack) -> None:
    async with watching(stack, locale="de-AT") as page:
        await ready(page)
        facts = await page.locator(".facts").inner_text()
        assert re.findall(r"Room 1|jsmith|Mai 2025|0:24", facts) == ["Room 1", "jsmith", "Mai 2025", "0:24"]
        await page.get_by_role("button", name="Abspielen").click()
        await moved_to(page, 0.3)


@pytest.mark.promise("watch-3")
async def test_a_click_makes_a_camera_large_and_focus_stays_with_the_cameras(stack: GatewayStack, page: Page) -> None:
    await ready(page)
    await page.get_by_role("button", name="Show Door large").click()
    assert await page.locator(".large .name").inner_text() == "Door"
    assert await page.evaluate("document.activeElement.ariaLabel") == "Show Ceiling large"


@pytest.mark.promise("watch-2")
async def test_only_one_camera_has_sound_and_its_speed_is_never_adjusted(stack: GatewayStack, page: Page) -> None:
    await ready(page)
    await page.get_by_role("button", name="Hear Door").click()
    await page.keyboard.press("k")
    await moved_to(page, 1.5)
    muted = await page.evaluate("[...document.querySelectorAll('video')].map(video => video.muted)")
    assert muted == [True, False]
    assert await page.evaluate("document.querySelectorAll('video')[1].playbackRate") == 1
    await page.keyboard.press("m")
    assert await page.evaluate(f"{EVERY}(video => video.muted)")


@pytest.mark.promise("watch-7")
async def test_the_page_starts_at_the_time_in_its_address(stack: GatewayStack, page: Page) -> None:
    cases = (("?t=7", 7), ("#t=9", 9), ("#t=0:11", 11), ("?t=rubbish", 11), ("?t=0h0m8s", 8))
    for address, position in cases:
        await page.goto("about:blank")
        await ready(page, WATCH + address)
        await until(page, f"{EVERY}(video => !video.seeking)")
        assert await times(page) == pytest.approx([position, position], abs=0.1)


@pytest.mark.promise("watch-7")
async def test_the_position_is_remembered_in_this_browser(stack: GatewayStack, page: Page) -> None:
    await ready(page)
    await page.get_by_role("slider", name="Time line").fill("10")
    await page.keyboard.press("2")
    await ready(page)
    await until(page, f"{EVERY}(video => !video.seeking && video.currentTime === 10)")
    assert await page.get_by_role("button", name="Show Ceiling large").is_visible()


@pytest.mark.promise("watch-7")
async def test_a_link_to_this_moment_is_copied(stack: GatewayStack, page: Page) -> None:
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await ready(page, f"{WATCH}?t=6.5")
    await page.get_by_role("button", name="Copy link to this moment").click()
    await page.get_by_text("Link to 0:06 copied").wait_for()
    assert await page.evaluate("navigator.clipboard.readText()") == f"{stack.url}{WATCH}?t=6.5"


@pytest.mark.promise("watch-6")
async def test_every_function_has_a_key(stack: GatewayStack, page: Page) -> None:
    await ready(page)
    time = page.locator(".bar .time")
    await page.keyboard.press("Space")
    await moved_to(page, 0.3)
    await page.keyboard.press("k")
    await stands(page)
    for key, step in (("ArrowRight", 5), ("l", 10), ("j", -10), ("ArrowLeft", -5), ("l", 10)):
        before = (await times(page))[0]
        await page.keyboard.press(key)
        await stands(page)
        assert (await times(page))[0] == pytest.approx(before + step, abs=0.1)
    before = (await times(page))[0]
    await page.keyboard.press(".")
    await until(
        page, "before => Math.abs(document.querySelector('video').currentTime - before - 1 / 15) < 0.005", before
    )
    await page.keyboard.press(",")
    await until(page, "before => Math.abs(document.querySelector('video').currentTime - before) < 0.005", before)
    await page.keyboard.press("2")
    assert await page.get_by_role("button", name="Show Ceiling large").is_visible()
    assert await page.get_by_role("status").filter(has_text="Door is the large picture").is_visible()
    await page.keyboard.press("9")
    assert await page.get_by_role("button", name="Show Ceiling large").is_visible()
    for key, speed in ((">", "1.25"), ("<", "1"), ("<", "0.75")):
        await page.keyboard.press(key)
        assert await page.get_by_role("combobox", name="Speed").input_value() == speed
    await page.keyboard.press("m")
    assert await page.get_by_role("button", name="Sound on").is_visible()
    await page.keyboard.press("f")
    await until(page, "document.fullscreenElement?.id === 'watch'")
    await page.keyboard.press("f")
    await until(page, "document.fullscreenElement === null")
    await page.keyboard.press("?")
    assert await page.get_by_role("dialog", name="Keyboard").is_visible()
    await page.keyboard.press("Escape")
    assert not await page.get_by_role("dialog", name="Keyboard").is_visible()
    assert "/ 0:24" in await time.inner_text()


@pytest.mark.promise("watch-6")
async def test_tab_reaches_every_control_with_a_visible_focus_and_no_trap(stack: GatewayStack, page: Page) -> None:
    await ready(page)
    names = await page.evaluate(
        "[...document.querySelectorAll('button, select, input[type=range]')]"
        ".filter(each => each.checkVisibility()).map(each => each.ariaLabel ?? each.textContent)"
    )
    reached: list[float] = []
    await page.evaluate("document.activeElement.blur()")
    while True:
        await page.keyboard.press("Tab")
        name, outline = await page.evaluate(
            """() => {
                const at = document.activeElement;
                return [at.ariaLabel ?? at.textContent, at === document.body ? "" : getComputedStyle(at).outlineStyle];
            }"""
        )
        if outline == "" or len(reached) > 99:
            break
        assert outline != "none", name
        reached.append(name)
    assert set(names) <= set(reached)
    assert len(reached) < 40


@pytest.mark.promise("watch-13")
async def test_nothing_is_animated_with_reduced_motion(stack: GatewayStack, page: Page) -> None:
    await ready(page)
    moves = """() => {
        document.querySelector(".camera").dataset.state = "loading";
        // A <track> is not rendered and has no style.
        const elements = [...document.querySelectorAll(":not(track)")];
        return elements.some(each => getComputedStyle(each).animationName !== "none");
    }"""
    assert await page.evaluate(moves)
    await page.emulate_media(reduced_motion="reduce")
    assert not await page.evaluate(moves)


@pytest.mark.promise("watch-13")
async def test_the_choice_of_the_speed_is_white_on_black_in_light_and_dark(stack: GatewayStack, page: Page) -> None:
    await ready(page)
    colours = """() => [".bar select", ".bar option"].map(each => getComputedStyle(document.querySelector(each)))
        .map(({ color, backgroundColor }) => [color, backgroundColor])"""
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        select, option = await page.evaluate(colours)
        assert select[0] == "rgb(255, 255, 255)"
        assert option == ["rgb(255, 255, 255)", "rgb(16, 20, 24)"]
    assert (
        await page.evaluate("getComputedStyle(document.querySelector('.controls')).backgroundColor")
        == "rgb(16, 20, 24)"
    )


@pytest.mark.promise("watch-8")
async def test_the_large_camera_can_open_in_picture_in_picture(stack: GatewayStack, page: Page) -> None:
    await ready(page)
    await page.keyboard.press("2")
    await page.get_by_role("button", name="Picture in picture").click()
    await until(page, "document.pictureInPictureElement === document.querySelector('.large video')")
    await page.get_by_role("button", name="Picture in picture").click()
    await until(page, "document.pictureInPictureElement === null")


@pytest.mark.promise("watch-6")
async def test_single_keys_can_be_switched_off(stack: GatewayStack, page: Page) -> None:
    await ready(page)
    await page.keyboard.press("?")
    await page.get_by_label("Use single keys").uncheck()
    await page.get_by_role("button", name="Close").click()
    await page.keyboard.press("k")
    await page.keyboard.press("2")
    assert await page.get_by_role("button", name="Show Door large").is_visible()
    assert await page.evaluate(f"{EVERY}(video => video.paused)")


@pytest.mark.promise("watch-5")
async def test_a_marker_seeks_to_its_time(stack: GatewayStack, page: Page) -> None:
    await ready(page)
    await page.get_by_role("link", name="Task begins").click()
    await stands(page)
    assert await times(page) == pytest.approx([11, 11], abs=0.05)
    assert await page.get_by_role("link", name="Task begins").get_attribute("aria-current") == "true"


@pytest.mark.promise("watch-5")
async def test_a_marker_has_the_colour_that_it_has_in_valt(stack: GatewayStack, page: Page) -> None:
    await ready(page)
    colour = "element => getComputedStyle(element, '::before').backgroundColor"
    assert await page.get_by_role("link", name="Task begins").evaluate(colour) == "rgb(204, 0, 0)"
    tick = page.locator(".ticks span").nth(1)
    assert await tick.evaluate("element => getComputedStyle(element).backgroundColor") == "rgb(204, 0, 0)"


@pytest.mark.promise("watch-14")
async def test_markup_in_names_is_escaped(stack: GatewayStack, page: Page) -> None:
    evil = "</script><img src=x onerror=alert(1)>{{ 7*7 }}'\""
    recording = stack.valt.recording(SESSION)
    recording.name, recording.room, recording.films[1].camera = evil, (37, evil), evil
    recording.markers = ((3.0, evil, "red"),)
    await ready(page)
    assert await page.get_by_role("heading", level=1).inner_text() == evil
    assert await page.locator("img").count() == 0
    assert await page.locator(".markers a").inner_text() == f"0:03\n{evil}"
    await page.keyboard.press("2")
    assert await page.get_by_role("status").filter(has_text=evil).is_visible()


@pytest.mark.promise("watch-4")
async def test_a_shorter_camera_shows_its_end_and_the_others_play_on(stack: GatewayStack, page: Page) -> None:
    short = stack.valt.recording(INTERVIEW).films[0]
    stack.valt.recording(SESSION).films[0].content = short.content
    await ready(page, f"{WATCH}?t=15.5")
    await page.get_by_role("button", name="Play").click()
    await until(page, "document.querySelectorAll('video')[1].currentTime > 17")
    assert await page.get_by_text("This camera ends at 0:16").is_visible()
    assert await page.evaluate("document.querySelectorAll('video')[1].muted") is False


async def test_a_redirected_recording_plays(stack: GatewayStack, page: Page) -> None:
    await page.context.set_extra_http_headers(stack.front("dora", "redirected"))
    await ready(page)
    await page.get_by_role("button", name="Play").click()
    await moved_to(page, 0.3)


@pytest.mark.promise("watch-14")
@pytest.mark.parametrize(("groups", "media"), [("redirected", "'self' http://127.0.0.1:*"), ("supervisors", "'self'")])
async def test_the_policy_allows_media_hosts_in_redirect_delivery_only(
    stack: GatewayStack, groups: str, media: str
) -> None:
    async with stack.client.get(stack.url + WATCH, headers=stack.front("dora", groups) | NAVIGATION) as answer:
        assert f"; media-src {media}; " in answer.headers["Content-Security-Policy"]


@pytest.mark.promise("watch-8")
async def test_without_the_right_to_download_there_is_no_download_link(stack: GatewayStack, page: Page) -> None:
    await page.goto(WATCH)
    assert await page.get_by_role("link", name="Download").count() == 2
    await page.context.set_extra_http_headers(stack.front("ben", "students"))
    await page.goto(WATCH)
    assert await page.get_by_role("link", name="Download").count() == 0


@pytest.mark.promise("watch-13")
async def test_without_script_there_are_links_and_videos_with_controls(stack: GatewayStack) -> None:
    async with browser() as chromium:
        context = await chromium.new_context(
            java_script_enabled=False, extra_http_headers=stack.front("anna"), base_url=stack.url
        )
        page = await context.new_page()
        await page.goto(WATCH)
        assert await page.locator("video[controls][src]").count() == 2
        href = await page.get_by_role("link", name="Ceiling", exact=True).get_attribute("href")
        assert href == f"{WATCH}/videos/{stack.valt.recording(SESSION).films[0].video}"


@pytest.mark.promise("watch-13")
async def test_the_page_fits_a_phone(stack: GatewayStack, page: Page) -> None:
    await page.set_viewport_size({"width": 320, "height": 640})
    await ready(page)
    assert await page.evaluate("document.documentElement.scrollWidth") == 320
    assert await page.get_by_role("button", name="Play").is_visible()


@pytest.mark.promise("watch-14")
async def test_the_page_is_small_has_a_strict_policy_and_cacheable_assets(
    stack: GatewayStack,
) -> None:
    async with stack.client.get(stack.url + WATCH, headers=stack.front("anna") | NAVIGATION) as answer:
        body, policy = await answer.text(), answer.headers["Content-Security-Policy"]
    total = len(body.encode())
    assert "script-src 'self'; " in policy
    assert "unsafe" not in policy
    for secret in (stack.valt.base_url, stack.valt.media_url, "access_token", "127.0.0.1"):
        assert secret not in body
    for asset in set(re.findall(r'"(/assets/[^"]+)"', body)):
        async with stack.client.get(stack.url + asset) as answer:
            total += int(answer.headers["Content-Length"])
            assert answer.headers["Content-Encoding"] == "gzip"
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            assert answer.content_type in ("text/javascript", "text/css")
    assert total < 80 * 1024
    async with stack.client.get(f"{stack.url}/assets/0123456789abcdef/watch.js") as answer:
        assert answer.status == 404
