"""Media servers as they are in the field, through the whole gateway: a scripted server sends the bytes of each row."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from gateway.sim.catalogue import CAMERA_A, SESSION
from tests.support.client import RawConnection, connect
from tests.support.client import request as request_head
from tests.support.clock import ManualClock
from tests.support.gateway_fixture import VIDEO_PATH, GatewayStack, running_stack
from tests.support.programs import run
from tests.support.scripted_media import (
    ReceivedRequest,
    Respond,
    Script,
    ScriptedMedia,
    in_turn,
    response,
    scripted_media,
)

FILM = random.Random(17).randbytes(300_000)
SIZE = len(FILM)
DATE = "Tue, 24 Nov 2026 08:00:00 GMT"
VALIDATORS = ('ETag: "v1"', f"Last-Modified: {DATE}")


@asynccontextmanager
async def media_stack(
    folder: Path, respond: Respond, *, more: str = "", manual: bool = True
) -> AsyncIterator[tuple[GatewayStack, ScriptedMedia]]:
    """A gateway whose links lead to a scripted media server."""
    clock = ManualClock() if manual else None
    async with scripted_media(respond) as media, running_stack(folder, clock=clock, more=more) as stack:
        stack.valt.knobs.link_host = f"127.0.0.1:{media.port}"
        yield stack, media


def whole(*fields: str) -> bytes:
    return response("200 OK", "Content-Type: video/mp4", *(fields or VALIDATORS), body=FILM)


def part(first: int, last: int, *fields: str, total: str = str(SIZE)) -> bytes:
    stated = f"Content-Range: bytes {first}-{last}/{total}"
    return response("206 Partial Content", stated, *(fields or VALIDATORS), body=FILM[first : last + 1])


async def get(stack: GatewayStack, method: str = "GET", **fields: str) -> tuple[int, Mapping[str, str], bytes]:
    headers = stack.bearer() | {name.replace("_", "-"): value for name, value in fields.items()}
    async with stack.client.request(method, stack.url + VIDEO_PATH, headers=headers) as received:
        return received.status, received.headers, await received.read()


async def code(stack: GatewayStack, method: str = "GET", **fields: str) -> tuple[int, str]:
    headers = stack.bearer() | fields
    async with stack.client.request(method, stack.url + VIDEO_PATH, headers=headers) as received:
        return received.status, (await received.json(content_type=None))["code"]


@pytest.mark.promise("media-M1", "media-M3")
@pytest.mark.parametrize(
    "fields",
    [
        ("Content-Type: video/mp4", *VALIDATORS, "Content-Encoding: gzip"),
        ("Content-Type: text/html", *VALIDATORS),
        ("Content-Type: video/mp4", 'ETag: "v1"', "Last-Modified: Tue, 24 Nov 2026 09:00:00 GMT"),
        ("Content-Type: video/mp4", 'ETag: W/"v1"', f"Last-Modified: {DATE}"),
    ],
    ids=["gzip", "page", "date", "weak tag"],
)
async def test_m1_m3_a_rest_that_is_not_the_films_is_a_visible_cut(tmp_path: Path, fields: tuple[str, ...]) -> None:
    cut = Script([whole()[:-100_000]], close=True)
    async with media_stack(tmp_path, in_turn(cut, part(200_000, SIZE - 1, *fields))) as (stack, media):
        with pytest.raises(aiohttp.ClientError):
            await get(stack)
        await stack.ended()
        assert len(media.requests) == 2
        assert (stack.audit()[-1]["outcome"], stack.audit()[-1]["bytes"]) == ("failed", 200_000)


@pytest.mark.promise("media-M2")
@pytest.mark.parametrize(
    ("reply", "fields"),
    [
        (response("200 OK", "Content-Range: bytes 10-19/3000000", body=FILM[10:20]), {}),
        (response("206 Partial Content", body=FILM[:10]), {"Range": "bytes=0-9"}),
        (response("206 Partial Content", f"Content-Range: bytes 0-9/{SIZE}", body=FILM[:12]), {"Range": "bytes=0-9"}),
        (response("304 Not Modified", length=None), {}),
        (response("412 Precondition Failed"), {}),
        (response("416 X"), {}),
        (response("204 No Content", length=None), {}),
        (response("200 OK", 'ETag: "a"', 'ETag: "b"', body=FILM[:10]), {}),
    ],
)
async def test_m2_a_response_that_contradicts_itself_is_502(
    tmp_path: Path, reply: bytes, fields: dict[str, str]
) -> None:
    async with media_stack(tmp_path, in_turn(reply)) as (stack, _):
        assert await code(stack, **fields) == (502, "valt_response")


@pytest.mark.promise("media-M4")
async def test_m4_a_range_without_its_if_range_is_not_sent(tmp_path: Path) -> None:
    async with media_stack(tmp_path, in_turn(whole())) as (stack, media):
        head = request_head("GET", VIDEO_PATH, {**stack.bearer(), "Range": "bytes=0-9", "If-Range": "TAG"})
        async with connect(stack.url) as client:
            await client.send(head.replace(b"TAG", b'"\xe9"'))
            received = await client.read_response()
        assert (received.status, received.body) == (200, FILM)
        assert "Range" not in media.requests[0].headers


@pytest.mark.promise("media-M5")
async def test_m5_a_late_body_reaches_no_other_persons_response(tmp_path: Path) -> None:
    def respond(request: ReceivedRequest) -> Script | bytes:
        if request.method == "HEAD" or "If-None-Match" in request.headers:
            status = "200 OK" if request.method == "HEAD" else "304 Not Modified"
            return Script([response(status, length=SIZE), response("200 OK", body=b"wrong")], pause=0.05)
        return part(0, 0) if "Range" in request.headers else whole()

    async with media_stack(tmp_path, respond, manual=False) as (stack, _):
        assert (await get(stack, If_None_Match='"v1"'))[0] == 304
        assert (await get(stack))[2] == FILM
        status, headers, body = await get(stack, "HEAD")
        assert (status, headers["Content-Length"], body) == (200, str(SIZE), b"")
        assert (await get(stack))[2] == FILM


@pytest.mark.promise("media-M6")
@pytest.mark.parametrize("status", ["403 Forbidden", "405 Method Not Allowed", "501 Not Implemented"])
@pytest.mark.parametrize(
    "fields", [{}, {"Range": "bytes=5-9"}, {"Range": "bytes=999999999-"}, {"Range": "bytes=0-9", "If-Range": '"other"'}]
)
async def test_m6_a_head_is_answered_where_the_media_server_refuses_head(
    tmp_path: Path, status: str, fields: dict[str, str]
) -> None:
    def respond(request: ReceivedRequest) -> bytes:
        return response(status) if request.method == "HEAD" else part(0, 0)

    async with media_stack(tmp_path, respond) as (stack, _):
        async with stack.client.head(stack.url + VIDEO_PATH, headers=stack.bearer() | fields) as received:
            assert (received.status, received.headers["Content-Length"]) == (200, str(SIZE))
            assert "Content-Range" not in received.headers
            assert received.headers["ETag"] == '"v1"'
        assert stack.valt.calls["download"] == 1, "a good link is not thrown away"


@pytest.mark.promise("media-M7")
@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("Content-Type: video/mp4;charset=UTF-8", "video/mp4;charset=UTF-8"),
        ("Content-Type: application/octet-stream", "video/mp4"),
        ("X: y", "video/mp4"),
        ("Content-Type: text/html", "application/octet-stream"),
    ],
)
async def test_m7_the_type_lets_browsers_play_a_film_and_show_no_page(
    tmp_path: Path, stated: str, expected: str
) -> None:
    async with media_stack(tmp_path, in_turn(response("200 OK", stated, body=FILM))) as (stack, _):
        _, headers, body = await get(stack)
        assert (headers["Content-Type"], body) == (expected, FILM)


@pytest.mark.promise("media-M8")
async def test_m8_one_chunked_416_leaves_every_other_stream_on_the_spliced_path(tmp_path: Path) -> None:
    beyond = response("416 X", "Transfer-Encoding: chunked", body=b"0\r\n\r\n", length=None)
    async with media_stack(tmp_path, in_turn(beyond, whole())) as (stack, _):
        assert (await get(stack, Range="bytes=999999999-"))[0] == 416
        assert (await get(stack))[2] == FILM
        metrics = await stack.metrics()
        assert metrics['valt_gateway_relay_total{way="fast"}'] == 1
        assert metrics['valt_gateway_relay_total{way="plain"}'] == 0


@pytest.mark.promise("media-M9")
@pytest.mark.parametrize("player", ["ffmpeg", "mpv"])
async def test_m9_players_play_from_a_server_that_does_not_answer_ranges(stack: GatewayStack, player: str) -> None:
    film = stack.valt.recording(SESSION).film(CAMERA_A)
    assert film is not None
    content = film.content

    def respond(_request: ReceivedRequest) -> bytes:
        return response("200 OK", "Content-Type: video/mp4", *VALIDATORS, body=content)

    authorization = f"Authorization: {stack.bearer()['Authorization']}"
    async with scripted_media(respond) as media:
        stack.valt.knobs.link_host = f"127.0.0.1:{media.port}"
        url = stack.url + VIDEO_PATH
        if player == "ffmpeg":
            played = await run(
                "ffmpeg", "-v", "error", "-headers", authorization + "\r\n", "-i", url, "-f", "null", "-"
            )
        else:
            quiet = ("--no-config", "--vo=null", "--ao=null", "--no-terminal", "--untimed", "--no-ytdl")
            played = await run("mpv", *quiet, f"--http-header-fields={authorization}", url)
        assert played.code == 0, played.out + played.err
        async with stack.client.get(url, headers=stack.bearer()) as received:
            assert "Accept-Ranges" not in received.headers


@pytest.mark.promise("media-M10")
@pytest.mark.parametrize(
    "fields", [("Accept-Ranges: bytes",), ("Accept-Ranges: bytes", 'ETag: W/"v1"')], ids=["none", "weak"]
)
async def test_m10_a_client_may_pause_where_the_rest_could_not_be_joined(
    tmp_path: Path, fields: tuple[str, ...]
) -> None:
    film = FILM * 40

    def respond(_request: ReceivedRequest) -> bytes:
        return response("200 OK", "Content-Type: video/mp4", *fields, body=film)

    more = '[streams]\nupstream_idle = "50ms"\n'
    async with media_stack(tmp_path, respond, more=more, manual=False) as (stack, media):
        async with connect(stack.url, receive_buffer=16 * 1024) as client:
            await client.send(request_head("GET", VIDEO_PATH, stack.bearer()))
            assert (await client.read_head()).status == 200
            await asyncio.sleep(0.3)
            assert await read_slowly(client, len(film)) == film
        assert len(media.requests) == 1


async def read_slowly(client: RawConnection, length: int) -> bytes:
    received = bytearray()
    while len(received) < length:
        received += await client.read(min(1 << 20, length - len(received)))
    return bytes(received)


@pytest.mark.promise("media-M11")
async def test_m11_a_408_on_a_reused_connection_is_invisible(tmp_path: Path) -> None:
    replies = in_turn(part(0, 9), Script([response("408 Request Timeout")], close=True), part(0, 9))
    async with media_stack(tmp_path, replies) as (stack, media):
        for _ in range(2):
            assert (await get(stack, Range="bytes=0-9"))[2] == FILM[:10]
        assert [request.connection for request in media.requests] == [0, 0, 1]


@pytest.mark.promise("media-M12")
@pytest.mark.parametrize(
    ("stated", "requested", "expected"),
    [
        ('multipart/byteranges; charset=x;  Boundary="a b"', "bytes=0-1,4-5", 206),
        ("multipart/byteranges; boundary=X", "bytes=0-1,4-5", 206),
        ("multipart/byteranges; boundary=<q1w2e3r4t5y6u7i8o9p0zaxscdvfbgnhmjklkl>", "bytes=0-1,4-5", 206),
        ("multipart/byteranges", "bytes=0-1,4-5", 502),
        ("multipart/byteranges; boundary=X", "bytes=0-5", 502),
    ],
)
async def test_m12_parts_pass_in_lawful_spellings_and_answer_several_ranges(
    tmp_path: Path, stated: str, requested: str, expected: int
) -> None:
    reply = response("206 Partial Content", f"Content-Type: {stated}", body=b"--X--")
    async with media_stack(tmp_path, in_turn(reply)) as (stack, _):
        status, headers, body = await get(stack, Range=requested)
        assert status == expected
        if expected == 206:
            assert (headers["Content-Type"], body) == (stated, b"--X--")


@pytest.mark.promise("media-M14")
async def test_m14_heads_with_bare_line_feeds_are_answered_at_once(tmp_path: Path) -> None:
    reply = f"HTTP/1.1 200 OK\nContent-Length: {SIZE}\n\n".encode() + FILM
    async with media_stack(tmp_path, lambda _request: reply, manual=False) as (stack, _):
        async with asyncio.timeout(5):
            async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer()) as received:
                assert received.status in (200, 502, 503)
                assert received.status != 200 or await received.read() == FILM


@pytest.mark.promise("media-M14")
@pytest.mark.parametrize("chunked", [False, True], ids=["spliced", "buffered"])
async def test_m14_a_head_that_arrives_line_by_line_is_no_timeout(tmp_path: Path, chunked: bool) -> None:
    fields = (*VALIDATORS, "Content-Type: video/mp4", "Server: slow")
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (SIZE, FILM)
    plain = response("200 OK", *fields, body=FILM)
    reply = response("200 OK", *fields, "Transfer-Encoding: chunked", body=chunks, length=None) if chunked else plain
    head, _, body = reply.partition(b"\r\n\r\n")
    script = Script([*(head + b"\r\n\r\n").splitlines(keepends=True), body], pause=0.3)
    async with (
        scripted_media(lambda _request: script) as media,
        running_stack(tmp_path, valt_more='read_timeout = "1s"') as stack,
    ):
        stack.valt.knobs.link_host = f"127.0.0.1:{media.port}"
        status, _, received = await get(stack)
        assert (status, received) == (200, FILM)


@pytest.mark.promise("media-M15")
@pytest.mark.parametrize(("requested", "expected"), [("bytes=0-4", 206), ("bytes=5-9", 502), ("bytes=-5", 502)])
async def test_m15_a_part_of_unknown_total_must_be_the_range_that_was_requested(
    tmp_path: Path, requested: str, expected: int
) -> None:
    async with media_stack(tmp_path, in_turn(part(0, 4, total="*"))) as (stack, _):
        status, headers, body = await get(stack, Range=requested)
        assert status == expected
        if expected == 206:
            assert (headers["Content-Range"], body) == ("bytes 0-4/*", FILM[:5])


@pytest.mark.promise("media-M15")
async def test_m15_a_transfer_coding_that_nobody_decodes_is_502(tmp_path: Path) -> None:
    reply = response("200 OK", "Transfer-Encoding: gzip, chunked", body=b"3\r\nabc\r\n0\r\n\r\n", length=None)
    async with media_stack(tmp_path, lambda _request: reply) as (stack, _):
        assert await code(stack) == (502, "valt_response")


@pytest.mark.promise("media-M15")
async def test_m15_validators_above_7f_pass_byte_for_byte(tmp_path: Path) -> None:
    async with media_stack(tmp_path, in_turn(whole('ETag: "\u00e9"', "Last-Modified: \udce9"))) as (stack, _):
        async with connect(stack.url) as client:
            await client.send(request_head("GET", VIDEO_PATH, stack.bearer()))
            received = await client.read_response()
        assert b'ETag: "\xc3\xa9"\r\n' in received.raw_head
        assert b"Last-Modified" not in received.raw_head
        assert received.body == FILM


@pytest.mark.parametrize("location", ["http://[", "//]", "http://[::1", "http://127.0.0.1:99999999/"])
async def test_m16_a_redirect_to_no_url_is_502(tmp_path: Path, location: str) -> None:
    async with media_stack(tmp_path, lambda _request: response("302 Found", f"Location: {location}")) as (stack, _):
        assert await code(stack) in ((502, "valt_response"), (502, "link_refused"))


@pytest.mark.parametrize(
    "date", ["Tue, 24 Nov 99999999999999999999999 08:00:00 GMT", "Tue, 24 Nov 2026 08:00:00 +9999999999999999999999"]
)
async def test_m15_a_date_beyond_all_numbers_is_no_date(tmp_path: Path, date: str) -> None:
    async with media_stack(tmp_path, in_turn(part(0, 9, f"Last-Modified: {date}"), whole())) as (stack, _):
        assert await code(stack, **{"Range": "bytes=0-9", "If-Range": DATE}) == (502, "valt_response")
        assert (await get(stack, Range="bytes=0-9", If_Range=date))[0] == 200


@pytest.mark.promise("media-M3")
async def test_m3_an_odd_if_range_gets_no_part_of_another_version(tmp_path: Path) -> None:
    """The server ignores If-Range: what is forwarded to it must not make it send a part."""

    def respond(request: ReceivedRequest) -> bytes:
        return part(0, 9, "Accept-Ranges: bytes") if "Range" in request.headers else whole()

    async with media_stack(tmp_path, respond) as (stack, _):
        for condition in ("nonsense", '"open', '"a", "b"', 'W/"v1"', "v1"):
            status, _headers, body = await get(stack, Range="bytes=0-9", If_Range=condition)
            assert (status, body) == (200, FILM)


@pytest.mark.promise("media-M16")
@pytest.mark.parametrize(
    ("host", "expected"), [("127.0.0.1", 206), ("localhost", 502), ("other.example", 502)], ids=str
)
async def test_m16_a_redirect_of_the_media_server_is_followed_to_an_allowed_host(
    tmp_path: Path, host: str, expected: int
) -> None:
    async with scripted_media(lambda _request: part(0, 9)) as storage:
        redirect = response("302 Found", f"Location: http://{host}:{storage.port}/store/film.mp4?sig=a%2Fb")
        async with media_stack(tmp_path, lambda _request: redirect) as (stack, _):
            status, headers, body = await get(stack, Range="bytes=0-9")
            assert status == expected
            assert len(storage.requests) == (expected == 206)
            if expected == 206:
                assert body == FILM[:10]
                assert storage.requests[0].target == "/store/film.mp4?sig=a%2Fb"
                assert "Location" not in headers


@pytest.mark.promise("media-M17")
@pytest.mark.parametrize(
    ("reply", "expected"),
    [(part(0, SIZE - 1), 200), (part(0, SIZE - 2), 502), (part(1, SIZE - 1), 502), (part(0, SIZE - 1, total="*"), 502)],
)
async def test_m17_a_server_that_answers_every_get_with_206(tmp_path: Path, reply: bytes, expected: int) -> None:
    async with media_stack(tmp_path, in_turn(reply)) as (stack, _):
        status, headers, body = await get(stack)
        assert status == expected
        if expected == 200:
            assert (headers["Content-Length"], body) == (str(SIZE), FILM)
            assert "Content-Range" not in headers


@pytest.mark.parametrize("size", [0, 100_000, SIZE])
async def test_a_body_without_a_length_is_complete_only_if_nothing_is_left_of_it(tmp_path: Path, size: int) -> None:
    head = response("200 OK", "Content-Type: video/mp4", "Accept-Ranges: bytes", *VALIDATORS, length=None)

    def respond(request: ReceivedRequest) -> Script | bytes:
        if "Range" not in request.headers:
            return Script([head + FILM[:size]], close=True)
        first = int(request.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        return part(first, SIZE - 1) if first < SIZE else response("416 X", f"Content-Range: bytes */{SIZE}")

    async with media_stack(tmp_path, respond) as (stack, _):
        assert (await get(stack))[2] == FILM
        await stack.ended()
        assert (stack.audit()[-1]["outcome"], stack.audit()[-1]["resumes"]) == ("whole", int(size < SIZE))


async def test_a_body_without_length_and_validators_ends_with_its_connection(tmp_path: Path) -> None:
    head = response("200 OK", "Content-Type: video/mp4", length=None)
    async with media_stack(tmp_path, lambda _request: Script([head + FILM], close=True)) as (stack, media):
        assert (await get(stack))[2] == FILM
        assert len(media.requests) == 2, "by the spliced path, then by the buffered one"


@pytest.mark.parametrize("end", ["clean", "reset"])
async def test_a_body_without_length_that_was_reset_is_a_visible_failure(tmp_path: Path, end: str) -> None:
    head = response("200 OK", "Content-Type: video/mp4", length=None)
    script = Script([head + FILM[:100_000]], close=True, end=end)
    async with media_stack(tmp_path, lambda _request: script) as (stack, _):
        if end == "clean":
            assert (await get(stack))[2] == FILM[:100_000]
        else:
            with pytest.raises(aiohttp.ClientError):
                await get(stack)
        await stack.ended()
        assert stack.audit()[-1]["outcome"] == ("whole" if end == "clean" else "failed")


@pytest.mark.promise("media-M1")
@pytest.mark.parametrize("rest", ["a part", "nothing"])
async def test_m1_a_part_of_a_body_of_unknown_length_is_not_its_end(tmp_path: Path, rest: str) -> None:
    begin = response("200 OK", *VALIDATORS, "Accept-Ranges: bytes", "Transfer-Encoding: chunked", length=None)
    begin += b"30d40\r\n" + FILM[:200_000] + b"\r\n"
    parts = 0

    def respond(received: ReceivedRequest) -> Script:
        nonlocal parts
        if "Range" not in received.headers:
            return Script([begin], close=True)
        first = int(received.headers["Range"][6:-1])
        if first == SIZE:
            return Script([response("416 X", VALIDATORS[0], f"Content-Range: bytes */{SIZE}")])
        parts += 1
        if parts > 1 and rest == "nothing":
            return Script([response("503 X")])
        return Script([part(first, first + 9999 if parts == 1 else SIZE - 1, total="*")])

    async with media_stack(tmp_path, respond) as (stack, _):
        if rest == "a part":
            assert (await get(stack))[2] == FILM
        else:
            with pytest.raises(aiohttp.ClientError):
                await get(stack)
        await stack.ended()
        assert stack.audit()[-1]["outcome"] == ("whole" if rest == "a part" else "failed")


@pytest.mark.parametrize(
    "field",
    [
        'ETag: "a\x7f"',
        "Last-Modified: a\x0bb",
        "Accept-Ranges: bytes\x01",
        "Content-Type: video/mp4; a=\x02",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    ],
)
async def test_m15_fields_that_no_client_may_get_are_502_and_no_internal_error(tmp_path: Path, field: str) -> None:
    chunked = field.startswith("Transfer")
    body = b"3\r\nabc\r\n0\r\n\r\n" if chunked else b"abc"
    reply = response("200 OK", field, body=body, length=None if chunked else -1)
    async with media_stack(tmp_path, lambda _request: reply) as (stack, _):
        assert await code(stack) == (502, "valt_response")
        assert [line["event"] for line in stack.audit()] == ["deny"]


async def test_m14_a_malformed_chunk_of_a_later_segment_ends_the_stream(tmp_path: Path) -> None:
    head = response("200 OK", "Transfer-Encoding: chunked", length=None)
    script = Script([head + b"5\r\nhello\r\n", b"zz\r\n"], pause=0.1)
    async with (
        scripted_media(lambda _request: script) as media,
        running_stack(tmp_path, clock=ManualClock(), valt_more='read_timeout = "1s"') as stack,
    ):
        stack.valt.knobs.link_host = f"127.0.0.1:{media.port}"
        async with asyncio.timeout(60):
            with pytest.raises(aiohttp.ClientError):
                await get(stack)
        await stack.ended()
        assert stack.audit()[-1]["outcome"] == "failed"


@pytest.mark.promise("media-M1")
async def test_m1_a_whole_body_that_ends_before_the_position_is_not_the_end(tmp_path: Path) -> None:
    head = response("200 OK", *VALIDATORS, "Accept-Ranges: bytes", "Transfer-Encoding: chunked", length=None)
    begin = Script([head + b"186a0\r\n" + FILM[:100_000] + b"\r\n"], close=True)
    shorter = head + b"a\r\n" + FILM[:10] + b"\r\n0\r\n\r\n"

    def respond(received: ReceivedRequest) -> Script:
        return Script([shorter]) if "Range" in received.headers else begin

    async with media_stack(tmp_path, respond) as (stack, _):
        with pytest.raises(aiohttp.ClientError):
            await get(stack)
        await stack.ended()
        assert stack.audit()[-1]["outcome"] == "failed"


@pytest.mark.promise("media-M1", "media-M2")
@pytest.mark.parametrize("is_too_long", [True, False], ids=["too long", "right"])
@pytest.mark.parametrize("is_rest", [False, True], ids=["first", "rest"])
@pytest.mark.parametrize("is_chunked", [False, True], ids=["until the end", "chunked"])
async def test_m2_a_part_with_more_bytes_than_its_content_range_is_a_visible_failure(
    tmp_path: Path, is_chunked: bool, is_rest: bool, is_too_long: bool
) -> None:
    begin = Script([whole()[: -SIZE // 3]], close=True)
    coding = ("Transfer-Encoding: chunked",) if is_chunked else ()

    def respond(received: ReceivedRequest) -> Script:
        if is_rest and "If-Range" not in received.headers:
            return begin
        first = int(received.headers["Range"][6:].partition("-")[0])
        last = SIZE - 1 if is_rest else first + 9
        body = FILM if is_too_long else FILM[first : last + 1]
        if is_chunked:
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        stated = f"Content-Range: bytes {first}-{last}/{SIZE}"
        head = response("206 X", "Content-Type: video/mp4", *VALIDATORS, stated, *coding, length=None)
        return Script([head + body], close=not is_chunked)

    fields = {} if is_rest else {"Range": "bytes=50-59"}
    async with media_stack(tmp_path, respond) as (stack, _):
        if is_too_long:
            with pytest.raises(aiohttp.ClientError):
                await get(stack, **fields)
        else:
            assert (await get(stack, **fields))[2] == (FILM if is_rest else FILM[50:60])
        await stack.ended()
        assert stack.audit()[-1]["outcome"] == ("failed" if is_too_long else "whole")


@pytest.mark.promise("media-M1", "media-M2")
@pytest.mark.parametrize("has_length", [True, False], ids=["with a length", "without"])
@pytest.mark.parametrize("is_chunked", [False, True], ids=["until the end", "chunked"])
async def test_m2_a_shorter_rest_with_more_bytes_than_stated_is_a_visible_failure(
    tmp_path: Path, is_chunked: bool, has_length: bool
) -> None:
    """Its body is the film from the first byte, and long enough to fill what the client waits for."""
    fields = "Content-Type: video/mp4", "Accept-Ranges: bytes", *VALIDATORS
    unknown = response("200 OK", *fields, "Transfer-Encoding: chunked", length=None)
    unknown += b"%x\r\n%b" % (SIZE, FILM)
    begin = Script([(whole(*fields) if has_length else unknown)[:-100_000]], close=True)
    coding = ("Transfer-Encoding: chunked",) if is_chunked else ()
    body = FILM[:100_000]
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if is_chunked else body

    def respond(received: ReceivedRequest) -> Script:
        if "Range" not in received.headers:
            return begin
        first = int(received.headers["Range"][6:].partition("-")[0])
        if first == SIZE:
            return Script([response("416 X", *VALIDATORS, f"Content-Range: bytes */{SIZE}")])
        stated = f"Content-Range: bytes {first}-{first + 9999}/{SIZE if has_length else '*'}"
        return Script([response("206 X", *fields, stated, *coding, length=None) + body], close=not is_chunked)

    async with media_stack(tmp_path, respond) as (stack, _):
        with pytest.raises(aiohttp.ClientError):
            await get(stack)
        await stack.ended()
        assert stack.audit()[-1]["outcome"] == "failed"


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_a_film_of_unknown_length_needs_http_1_1_on_a_unix_socket(tmp_path: Path, version: str) -> None:
    """An incomplete one would look complete: HTTP/1.0 has no last chunk, and a unix socket cannot be reset."""
    reply = response("200 OK", "Content-Type: video/mp4", "Transfer-Encoding: chunked", length=None)
    reply += b"5\r\nhello\r\n0\r\n\r\n"
    path = tmp_path / "public.sock"
    async with (
        scripted_media(lambda _request: reply) as media,
        running_stack(tmp_path, listen=f"unix:{path}") as stack,
    ):
        stack.valt.knobs.link_host = f"127.0.0.1:{media.port}"
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(request_head("GET", VIDEO_PATH, stack.bearer() | {"Connection": "close"}, version=version))
        received = await reader.read()
        writer.close()
        assert received.split(b" ", 2)[1] == (b"502" if version == "1.0" else b"200")
        assert (b"hello" in received) is (version == "1.1")
        await stack.ended()
        assert stack.audit()[-1]["event"] == ("deny" if version == "1.0" else "close")
