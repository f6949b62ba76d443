"""The simulated API is VALT's, shape by shape: the vendor's pages are written out here."""

import asyncio
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from gateway.sim.catalogue import ACCENTS, ACCENTS_FILM, CAMERA_A, CAMERA_B, SESSION
from tests.support.clock import ManualClock
from tests.support.valt import ApiResponse, Caller, caller, claims

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
DOWNLOAD = f"/api/v3/records/download/{SESSION}/{CAMERA_A}"
RECORD = f"/api/v3/records/{SESSION}"
CALLS = [("GET", DOWNLOAD), ("GET", RECORD), ("POST", "/api/v3/records"), ("GET", "/api/v3/rooms/info")]


async def test_a_login_gives_a_token_of_32_hex_characters(valt: Caller) -> None:
    response = await valt.login()
    assert response.status == 200
    assert re.fullmatch(r"[0-9a-f]{32}", response.body["data"]["access_token"])
    assert response.body == {"data": {"access_token": valt.token}}


async def test_a_refused_login_has_a_string_as_data(valt: Caller) -> None:
    refused = ApiResponse(401, {"data": "Invalid username or password"})
    assert await valt.login(password="wrong") == refused
    assert await valt.login("nobody") == refused


@pytest.mark.parametrize("body", [b"{", b"", b"[]", b"\xff"])
@pytest.mark.parametrize("path", ["/api/v3/login", "/api/v3/records"])
async def test_a_body_that_is_no_json_object_is_500(valt: Caller, path: str, body: bytes) -> None:
    await valt.login()
    response = await valt.call("POST", path, data=body)
    assert response == ApiResponse(500, {"error": {"code": 500, "message": "Internal Server Error"}})


@pytest.mark.parametrize("search", [{"limit": "x"}, {"limit": None}, {"offset": [1]}])
async def test_a_search_with_a_page_that_is_not_a_number_is_500(valt: Caller, search: dict[str, Any]) -> None:
    await valt.login()
    response = await valt.call("POST", "/api/v3/records", json=search)
    assert response == ApiResponse(500, {"error": {"code": 500, "message": "Internal Server Error"}})


@pytest.mark.parametrize("body", [{}, {"username": ["svc-reviewer"], "password": {}}, {"username": "svc-reviewer"}])
async def test_a_login_without_user_name_and_password_is_refused(valt: Caller, body: dict[str, Any]) -> None:
    response = await valt.call("POST", "/api/v3/login", json=body)
    assert response == ApiResponse(401, {"data": "Invalid username or password"})


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_a_missing_and_an_invalid_token_are_refused_differently(valt: Caller, method: str, path: str) -> None:
    missing = await valt.call(method, path)
    assert missing == ApiResponse(401, {"error": {"code": 401, "message": "No API key provided"}})
    bad = await valt.call(method, path, token="0" * 32)
    assert bad == ApiResponse(401, {"error": {"code": 401, "message": "Bad credentials."}})


@pytest.mark.parametrize("path", [f"{SESSION}/no-such-video", f"no-such-recording/{CAMERA_A}", f"{ACCENTS}/{CAMERA_A}"])
async def test_a_download_of_a_missing_video_is_a_problem_document(valt: Caller, path: str) -> None:
    await valt.login()
    response = await valt.call("GET", f"/api/v3/records/download/{path}")
    assert response.status == 404
    assert response.body == {
        "type": "https://tools.ietf.org/html/rfc2616#section-10",
        "title": "An error occurred",
        "status": 404,
        "detail": "Not Found",
    }


async def test_a_video_that_is_not_ready_is_404(valt: Caller) -> None:
    await valt.login()
    valt.valt.recording(SESSION).films[0].ready = False
    assert (await valt.call("GET", DOWNLOAD)).status == 404


async def test_details_of_a_missing_recording_are_404_without_a_message(valt: Caller) -> None:
    await valt.login()
    assert await valt.call("GET", "/api/v3/records/no-such-recording") == ApiResponse(404, {"error": {"code": 404}})


async def test_a_link_is_built_as_in_the_vendors_sample(valt: Caller, clock: ManualClock) -> None:
    link = await valt.link()
    media = re.escape(valt.valt.media_url)
    assert re.fullmatch(
        rf"{media}/distribution/{SESSION}/1_{SESSION}_1\.mp4\?filename=[0-9A-Za-z%.-]+\.mp4"
        r"&access_token=[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+\.[0-9A-Za-z_-]{342}",
        link,
    )
    assert valt.valt.media_url != valt.valt.base_url
    token = parse_qs(urlsplit(link).query)["access_token"][0]
    head = jwt.get_unverified_header(token)
    assert re.fullmatch(UUID, head.pop("kid"))
    assert head == {"typ": "JWT", "alg": "PS512"}
    issued = int(clock.now())
    host = urlsplit(valt.valt.media_url).hostname
    expected = {"iat": issued, "nbf": issued, "exp": issued + 1800, "iss": host, "sub": host, "aud": host}
    assert claims(link) == expected
    assert list(claims(link)) == list(expected)


