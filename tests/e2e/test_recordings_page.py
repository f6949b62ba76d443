"""The recordings page: newest first, a box to search, pages; and of nothing that the person may not see a word."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.async_api import Page

from gateway.sim.catalogue import INTERVIEW, SESSION, Recording
from gateway.web.pages.wording import local_time
from tests.support.axe import violations_in_every_view
from tests.support.browser import browser
from tests.support.gateway_fixture import GRANTS, NAVIGATION, GatewayStack, running_stack
from tests.support.sign_in import sign_in_as, site
from tests.unit.web.test_languages import LANGUAGES

ROOMS = ((37, "Room 1"), (38, "Interview room"), (39, "Simulation suite, east wing"))
AUTHORS = ((7, "jsmith"), (8, "Dr. Katharina Obermüller"))
MORE_GRANTS = """
[[grants]]
name = "one-room"
groups = ["interviewers"]
recordings = ["*"]
rooms = ["Interview room"]
account = "reviewer"

[[grants]]
name = "own"
groups = ["interviewers"]
recordings = ["*"]
authors = ["jsmith"]
account = "trainee"

[[grants]]
name = "psychology"
groups = ["psychology"]
recordings = ["*"]
template = { Course = "PSY *" }
account = "trainee"
"""


def rows(count: int, **more: Any) -> list[Recording]:
    """One every three hours, all after the simulator's own; the last is the newest."""
    return [
        Recording(
            f"row-{number}",
            f"Consultation {number}" if number % 2 else f"Seminar {number}",
            room=ROOMS[number % 3],
            author=AUTHORS[number % 2],
            created=1_750_000_000.0 + 10_800 * number,
            duration=600.0 * number,
            **more,
        )
        for number in range(1, count + 1)
    ]


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[GatewayStack]:
    async with running_stack(tmp_path, grants=GRANTS + MORE_GRANTS) as built:
        built.valt.recordings += rows(60)
        yield built


@pytest.fixture
async def page(stack: GatewayStack) -> AsyncIterator[Page]:
    async with browser() as chromium:
        context = await chromium.new_context(extra_http_headers=stack.front("anna"), base_url=stack.url, locale="en-GB")
        opened = await context.new_page()
        faults: list[str] = []
        opened.on("console", lambda line: faults.append(line.text))
        yield opened
        assert faults == []


async def listing(stack: GatewayStack, who: dict[str, str], query: str = "") -> Any:
    async with stack.client.get(f"{stack.url}/recordings{query}", headers=who) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.headers["Cache-Control"] == "no-store"
        return await answer.json()


def names(answer: Any) -> list[str]:
    return [row["name"] for row in answer["recordings"]]


@pytest.mark.promise("watch-9")
async def test_json_lists_newest_first_with_the_urls_of_the_neighbouring_pages(stack: GatewayStack) -> None:
    first = await listing(stack, stack.bearer())
    assert first["recordings"][0] == {
        "recording": "row-60",
        "name": "Seminar 60",
        "room": "Room 1",
        "author": "jsmith",
        "created": "2025-06-23T03:06:40Z",
        "duration": 36_000.0,
        "url": "http://localhost:8080/recordings/row-60",
    }
    assert {key: value for key, value in first.items() if key != "recordings"} == {
        "page": 1,
        "total": 64,
        "complete": True,
        "previous": None,
        "next": "http://localhost:8080/recordings?page=2",
    }
    second = await listing(stack, stack.bearer(), "?page=2")
    last = await listing(stack, stack.bearer(), "?page=3")
    everything = names(first) + names(second) + names(last)
    assert everything[:60] == [row.name for row in reversed(stack.valt.recordings[4:])]
    assert len(everything) == 64
    assert (last["previous"], last["next"]) == ("http://localhost:8080/recordings?page=2", None)
    beyond = await listing(stack, stack.bearer(), "?page=9")
    assert (beyond["recordings"], beyond["previous"]) == ([], "http://localhost:8080/recordings?page=3")
    assert names(await listing(stack, stack.bearer(), "?q=NAR%206")) == ["Seminar 60", "Seminar 6"]


@pytest.mark.promise("watch-9")
async def test_only_recordings_that_a_rule_allows_are_listed_and_counted(stack: GatewayStack) -> None:
    ben = await listing(stack, stack.bearer("ben", "students"))
    assert (names(ben), ben["total"], ben["next"]) == (["Session 1451"], 1, None)
    before = dict(stack.valt.calls)
    carla = await listing(stack, stack.bearer("carla", "others"))
    assert (carla["recordings"], carla["total"]) == ([], 0)
    assert dict(stack.valt.calls) == before


