"""Nobody receives anything of a recording if the right to it ends while the request waits for VALT."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from gateway.sim.catalogue import CAMERA_A, INTERVIEW, SESSION
from gateway.sim.valt import USERS
from gateway.web.routes import ROUTES
from tests.support.clock import ManualClock
from tests.support.cookie_jar import CookieJar
from tests.support.gateway_fixture import NAVIGATION, PUBLIC, VIDEO_PATH, GatewayStack, running_stack, settings_of

RULE = '[[grants]]\nname = "{0}"\ngroups = ["{0}"]\nrecordings = ["*"]\naccount = "reviewer"\n'
GRANTS = "".join(
    RULE.format(name) + conditions
    for name, conditions in {
        "all": "",
        "redirected": 'delivery = "redirect"\n',
        "by-rooms": 'rooms = ["Room*", "Interview*"]\n',
        "redirected-by-rooms": 'rooms = ["Room*", "Interview*"]\ndelivery = "redirect"\n',
        "by-course": 'template = { Course = "PSY*" }\n',
    }.items()
)
JSON = {"Accept": "application/json"}


@dataclass(frozen=True)
class Way:
    """A request of somebody in *group* that waits for VALT's answer to *operation*. *has_link*: the link to the video
    is cached."""

    operation: str
    path: str
    route: str
    group: str = "all"
    method: str = "GET"
    has_link: bool = False
    headers: dict[str, str] = field(default_factory=dict)


VIDEO, RECORDING = "/recordings/{recording}/videos/{video}", "/recordings/{recording}"
LINK_PATH, LINK = f"/api/v3/records/download/{SESSION}/{CAMERA_A}", "/api/v3/records/download/{recording}/{video}"
PAGE = f"/recordings/{INTERVIEW}"
AUTH, AUTH_PATH = "/oauth2/auth", "/oauth2/auth/{path}"
WAYS = {
    "a redirect": Way("download", VIDEO_PATH, VIDEO, "redirected"),
    "a redirect by details": Way("record", VIDEO_PATH, VIDEO, "redirected-by-rooms", has_link=True),
    "VALT's link as JSON": Way("record", VIDEO_PATH, VIDEO, "redirected-by-rooms", has_link=True, headers=JSON),
    "a film": Way("download", VIDEO_PATH, VIDEO),
    "a film by details": Way("record", VIDEO_PATH, VIDEO, "by-rooms", has_link=True),
    "a new link": Way("download", LINK_PATH, LINK),
    "a new link by details": Way("record", LINK_PATH, LINK, "by-rooms", has_link=True),
    "details": Way("record", PAGE, RECORDING, headers=JSON),
    "the page": Way("record", PAGE, RECORDING, headers=NAVIGATION),
    "the page, its comments": Way("comments", PAGE, RECORDING, headers=NAVIGATION),
    "details, their comments": Way("comments", PAGE, RECORDING, headers=JSON),
    "details, whether there is a film": Way("download", PAGE, RECORDING, headers=JSON),
    "captions": Way("comments", PAGE + "/captions.vtt", RECORDING + "/captions.vtt"),
    "chapters": Way("record", PAGE + "/chapters.vtt", RECORDING + "/chapters.vtt"),
    "the list": Way("search", "/recordings", "/recordings", headers=JSON),
    "the list as a page": Way("search", "/recordings", "/recordings", headers=NAVIGATION),
    "the list by details": Way("record", "/recordings", "/recordings", "by-course", headers=JSON),
    "a search": Way("search", "/api/v3/records", "/api/v3/records", method="POST"),
    "details as VALT's": Way("record", f"/api/v3/records/{SESSION}", "/api/v3/records/{recording}"),
    "comments": Way("comments", f"/api/v3/comment/record/{INTERVIEW}", "/api/v3/comment/record/{recording}"),
    "rooms": Way("rooms", "/api/v3/rooms/info", "/api/v3/rooms/info"),
    "a room": Way("rooms", "/api/v3/rooms/info/37", "/api/v3/rooms/info/{room}"),
    "VALT's version": Way("general", "/api/v3/admin/general", "/api/v3/admin/general"),
    "an answer to a front": Way("record", AUTH, AUTH, "by-rooms", headers={"X-Original-URI": VIDEO_PATH}),
    "an answer to Envoy": Way("record", AUTH + VIDEO_PATH, AUTH_PATH, "by-rooms"),
    "an answer about a page": Way("record", AUTH + PAGE, AUTH_PATH, "by-rooms", headers=NAVIGATION),
}
WITHOUT_GRANT = {way.route for name, way in WAYS.items() if way.operation in ("search", "rooms", "general")}
"""What everybody who is signed in may ask for, and what is selected for them."""
_WHOLE = (PAGE, "/api/v3/comment", f"/api/v3/records/{SESSION}")
SHOWING = {name: way for name, way in WAYS.items() if way.path.startswith(_WHOLE)}
"""What shows a recording as a whole."""
REMOVED = {"a provider": ('name = "portal"', 'name = "other"'), "the rules": ('groups = ["', 'groups = ["no-')}


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[GatewayStack]:
    async with running_stack(tmp_path, grants=GRANTS, server='trusted_proxies = ["127.0.0.1/32"]') as built:
        yield built


async def session(stack: GatewayStack, group: str) -> dict[str, str]:
    """Returns the Cookie header of a new session."""
    jar, url = CookieJar(), f"{stack.url}{VIDEO_PATH}?ticket={stack.ticket('anna', group)}"
    async with stack.client.get(url, headers=NAVIGATION, allow_redirects=False) as answer:
        jar.store(answer.headers.getall("Set-Cookie"))
    return {"Cookie": jar.header}


async def waits(stack: GatewayStack, way: Way, proof: dict[str, str]) -> "asyncio.Task[aiohttp.ClientResponse]":
    """Returns the request once VALT has received what it waits for; VALT answers when the gate of *way* is opened."""
    if way.has_link:
        async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer("ben", "all")) as answer:
            await answer.read()
    calls = stack.valt.calls[way.operation]
    stack.valt.knobs.gate[way.operation] = asyncio.Event()
    waiting = asyncio.create_task(
        stack.client.request(way.method, stack.url + way.path, headers=proof | way.headers, allow_redirects=False)
    )
    await stack.valt.wait_for(lambda: stack.valt.calls[way.operation] > calls)
    return waiting


async def reload(stack: GatewayStack, old: str = "", new: str = "") -> None:
    stack.config.write_text(stack.config.read_text().replace(old, new))
    assert await stack.gateway.reload(settings_of(stack.config))


async def receives_nothing(
    stack: GatewayStack, way: Way, waiting: "asyncio.Task[aiohttp.ClientResponse]", status: int = 401
) -> None:
    stack.valt.knobs.gate[way.operation].set()
    async with await waiting as answer:
        assert answer.status == status
        assert answer.content_type == "application/problem+json" or not way.route.startswith(AUTH)
        assert not {"Location", "X-Auth-Request-User"} & answer.headers.keys()
        text = await answer.text()
        assert not [name for name in (SESSION, INTERVIEW, "Room", "Maria", "6.5.1", "WEBVTT") if name in text]
        assert ("credentials_invalid" in text) is (answer.content_type == "application/problem+json" and status == 401)
    assert len(stack.gateway.streams) == 0
    lines = [line for line in stack.audit() if line["subject"] == "anna"]
    assert "open" not in {line["event"] for line in lines}
    assert {line["rule"] for line in lines if line["code"] != "recording_expired"} <= {None}


def refusal(way: Way) -> int:
    """Returns the status of what no rule grants: VALT answers 404."""
    return 404 if way.route.startswith("/api/v3") else 403


def test_every_route_that_gives_something_of_a_recording_is_tried() -> None:
    others = {"/api/v3/login", "/api/v3/{call}"}
    own = {route for methods, route, _ in ROUTES if route.startswith(("/recordings", "/api/v3", AUTH))}
    assert {way.route for way in WAYS.values()} == own - others


@pytest.mark.promise("security-S8")
@pytest.mark.parametrize("what", WAYS)
async def test_who_is_revoked_while_valt_is_awaited_gets_nothing(stack: GatewayStack, what: str) -> None:
    way = WAYS[what]
    waiting = await waits(stack, way, stack.front("anna", way.group))
    now = stack.gateway.clock.now()
    await stack.gateway.store.revoke("anna", now, now + 3600)
    await receives_nothing(stack, way, waiting)


@pytest.mark.promise("security-S10")
@pytest.mark.parametrize("what", WAYS)
async def test_who_signs_out_while_valt_is_awaited_gets_nothing(stack: GatewayStack, what: str) -> None:
    way = WAYS[what]
    proof = await session(stack, way.group)
    waiting = await waits(stack, way, proof)
    same_origin = {"Sec-Fetch-Site": "same-origin"}
    async with stack.client.post(f"{stack.url}/oauth2/sign_out", headers=proof | same_origin) as signed_out:
        assert signed_out.status == 200
    await receives_nothing(stack, way, waiting)


@pytest.mark.promise("security-S7")
@pytest.mark.parametrize("removed", REMOVED)
@pytest.mark.parametrize("what", WAYS)
async def test_what_a_reload_removes_while_valt_is_awaited_gives_nothing(
    stack: GatewayStack, what: str, removed: str
) -> None:
    way = WAYS[what]
    waiting = await waits(stack, way, await session(stack, way.group))
    await reload(stack, *REMOVED[removed])
    status = 401 if removed == "a provider" else 503 if way.route in WITHOUT_GRANT else refusal(way)
    await receives_nothing(stack, way, waiting, status=status)


@pytest.mark.promise("security-S7")
@pytest.mark.parametrize("what", WAYS)
async def test_what_other_rules_still_grant_is_given_out(stack: GatewayStack, what: str) -> None:
    way = WAYS[what]
    waiting = await waits(stack, way, await session(stack, way.group))
    await reload(stack, 'name = "all"', 'name = "everything"')
    stack.valt.knobs.gate[way.operation].set()
    async with await waiting as answer:
        assert (answer.status == 503) is (way.route in WITHOUT_GRANT)
        assert answer.status in (200, 202, 307, 503)
        await answer.read()
    if way.group == "all":
        opened = [line["rule"] for line in stack.audit() if line["event"] == "open" and line["subject"] == "anna"]
        assert opened in ([], ["everything"])
    if what == "a film":
        await stack.ended()
        lines = [line for line in stack.audit() if line["event"] in ("open", "close") and line["subject"] == "anna"]
        assert [(line["event"], line["rule"]) for line in lines] == [("open", "everything"), ("close", "everything")]


@pytest.mark.promise("security-S8")
@pytest.mark.parametrize(
    "what", [name for name, way in WAYS.items() if way.group == "all" and way.route not in WITHOUT_GRANT]
)
async def test_what_a_rule_grants_until_a_day_that_ends_in_the_wait_is_not_given_out(tmp_path: Path, what: str) -> None:
    way, clock = WAYS[what], ManualClock(wall=datetime(2026, 11, 29, 23, 59, 50, tzinfo=UTC).timestamp())
    grants = RULE.format("all") + "valid_until = 2026-11-29\n"
    server = 'timezone = "UTC"\ntrusted_proxies = ["127.0.0.1/32"]'
    async with running_stack(tmp_path, grants=grants, server=server, clock=clock) as stack:
        waiting = await waits(stack, way, stack.bearer("anna", "all"))
        clock.pass_(11)
        await receives_nothing(stack, way, waiting, status=refusal(way))


@pytest.mark.promise("security-S8")
@pytest.mark.parametrize("what", SHOWING)
async def test_what_shows_a_recording_is_not_given_out_after_its_retention(tmp_path: Path, what: str) -> None:
    way, clock = SHOWING[what], ManualClock()
    async with running_stack(tmp_path, grants=RULE.format("all"), clock=clock) as stack:
        recordings = stack.valt.recordings
        recordings[:] = [replace(recording, deleted_at=clock.now() + 5) for recording in recordings]
        waiting = await waits(stack, way, stack.bearer("anna", "all"))
        clock.pass_(6)
        await receives_nothing(stack, way, waiting, status=404 if way.path.startswith("/api/v3") else 410)


@pytest.mark.promise("security-S7")
@pytest.mark.parametrize("what", ["a film", "a new link", "captions", "comments"])
async def test_what_waits_is_decided_by_what_an_accounts_new_user_sees(stack: GatewayStack, what: str) -> None:
    way = WAYS[what]
    waiting = await waits(stack, way, stack.bearer("anna", "by-rooms"))
    (stack.folder / "valt-reviewer").write_text(USERS["svc-trainee"])
    recordings = stack.valt.recordings
    recordings[:] = [replace(recording, room=(40, "Elsewhere")) for recording in recordings]
    await reload(stack, 'username = "svc-reviewer"', 'username = "svc-trainee"')
    await receives_nothing(stack, way, waiting, status=refusal(way))


@pytest.mark.promise("security-S7")
async def test_a_session_whose_secret_is_replaced_while_valt_is_awaited_gets_nothing(stack: GatewayStack) -> None:
    way = WAYS["a redirect by details"]
    waiting = await waits(stack, way, await session(stack, way.group))
    (stack.folder / "session").write_text("another secret, of more than thirty-two bytes")
    await reload(stack)
    await receives_nothing(stack, way, waiting)


@pytest.mark.parametrize("what", ["a redirect by details", "a film", "the list", "an answer to a front"])
async def test_a_reload_that_changes_no_rule_costs_no_request_its_answer(stack: GatewayStack, what: str) -> None:
    network = 'networks = ["127.0.0.0/8"]\n[[grants]]'
    stack.config.write_text(stack.config.read_text().replace("[[grants]]", network).replace(network, "[[grants]]", 1))
    await reload(stack)
    way = WAYS[what]
    waiting = await waits(stack, way, await session(stack, way.group))
    await reload(stack, "[audit]\n", '[links]\nmargin = "31s"\n[audit]\n')
    await reload(stack)
    stack.valt.knobs.gate[way.operation].set()
    async with await waiting as answer:
        assert answer.status < 400


@pytest.mark.promise("security-S8")
async def test_a_revocation_that_is_read_late_ends_a_link_that_waited_for_valt_then(stack: GatewayStack) -> None:
    way = WAYS["a new link"]
    waiting = await waits(stack, way, stack.front("anna", way.group))
    revoked_at = stack.gateway.clock.now()
    stack.valt.knobs.gate[way.operation].set()
    async with await waiting as answer:
        assert answer.status == 200
        url = (await answer.json())["url"].replace(PUBLIC, stack.url)
    async with stack.client.get(url) as answer:
        assert answer.status == 200
    await stack.gateway.store.revoke("anna", revoked_at, revoked_at + 3600)
    async with stack.client.get(url) as answer:
        assert answer.status == 401


@pytest.mark.promise("security-S8")
async def test_a_revocation_that_is_read_late_ends_a_film_that_waited_for_valt_then(stack: GatewayStack) -> None:
    way = WAYS["a film by details"]
    waiting = await waits(stack, way, stack.front("anna", way.group))
    revoked_at = stack.gateway.clock.now()
    stack.valt.knobs.stall_after.append(100_000)
    stack.valt.knobs.gate[way.operation].set()
    async with await waiting as answer:
        assert answer.status == 200
        await stack.gateway.store.revoke("anna", revoked_at, revoked_at + 3600)
        async with asyncio.timeout(5):
            with pytest.raises(aiohttp.ClientError):
                await answer.read()
