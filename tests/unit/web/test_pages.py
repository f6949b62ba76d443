"""Our pages: no script, nothing from elsewhere, readable by everybody, and never taken for anything but text."""

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.gateway_fixture import NAVIGATION, VIDEO_PATH, GatewayStack, running_stack

PAGES = {
    "home": ("/", {}, 200),
    "nobody knows you": (VIDEO_PATH, {}, 401),
    "no such page": ("/nowhere", {}, 404),
    "no such link": ("/recordings/a_b/videos/c", {"subject": "anna"}, 404),
    "not allowed": (VIDEO_PATH, {"subject": "carla", "groups": "others"}, 403),
    "recordings": ("/recordings", {"subject": "anna"}, 200),
    "no recordings": ("/recordings?q=none", {"subject": "carla", "groups": "others"}, 200),
    "sign out": ("/oauth2/sign_out", {}, 200),
    "what is answered here": ("/docs", {}, 200),
}
HELP = "/recordings/about-us"


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[GatewayStack]:
    async with running_stack(tmp_path, more=f'[branding]\nhelp_url = "{HELP}"\n') as running:
        yield running


async def page(here: GatewayStack, name: str, **headers: str) -> tuple[str, dict[str, str]]:
    path, person, status = PAGES[name]
    who = here.front(**person) if person else {}
    async with here.client.get(here.url + path, headers={**NAVIGATION, **who, **headers}) as answer:
        assert answer.status == status
        return await answer.text(), dict(answer.headers)


@pytest.mark.promise("sign-in-13", "rules-24")
@pytest.mark.parametrize("name", PAGES)
async def test_a_page_has_a_strict_policy_and_is_not_cached(here: GatewayStack, name: str) -> None:
    text, headers = await page(here, name)
    style = re.search(r"<style>(.*?)</style>", text, re.S)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"} <= set(policy)
    assert f"style-src 'sha256-{digest}'" in policy
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert not re.search(r"<script|\son\w+=|\sstyle=|javascript:|(?:src|href)=.https?:", text)
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.promise("sign-in-13")
@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("language", ["en", "de", "es"])
async def test_a_page_speaks_the_readers_language_and_says_so(here: GatewayStack, name: str, language: str) -> None:
    text, headers = await page(here, name, **{"Accept-Language": f"xx, {language}-XX;q=0.9, en;q=0.5"})
    assert f'<html lang="{language}">' in text
    assert headers["Content-Language"] == language
    assert "Accept-Language" in headers["Vary"]
    assert len(re.findall(r"<h1>\s*\S", text)) == 1
    assert re.search(r"<title>[^<]+</title>", text)


@pytest.mark.promise("sign-in-13")
@pytest.mark.parametrize("name", PAGES)
async def test_a_page_names_the_request_as_the_log_does_and_shows_the_way_back(here: GatewayStack, name: str) -> None:
    text, headers = await page(here, name)
    assert f"<code>{headers['X-Request-ID']}</code>" in text
    assert '<a class="brand" href="/">Recordings</a>' in text
    assert f'<a href="{HELP}">Help</a>' in text


@pytest.mark.parametrize("name", [name for name, (_, _, status) in PAGES.items() if status >= 400])
async def test_an_error_page_has_a_button_that_leads_on(here: GatewayStack, name: str) -> None:
    text, _ = await page(here, name)
    assert '<a class="button" href="/">Start page</a>' in text


async def test_a_refusal_names_the_signed_in_person_as_text_only(here: GatewayStack) -> None:
    who = here.front("<img src=x onerror=alert(1)>", "others")
    async with here.client.get(here.url + VIDEO_PATH, headers={**NAVIGATION, **who}) as answer:
        text = await answer.text()
    assert answer.status == 403
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert "<img" not in text


async def test_no_page_repeats_the_requested_path(here: GatewayStack) -> None:
    async with here.client.get(here.url + "/nowhere/canary?x=<b>canary</b>", headers=NAVIGATION) as answer:
        assert "canary" not in await answer.text()


@pytest.mark.promise("sign-in-13")
async def test_the_home_page_says_since_when_in_the_language_of_the_viewer(here: GatewayStack) -> None:
    address = f"{here.url}{VIDEO_PATH}?ticket={here.ticket()}"
    async with here.client.get(address, headers=NAVIGATION, allow_redirects=False) as answer:
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
    async with here.client.get(
        here.url + "/", headers={**NAVIGATION, "Cookie": cookie, "Accept-Language": "de"}
    ) as page:
        text = await page.text()
    assert re.search(r'seit <time datetime="[\dT:-]+Z">\d+\. \w+ \d{4}, \d\d:\d\d \S+</time>', text)
