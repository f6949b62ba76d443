"""What viewers do on the pages, step by step, in each browser that Selenium drives."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from selenium.webdriver.common.keys import Keys

from gateway.sim.catalogue import Film, Recording, demo_recordings
from gateway.sim.comments import interview_comments
from gateway.sim.valt import ValtSimulator
from tests.support.gateway_fixture import GatewayStack, running_stack
from tests.support.other_browsers import Window
from tests.support.sign_in import Site
from tests.support.sites import API
from tests.support.visible import VISIBLE
from tests.support.watching import EVERY

COUNTS = (1, 4, 9)
SIZES = ((844, 390), (768, 1024), (1366, 768))
STANDS = f"{EVERY}(video => video.paused && !video.seeking)"
AT = f"seconds => {EVERY}(video => !video.seeking && Math.abs(video.currentTime - seconds) < 0.1)"
PLAYED = f"seconds => {EVERY}(video => video.currentTime >= seconds && video.videoWidth > 0)"
LARGE = "document.querySelector('.large .name').textContent"
HEARD = "[...document.querySelectorAll('video')].filter(video => !video.muted).map(video => video.ariaLabel).join()"
COMPLETE = "document.readyState === 'complete'"
FULL = "document.fullscreenElement?.id === 'watch'"
CUES = """[...document.querySelector('.large video').textTracks].filter(track => track.mode === "showing")
    .flatMap(track => [...track.activeCues]).map(cue => cue.getCueAsHTML().textContent).join()"""


def path_of(cameras: int) -> str:
    """Returns the path of the recording with so many cameras."""
    return f"/recordings/{100 + cameras}"


def recording(cameras: int) -> Recording:
    """Returns a recording of 16 seconds with markers, comments and a transcript."""
    content = demo_recordings()[1].films[0].content
    films = [
        Film(f"{number:08d}-0000-4000-8000-000000000000", f"Camera {number}", content) for number in range(cameras)
    ]
    marks = ((4.0, "Greeting", "green"), (8.0, "Task begins", "red"))
    comments = interview_comments()
    return Recording(
        str(100 + cameras), f"Session with {cameras}", duration=16.0, films=films, markers=marks, comments=comments
    )


@asynccontextmanager
async def recordings_stack(folder: Path) -> AsyncIterator[GatewayStack]:
    """Runs a gateway with a recording for each of ``COUNTS``."""
    async with running_stack(folder, valt=ValtSimulator(recordings=[recording(count) for count in COUNTS])) as stack:
        yield stack


async def open_with_ticket(window: Window, stack: GatewayStack, path: str) -> None:
    """Follows the link of the portal, and waits for the page without the ticket."""
    await window.open(f"{stack.url}{path}{'&' if '?' in path else '?'}ticket={stack.ticket()}")
    await window.until("url => location.href === url", stack.url + path)


async def open_player(window: Window, stack: GatewayStack, path: str) -> None:
    """Opens the watch page with a ticket, and waits until each camera has a picture."""
    await open_with_ticket(window, stack, path)
    await window.until(f"{EVERY}(video => video.readyState >= 2) && !!document.querySelector('.play')")


async def play_seek_and_pause(window: Window) -> None:
    """Plays, seeks by keys and pauses. Every camera follows."""
    await window.click("Play")
    await window.until(PLAYED, 1)
    await window.press("k")
    await window.until(STANDS)
    await window.press(Keys.HOME, "l")
    await window.until(AT, 10)
    await window.press(Keys.ARROW_LEFT)
    await window.until(AT, 5)
    await window.press("k")
    await window.until(PLAYED, 5.5)
    await window.click("Pause")
    await window.until(STANDS)


async def choose_picture_and_sound(window: Window) -> None:
    """Makes another camera large, hears another one, mutes, and changes volume and speed."""
    assert await window.evaluate(LARGE) == "Camera 0"
    await window.click("Show Camera 2 large")
    assert await window.evaluate(LARGE) == "Camera 2"
    await window.press("2")
    await window.until(f"{LARGE} === 'Camera 1'")
    assert await window.evaluate(HEARD) == "Camera 0"
    await window.click("Hear Camera 3")
    await window.until(f"{HEARD} === 'Camera 3'")
    await window.press("m")
    await window.until(f"{HEARD} === ''")
    await window.click("Sound on")
    await window.press(Keys.ARROW_DOWN, ">")
    await window.until(f"{HEARD} === 'Camera 3' && {EVERY}(video => Math.abs(video.volume - 0.95) < 0.001)")
    assert await window.evaluate("document.querySelector('select').value") == "1.25"


async def follow_moments(window: Window) -> None:
    """Goes to markers by keys and by a click, repeats a part, and uses the transcript and captions."""
    await window.press(Keys.HOME, "]", "]")
    await window.until(AT, 4)
    await window.click("Transcript")
    await window.until("document.querySelector('.lines [aria-current]')?.textContent.includes('Better than')")
    await window.press("c")
    await window.until(f"({CUES}).startsWith('Better than')")
    await window.evaluate("document.querySelectorAll('.lines button')[3].click()")
    await window.until(AT, 9.2)
    await window.press("r", Keys.ARROW_RIGHT, "r", "k")
    await window.until("document.querySelector('video').currentTime < 12")
    await window.press("r", "k")
    await window.until(STANDS)


async def fill_the_screen(window: Window) -> None:
    """Enters full screen by a key. The bar hides while it plays, and the pictures can be exchanged."""
    await window.resize(1366, 768)
    await window.press(Keys.HOME, "f")
    await window.until(FULL)
    await window.until("document.querySelector('.large video').getBoundingClientRect().height > 0.8 * innerHeight")
    await window.press("k")
    await window.until("getComputedStyle(document.querySelector('.controls')).opacity === '0'")
    before = await window.evaluate(LARGE)
    await window.press("4")
    await window.until(f"before => {LARGE} !== before", before)
    await window.press("f")
    await window.until("document.fullscreenElement === null")
    await window.press("k")
    await window.until(STANDS)


async def copy_and_open_a_link(window: Window, stack: GatewayStack, path: str) -> None:
    """Copies a link to the moment. Who opens it is at that moment."""
    await window.open(f"{stack.url}{path}?t=6.5")
    await window.click("Copy link to this moment")
    # A browser without the permission shows the link instead.
    await window.until("document.querySelector('.passing').textContent.length > 0")
    await window.open(f"{stack.url}{path}?t=0h0m11s")
    await window.until(AT, 11)


async def measure(window: Window, stack: GatewayStack, narrowest: tuple[int, int]) -> None:
    """Holds that play button, time line and large picture are in view at every size, with 1 to 9 cameras.

    *narrowest* are width and height of the smallest window that the browser has."""
    for count in COUNTS:
        await open_with_ticket(window, stack, path_of(count))
        await window.until("document.querySelector('video').readyState >= 1 && !!document.querySelector('.play')")
        for width, height in (narrowest, *SIZES):
            await window.resize(width, height)
            await window.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            shares = await window.evaluate(VISIBLE)
            case = (count, width, height, shares)
            assert min(shares["play"], shares["line"], shares["picture"]) > 0.99, case
            assert shares["height"] > 0.2, case
            assert shares["smallest"] >= 24, case
            assert shares["sideways"] <= 0, case


async def search_the_list(window: Window, stack: GatewayStack, *, suggestions: bool = True) -> None:
    """Searches the list by keys, filters it by a room if the browser can show *suggestions*, and opens a recording."""
    await open_with_ticket(window, stack, "/recordings")
    rows = "document.querySelectorAll('tbody tr').length"
    assert await window.evaluate(rows) == len(COUNTS)
    await window.evaluate("document.querySelector('#q').focus()")
    await window.press(*"with 4", Keys.ENTER)
    await window.until(f"location.search.includes('with') && {COMPLETE} && {rows} === 1")
    if suggestions:
        await window.click("Filters")
        await window.click("Room")
        await window.press(*"none", Keys.ENTER)
        await window.until(f"location.search.includes('room=none') && {COMPLETE} && {rows} === 0")
    await window.open(f"{stack.url}/recordings?q=with+4")
    await window.open(await window.evaluate("document.querySelector('tbody a').href"))
    await window.until("!!document.querySelector('.play')")


async def be_refused(window: Window, stack: GatewayStack) -> None:
    """Follows a spent ticket, an unknown page, and a link to what a rule does not allow."""
    for url, heading in (
        (f"{path_of(1)}?ticket=spoilt", "This link has expired"),
        (f"{path_of(1)}?ticket={stack.ticket('carla', 'others')}", "You may not see this recording"),
        ("/nowhere", "There is no such page"),
    ):
        await window.open(stack.url + url)
        await window.until("heading => document.querySelector('h1')?.textContent === heading", heading)
        assert await window.evaluate("document.querySelector('footer code').textContent.length") >= 16


async def sign_in_and_out(window: Window, here: Site, path: str) -> None:
    """Signs in at the provider, watches for a second, and signs out, which forgets the position."""
    await window.open(f"{here.url}{path}#t=5")
    await window.until("!!document.querySelector('input[name=login]')")
    await window.evaluate("document.querySelector('input[name=login]').focus()")
    await window.press(*"anna", Keys.TAB, *"any", Keys.ENTER)
    consents = "!!document.querySelector('button[type=submit]') && !document.querySelector('input[name=login]')"
    await window.until(f"{COMPLETE} && {consents}")
    await window.evaluate("void setTimeout(() => document.querySelector('button[type=submit]').click())")
    await window.until("url => location.href === url && !!document.querySelector('.play')", f"{here.url}{path}#t=5")
    await window.click("Play")
    await window.until(PLAYED, 5.5)
    await window.click("Pause")
    assert await window.evaluate("Object.keys(localStorage).length") > 0
    await window.evaluate(
        "void setTimeout(() => [...document.forms].find(form => form.action.endsWith('sign_out')).requestSubmit())"
    )
    await window.until(f"!location.pathname.startsWith('/recordings') && {COMPLETE}")
    await window.open(here.url)
    assert await window.evaluate("Object.keys(localStorage)") == []


async def control_a_frame(window: Window, portal: str, address: str) -> None:
    """Shows *address* in a frame of *portal*, which seeks, plays and pauses it by messages once a person has played it:
    browsers play no sound before that, unless the frame is allowed to."""
    await window.open(portal)
    await window.evaluate(API, address)
    async with window.frame():
        await window.until("!!document.querySelector('.play') && document.querySelector('video').readyState >= 2")
        assert await window.evaluate("document.querySelectorAll('header, footer').length") == 0
        await window.click("Play")
    await window.until("window.state?.playing && state.seconds > 0.3")
    await window.evaluate("void send({ type: 'pause' })")
    await window.until("window.state.playing === false")
    await window.evaluate("void send({ type: 'seek', seconds: 12 })")
    await window.evaluate("void send({ type: 'play' })")
    await window.until("window.state.playing && state.seconds > 12.3 && state.error === null")