async def test_a_links_file_name_is_encoded_twice(valt: Caller) -> None:
    link = await valt.link(ACCENTS, ACCENTS_FILM)
    raw = link.partition("?filename=")[2].partition("&")[0]
    assert raw.startswith("S%25C3%25A9ance%2B%25C3%25A0%2BBesan%25C3%25A7on%2B%252B%2Bsuite%2B%2BCam%25C3%25A9ra%2B1")
    once = parse_qs(urlsplit(link).query)["filename"][0]
    assert once.startswith("S%C3%A9ance+%C3%A0+Besan%C3%A7on+%2B+suite++Cam%C3%A9ra+1+05-06-2025+10-18-AM.mp4")


@pytest.mark.promise("rules-25")
async def test_details_have_every_field_of_valt_6(valt: Caller) -> None:
    await valt.login()
    assert await valt.call("GET", RECORD) == ApiResponse(
        200,
        {
            "data": {
                "id": SESSION,
                "name": "Session 1451",
                "template": [{"Course": "PSY 512"}],
                "created": 1746544680,
                "author": {"id": 7, "name": "jsmith"},
                "type": "record",
                "duration": 24.0,
                "room": {"id": 37, "name": "Room 1"},
                "cameras": {"63": "Ceiling", "64": "Door"},
                "sharing": {"users": [], "groups": [4]},
                "retention": {"type": "inherit"},
                "markers": [
                    _marker(1, "Greeting", 3, "green", "#2e8b57"),
                    _marker(2, "Task begins", 11, "red", "#cc0000"),
                    _marker(3, "Feedback", 19, "blue", "#1f6feb"),
                ],
                "videos": [
                    {"id": CAMERA_A, "status": {}, "camera": {"id": 63, "name": "Ceiling"}},
                    {"id": CAMERA_B, "status": {}, "camera": {"id": 64, "name": "Door"}},
                ],
            }
        },
    )


def _marker(number: int, event: str, time: float, color: str, hex_color: str) -> dict[str, Any]:
    return {"id": number, "event": event, "time": time, "color": color, "hex_color": hex_color, "template": []}


@pytest.mark.promise("rules-25")
async def test_valt_5_has_integers_for_ids(valt: Caller) -> None:
    await valt.login()
    data = (await valt.call("GET", f"/api/v3/records/{ACCENTS}")).body["data"]
    assert (data["id"], data["videos"][0]["id"]) == (614, 9101)
    assert await valt.link("614", "9101")


async def test_a_recording_has_its_deletion_date_and_without_films_a_camera_array(
    valt: Caller,
) -> None:
    await valt.login()
    recording = valt.valt.recording(SESSION)
    recording.deleted_at = 1_800_000_000.0
    recording.films.clear()
    data = (await valt.call("GET", RECORD)).body["data"]
    assert data["retention"] == {"type": "until", "until": 1800000000}
    assert data["cameras"] == data["videos"] == []


async def test_a_search_lists_recordings_without_their_videos(valt: Caller) -> None:
    await valt.login()
    response = await valt.call("POST", "/api/v3/records", json={})
    rows = response.body["data"]["records"]
    assert [row["id"] for row in rows] == [SESSION, *(one.recording for one in valt.valt.recordings[1:3]), 614]
    assert set(rows[0]) == {
        *("id", "name", "created", "author", "type", "duration", "room", "cameras", "sharing"),
    }


@pytest.mark.promise("rules-25")
@pytest.mark.parametrize(
    ("search", "names"),
    [
        ({"search": "session"}, ["Session 1451"]),
        ({"search": "nothing of the kind"}, []),
        ({"limit": 1}, ["Session 1451"]),
        ({"offset": 1, "limit": 2}, ["Interview 12", "Late moov"]),
        ({"offset": 9}, []),
    ],
)
async def test_a_search_finds_by_name_and_pages(valt: Caller, search: dict[str, Any], names: list[str]) -> None:
    await valt.login()
    response = await valt.call("POST", "/api/v3/records", json=search)
    assert [row["name"] for row in response.body["data"]["records"]] == names


@pytest.mark.promise("rules-25")
async def test_rooms_have_ids_and_names(valt: Caller) -> None:
    await valt.login()
    rooms = (await valt.call("GET", "/api/v3/rooms/info")).body["data"]["rooms"]
    assert {"id": 37, "name": "Room 1"} in rooms
    assert len(rooms) == 3


async def test_calls_are_counted_by_operation_and_can_be_awaited(valt: Caller) -> None:
    gate = valt.valt.knobs.gate["download"] = asyncio.Event()
    link = asyncio.ensure_future(valt.link())
    await valt.valt.wait_for(lambda: valt.valt.calls["download"] == 1)
    gate.set()
    await valt.fetch(await link)
    for method, path in CALLS[1:]:
        await valt.call(method, path, json={})
    assert valt.valt.calls == dict.fromkeys(("login", "download", "record", "search", "rooms", "media"), 1) | {
        "media_connection": 1
    }


async def test_both_servers_listen_on_the_configured_ports() -> None:
    async with caller() as first:
        api, media = urlsplit(first.valt.base_url).port, urlsplit(first.valt.media_url).port
    async with caller(api_port=api, media_port=media) as second:
        assert urlsplit(second.valt.base_url).port == api
        assert urlsplit(await second.link()).port == media
