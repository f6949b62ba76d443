"""The page ``/docs`` shows all of ``/openapi.json``."""

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import pytest
from playwright.async_api import ViewportSize

from gateway.web.handlers.api_docs import error_table, page_contents
from gateway.web.schemas.openapi import describe
from tests.support.browser import browser
from tests.support.gateway_fixture import PUBLIC, GatewayStack, running_stack

PHONE: ViewportSize = {"width": 360, "height": 720}


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[GatewayStack]:
    async with running_stack(tmp_path) as running:
        yield running


@pytest.mark.promise("rules-24")
async def test_every_operation_is_listed_with_its_parameters_and_responses(stack: GatewayStack) -> None:
    async with stack.client.get(stack.url + "/docs") as page_response:
        text = unescape(await page_response.text())
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
            for status, response in operation["responses"].items():
                assert f"<code>{status}</code>" in sections[path], (method, path, status)
                assert response["description"] in sections[path], (method, path, status)
            for parameter in [*item.get("parameters", []), *operation["parameters"]]:
                name = parameter["$ref"].rsplit("/", 1)[-1]
                assert description["components"]["parameters"][name]["description"] in sections[path]


async def test_each_body_has_an_example(stack: GatewayStack) -> None:
    async with stack.client.get(stack.url + "/docs") as page_response:
        text = unescape(await page_response.text())
    assert '"code": ' not in text
    assert '"delivery": "proxy"' in text
    assert '"access_token": "…"' in text
    assert '"offset": 0' in text


async def test_the_page_begins_with_a_first_hour_and_lists_every_error(stack: GatewayStack) -> None:
    async with stack.client.get(stack.url + "/docs") as page_response:
        text = unescape(await page_response.text())
    assert text.index("A first hour") < text.index('<nav aria-label="Addresses">')
    assert f"{PUBLIC}/recordings/RECORDING?ticket=TICKET" in text
    rows = re.findall(r"<tr><td>(\d+)</td><td><code>(\w+)</code></td><td>(.+?)</td></tr>", text)
    assert [(int(status), code, detail) for status, code, detail in rows] == error_table()


def test_every_anchor_of_the_page_is_unique() -> None:
    ids = [path["id"] for path in page_contents(describe())["paths"]]
    assert len(set(ids)) == len(ids)


@pytest.mark.promise("rules-24")
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_fits_a_phone_and_obeys_its_policy(stack: GatewayStack, scheme: str) -> None:
    async with browser() as chromium:
        page = await chromium.new_page(color_scheme="dark" if scheme == "dark" else "light", viewport=PHONE)
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        await page.goto(stack.url + "/docs")
        await page.click("nav a[href='#api-v3-rooms-info']")
        assert await page.evaluate("document.querySelector(':target code').textContent") == "/api/v3/rooms/info"
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert complaints == []
    assert requests == [stack.url + "/docs"]
