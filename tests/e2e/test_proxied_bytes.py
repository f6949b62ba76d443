"""Proxy delivery: ranges, conditions, backpressure, and what a failure looks like (RFC 9110)."""

import asyncio
import hashlib
import random
from pathlib import Path

import aiohttp
import pytest

from gateway.sim.catalogue import CAMERA_A, SESSION
from tests.support.client import connect, request
from tests.support.gateway_fixture import VIDEO_PATH, GatewayStack, running_stack

BIG = random.Random(7).randbytes(3 * 1024 * 1024)
BIG_PATH = "/recordings/big/videos/film"


@pytest.fixture
async def film(stack: GatewayStack) -> bytes:
    stored = stack.valt.recording(SESSION).film(CAMERA_A)
    assert stored is not None
    return stored.content


@pytest.mark.parametrize(
    ("requested", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-499", 0, 499),
        ("bytes=0-", 0, None),
        ("bytes=500-", 500, None),
        ("bytes=-1", -1, None),
        ("bytes=-500", -500, None),
        ("bytes=100-999999999", 100, None),
        ("bytes=-999999999", 0, None),
        ("BYTES=0-1", 0, 1),
    ],
)
async def test_a_single_range_is_exactly_that_slice(
    stack: GatewayStack, film: bytes, requested: str, first: int, last: int | None
) -> None:
    async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer() | {"Range": requested}) as response:
        body = await response.read()
    start = first if first >= 0 else len(film) + first
    end = len(film) - 1 if last is None else last

    assert response.status == 206
    assert body == film[start : end + 1]
    assert response.headers["Content-Range"] == f"bytes {start}-{end}/{len(film)}"
    assert int(response.headers["Content-Length"]) == len(body)


@pytest.mark.parametrize("requested", ["bytes=999999999-", "bytes=-0"])
async def test_a_range_beyond_the_end_is_416_with_the_length(stack: GatewayStack, film: bytes, requested: str) -> None:
    async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer() | {"Range": requested}) as response:
        assert response.status == 416
        assert response.headers["Content-Range"] == f"bytes */{len(film)}"
        assert await response.read() == b""


@pytest.mark.parametrize("requested", ["bytes=5-3", "bytes=a-b", "items=0-1", "bytes 0-1", "bytes=0x1-", "bytes=1-2-3"])
async def test_a_malformed_range_is_ignored(stack: GatewayStack, film: bytes, requested: str) -> None:
    async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer() | {"Range": requested}) as response:
        assert response.status == 200
        assert await response.read() == film


async def test_several_ranges_are_passed_through_as_the_media_server_answers_them(
    stack: GatewayStack, film: bytes
) -> None:
    headers = stack.bearer() | {"Range": "bytes=0-9,100-109"}
    async with stack.client.get(stack.url + VIDEO_PATH, headers=headers) as response:
        body = await response.read()
    assert response.status == 206
    assert response.headers["Content-Type"].startswith("multipart/byteranges; boundary=")
    assert film[0:10] in body
    assert film[100:110] in body


async def test_of_more_than_sixteen_ranges_none_is_requested(stack: GatewayStack, film: bytes) -> None:
    for count, status in ((16, 206), (17, 200), (2000, 200)):
        headers = stack.bearer() | {"Range": "bytes=" + ",".join(["0-9"] * count)}
        async with stack.client.get(stack.url + VIDEO_PATH, headers=headers) as response:
            assert (response.status, len(await response.read()) < 2 * len(film)) == (status, True)
        assert ("Range" in stack.valt.media_requests[-1].headers) == (status == 206)


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        ({"If-None-Match": "ETAG"}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"other"'}, 200),
        ({"If-Modified-Since": "Tue, 06 May 2025 15:20:00 GMT"}, 304),
        ({"If-Modified-Since": "Mon, 05 May 2025 15:20:00 GMT"}, 200),
        ({"If-Match": '"other"'}, 412),
        ({"If-Match": "ETAG"}, 200),
        ({"If-Unmodified-Since": "Mon, 05 May 2025 15:20:00 GMT"}, 412),
        ({"Range": "bytes=0-9", "If-Range": "ETAG"}, 206),
        ({"Range": "bytes=0-9", "If-Range": '"other"'}, 200),
        ({"Range": "bytes=0-9", "If-Range": "Tue, 06 May 2025 15:20:00 GMT"}, 206),
        ({"Range": "bytes=0-9", "If-Range": "Tue, 06 May 2025 15:20:01 GMT"}, 200),
    ],
)
async def test_conditions_are_decided_by_the_media_server(
    stack: GatewayStack, conditions: dict[str, str], status: int
) -> None:
    film = stack.valt.recording(SESSION).film(CAMERA_A)
    assert film is not None
    requested = {name: film.etag if value == "ETAG" else value for name, value in conditions.items()}
    async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer() | requested) as response:
        body = await response.read()
    assert response.status == status
    if status in (304, 412):
        assert body == b""
        assert response.headers["Cache-Control"] == "private, no-store, no-transform"
    if status == 304:
        assert response.headers["ETag"] == film.etag


