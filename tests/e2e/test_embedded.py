"""A portal on another site embeds videos, in Chromium: what a listed portal can do and what other sites cannot."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
import trustme
from playwright.async_api import BrowserContext

from gateway.sim.catalogue import SESSION
from tests.support.browser import is_playing
from tests.support.gateway_fixture import VIDEO_PATH, settings_of
from tests.support.sites import PUBLIC, clinic, elsewhere, embed, visitor

WATCH = f"/recordings/{SESSION}"

READS = """async ([address, range]) => {
    try {
        const answer = await fetch(address, { credentials: "include", headers: range ? { Range: range } : {} });
        return [answer.status, (await answer.arrayBuffer()).byteLength];
    } catch {
        return "nothing";
    }
}"""
EMBEDS = """([address, crossorigin]) => new Promise(resolve => {
    const video = Object.assign(document.createElement("video"), { muted: true, autoplay: true });
    if (crossorigin) video.crossOrigin = "use-credentials";
    video.onerror = () => resolve("nothing");
    video.ontimeupdate = () => {
        if (video.currentTime < 0.2) return;
        const canvas = document.createElement("canvas").getContext("2d");
        canvas.drawImage(video, 0, 0);
        try {
            canvas.getImageData(0, 0, 1, 1);
            resolve("plays and can be read");
        } catch {
            resolve("plays");
        }
    };
    video.src = address;
    document.body.replaceChildren(video);
})"""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def portal(authority: trustme.CA) -> AsyncIterator[str]:
    async with elsewhere(authority, "portal.school.test") as origin:
        yield origin


@pytest.fixture
async def stranger(authority: trustme.CA) -> AsyncIterator[str]:
    async with elsewhere(authority, "www.stranger.test") as origin:
        yield origin


@pytest.fixture
async def context() -> AsyncIterator[BrowserContext]:
    async with visitor() as opened:
        yield opened


@pytest.mark.promise("sign-in-14")
async def test_sessions_go_on_and_end_although_portals_are_listed_meanwhile_and_no_longer(
    tmp_path: Path, authority: trustme.CA, context: BrowserContext
) -> None:
    """The cookie becomes a partitioned one and back: for Chromium, two cookies of one name."""
    portals = ["cors_origins = []", 'cors_origins = ["https://portal.school.test"]']
    async with clinic(tmp_path, authority, []) as (stack, gateway):
        page = await context.new_page()

        async def status(path: str, **query: str) -> int:
            response = await page.goto(f"{gateway}{path}?{urlencode(query)}")
            assert response is not None
            return response.status

        assert await status(WATCH, ticket=stack.ticket(audience=PUBLIC)) == 200
        for old, new in (portals, reversed(portals)):
            stack.config.write_text(stack.config.read_text().replace(old, new))
            assert await stack.gateway.reload(settings_of(stack.config))
            for _ in range(2):
                assert await status(WATCH, ticket=stack.ticket(audience=PUBLIC)) == 200
        await page.goto(f"{gateway}/oauth2/sign_out")
        await page.click("button")
        await page.wait_for_load_state()
        assert await status(WATCH) == 401
        assert await context.cookies(gateway) == []


@pytest.mark.promise("sign-in-14", "watch-15")
async def test_a_listed_portal_embeds_the_page_and_then_plays_and_reads_videos(
    tmp_path: Path, authority: trustme.CA, portal: str, context: BrowserContext
) -> None:
    async with clinic(tmp_path, authority, [portal]) as (stack, gateway):
        page = await context.new_page()
        await page.goto(portal)
        frame = await embed(page, f"{gateway}{WATCH}?ticket={stack.ticket(audience=PUBLIC)}")
        await frame.wait_for_selector("video")
        assert await is_playing(frame)
        for spec in ("bytes=0-9", "bytes=-10"):  # the second needs a preflight request
            assert await page.evaluate(READS, [gateway + VIDEO_PATH, spec]) == [206, 10]
        assert await page.evaluate(EMBEDS, [gateway + VIDEO_PATH, True]) == "plays and can be read"
        assert await page.evaluate(EMBEDS, [gateway + VIDEO_PATH, False]) == "plays"
        (cookie,) = await context.cookies(gateway)
        assert cookie.get("partitionKey") == "https://school.test"


@pytest.mark.promise("sign-in-14")
async def test_another_site_cannot_use_the_session_of_an_embedded_page(
    tmp_path: Path, authority: trustme.CA, portal: str, stranger: str, context: BrowserContext
) -> None:
    async with clinic(tmp_path, authority, [portal]) as (stack, gateway):
        page = await context.new_page()
        await page.goto(portal)
        await embed(page, f"{gateway}{WATCH}?ticket={stack.ticket(audience=PUBLIC)}")
        assert await page.evaluate(READS, [gateway + VIDEO_PATH, "bytes=0-9"]) == [206, 10]
        await page.goto(stranger)
        assert await page.evaluate(READS, [gateway + VIDEO_PATH, ""]) == "nothing"
        for crossorigin in (True, False):
            assert await page.evaluate(EMBEDS, [gateway + VIDEO_PATH, crossorigin]) == "nothing"
        frame = await embed(page, gateway + WATCH)
        assert "video" not in await frame.content()


@pytest.mark.promise("sign-in-14")
async def test_a_listed_portal_reads_a_video_once_with_a_ticket(
    tmp_path: Path, authority: trustme.CA, portal: str, context: BrowserContext
) -> None:
    async with clinic(tmp_path, authority, [portal]) as (stack, gateway):
        page = await context.new_page()
        await page.goto(portal)
        address = f"{gateway}{VIDEO_PATH}?ticket={stack.ticket(audience=PUBLIC)}"
        assert await page.evaluate(READS, [address, "bytes=0-9"]) == [206, 10]
        status, _ = await page.evaluate(READS, [address, "bytes=0-9"])
        assert status == 401
        assert await context.cookies(gateway) == []


@pytest.mark.promise("sign-in-14")
async def test_without_listed_portals_no_other_site_can_play_or_read(
    tmp_path: Path, authority: trustme.CA, portal: str, context: BrowserContext
) -> None:
    async with clinic(tmp_path, authority, []) as (stack, gateway):
        page = await context.new_page()
        await page.goto(f"{gateway}{WATCH}?ticket={stack.ticket(audience=PUBLIC)}")
        assert await is_playing(page)
        (cookie,) = await context.cookies(gateway)
        assert cookie.get("sameSite") == "Lax"
        await page.goto(portal)
        assert await page.evaluate(READS, [gateway + VIDEO_PATH, ""]) == "nothing"
        for crossorigin in (True, False):
            assert await page.evaluate(EMBEDS, [gateway + VIDEO_PATH, crossorigin]) == "nothing"
        frame = await embed(page, f"{gateway}{WATCH}?ticket={stack.ticket(audience=PUBLIC)}")
        assert "video" not in await frame.content()
