"""Every page: its policy, its language, its request id and its links. None runs a script or loads other sites."""

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from gateway.sim.catalogue import SESSION
from gateway.web.pages.colors import contrast
from tests.support.gateway_fixture import NAVIGATION, VIDEO_PATH, GatewayStack, running_stack

PAGES = {
    "home": ("/", {}, 200),
    "not signed in": (VIDEO_PATH, {}, 401),
    "no such page": ("/nowhere", {}, 404),
    "no such link": ("/recordings/a_b/videos/c", {"subject": "anna"}, 404),
    "not allowed": (VIDEO_PATH, {"subject": "carla", "groups": "others"}, 403),
    "recordings": ("/recordings", {"subject": "anna"}, 200),
    "no recordings": ("/recordings?q=none", {"subject": "carla", "groups": "others"}, 200),
    "sign out": ("/oauth2/sign_out", {}, 200),
    "API reference": ("/docs", {}, 200),
}
HELP = "https://help.example.edu/videos"


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


@pytest.mark.promise("sign-in-13", "rules-24", "security-S17")
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
    assert not re.search(r"<script|\son\w+=|\sstyle=|javascript:|(?:src|href)=.https?:", text.replace(HELP, ""))
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Referrer-Policy"] in ("no-referrer", "same-origin")


@pytest.mark.promise("sign-in-13")
@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("language", ["en", "de", "es"])
async def test_a_page_is_in_the_preferred_language_and_declares_it(
    here: GatewayStack, name: str, language: str
) -> None:
    text, headers = await page(here, name, **{"Accept-Language": f"xx, {language}-XX;q=0.9, en;q=0.5"})
    assert f'<html lang="{language}">' in text
    assert headers["Content-Language"] == language
    assert "Accept-Language" in headers["Vary"]
    assert len(re.findall(r"<h1>\s*\S", text)) == 1
    assert re.search(r"<title>[^<]+</title>", text)


@pytest.mark.promise("sign-in-13")
@pytest.mark.parametrize("name", PAGES)
async def test_a_page_shows_the_request_id_and_a_link_to_the_start_page(here: GatewayStack, name: str) -> None:
    text, headers = await page(here, name)
    assert f"<code>{headers['X-Request-ID']}</code>" in text
    assert '<a class="brand" href="/">Recordings</a>' in text
    assert f'<a href="{HELP}">Help</a>' in text


@pytest.mark.parametrize("name", [name for name, (_, _, status) in PAGES.items() if status >= 400])
async def test_an_error_page_has_one_main_button_and_a_link_to_the_start_page(here: GatewayStack, name: str) -> None:
    text, _ = await page(here, name)
    assert re.findall(r'class="button" href="([^"]*)"', text) == [HELP]
    assert '<a href="/">Start page</a>' in text


async def test_a_temporary_error_counts_down_to_the_next_attempt(here: GatewayStack) -> None:
    here.valt.knobs.fail["download"] = [503] * 10
    async with here.client.get(here.url + VIDEO_PATH, headers={**NAVIGATION, **here.front("anna")}) as answer:
        text = await answer.text()
    assert answer.status == 503
    assert f'data-retry-after="{answer.headers["Retry-After"]}">Try again</a>' in text
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]


async def test_every_page_names_the_person_and_links_to_the_list(here: GatewayStack) -> None:
    for name, person in (("recordings", "anna"), ("not allowed", "carla")):
        text, _ = await page(here, name)
        assert '<a href="/recordings">Recordings list</a>' in text
        assert f'<span class="person">{person}</span>' in text


async def test_branding_sets_colour_notice_privacy_link_and_language(tmp_path: Path) -> None:
    more = """[branding]
accent_color = "#ffcc00"
notice = "Viewing is recorded."
privacy_url = "https://privacy.example.edu/"
language = "es"
"""
    headers = {**NAVIGATION, "Accept-Language": "de"}
    async with running_stack(tmp_path, more=more) as stack, stack.client.get(stack.url, headers=headers) as answer:
        text = await answer.text()
    assert '<p class="notice">Viewing is recorded.</p>' in text
    assert '<a href="https://privacy.example.edu/">Privacidad</a>' in text
    assert '<html lang="es">' in text
    icon = unquote(re.findall(r'<link rel="icon" href="data:image/svg\+xml,([^"]+)">', text)[0])
    assert contrast(re.findall(r'fill="(#[0-9a-f]{6})"', icon)[0], "#ffffff") >= 4.5
    accent = re.findall(r"--accent:(#[0-9a-f]{6})}", text)
    assert [contrast(accent[0], "#ffffff") >= 4.5, contrast(accent[1], "#12161c") >= 4.5] == [True, True]
    assert accent[1] == "#ffcc00"


async def test_a_refusal_escapes_the_subject(here: GatewayStack) -> None:
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
async def test_the_home_page_shows_the_time_of_sign_in_in_the_preferred_language(here: GatewayStack) -> None:
    address = f"{here.url}{VIDEO_PATH}?ticket={here.ticket()}"
    async with here.client.get(address, headers=NAVIGATION, allow_redirects=False) as answer:
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
    async with here.client.get(
        here.url + "/", headers={**NAVIGATION, "Cookie": cookie, "Accept-Language": "de"}
    ) as page:
        text = await page.text()
    assert re.search(r'seit <time datetime="[\dT:-]+Z">\d+\. \w+ \d{4}, \d\d:\d\d \S+</time>', text)


async def test_sign_in_buttons_have_the_titles_of_their_providers_or_else_the_names(tmp_path: Path) -> None:
    provider = """[[identity]]
type = "oidc"
name = "{name}"
issuer = "http://localhost:9"
client_id = "valt-gateway"
client_secret = "planted-client-secret"
{title}
"""
    more = provider.format(name="campus-login", title='title = "Staff & students"') + provider.format(
        name="clinic-login", title=""
    )
    more += '[branding]\nlanguage = "en"\n'
    async with (
        running_stack(tmp_path, more=more) as stack,
        stack.client.get(f"{stack.url}/oauth2/start?rd=/recordings", headers=NAVIGATION) as answer,
    ):
        text = await answer.text()
    assert "<h1>Where do you want to sign in?</h1>" in text
    assert re.findall(r'class="button"[^>]*>([^<]*)</a>', text) == ["Staff &amp; students", "clinic-login"]


@pytest.mark.parametrize(
    ("zone", "written"), [("Pacific/Kiritimati", "7 May 2025, 05:18 +14"), ("Europe/Vienna", "6 May 2025, 17:18 CEST")]
)
async def test_list_and_recording_write_times_in_the_configured_zone_and_name_it(
    tmp_path: Path, zone: str, written: str
) -> None:
    async with running_stack(tmp_path, server=f'timezone = "{zone}"') as stack:
        for path in ("/recordings", f"/recordings/{SESSION}"):
            async with stack.client.get(stack.url + path, headers=NAVIGATION | stack.front("anna")) as answer:
                assert f">{written}</time>" in await answer.text()
