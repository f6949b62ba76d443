"""The pages in Firefox: from the list or the portal's ticket to the end of watching."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trustme
from selenium.webdriver import Firefox

from tests.support import other_viewers as viewer
from tests.support.gateway_fixture import GatewayStack
from tests.support.other_browsers import Window, firefox, firefox_window, preference
from tests.support.sign_in import site
from tests.support.sites import PUBLIC, clinic, elsewhere
from tests.support.visible import VISIBLE
from tests.support.watching import WATCH

FOUR = viewer.path_of(4)

pytestmark = pytest.mark.promise("watch-22")


@pytest.fixture(scope="module")
def driver() -> Iterator[Firefox]:
    with firefox() as running:
        yield running


@pytest.fixture
async def window(driver: Firefox) -> AsyncIterator[Window]:
    async with firefox_window(driver) as opened:
        yield opened
        assert opened.faults() == []


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[GatewayStack]:
    async with viewer.recordings_stack(tmp_path) as running:
        yield running


@pytest.mark.parametrize("cameras", [1, 4])
async def test_a_ticket_opens_a_recording_that_plays_and_seeks(
    stack: GatewayStack, window: Window, cameras: int
) -> None:
    await viewer.open_player(window, stack, viewer.path_of(cameras))
    await viewer.play_seek_and_pause(window)


async def test_pictures_and_sounds_are_chosen(stack: GatewayStack, window: Window) -> None:
    await viewer.open_player(window, stack, FOUR)
    await viewer.choose_picture_and_sound(window)


async def test_moments_transcript_captions_and_repeats_move_all_cameras(stack: GatewayStack, window: Window) -> None:
    await viewer.open_player(window, stack, FOUR)
    await viewer.follow_moments(window)


async def test_full_screen_hides_the_bar_and_exchanges_pictures(stack: GatewayStack, window: Window) -> None:
    await viewer.open_player(window, stack, FOUR)
    await viewer.fill_the_screen(window)


async def test_a_link_to_a_moment_is_copied_and_opened(stack: GatewayStack, window: Window) -> None:
    await viewer.open_player(window, stack, FOUR)
    await viewer.copy_and_open_a_link(window, stack, FOUR)


async def test_the_player_fits_windows_with_up_to_nine_cameras(stack: GatewayStack, window: Window) -> None:
    await viewer.measure(window, stack, (320, 568))


async def test_the_list_is_searched_and_filtered_by_keys(stack: GatewayStack, window: Window) -> None:
    await viewer.search_the_list(window, stack)


async def test_error_pages_say_what_is_wrong(stack: GatewayStack, window: Window) -> None:
    await viewer.be_refused(window, stack)


async def test_who_signs_in_watches_and_signs_out_leaves_no_position(tmp_path: Path, window: Window) -> None:
    async with site(tmp_path) as here:
        await viewer.sign_in_and_out(window, here, WATCH)


async def test_a_portal_on_another_site_controls_its_frame(tmp_path: Path, window: Window) -> None:
    authority = trustme.CA()
    async with (
        elsewhere(authority, "portal.school.test") as portal,
        clinic(tmp_path, authority, [portal]) as (stack, gateway),
    ):
        address = f"{gateway}{WATCH}?ticket={stack.ticket(audience=PUBLIC)}"
        await viewer.control_a_frame(window, portal, address)


async def test_the_player_fits_at_twice_the_size(stack: GatewayStack, driver: Firefox) -> None:
    async with firefox_window(driver) as window:
        await viewer.open_player(window, stack, FOUR)
        await window.resize(683, 384, zoom=2)
        assert await window.evaluate("devicePixelRatio") == 2
        shares = await window.evaluate(VISIBLE)
        assert min(shares["play"], shares["line"], shares["picture"]) > 0.99, shares
        assert shares["sideways"] <= 0


async def test_without_script_there_are_links_and_videos_with_controls(
    stack: GatewayStack, window: Window, driver: Firefox
) -> None:
    with preference(driver, "javascript.enabled", False):
        await viewer.open_with_ticket(window, stack, FOUR)
        assert await window.evaluate("document.querySelectorAll('video[controls][src]').length") == 4
        assert await window.evaluate("document.querySelectorAll('a.name[href]').length") == 4
        assert await window.evaluate("document.querySelector('.play')") is None


@pytest.mark.promise("watch-13")
async def test_nothing_is_animated_with_reduced_motion(stack: GatewayStack, window: Window, driver: Firefox) -> None:
    await viewer.open_player(window, stack, FOUR)
    moves = """() => {
        document.querySelector(".camera").dataset.state = "loading";
        // A <track> is not rendered and has no style.
        const elements = [...document.querySelectorAll(":not(track)")];
        return elements.some(each => getComputedStyle(each).animationName !== "none");
    }"""
    assert await window.evaluate(moves)
    with preference(driver, "ui.prefersReducedMotion", 1):
        await window.until("matchMedia('(prefers-reduced-motion: reduce)').matches")
        assert not await window.evaluate(moves)
