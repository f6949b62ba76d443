"""Chromium plays a film to its end while links expire and connections to the media server break."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Page

from tests.support.browser import browser
from tests.support.clock import ManualClock
from tests.support.gateway_fixture import VIDEO_PATH, GatewayStack, running_stack

PIECE = 30_000
PIECE_SECONDS = 24.0 * PIECE / 389_632
EXPIRIES, CUTS = 10, 2
SPEED, AHEAD = 4, 4.0
"""The playback rate, and the seconds of film that are buffered when a connection breaks: one second of real time."""

PLAY = """([path, speed]) => {
    const video = document.createElement("video");
    document.body.append(video);
    Object.assign(video, {src: path, muted: true, playbackRate: speed});
    window.longestStandstill = 0;
    let position = 0, since = 0;
    const look = now => {
        if (video.paused || video.currentTime !== position) { position = video.currentTime; since = now; }
        window.longestStandstill = Math.max(window.longestStandstill, (now - since) / 1000);
        requestAnimationFrame(look);
    };
    window.ending = new Promise((resolve, reject) => {
        video.addEventListener("playing", () => requestAnimationFrame(look), {once: true});
        video.addEventListener("ended", () => resolve("ended"));
        video.addEventListener("error", () => reject(new Error("error " + video.error.code)));
    });
    window.ending.catch(() => null);
    return video.play();
}"""


async def interrupt(stack: GatewayStack, clock: ManualClock, page: Page) -> None:
    """Breaks each connection after one piece, shortly before the player needs the next; most links expire too."""
    knobs = stack.valt.knobs
    for number in range(1, EXPIRIES + CUTS + 1):
        await stack.valt.wait_for(lambda: any(r.sent == PIECE and not r.ended for r in stack.valt.media_requests))
        stalled = next(r for r in stack.valt.media_requests if r.sent == PIECE and not r.ended)
        soon = number * PIECE_SECONDS - AHEAD
        await page.wait_for_function("soon => document.querySelector('video')?.currentTime >= soon", arg=soon)
        if number <= EXPIRIES:
            clock.pass_(4.0)
        knobs.stall_gate.set()
        await stack.valt.wait_for(lambda stalled=stalled: stalled.ended)  # type: ignore[misc]
        knobs.stall_gate.clear()


@pytest.mark.promise("streams-35")
async def test_chromium_plays_through_expired_links_and_broken_connections(tmp_path: Path, clock: ManualClock) -> None:
    async with running_stack(tmp_path, clock=clock) as stack, browser() as chromium:
        knobs = stack.valt.knobs
        knobs.link_life = 3.0
        knobs.stall_after, knobs.reset_after = ([PIECE] * (EXPIRIES + CUTS) for _ in range(2))
        context = await chromium.new_context(extra_http_headers=stack.bearer())
        page = await context.new_page()
        await page.goto(stack.url + "/robots.txt")
        interrupting = asyncio.create_task(interrupt(stack, clock, page))
        await page.evaluate(PLAY, [VIDEO_PATH, SPEED])
        assert await page.evaluate("window.ending") == "ended"
        await interrupting
        standstill = await page.evaluate("window.longestStandstill")
        assert standstill <= 2.0
        metrics = await stack.metrics()
        await page.close()
        await stack.ended()
        assert metrics['valt_gateway_stream_resumes_total{outcome="ok",reason="link_refused"}'] == EXPIRIES
        assert metrics['valt_gateway_stream_resumes_total{outcome="ok",reason="dropped"}'] == CUTS
        assert stack.valt.calls["download"] == 1 + EXPIRIES
        assert sum(line["resumes"] for line in stack.audit() if line["event"] == "close") == EXPIRIES + CUTS
