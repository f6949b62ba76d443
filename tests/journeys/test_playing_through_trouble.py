"""A film plays in Chromium to its end while links expire and connections are cut behind the gateway's back."""

import asyncio
from pathlib import Path

from tests.support.browser import browser
from tests.support.clock import ManualClock
from tests.support.harness import house
from tests.support.programs import run

CUTS = 12
SECONDS = 12


async def make_film(folder: Path) -> bytes:
    """Noise, so that it is larger than any player's buffer."""
    target = folder / "noise.mp4"
    made = await run(
        *("ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=size=640x360:rate=15:duration={SECONDS}"),
        *("-vf", "noise=alls=60:allf=t", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"),
        *(
            "-b:v",
            "20M",
            "-minrate",
            "20M",
            "-maxrate",
            "20M",
            "-bufsize",
            "4M",
            "-movflags",
            "+faststart",
            str(target),
        ),
    )
    assert made.code == 0, made.err
    return await asyncio.to_thread(target.read_bytes)


async def test_a_film_plays_to_its_end_across_ten_expired_links_and_two_cuts(
    tmp_path: Path, clock: ManualClock
) -> None:
    film = await make_film(tmp_path)
    async with house(tmp_path, clock=clock) as home, browser() as chromium:
        home.valt.add_video("long", "film", film)
        home.valt.knobs.link_life = 3
        home.valt.knobs.reset_after = [len(film) // (CUTS + 2)] * CUTS

        async def let_links_expire() -> None:
            for number in range(1, CUTS - 1):
                await home.valt.wait_for(lambda seen=number: len(home.valt.media_requests) > seen, seconds=60)  # type: ignore[misc]
                clock.pass_(4)

        expiring = asyncio.create_task(let_links_expire())
        page = await (await chromium.new_context()).new_page()
        await page.goto(f"{home.url}/recordings/long/videos/film?ticket={home.ticket()}")
        await page.wait_for_selector("video")
        outcome = await page.evaluate(
            """async () => {
                const video = document.querySelector("video");
                video.muted = true;
                video.playbackRate = 2;
                return await new Promise(resolve => {
                    video.addEventListener("ended", () => resolve("ended"));
                    video.addEventListener("error", () => resolve("error " + video.error.message));
                    video.play();
                });
            }"""
        )
        await expiring
        await page.close()
        await home.ended()
        resumes = sum(line["resumes"] for line in home.audit() if line["event"] == "close")
        told = await home.metrics()
    assert outcome == "ended"
    assert resumes >= 10
    assert told['valt_gateway_stream_resumes_total{outcome="failed",reason="dropped"}'] >= 1
