"""The commands and examples of docs/portal.md, run in their order against the demo."""

import asyncio
import json
import os
import re
import sys
import tomllib
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import pytest
from playwright.async_api import Page

from gateway.settings.loading import load
from gateway.sim.catalogue import CAMERA_A, SESSION
from gateway.sim.demo_configuration import make_portal_key
from gateway.sim.scene import TRAINING
from gateway.web.errors import STATUS
from tests.support.browser import browser, is_playing
from tests.support.free_ports import free_port
from tests.support.gateway_fixture import PUBLIC, GatewayStack
from tests.support.programs import Demo, demo, run, wait_until_listening

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/portal.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)(?: (\w+))?\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
BLOCKS_BY_TEST = {"sh", "toml", "html", "python"}
"""The languages that the tests below run."""


@pytest.fixture
async def running() -> AsyncIterator[Demo]:
    async with demo() as started:
        yield started


def blocks(language: str) -> list[str]:
    return [text for name, label, text in BLOCKS if name == language and not label]


def expected_lines(script: str) -> list[str]:
    """Returns what the script's comments say that its commands print."""
    return re.findall(r"  # (.+)$", script, re.MULTILINE)


@pytest.mark.promise("operation-guides")
def test_each_example_of_the_guide_is_in_a_language_that_is_run() -> None:
    assert {language for language, _, _ in BLOCKS} == BLOCKS_BY_TEST


@pytest.mark.promise("operation-guides")
async def test_the_commands_of_the_guide_print_what_it_says(running: Demo, tmp_path: Path) -> None:
    script = "".join(blocks("sh"))
    setup = f"GATEWAY={running.gateway}\nPORTAL={running.portal}\nKEY={running.key}\n"
    path = f"PATH={Path(sys.executable).parent}:$PATH\ncd {tmp_path}\nset -euo pipefail\n"
    ran = await run("bash", "-c", setup + path + script, seconds=200)
    assert (ran.code, ran.err.decode()) == (0, "")
    assert expected_lines(script)
    assert ran.out.decode().splitlines() == expected_lines(script)


async def until_playing(page: Page) -> bool:
    """Waits for the page's video, and returns whether it plays after some tries."""
    await page.wait_for_selector("video", timeout=60_000)
    for _ in range(5):
        if await is_playing(page):
            return True
    return False


@pytest.mark.promise("operation-guides")
async def test_the_link_of_the_guides_portal_plays_the_recording(running: Demo, tmp_path: Path) -> None:
    (portal,) = blocks("python")
    with free_port() as port:
        script = tmp_path / "portal.py"
        script.write_text(portal.replace("8100", str(port)))
        names = {"GATEWAY": running.gateway, "PORTAL": running.portal, "KEY": running.key, "RECORDING": TRAINING}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(script)), env=os.environ | names, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            async with asyncio.timeout(60):
                await wait_until_listening(port, process)
            async with browser() as chromium:
                page = await chromium.new_page()
                await page.goto(f"http://127.0.0.1:{port}", timeout=60_000)
                await page.get_by_role("link").click()
                await page.wait_for_url(f"{running.gateway}/recordings/{TRAINING}", timeout=60_000)
                assert await until_playing(page)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


@pytest.mark.promise("operation-guides")
def test_the_configuration_of_the_guide_is_valid(tmp_path: Path) -> None:
    example = (ROOT / "config/portal-tickets.toml").read_text(encoding="utf-8")
    ticket, frames = blocks("toml")
    assert tomllib.loads(ticket)["identity"][0] in tomllib.loads(example)["identity"]
    server, branding = frames.split("\n\n")
    make_portal_key(tmp_path)
    config = tmp_path / "gateway.toml"
    config.write_text(example.replace("[server]", server) + branding)
    assert load(config, {}, needed_secrets=()).faults == ()


@pytest.mark.promise("operation-guides")
async def test_the_guides_frame_is_that_of_the_gateways_own_page(stack: GatewayStack) -> None:
    """`test_watch_embedded.py` runs the page's example in a browser."""
    async with stack.client.get(f"{stack.url}/docs") as response:
        page = unescape(await response.text())
    (example,) = blocks("html")
    assert example.replace("https://recordings.example.edu", PUBLIC).strip() in page


@pytest.mark.promise("operation-guides")
async def test_the_requests_of_the_gateways_own_page_are_answered(stack: GatewayStack, tmp_path: Path) -> None:
    async with stack.client.get(f"{stack.url}/docs") as response:
        page = unescape(await response.text())
    commands = re.findall(r"^(?:<pre[^>]*>)?(curl .*?)(?:</pre>)?$", page, re.MULTILINE)
    assert len(commands) == 2
    token = stack.bearer()["Authorization"].removeprefix("Bearer ")
    script = f"cd {tmp_path}\nset -e\nTICKET={stack.ticket()}\nTOKEN={token}\n" + "\n".join(commands)
    for name, value in (("RECORDING", SESSION), ("VIDEO", CAMERA_A), (PUBLIC, stack.url)):
        script = script.replace(name, value)
    ran = await run("bash", "-c", script.replace("curl ", "curl --fail --silent --show-error "))
    assert (ran.code, ran.err.decode()) == (0, "")
    assert json.loads(ran.out)["recording"] == SESSION
    assert (tmp_path / "first.mp4").stat().st_size == 65_536


@pytest.mark.promise("operation-guides")
def test_the_guide_says_what_to_do_about_each_code() -> None:
    table = GUIDE.partition("## Errors")[2].partition("## ")[0]
    cells = [line.split(" | ")[0] for line in table.splitlines() if line.startswith("| `")]
    assert {code for cell in cells for code in re.findall(r"`(\w+)`", cell)} == {error.code for error in STATUS}