async def test_a_head_has_the_fields_of_a_get_and_no_body(stack: GatewayStack, film: bytes) -> None:
    async with connect(stack.url) as connection:
        await connection.send(request("HEAD", VIDEO_PATH, stack.bearer()))
        await connection.send(request("GET", "/robots.txt", {"Connection": "close"}))
        head = await connection.read_head()
        following = await connection.read_last_response()
    assert (head.status, head.headers["Content-Length"]) == (200, str(len(film)))
    assert following.status == 200
    assert following.body.endswith(b"Disallow: /\n")


@pytest.mark.promise("findings-21")
async def test_nothing_of_valts_reaches_the_client(stack: GatewayStack) -> None:
    async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer()) as response:
        await response.read()
    fields = "\n".join(f"{name}: {value}" for name, value in response.headers.items())
    for foreign in ("Wowza", "JSESSION", "access_token", "/distribution/", stack.valt.media_url.rpartition(":")[2]):
        assert foreign not in fields
    assert response.headers["Server"] == "valt-gateway"


async def test_only_the_range_of_the_clients_fields_reaches_the_media_server(stack: GatewayStack) -> None:
    headers = stack.bearer() | {
        "Range": "bytes=0-9",
        "Cookie": "a=b",
        "X-Forwarded-For": "1.2.3.4",
        "User-Agent": "spy",
        "Content-Range": "bytes 0-9/10",
    }
    async with stack.client.get(stack.url + VIDEO_PATH, headers=headers) as response:
        await response.read()
    assert dict(stack.valt.media_requests[-1].headers) == {
        "Host": stack.valt.media_url.removeprefix("http://"),
        "Accept-Encoding": "identity",
        "Range": "bytes=0-9",
    }


async def test_a_body_of_unknown_length_is_delivered_to_its_end(stack: GatewayStack, film: bytes) -> None:
    stack.valt.knobs.chunked = True
    async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer()) as response:
        assert "Content-Length" not in response.headers
        assert await response.read() == film


@pytest.mark.parametrize("status", [401, 403])
async def test_a_stale_link_is_renewed_once_and_the_client_sees_nothing_of_it(
    stack: GatewayStack, film: bytes, status: int
) -> None:
    async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer()) as response:
        await response.read()
    stack.valt.knobs.refuse_media = [status]
    async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer()) as response:
        assert await response.read() == film
    assert stack.valt.calls["download"] == 2


async def test_a_fresh_link_that_is_refused_too_is_502(stack: GatewayStack) -> None:
    stack.valt.knobs.refuse_media = [403, 403]
    async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer()) as response:
        assert (response.status, (await response.json(content_type=None))["code"]) == (502, "valt_response")


@pytest.mark.parametrize(
    ("media_status", "status", "code"), [(404, 404, "video_not_found"), (500, 503, "valt_unavailable")]
)
async def test_an_error_of_the_media_server_before_the_first_byte_is_an_error_response(
    stack: GatewayStack, media_status: int, status: int, code: str
) -> None:
    stack.valt.knobs.refuse_media = [media_status]
    async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer()) as response:
        assert (response.status, (await response.json(content_type=None))["code"]) == (status, code)


async def test_other_bytes_than_were_requested_are_502(stack: GatewayStack) -> None:
    stack.valt.knobs.wrong_content_range = True
    headers = stack.bearer() | {"Range": "bytes=10-19"}
    async with stack.client.get(stack.url + VIDEO_PATH, headers=headers) as response:
        assert (response.status, (await response.json(content_type=None))["code"]) == (502, "valt_response")


@pytest.mark.promise("streams-8")
async def test_a_file_that_changes_during_delivery_is_cut_and_never_joined(stack: GatewayStack) -> None:
    stack.valt.add_video("big", "film", BIG)
    stack.valt.knobs.change_after = [1_000_000]
    with pytest.raises(aiohttp.ClientError):
        async with stack.client.get(stack.url + BIG_PATH, headers=stack.bearer()) as response:
            await response.read()
    await stack.ended()
    assert stack.audit()[-1]["outcome"] == "failed"


@pytest.mark.promise("streams-6", "findings-11", "findings-A")
async def test_a_failure_after_the_first_byte_resets_the_connection(tmp_path: Path) -> None:
    async with running_stack(tmp_path, more="[streams]\nresume_tries = 0\n") as stack:
        stack.valt.add_video("big", "film", BIG)
        stack.valt.knobs.reset_after = [500_000]
        with pytest.raises(aiohttp.ClientError):
            async with stack.client.get(stack.url + BIG_PATH, headers=stack.bearer()) as response:
                await response.read()
        stack.valt.knobs.chunked = True
        stack.valt.knobs.end_after = [500_000, 500_000]  # the spliced path requests it first, and does not support it
        with pytest.raises(aiohttp.ClientError):
            async with stack.client.get(stack.url + BIG_PATH, headers=stack.bearer()) as response:
                await response.read()


