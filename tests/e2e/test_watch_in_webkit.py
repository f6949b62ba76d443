"""The pages in WebKitGTK, whose engine is Safari's: from the list or the portal's ticket to the end of watching."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support import other_viewers as viewer
from tests.support.gateway_fixture import GatewayStack, running_stack
from tests.support.other_browsers import Window, webkit_window
from tests.support.sign_in import site
from tests.support.sites import elsewhere
from tests.support.watching import WATCH

FOUR = viewer.path_of(4)

pytestmark = pytest.mark.promise("watch-22")


@pytest.fixture
async def window() -> AsyncIterator[Window]:
    async with webkit_window() as opened:
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
    await viewer.measure(window, stack, (480, 568))


async def test_the_list_is_searched_by_keys(stack: GatewayStack, window: Window) -> None:
    # WebKitGTK 2.50 may end the process of a page that has shown a field with suggestions.
    await viewer.search_the_list(window, stack, suggestions=False)


async def test_error_pages_say_what_is_wrong(stack: GatewayStack, window: Window) -> None:
    await viewer.be_refused(window, stack)


async def test_who_signs_in_watches_and_signs_out_leaves_no_position(tmp_path: Path, window: Window) -> None:
    async with site(tmp_path) as here:
        await viewer.sign_in_and_out(window, here, WATCH)


async def test_a_portal_controls_its_frame(tmp_path: Path, window: Window) -> None:
    # Another origin of the same site: the driver has no way to resolve names of other sites to this machine.
    async with elsewhere(None, "localhost") as portal:
        more = f'[branding]\nframe_ancestors = ["{portal}"]'
        async with running_stack(tmp_path, more=more) as stack:
            address = f"{stack.url.replace('127.0.0.1', 'localhost')}{WATCH}?ticket={stack.ticket()}"
            await viewer.control_a_frame(window, portal, address)


async def test_without_script_there_are_links_and_videos_with_controls(stack: GatewayStack) -> None:
    async with webkit_window("--enable-javascript-markup=false") as window:
        await viewer.open_with_ticket(window, stack, FOUR)
        assert await window.evaluate("document.querySelectorAll('video[controls][src]').length") == 4
        assert await window.evaluate("document.querySelectorAll('a.name[href]').length") == 4
        assert await window.evaluate("document.querySelector('.play')") is None
