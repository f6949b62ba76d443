"""VALT's own API behind SSO: a client written for VALT works if only its address is changed."""

import asyncio
import hashlib
import json
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

from gateway.sim.catalogue import (
    ACCENTS,
    ACCENTS_FILM,
    CAMERA_A,
    CAMERA_B,
    INTERVIEW,
    INTERVIEW_FILM,
    LATE_MOOV,
    SESSION,
    Recording,
)
from gateway.sim.responses import BAD_KEY, LOGIN_FAILED, NO_KEY, NOT_FOUND, NOT_FOUND_DOWNLOAD, SERVER_ERROR
from gateway.sim.valt import USERS
from tests.support.clock import ManualClock
from tests.support.configuration import grant
from tests.support.gateway_fixture import GatewayStack, running_stack, settings_of
from tests.support.service_keys import service_key

SECRET, BARRED = "vgk_planted-archive-key", "vgk_planted-barred-key"

GRANTS = "".join(
    (
        grant("archive", groups=["archive"], rooms=["Room *"]),
        grant("psychology", groups=["psychology"], template={"Course": "PSY *"}, account="trainee"),
        grant("watching", groups=["watching"], account="trainee", download=False),
    )
)


KEYS = service_key("archive", SECRET, "archive", "psychology") + service_key("barred", BARRED)