async def test_each_account_is_searched_once_and_duplicates_are_merged(
    stack: GatewayStack,
) -> None:
    answer = await listing(stack, stack.bearer("dora", "interviewers"))
    assert stack.valt.calls["search"] == 2
    visible = [row for row in stack.valt.recordings if row.room[1] == "Interview room" or row.author[1] == "jsmith"]
    assert answer["total"] == len(visible)
    assert len(set(names(answer))) == 25
    assert {row["room"] for row in answer["recordings"] if row["author"] != "jsmith"} == {"Interview room"}


async def test_details_are_looked_up_only_as_far_as_the_page_needs_them(stack: GatewayStack) -> None:
    stack.valt.recordings += rows(90, template={"Course": "PSY 512"})[60:]
    who = stack.bearer("eva", "psychology")
    first = await listing(stack, who)
    assert (len(first["recordings"]), first["total"], first["complete"]) == (25, None, True)
    assert first["next"] is not None
    assert stack.valt.calls["record"] == 26
    second = await listing(stack, who, "?page=2")
    assert (len(second["recordings"]), second["total"], second["next"]) == (6, 31, None)
    assert stack.valt.calls["record"] == 94  # each once: details are cached


async def test_a_search_beyond_the_lookup_limit_is_marked_as_incomplete(stack: GatewayStack) -> None:
    stack.valt.recordings += rows(510)[60:]
    stack.valt.recording("row-510").template = {"Course": "PSY 512"}
    headers = stack.front("eva", "psychology")
    answer = await listing(stack, headers)
    assert (names(answer), answer["total"], answer["complete"], answer["next"]) == (["Seminar 510"], None, False, None)
    for query in ("", "?page=2"):
        async with stack.client.get(f"{stack.url}/recordings{query}", headers=NAVIGATION | headers) as response:
            assert "Search for something more specific" in await response.text()


async def test_a_session_from_a_ticket_lists_only_what_the_ticket_allows(stack: GatewayStack) -> None:
    ticket = stack.ticket("anna", recording=INTERVIEW)
    query = f"?q=interview&ticket={ticket}"
    async with stack.client.get(
        f"{stack.url}/recordings{query}", headers=NAVIGATION, allow_redirects=False
    ) as exchanged:
        assert (exchanged.status, exchanged.headers["Location"]) == (303, "/recordings?q=interview")
        cookie = {"Cookie": exchanged.headers["Set-Cookie"].partition(";")[0]}
    for query in ("", "?q=session", "?q=interview"):
        answer = await listing(stack, cookie, query)
        assert names(answer) == ([] if "session" in query else ["Interview 12"])
        assert answer["total"] == len(answer["recordings"])


async def test_the_list_is_audited_counted_and_rate_limited(tmp_path: Path) -> None:
    async with running_stack(tmp_path, more="[limits]\nrequests_per_minute = 2") as stack:
        for query, status in (("", 200), ("?q=a&q=b", 400), ("?page=2", 200), ("", 429)):
            async with stack.client.get(f"{stack.url}/recordings{query}", headers=stack.bearer()) as answer:
                assert answer.status == status
        assert [(line["event"], line["subject"], line["status"], line["code"]) for line in stack.audit()] == [
            ("api", "anna", 200, None),
            ("api", "anna", 200, None),
            ("api", "anna", 429, "too_many_requests"),
        ]
        counted = await stack.metrics()
        assert counted['valt_gateway_requests_total{method="GET",route="/recordings",status="200"}'] == 2


async def test_the_list_needs_credentials(stack: GatewayStack) -> None:
    async with stack.client.get(f"{stack.url}/recordings") as answer:
        assert (answer.status, (await answer.json())["code"]) == (401, "credentials_missing")
    assert not stack.valt.calls


async def test_with_valt_down_the_list_is_503_with_retry_after(stack: GatewayStack) -> None:
    stack.valt.knobs.fail["search"] = [503] * 20
    async with stack.client.get(f"{stack.url}/recordings", headers=stack.front("anna") | NAVIGATION) as answer:
        assert answer.status == 503
        assert answer.headers["Retry-After"]
        assert "The recording system cannot be reached" in await answer.text()
    async with stack.client.get(f"{stack.url}/recordings", headers=stack.bearer()) as answer:
        assert (answer.status, (await answer.json())["code"]) == (503, "valt_unavailable")


