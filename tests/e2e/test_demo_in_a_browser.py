"""The demo in Chromium: open the portal, choose a person, open a recording, watch and seek, or read the refusal."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page

from tests.support.browser import browser, is_playing
from tests.support.programs import Demo, demo


@pytest.fixture
async def running() -> AsyncIterator[Demo]:
    async with demo() as started:
        yield started


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with browser() as chromium:
        context = await chromium.new_context()
        yield await context.new_page()


@pytest.mark.promise("watch-16")
async def test_a_supervisor_opens_a_recording_watches_and_seeks(running: Demo, page: Page) -> None:
    await page.goto(running.portal)
    await page.get_by_role("link", name="A supervisor").click()
    await page.locator("a.video").first.click()
    await page.wait_for_selector("video")
    assert "ticket" not in page.url
    assert page.url.startswith(running.gateway)
    assert await is_playing(page)

    middle = await page.evaluate(
        """async () => {
            const video = document.querySelector("video");
            const middle = video.duration / 2;
            const sought = new Promise(resolve => video.addEventListener("seeked", resolve, {once: true}));
            video.currentTime = middle;
            await sought;
            return [middle, video.currentTime];
        }"""
    )
    assert middle[1] == pytest.approx(middle[0], abs=0.2)
    assert await is_playing(page)
    assert await page.evaluate("document.querySelector('video').error") is None


async def test_a_student_sees_one_recording_and_a_refusal_for_another(running: Demo, page: Page) -> None:
    await page.goto(f"{running.portal}/?as=ben")
    await page.get_by_role("link", name="Ceiling").first.click()
    await page.wait_for_selector("video")
    assert await is_playing(page)
    await page.goto(f"{running.portal}/?as=ben")
    async with page.expect_response(lambda answer: answer.status == 403):
        await page.get_by_role("link", name="Table").click()
    assert await page.get_by_role("heading", level=1).inner_text() == "You may not see this recording"


async def test_a_person_without_a_rule_sees_the_refusal(running: Demo, page: Page) -> None:
    await page.goto(f"{running.portal}/?as=carla")
    await page.get_by_role("link", name="Ceiling").first.click()
    assert await page.get_by_role("heading", level=1).inner_text() == "You may not see this recording"
    assert await page.locator("footer code").inner_text()


async def test_a_ticket_works_once_and_the_page_of_a_recording_shows_its_cameras(running: Demo, page: Page) -> None:
    tickets = []
    page.on("request", lambda request: tickets.append(request.url) if "ticket=" in request.url else None)
    await page.goto(f"{running.portal}/?as=anna")
    await page.get_by_role("link", name="Training interview 3").click()
    await page.wait_for_selector("video")
    assert await page.locator("video").count() == 3
    assert await is_playing(page)
    await page.context.clear_cookies()
    answer = await page.goto(tickets[0])
    assert answer is not None
    assert answer.status == 401
    assert await page.get_by_role("heading", level=1).inner_text() == "This link has expired"


async def test_the_list_shows_each_person_their_recordings(running: Demo, page: Page) -> None:
    for person, names in (("anna", 2), ("ben", 1), ("carla", 0)):
        await page.goto(f"{running.portal}/?as={person}")
        await page.get_by_role("link", name="All recordings that you may see").click()
        if person != "anna":
            await page.get_by_role("button", name=f"Continue as {person}").click()
        await page.wait_for_url("**/recordings")
        assert await page.get_by_role("rowheader").count() == names


async def test_the_demo_exits_with_0_on_a_signal(running: Demo) -> None:
    running.process.terminate()
    async with asyncio.timeout(20):
        assert await running.process.wait() == 0
