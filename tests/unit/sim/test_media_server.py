"""The simulated media server over real sockets: authorization by link, and exact bodies."""

import asyncio
import email
import re
import ssl
from contextlib import AsyncExitStack
from email.message import Message
from pathlib import Path

import pytest
import trustme
from yarl import URL

from gateway.sim.catalogue import CAMERA_A, CAMERA_B, INTERVIEW, INTERVIEW_FILM, SESSION
from gateway.sim.valt import USERS
from tests.support.client import connect, request
from tests.support.clock import ManualClock
from tests.support.valt import Caller, caller

BIG = bytes(range(256)) * 4096 * 64


def film(valt: Caller, recording: str = SESSION, video: str = CAMERA_A) -> bytes:
    recorded_film = valt.valt.recording(recording).film(video)
    assert recorded_film is not None
    return recorded_film.content


async def test_a_link_is_valid_for_half_an_hour(valt: Caller, clock: ManualClock) -> None:
    link = await valt.link()
    clock.pass_(1799)
    assert (await valt.fetch(link)).status == 200
    clock.pass_(1)
    assert (await valt.fetch(link)).status == 403


async def test_an_invalid_link_token_is_refused(valt: Caller) -> None:
    link, _, token = (await valt.link()).partition("&access_token=")
    for bad in (link, f"{link}&access_token=rubbish", f"{link}&access_token={token[:-8]}AAAAAAAA"):
        assert (await valt.fetch(bad)).status == 403


async def test_a_link_token_opens_every_video(valt: Caller) -> None:
    _, _, query = (await valt.link()).partition("?")
    other = (await valt.link(INTERVIEW, INTERVIEW_FILM)).partition("?")[0]
    assert (await valt.fetch(f"{other}?{query}")).body == film(valt, INTERVIEW, INTERVIEW_FILM)


async def test_a_missing_file_is_404_and_a_post_405(valt: Caller) -> None:
    link = await valt.link()
    for path in ("1_none_1.mp4", f"1_{SESSION}_3.mp4", f"1_{SESSION}_0.mp4"):
        assert (await valt.fetch(link.replace(f"1_{SESSION}_1.mp4", path))).status == 404
    assert (await valt.fetch(link, method="POST")).status == 405


async def test_each_camera_of_a_recording_has_its_own_file(valt: Caller) -> None:
    assert (await valt.fetch(await valt.link())).body == film(valt)
    assert (await valt.fetch(await valt.link(SESSION, CAMERA_B))).body == film(valt, SESSION, CAMERA_B)


async def test_a_whole_video_has_length_type_and_validators(valt: Caller) -> None:
    response = await valt.fetch(await valt.link())
    assert (response.status, response.body) == (200, film(valt))
    assert response.headers["Content-Length"] == str(len(response.body))
    assert response.headers["Content-Type"] == "video/mp4"
    assert response.headers["Accept-Ranges"] == "bytes"
    assert re.fullmatch(r'"[0-9a-f]{24}"', response.headers["ETag"])
    assert response.headers["Last-Modified"] == "Tue, 06 May 2025 15:20:00 GMT"


@pytest.mark.parametrize(
    ("spec", "first", "last"),
    [("bytes=0-", 0, None), ("bytes=100-199", 100, 199), ("bytes=-500", -500, None), ("bytes=5-5, 999999999-", 5, 5)],
)
async def test_one_range_is_206_with_its_bytes(valt: Caller, spec: str, first: int, last: int | None) -> None:
    whole = film(valt)
    response = await valt.fetch(await valt.link(), {"Range": spec})
    expected = whole[first : None if last is None else last + 1]
    start = first % len(whole)
    assert (response.status, response.body) == (206, expected)
    assert response.headers["Content-Range"] == f"bytes {start}-{start + len(expected) - 1}/{len(whole)}"


async def test_several_ranges_are_the_parts_of_a_multipart_body(valt: Caller) -> None:
    whole = film(valt)
    response = await valt.fetch(await valt.link(), {"Range": "bytes=0-9, 500-599, -7"})
    assert response.status == 206
    assert "Content-Range" not in response.headers
    head = f"Content-Type: {response.headers['Content-Type']}\r\n\r\n".encode()
    parts = email.message_from_bytes(head + response.body).get_payload()
    assert isinstance(parts, list)
    spans = [(0, 9), (500, 599), (len(whole) - 7, len(whole) - 1)]
    assert [_part(part) for part in parts] == [
        (f"bytes {first}-{last}/{len(whole)}", whole[first : last + 1]) for first, last in spans
    ]


def _part(part: "Message | str") -> tuple[str, bytes]:
    assert isinstance(part, Message)
    body = part.get_payload(decode=True)
    assert isinstance(body, bytes)
    return part["Content-Range"], body


async def test_a_range_past_the_end_is_416_with_the_length(valt: Caller) -> None:
    response = await valt.fetch(await valt.link(), {"Range": "bytes=999999999-"})
    assert (response.status, response.body) == (416, b"")
    assert response.headers["Content-Range"] == f"bytes */{len(film(valt))}"