@dataclass
class ValtsClient:
    """A client as written for VALT: sends the token in the query, logs in itself, and retries once after a 401."""

    address: str
    username: str = "archive"
    password: str = SECRET
    token: str = ""
    logins: int = field(default=0, init=False)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        if not self.token:
            self.login()
        status, answer = self.once(method, path, body)
        if status == 401:
            self.login()
            status, answer = self.once(method, path, body)
        return status, answer

    def login(self) -> tuple[int, Any]:
        self.logins += 1
        status, answer = self._send(
            "POST", f"{self.address}/api/v3/login", {"username": self.username, "password": self.password}
        )
        if status == 200:
            self.token = answer["data"]["access_token"]
        return status, answer

    def once(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        return self._send(method, f"{self.address}/api/v3{path}?access_token={self.token}", body)

    def names(self, **query: Any) -> list[str]:
        status, answer = self.ask("POST", "/records", query)
        assert status == 200, answer
        return [row["name"] for row in answer["data"]["records"]]

    def download(self, recording: str, video: str) -> bytes:
        _, answer = self.ask("GET", f"/records/download/{recording}/{video}")
        with urlopen(answer["url"]) as film:
            return bytes(film.read())

    @staticmethod
    def _send(method: str, url: str, body: Any) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = Request(url, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urlopen(request) as answer:
                return answer.status, json.loads(answer.read())
        except HTTPError as error:
            with error:
                return error.code, json.loads(error.read())


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def stack(tmp_path: Path, clock: ManualClock) -> AsyncIterator[GatewayStack]:
    """A gateway whose public_url is its real address, so that the links in responses work."""
    async with running_stack(tmp_path, clock=clock, grants=GRANTS, more=KEYS) as stack:
        text = stack.config.read_text().replace('"http://localhost:8080"', f'"{stack.url}"')
        stack.config.write_text(text)
        assert await stack.gateway.reload(settings_of(stack.config))
        yield stack


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.promise("rules-14")
async def test_a_client_written_for_valt_can_log_in_search_read_and_download(stack: GatewayStack) -> None:
    client = ValtsClient(stack.url)

    def work() -> tuple[list[str], Any, bytes]:
        matches = client.names(search="session")
        _, details = client.ask("GET", f"/records/{SESSION}")
        return matches, details["data"], client.download(SESSION, details["data"]["videos"][0]["id"])

    matches, details, film = await asyncio.to_thread(work)
    assert matches == ["Session 1451"]
    assert details["room"] == {"id": 37, "name": "Room 1"}
    assert details["author"] == {"id": 7, "name": "jsmith"}
    assert details["template"] == [{"Course": "PSY 512"}]
    assert details["cameras"] == {"63": "Ceiling", "64": "Door"}
    assert [video["id"] for video in details["videos"]] == [CAMERA_A, CAMERA_B]
    assert sha256(film) == sha256(stack.valt.recording(SESSION).films[0].content)
    assert client.logins == 1
    assert not [secret for secret in stack.valt.secrets if secret in client.token + json.dumps(details)]


@pytest.mark.promise("rules-17")
@pytest.mark.parametrize("recording", [SESSION, ACCENTS], ids=["VALT 6", "VALT 5"])
async def test_responses_equal_valts_except_for_sharing_markers_and_videos(stack: GatewayStack, recording: str) -> None:
    stack.valt.recording(recording).room = (37, "Room 1")
    valts, ours = ValtsClient(stack.valt.base_url, "svc-reviewer", USERS["svc-reviewer"]), ValtsClient(stack.url)

    def both(method: str, path: str, body: Any = None) -> tuple[Any, Any]:
        return valts.ask(method, path, body)[1]["data"], ours.ask(method, path, body)[1]["data"]

    valt, own = await asyncio.to_thread(both, "GET", f"/records/{recording}")
    apart = {"sharing", "markers", "videos"}
    assert list(own) == list(valt)
    assert {key: own[key] for key in own if key not in apart} == {key: valt[key] for key in valt if key not in apart}
    assert own["sharing"] == {"users": [], "groups": []}
    assert [set(marker) for marker in own["markers"]] == [set(marker) for marker in valt["markers"]]
    assert [(one["id"], one["status"]) for one in own["videos"]] == [(v["id"], v["status"]) for v in valt["videos"]]

    valt, own = await asyncio.to_thread(both, "POST", "/records", {"search": stack.valt.recording(recording).name})
    assert [row | {"sharing": None} for row in own["records"]] == [row | {"sharing": None} for row in valt["records"]]
    valt, own = await asyncio.to_thread(both, "GET", "/rooms/info")
    assert own == valt


@pytest.mark.promise("rules-23")
async def test_every_call_is_audited_and_a_download_is_audited_as_a_stream(stack: GatewayStack) -> None:
    client = ValtsClient(stack.url)
    film = await asyncio.to_thread(client.download, SESSION, CAMERA_A)
    await asyncio.to_thread(client.ask, "GET", f"/records/{INTERVIEW}")
    await stack.ended()
    actual = [(line["event"], line["subject"], line["recording"], line["status"]) for line in stack.audit()]
    assert actual == [
        ("api", "archive", None, 200),
        ("api", "archive", SESSION, 200),
        ("open", "archive", SESSION, 200),
        ("close", "archive", SESSION, 200),
        ("api", "archive", INTERVIEW, 404),
    ]
    assert stack.audit()[3]["bytes"] == len(film)
    assert stack.audit()[3]["rule"] == "archive"
    for place in ((stack.folder / "audit.jsonl").read_text(), stack.log.getvalue()):
        assert client.token not in place
        assert SECRET not in place


@pytest.mark.promise("rules-21")
async def test_a_link_is_valid_for_one_video_repeatedly_for_an_hour(stack: GatewayStack, clock: ManualClock) -> None:
    _, answer = await asyncio.to_thread(ValtsClient(stack.url).ask, "GET", f"/records/download/{SESSION}/{CAMERA_A}")
    link = answer["url"]
    for headers, status in (({}, 200), ({"Range": "bytes=10-19"}, 206)):
        async with stack.client.get(link, headers=headers) as film:
            assert film.status == status
            await film.read()
    async with stack.client.get(link.replace(CAMERA_A, CAMERA_B)) as other:
        assert other.status == 403
    clock.pass_(3600)
    async with stack.client.get(link) as late:
        assert late.status == 401


@pytest.mark.promise("rules-14")
async def test_an_hour_old_token_is_refused_as_by_valt_and_the_client_logs_in_again(
    stack: GatewayStack, clock: ManualClock
) -> None:
    client = ValtsClient(stack.url)
    await asyncio.to_thread(client.names)
    clock.pass_(3600)
    assert await asyncio.to_thread(client.once, "GET", f"/records/{SESSION}") == (401, BAD_KEY)
    assert (await asyncio.to_thread(client.ask, "GET", f"/records/{SESSION}"))[0] == 200
    assert client.logins == 2


@pytest.mark.promise("rules-16")
async def test_each_login_gets_a_token_of_its_own_identity(stack: GatewayStack) -> None:
    clients = [ValtsClient(stack.url), ValtsClient(stack.url), ValtsClient(stack.url, "barred", BARRED)]
    for client in clients:
        assert (await asyncio.to_thread(client.login))[0] == 200
    assert len({client.token for client in clients}) == 3
    names = [await asyncio.to_thread(client.names) for client in clients]
    assert names == [["Session 1451", "Late moov"], ["Session 1451", "Late moov"], []]


@pytest.mark.promise("rules-17")
async def test_errors_have_valts_bodies(stack: GatewayStack) -> None:
    strangers = [
        ValtsClient(stack.url, password="wrong"),
        ValtsClient(stack.url, username="barred"),
        ValtsClient(stack.url, username="svc-reviewer", password=USERS["svc-reviewer"]),
    ]
    for stranger in strangers:
        assert await asyncio.to_thread(stranger.login) == (401, LOGIN_FAILED)
    async with stack.client.post(f"{stack.url}/api/v3/login", data="{oops") as answer:
        assert (answer.status, await answer.json()) == (500, SERVER_ERROR)
    async with stack.client.get(f"{stack.url}/api/v3/rooms/info") as answer:
        assert (answer.status, await answer.json()) == (401, NO_KEY)
    async with stack.client.get(f"{stack.url}/api/v3/rooms/info?access_token=rubbish") as answer:
        assert (answer.status, await answer.json()) == (401, BAD_KEY)

    client = ValtsClient(stack.url)
    for path in (f"/records/{INTERVIEW}", "/records/unknown", "/records/" + quote("../admin", safe="")):
        assert await asyncio.to_thread(client.ask, "GET", path) == (404, NOT_FOUND), path
    for path in (f"/{INTERVIEW}/{INTERVIEW_FILM}", f"/{SESSION}/unknown", "/unknown/unknown"):
        assert await asyncio.to_thread(client.ask, "GET", "/records/download" + path) == (404, NOT_FOUND_DOWNLOAD)
    stack.valt.knobs.fail["search"] = [502] * 10
    status, actual = await asyncio.to_thread(client.ask, "POST", "/records", {})
    assert (status, actual) == (503, {"error": {"code": 503, "message": "Service Unavailable"}})


@pytest.mark.promise("rules-18")
async def test_a_key_that_no_rule_names_sees_nothing_without_a_call_to_valt(stack: GatewayStack) -> None:
    client = ValtsClient(stack.url, token=BARRED)
    assert await asyncio.to_thread(client.names) == []
    assert await asyncio.to_thread(client.ask, "GET", "/rooms/info") == (200, {"data": {"rooms": []}})
    assert await asyncio.to_thread(client.ask, "GET", f"/records/{SESSION}") == (404, NOT_FOUND)
    assert not stack.valt.calls


@pytest.mark.promise("rules-15")
@pytest.mark.parametrize("way", ["query", "header"])
async def test_a_key_needs_no_login(stack: GatewayStack, way: str) -> None:
    headers = {"Authorization": f"Bearer {SECRET}"} if way == "header" else {}
    query = f"?access_token={SECRET}" if way == "query" else ""
    async with stack.client.get(f"{stack.url}/api/v3/records/{SESSION}{query}", headers=headers) as answer:
        assert (await answer.json())["data"]["name"] == "Session 1451"


@pytest.mark.promise("rules-21")
async def test_a_videos_address_accepts_its_links_token_and_no_key_or_login_token(stack: GatewayStack) -> None:
    client = ValtsClient(stack.url)
    await asyncio.to_thread(client.login)
    film = f"{stack.url}/recordings/{SESSION}/videos/{CAMERA_A}"
    for token in (SECRET, client.token):
        async with stack.client.get(f"{film}?access_token={token}") as answer:
            assert (answer.status, (await answer.json())["code"]) == (401, "credentials_invalid")
    async with stack.client.get(film, headers={"Authorization": f"Bearer {SECRET}"}) as answer:
        assert answer.status == 200


@pytest.mark.promise("rules-15")
async def test_any_person_with_a_providers_token_may_use_the_api(stack: GatewayStack) -> None:
    async with stack.client.post(
        f"{stack.url}/api/v3/records", json={}, headers=stack.bearer("anna", "psychology")
    ) as answer:
        rows = (await answer.json())["data"]["records"]
    assert [row["name"] for row in rows] == ["Session 1451"]
    path = f"/api/v3/records/download/{SESSION}/{CAMERA_A}"
    async with stack.client.get(stack.url + path, headers=stack.bearer("anna", "psychology")) as answer:
        link = (await answer.json())["url"]
    async with stack.client.get(link) as film:
        assert sha256(await film.read()) == sha256(stack.valt.recording(SESSION).films[0].content)
    async with stack.client.get(stack.url + path, headers=stack.bearer("berta", "watching")) as answer:
        assert (answer.status, await answer.json()) == (404, NOT_FOUND_DOWNLOAD)


@pytest.mark.promise("rules-20")
async def test_rooms_are_those_that_a_rule_allows(stack: GatewayStack) -> None:
    async with stack.client.get(f"{stack.url}/api/v3/rooms/info", headers=stack.bearer("anna", "archive")) as answer:
        assert await answer.json() == {"data": {"rooms": [{"id": 37, "name": "Room 1"}]}}


@pytest.mark.promise("rules-18")
async def test_a_search_calls_valt_once_per_account_and_pages_the_visible_rows(stack: GatewayStack) -> None:
    stack.valt.recordings += [
        Recording(f"r{number}", f"Row {number}", room=(40, "Room 9") if number % 2 else (38, "Interview room"))
        for number in range(20)
    ]
    client = ValtsClient(stack.url)
    odd = [f"Row {number}" for number in range(1, 20, 2)]
    assert await asyncio.to_thread(client.names, search="row") == odd
    assert stack.valt.calls["search"] == 2
    for offset, limit in ((0, 3), (3, 3), (9, 5), (50, 5), (2, 0)):
        page = await asyncio.to_thread(client.names, search="row", offset=offset, limit=limit)
        assert page == odd[offset : offset + limit]
    # A list tells no template, so what only that rule may show is looked at, once a minute.
    assert stack.valt.calls["record"] == 10


@pytest.mark.parametrize("day", ["yesterday", "2026-03-01", "13-40-2026", "\u0660\u0661-01-2026"])
async def test_a_day_that_valt_cannot_read_is_refused_without_a_call(stack: GatewayStack, day: str) -> None:
    for key in ("start_date", "end_date"):
        body, headers = {"search": "", key: day}, stack.bearer("anna", "psychology")
        async with stack.client.post(f"{stack.url}/api/v3/records", json=body, headers=headers) as answer:
            assert (answer.status, await answer.json()) == (500, SERVER_ERROR)
    assert stack.valt.calls["search"] == 0
    async with stack.client.post(
        f"{stack.url}/api/v3/records", json={"start_date": "", "end_date": "12-31-2030"}, headers=headers
    ) as answer:
        assert answer.status == 200


@pytest.mark.promise("rules-18")
async def test_a_search_that_needs_hundreds_of_details_is_refused(stack: GatewayStack) -> None:
    stack.valt.recordings += [Recording(f"r{number}", f"Row {number}") for number in range(501)]
    headers = stack.bearer("anna", "psychology")
    for query, status in (({"search": "row"}, 503), ({"search": "row 49"}, 200)):
        async with stack.client.post(f"{stack.url}/api/v3/records", json=query, headers=headers) as answer:
            assert answer.status == status
            if status == 503:
                assert answer.headers["Retry-After"]
    assert stack.valt.calls["record"] == 500


@pytest.mark.promise("rules-7")
async def test_a_recording_whose_retention_is_over_is_404(stack: GatewayStack, clock: ManualClock) -> None:
    stack.valt.recording(SESSION).deleted_at = clock.now()
    headers = stack.bearer("anna", "psychology")
    async with stack.client.post(f"{stack.url}/api/v3/records", json={}, headers=headers) as answer:
        assert await answer.json() == {"data": {"records": []}}
    for groups in (["psychology"], ["watching"]):  # the one asks for details, the other does not
        who = stack.bearer("anna", *groups)
        async with stack.client.get(f"{stack.url}/api/v3/records/{SESSION}", headers=who) as answer:
            assert (answer.status, await answer.json()) == (404, NOT_FOUND)


@pytest.mark.promise("rules-19")
async def test_ten_thousand_recordings_are_searched_within_64_mib(stack: GatewayStack) -> None:
    """The simulator's own lists and the client's are counted with them."""
    stack.valt.recordings += [
        Recording(f"6ecfe37c-a2e9-4f2d-b56e-{number:012d}", f"Row {number}", room=(number % 50, f"Room {number % 50}"))
        for number in range(10_000)
    ]
    client = ValtsClient(stack.url)
    await asyncio.to_thread(client.login)
    tracemalloc.start()
    try:
        page = await asyncio.to_thread(client.names, search="row", offset=9_990, limit=10)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert page == [f"Row {number}" for number in range(9_990, 10_000)]
    assert peak < 64 * 1024 * 1024


@pytest.mark.promise("rules-17")
async def test_ids_that_are_numbers_in_valt_5_are_numbers_here(stack: GatewayStack) -> None:
    stack.valt.recording(ACCENTS).room = (37, "Room 1")
    client = ValtsClient(stack.url)
    _, details = await asyncio.to_thread(client.ask, "GET", f"/records/{ACCENTS}")
    assert (details["data"]["id"], details["data"]["videos"][0]["id"]) == (614, 9101)
    film = await asyncio.to_thread(client.download, ACCENTS, ACCENTS_FILM)
    assert sha256(film) == sha256(stack.valt.recording(ACCENTS).films[0].content)


EVERY_OTHER_CALL = [
    ("POST", f"/records/{SESSION}/update"),
    ("POST", "/records/create-upload"),
    ("POST", f"/records/{SESSION}/videos/{CAMERA_A}"),
    ("POST", f"/records/{SESSION}/cut"),
    ("GET", f"/records/{SESSION}/cut/status"),
    ("POST", f"/records/{SESSION}/share"),
    ("POST", f"/records/{SESSION}/share/deactivate"),
    ("POST", f"/records/{SESSION}/delete"),
    ("GET", f"/records/{SESSION}/markers"),
    ("POST", f"/records/{SESSION}/markers"),
    ("DELETE", f"/records/{SESSION}"),
    ("GET", "/records"),
    ("POST", f"/records/{SESSION}"),
    ("POST", "/comment"),
    ("GET", "/comment/1"),
    ("POST", f"/comment/record/{SESSION}"),
    ("POST", "/comment/update/1"),
    ("DELETE", "/comment/1"),
    ("GET", "/comment/1/files/2"),
    ("GET", "/admin/rooms"),
    ("POST", "/admin/rooms"),
    ("GET", "/admin/rooms/37"),
    ("GET", "/admin/rooms/37/cameras"),
    ("POST", "/admin/rooms/37/edit"),
    ("POST", "/admin/rooms/37/delete"),
    ("POST", "/rooms/info/37"),
    ("GET", "/rooms/37/status"),
    ("POST", "/rooms/37/record/start"),
    ("POST", "/rooms/37/record/stop"),
    ("POST", "/rooms/37/record/pause"),
    ("POST", "/rooms/37/record/resume"),
    ("POST", "/rooms/37/record/markers"),
    ("POST", "/rooms/37/lock"),
    ("POST", "/rooms/37/unlock"),
    ("GET", "/admin/cameras"),
    ("POST", "/admin/cameras"),
    ("GET", "/admin/cameras/63"),
    ("POST", "/admin/cameras/63/edit"),
    ("POST", "/admin/cameras/63/delete"),
    ("GET", "/admin/cameras/brands"),
    ("GET", "/presets/63"),
    ("POST", "/presets/63/add"),
    ("POST", "/presets/63/apply"),
    ("DELETE", "/cameras/63/presets/1"),
    ("GET", "/admin/users"),
    ("POST", "/admin/users"),
    ("GET", "/admin/users/7"),
    ("POST", "/admin/users/7/edit"),
    ("POST", "/admin/users/7/delete"),
    ("GET", "/admin/user_groups"),
    ("POST", "/admin/user_groups"),
    ("GET", "/admin/user_groups/4"),
    ("POST", "/admin/user_groups/4/edit"),
    ("POST", "/admin/user_groups/4/delete"),
    ("GET", "/rights"),
    ("GET", "/rights/user"),
    ("GET", "/schedule"),
    ("POST", "/schedule"),
    ("GET", "/schedule/1"),
    ("POST", "/schedule/1/delete_next"),
    ("POST", "/schedule/1/edit"),
    ("POST", "/schedule/1/stop"),
    ("POST", "/schedule/1/delete"),
    ("GET", "/schedule/blocked"),
    ("GET", "/schedule/conflict"),
    ("GET", "/templates"),
    ("GET", "/admin/templates"),
    ("GET", "/admin/templates/1"),
    ("GET", "/admin/templates/1/fields"),
    ("POST", "/admin/templates/1/fields"),
    ("GET", "/template?type=info"),
    ("GET", "/filters"),
    ("GET", "/filters/1"),
    ("POST", "/filters"),
    ("POST", "/filters/1/edit"),
    ("POST", "/filters/1/delete"),
    ("GET", "/filters/template_fields"),
    ("GET", "/admin/wowza"),
    ("GET", "/admin/wowza/1"),
    ("POST", "/admin/wowza"),
    ("POST", "/admin/general"),
    ("GET", "/admin/logs"),
    ("GET", "/audio"),
    ("POST", "/audio"),
    ("GET", "/audio/1"),
    ("POST", "/audio/update/1"),
    ("GET", "/help"),
    ("GET", "/help/1"),
    ("PUT", f"/records/{SESSION}"),
    ("GET", "/login"),
    ("GET", "/"),
    ("GET", "/a%0Ab"),
]


@pytest.mark.promise("rules-22", "rules-23")
async def test_every_other_call_is_404_and_never_reaches_valt(stack: GatewayStack) -> None:
    headers = {"Authorization": f"Bearer {SECRET}"}
    for method, path in EVERY_OTHER_CALL:
        body: Any = {} if method in ("POST", "PUT") else None
        async with stack.client.request(method, f"{stack.url}/api/v3{path}", json=body, headers=headers) as answer:
            assert (answer.status, await answer.json()) == (404, NOT_FOUND), (method, path)
    async with stack.client.head(f"{stack.url}/api/v3/records/{LATE_MOOV}", headers=headers) as answer:
        assert answer.status == 404
    assert not stack.valt.calls
    assert {line["event"] for line in stack.audit()} == {"api"}
    routes = [
        name for name in await stack.metrics() if name.startswith("valt_gateway_requests_total") and "/api" in name
    ]
    assert not [name for name in routes if SESSION in name]
    assert [name for name in routes if 'route="/api/v3/{call}"' in name and 'method="other"' in name]
