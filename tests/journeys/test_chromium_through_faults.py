"""A film plays in Chromium from its first second to its last, whatever becomes of links and connections meanwhile."""

import asyncio
from pathlib import Path

from tests.support.browser import browser
from tests.support.clock import ManualClock
from tests.support.harness import VIDEO_PATH, House, house

PIECE = 30_000
CUTS = 12
PLAY = """(path) => {
    const video = document.createElement("video");
    video.muted = true;
    video.src = path;
    document.body.append(video);
    video.playbackRate = 6;
    window.ending = new Promise((resolve, reject) => {
        video.addEventListener("ended", () => resolve("ended"));
        video.addEventListener("error", () => reject(new Error("error " + video.error.code)));
    });
    window.ending.catch(() => null);
    return video.play();
}"""


async def breaks(home: House, clock: ManualClock) -> None:
    """Each piece that the media server sends is the last of its connection and of its link."""
    knobs = home.valt.knobs
    for _ in range(CUTS):
        await home.valt.wait_for(lambda: any(r.sent == PIECE and not r.over for r in home.valt.media_requests))
        stalled = next(r for r in home.valt.media_requests if r.sent == PIECE and not r.over)
        clock.pass_(4.0)
        knobs.stall_gate.set()
        await home.valt.wait_for(lambda stalled=stalled: stalled.over)  # type: ignore[misc]
        knobs.stall_gate.clear()


async def test_chromium_plays_across_a_dozen_cuts_and_dead_links_without_an_error(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with house(tmp_path, clock=clock) as home, browser() as chromium:
        home.valt.knobs.link_life = 3.0
        home.valt.knobs.stall_after, home.valt.knobs.reset_after = [PIECE] * CUTS, [PIECE] * CUTS
        context = await chromium.new_context(extra_http_headers=home.bearer())
        page = await context.new_page()
        await page.goto(home.url + "/robots.txt")
        breaking = asyncio.create_task(breaks(home, clock))
        await page.evaluate(PLAY, VIDEO_PATH)
        assert await page.evaluate("window.ending") == "ended"
        await breaking
        assert home.valt.calls["download"] > 10
        told = await home.metrics()
        assert told['valt_gateway_stream_resumes_total{outcome="ok",reason="link_refused"}'] > 10