async def test_conditional_requests_get_304_and_412(valt: Caller) -> None:
    link = await valt.link()
    tag = (await valt.fetch(link)).headers["ETag"]
    fresh = await valt.fetch(link, {"If-None-Match": tag})
    assert (fresh.status, fresh.body, fresh.headers["ETag"]) == (304, b"", tag)
    assert (await valt.fetch(link, {"If-Match": '"another"'})).status == 412
    resumed = await valt.fetch(link, {"Range": "bytes=10-19", "If-Range": tag})
    assert (resumed.status, resumed.body) == (206, film(valt)[10:20])
    assert (await valt.fetch(link, {"Range": "bytes=10-19", "If-Range": '"another"'})).status == 200


async def test_head_returns_the_headers_of_get(valt: Caller) -> None:
    link = await valt.link()
    response, whole = await valt.fetch(link, method="HEAD"), await valt.fetch(link)
    assert (response.status, response.body) == (200, b"")
    assert dict(response.headers) == dict(whole.headers)
    assert (await valt.fetch(link, {"Range": "bytes=0-9"}, method="HEAD")).status == 200


async def test_connections_are_reused_and_requests_are_recorded(valt: Caller) -> None:
    link = await valt.link()
    await valt.fetch(link)
    await valt.fetch(link, {"Range": "bytes=0-9"})
    assert valt.valt.calls["media"] == 2
    assert valt.valt.calls["media_connection"] == valt.valt.open_media == 1
    first, second = valt.valt.media_requests
    assert (first.method, first.range, first.status, first.sent) == ("GET", None, 200, len(film(valt)))
    assert (second.range, second.status, second.sent, second.ended, second.client_left) == (
        "bytes=0-9",
        206,
        10,
        True,
        False,
    )


async def test_the_repr_of_a_request_has_no_token(valt: Caller) -> None:
    link = await valt.link()
    await valt.fetch(link, {"Authorization": "Bearer planted"})
    text = repr(valt.valt.media_requests)
    assert "planted" not in text
    assert link.rpartition("=")[2] not in text


async def test_a_connection_closed_during_a_body_is_detected(valt: Caller) -> None:
    valt.valt.add_video("big", "film", BIG)
    link = await valt.link("big", "film")
    async with valt.client.get(link) as answer:
        await answer.content.readexactly(100_000)
        assert valt.valt.open_media == 1
        answer.close()
    await valt.valt.wait_for(lambda: valt.valt.open_media == 0)
    request = valt.valt.media_requests[-1]
    assert request.client_left
    assert 100_000 <= request.sent < len(BIG)


async def test_a_video_may_be_added_as_bytes_or_as_a_file(valt: Caller, tmp_path: Path) -> None:
    (tmp_path / "film").write_bytes(b"a file")
    valt.valt.add_video("added", "large", BIG, name="Added later")
    valt.valt.add_video("added", "small", tmp_path / "film")
    assert valt.valt.recording("added").name == "Added later"
    assert (await valt.fetch(await valt.link("added", "large"))).body == BIG
    assert (await valt.fetch(await valt.link("added", "small"))).body == b"a file"


async def test_an_empty_video_is_an_empty_body(valt: Caller) -> None:
    valt.valt.add_video("added", "empty", b"")
    link = await valt.link("added", "empty")
    assert (await valt.fetch(link)).body == b""
    assert (await valt.fetch(link, {"Range": "bytes=0-"})).status == 416


async def test_both_servers_use_https_with_a_certificate() -> None:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with caller(ssl_context=server) as valt:
        response = await valt.call("GET", "/api/v3/rooms/info", ssl=trusting)
        assert response.status == 401
        async with valt.client.post(
            f"{valt.valt.base_url}/api/v3/login",
            json={"username": "svc-reviewer", "password": USERS["svc-reviewer"]},
            ssl=trusting,
        ) as answer:
            valt.token = (await answer.json())["data"]["access_token"]
        response = await valt.call("GET", f"/api/v3/records/download/{SESSION}/{CAMERA_A}", ssl=trusting)
        link = response.body["url"]
        assert link.startswith(f"{valt.valt.media_url}/distribution/")
        assert link.startswith("https://")
        async with valt.client.get(link, ssl=trusting) as answer:
            assert await answer.read() == film(valt)


@pytest.mark.parametrize("knob", ["gate", "delay"])
async def test_it_stops_while_a_client_is_waiting(knob: str) -> None:
    async with AsyncExitStack() as exits:
        async with caller() as valt:
            link = await valt.link()
            getattr(valt.valt.knobs, knob)["media"] = asyncio.Event() if knob == "gate" else 3600.0
            connection = await exits.enter_async_context(connect(link))
            await connection.send(request("GET", URL(link, encoded=True).raw_path_qs))
            await valt.valt.wait_for(lambda: valt.valt.calls["media"] == 1)
        assert valt.valt.open_media == 0
        assert await connection.read_to_end() == b""
