"""``/docs`` is the whole of ``/openapi.json``, for people."""

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import pytest
from playwright.async_api import ViewportSize

from gateway.web.handlers.api_docs import page_contents
from gateway.web.schemas.openapi import describe
from tests.support.browser import browser
from tests.support.gateway_fixture import GatewayStack, running_stack

PHONE: ViewportSize = {"width": 360, "height": 720}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[GatewayStack]:
    async with running_stack(tmp_path) as running:
        yield running


@pytest.mark.promise("rules-24")
async def test_every_operation_stands_on_the_page_with_its_parameters_and_answers(here: GatewayStack) -> None:
    async with here.client.get(here.url + "/docs") as answer:
        text = unescape(await answer.text())
    sections = dict(re.findall(r'<h2 id="[^"]+"><code>(.*?)</code></h2>(.*?)</section>', text, re.S))
    description = describe()
    assert list(sections) == list(description["paths"])
    for path, item in description["paths"].items():
        assert f"<code>{path}</code></a>" in text
        for method, operation in item.items():
            if method == "parameters":
                continue
            heading = rf"<h3><code>[A-Z ]*\b{method.upper()}\b[A-Z ]*</code> <span lang=\"en\">(.*?)</span></h3>"
            assert operation["summary"] in re.findall(heading, sections[path]), (method, path)
            for status, told_of in operation["responses"].items():
                assert f"<code>{status}</code>" in sections[path], (method, path, status)
                assert told_of["description"] in sections[path], (method, path, status)
            for parameter in [*item.get("parameters", []), *operation["parameters"]]:
                name = parameter["$ref"].rsplit("/", 1)[-1]
                assert description["components"]["parameters"][name]["description"] in sections[path]


async def test_a_body_is_shown_by_example(here: GatewayStack) -> None:
    async with here.client.get(here.url + "/docs") as answer:
        text = unescape(await answer.text())
    assert '"code": ' not in text
    assert '"delivery": "proxy"' in text
    assert '"access_token": "…"' in text
    assert '"offset": 0' in text


def test_a_link_within_the_page_leads_to_one_place() -> None:
    ids = [path["id"] for path in page_contents(describe())["paths"]]
    assert len(set(ids)) == len(ids)


@pytest.mark.promise("rules-24")
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_browser_shows_it_whole_and_finds_nothing_against_the_policy(here: GatewayStack, scheme: str) -> None:
    async with browser() as chromium:
        page = await chromium.new_page(color_scheme="dark" if scheme == "dark" else "light", viewport=PHONE)
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(here.url + "/docs")
        await page.click("nav a[href='#api-v3-rooms-info']")
        assert await page.evaluate("document.querySelector(':target code').textContent") == "/api/v3/rooms/info"
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert complaints == []
    assert asked == [here.url + "/docs"]