async def row_names(page: Page) -> list[str]:
    return await page.get_by_role("rowheader").all_inner_texts()


@pytest.mark.promise("watch-9")
async def test_the_search_box_shows_matches_their_number_and_a_way_back(stack: GatewayStack, page: Page) -> None:
    await page.goto("/recordings")
    assert await page.get_by_role("status").inner_text() == "64 recordings, 1 to 25"
    await page.get_by_role("searchbox", name="Search the recordings").fill("seminar")
    await page.get_by_role("button", name="Search").click()
    await page.get_by_text("30 recordings for “seminar”, 1 to 25").wait_for()
    assert (await page.title()).startswith("30 recordings for “seminar”")
    assert await page.get_by_role("searchbox").input_value() == "seminar"
    assert (await row_names(page))[:2] == ["Seminar 60", "Seminar 58"]
    row = page.get_by_role("row", name="Seminar 2 ")
    await page.get_by_role("link", name="Older").click()
    assert [text.replace("\xa0", " ") for text in await row.get_by_role("cell").all_inner_texts()] == [
        "Simulation suite, east wing",
        "jsmith",
        local_time("2025-06-15T21:06:40Z", LANGUAGES["en"]["page"]),
        "20:00",
    ]
    await page.get_by_role("link", name="Show all recordings").click()
    await page.get_by_text("64 recordings").wait_for()
    await page.get_by_role("searchbox").fill("no such name")
    await page.keyboard.press("Enter")
    await page.get_by_text("Nothing was found for “no such name”.").wait_for()
    await page.get_by_role("link", name="Show all recordings").click()
    await page.get_by_text("64 recordings").wait_for()


@pytest.mark.promise("watch-9")
async def test_links_between_pages_preserve_the_search(stack: GatewayStack, page: Page) -> None:
    await page.goto("/recordings?q=n")
    total = int((await page.get_by_role("status").inner_text()).split()[0])
    seen = await row_names(page)
    for number in (2, 3):
        await page.get_by_role("link", name="Older").click()
        await page.wait_for_url(f"**/recordings?q=n&page={number}")
        assert await page.locator("[aria-current=page]").all_inner_texts() == [str(number)]
        seen += await row_names(page)
    assert len(set(seen)) == len(seen) == total
    assert await page.get_by_role("link", name="Older").count() == 0
    await page.get_by_role("link", name="Newer").click()
    await page.wait_for_url("**/recordings?q=n&page=2")
    await page.get_by_role("link", name="Page 1").click()
    assert await row_names(page) == seen[:25]


@pytest.mark.promise("watch-9")
async def test_filters_by_day_room_and_author_stay_with_the_pages(stack: GatewayStack, page: Page) -> None:
    await page.goto("/recordings?q=consultation")
    await page.get_by_text("Filters").click()
    await page.get_by_label("From").fill("2025-06-17")
    await page.get_by_label("Until").fill("2025-06-22")
    await page.get_by_label("Recorded by").fill("obermüller")
    await page.get_by_role("button", name="Search").click()
    expected = [
        row.name
        for row in reversed(stack.valt.recordings)
        if row.name.startswith("Consultation") and 1_750_118_400 <= row.created < 1_750_636_800
    ]
    await page.get_by_text(f"{len(expected)} recordings for “consultation”").wait_for()
    assert await row_names(page) == expected[:25]
    assert await page.get_by_label("From").input_value() == "2025-06-17"
    await page.get_by_label("Room").fill("interview")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**room=interview**")
    cells = await page.get_by_role("row").locator("td:first-of-type").all_inner_texts()
    assert set(cells) == {"Interview room"}
    await page.get_by_label("Room").fill("no such room")
    await page.keyboard.press("Enter")
    await page.get_by_text("Nothing was found for “consultation”.").wait_for()
    await page.goto("/recordings?author=jsmith")
    await page.get_by_role("link", name="Older").click()
    await page.wait_for_url("**/recordings?author=jsmith&page=2")