@pytest.mark.promise("streams-1")
@pytest.mark.parametrize("fault", ["reset_after", "end_after"])
@pytest.mark.parametrize("at", [-1, 0, 1, 65_536, 1_500_000, len(BIG) - 1])
async def test_an_interrupted_body_continues_byte_for_byte(stack: GatewayStack, fault: str, at: int) -> None:
    stack.valt.add_video("big", "film", BIG)
    getattr(stack.valt.knobs, fault).append(at if fault == "reset_after" else max(0, at))
    async with stack.client.get(stack.url + BIG_PATH, headers=stack.bearer()) as response:
        if at < 0 and fault == "reset_after":
            assert response.status in (200, 503)
            return
        body = await response.read()
    assert hashlib.sha256(body).hexdigest() == hashlib.sha256(BIG).hexdigest()
    await stack.ended()
    assert stack.audit()[-1]["resumes"] == 1


@pytest.mark.promise("streams-2")
async def test_a_stalled_body_continues_after_the_read_timeout(tmp_path: Path) -> None:
    async with running_stack(tmp_path, valt_more='read_timeout = "200ms"\n') as stack:
        stack.valt.add_video("big", "film", BIG)
        stack.valt.knobs.stall_after = [1_000_000]
        async with stack.client.get(stack.url + BIG_PATH, headers=stack.bearer()) as response:
            body = await response.read()
    assert body == BIG


@pytest.mark.promise("streams-9")
async def test_a_server_that_ignores_range_is_read_up_to_the_position(stack: GatewayStack) -> None:
    stack.valt.add_video("big", "film", BIG)
    stack.valt.knobs.reset_after = [1_000_000]
    stack.valt.knobs.ignore_range = True
    async with stack.client.get(stack.url + BIG_PATH, headers=stack.bearer()) as response:
        assert await response.read() == BIG


@pytest.mark.promise("streams-4")
async def test_a_body_continues_when_link_and_tokens_have_expired(stack: GatewayStack) -> None:
    stack.valt.add_video("big", "film", BIG)
    stack.valt.knobs.reset_after = [1_000_000]
    stack.valt.knobs.refuse_media = []
    async with stack.client.get(stack.url + BIG_PATH, headers=stack.bearer()) as response:
        await response.content.readexactly(100)
        stack.valt.forget_tokens()
        stack.valt.knobs.refuse_media = [403]
        rest = await response.read()
    assert rest == BIG[100:]
    assert stack.valt.calls["login"] == 2


@pytest.mark.promise("streams-5")
async def test_no_more_bytes_are_sent_than_the_head_states(stack: GatewayStack, film: bytes) -> None:
    stack.valt.knobs.extra_bytes = 5000
    for _ in range(2):
        async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer()) as response:
            assert await response.read() == film


@pytest.mark.promise("findings-C")
async def test_a_client_that_disconnects_frees_the_media_connection_at_once(stack: GatewayStack) -> None:
    stack.valt.add_video("big", "film", BIG * 20)
    async with connect(stack.url) as connection:
        await connection.send(request("GET", BIG_PATH, stack.bearer()))
        await connection.read_head()
        assert stack.valt.open_media == 1
    await stack.valt.wait_for(lambda: stack.valt.open_media == 0)
    await stack.ended()
    assert stack.audit()[-1]["outcome"] == "left"


async def test_connections_to_the_media_server_are_reused(stack: GatewayStack) -> None:
    for _ in range(5):
        async with stack.client.get(
            stack.url + VIDEO_PATH, headers=stack.bearer() | {"Range": "bytes=0-9"}
        ) as response:
            await response.read()
    assert stack.valt.calls["media_connection"] == 1


async def test_bodies_are_spliced_and_those_of_unsupported_responses_buffered(stack: GatewayStack) -> None:
    async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer()) as response:
        await response.read()
    stack.valt.knobs.chunked = True
    async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer()) as response:
        await response.read()
    metrics = await stack.metrics()
    assert metrics['valt_gateway_relay_total{way="fast"}'] == 1
    assert metrics['valt_gateway_relay_total{way="plain"}'] == 1


@pytest.mark.promise("streams-13")
async def test_a_slow_client_slows_the_media_server_down(stack: GatewayStack) -> None:
    """Backpressure: what the client does not take stays with the media server, whatever the file's size."""
    stack.valt.add_video("big", "film", BIG * 30)
    async with connect(stack.url) as connection:
        await connection.send(request("GET", BIG_PATH, stack.bearer()))
        await connection.read_head()
        media_request = stack.valt.media_requests[-1]
        sent = -1
        while sent != media_request.sent:
            sent = media_request.sent
            await asyncio.sleep(0.05)
    assert sent < len(BIG) * 15
    await stack.valt.wait_for(lambda: stack.valt.open_media == 0)