async def test_filters_suggest_only_rooms_and_authors_that_the_person_may_see(stack: GatewayStack) -> None:
    headers = stack.front("dora", "interviewers") | NAVIGATION
    async with stack.client.get(f"{stack.url}/recordings?room=interview", headers=headers) as answer:
        text = await answer.text()
    visible = ["Interview room", "Dr. Katharina Obermüller", "jsmith", "mrossi"]
    assert re.findall(r'<option value="([^"]+)">', text) == visible


async def test_markup_in_names_is_escaped(stack: GatewayStack, page: Page) -> None:
    text = "<img src=x onerror=alert(1)>\"'&amp;</title></td>{{ 7*7 }}"
    stack.valt.recordings[:] = [Recording("row-1", text, room=(1, text), author=(1, text))]
    await page.goto(f"/recordings?q={quote(text, safe='')}")
    assert await row_names(page) == [text]
    assert (await page.get_by_role("cell").all_inner_texts())[:2] == [text, text]
    assert await page.get_by_role("searchbox").input_value() == text
    assert text in await page.title()
    assert await page.locator("img, script").count() == 0
    await page.goto(f"/recordings?q=none{quote(text, safe='')}")
    assert await page.get_by_role("status").inner_text() == f"Nothing was found for “none{text}”."


async def test_everything_works_by_keyboard_with_a_visible_focus(stack: GatewayStack, page: Page) -> None:
    await page.goto("/recordings")
    reached = []
    for _ in range(5):
        await page.keyboard.press("Tab")
        reached.append(
            await page.evaluate(
                """() => {
                    const one = document.activeElement;
                    return [one.localName, parseFloat(getComputedStyle(one).outlineWidth)];
                }"""
            )
        )
    assert reached == [["a", 3], ["a", 3], ["input", 3], ["button", 3], ["summary", 3]]
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.type("1451")
    await page.keyboard.press("Enter")
    await page.get_by_text("1 recording for “1451”").wait_for()
    for _ in range(7):
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/recordings/{SESSION}")
    await page.get_by_role("heading", name="Session 1451").wait_for()


@pytest.mark.promise("watch-13")
async def test_axe_reports_no_violation_in_any_colour_scheme(stack: GatewayStack, page: Page) -> None:
    for path in ("?page=2", "?q=session", "?q=none", "?page=9", "?room=Room+1&since=2025-06-20"):
        await page.goto(f"/recordings{path}")
        assert await violations_in_every_view(page) == [], path


@pytest.mark.promise("watch-13")
async def test_nothing_overflows_on_small_or_large_screens(stack: GatewayStack, page: Page) -> None:
    stack.valt.recording("row-60").name = "averyveryverylongnamewithoutanyspaceinit" * 4
    await page.goto("/recordings")
    for width in (320, 375, 770, 2560):
        await page.set_viewport_size({"width": width, "height": 800})
        assert await page.evaluate("document.documentElement.scrollWidth") == width
        assert await page.get_by_role("rowheader").count() == 25
        assert await page.get_by_role("cell", name="jsmith").first.is_visible()
        assert await page.get_by_role("link", name="Older").is_visible()


async def test_the_page_needs_no_script(stack: GatewayStack) -> None:
    async with browser() as chromium:
        context = await chromium.new_context(
            java_script_enabled=False, extra_http_headers=stack.front("anna"), base_url=stack.url, locale="en-GB"
        )
        page = await context.new_page()
        await page.goto("/")
        await page.get_by_role("link", name="Your recordings").click()
        await page.get_by_role("searchbox").fill("late")
        await page.get_by_role("button", name="Search").click()
        await page.get_by_text("1 recording for “late”").wait_for()
        await page.get_by_role("link", name="Late moov").click()
        await page.get_by_role("heading", name="Late moov").wait_for()
        await page.go_back()
        await page.get_by_role("banner").get_by_role("link", name="Recordings", exact=True).click()
        await page.get_by_role("heading", name="You are signed in as anna").wait_for()


@pytest.mark.promise("sign-in-1")
async def test_sign_in_returns_to_the_same_search(tmp_path: Path) -> None:
    async with site(tmp_path) as here, browser() as chromium:
        page = await (await chromium.new_context(locale="de-DE")).new_page()
        await page.goto(f"{here.url}/recordings?q=S%C3%A9ance+%C3%A0&page=1")
        await sign_in_as(page, "anna")
        await page.get_by_text("1 Aufnahme zu „Séance à“").wait_for()
        assert page.url == f"{here.url}/recordings?q=S%C3%A9ance+%C3%A0&page=1"
