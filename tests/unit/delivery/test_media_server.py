"""MediaServer over real sockets: which path a request takes, what is sent again, and which redirects are followed."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import cast
from urllib.parse import urlsplit

import aiohttp
import pytest

from gateway.delivery.client_stream import ClientStream
from gateway.delivery.media_response import BodyInterruptedError
from gateway.delivery.media_server import MediaServer
from gateway.delivery.verdicts import Representation
from gateway.errors import LinkRefusedError, ValtResponseError, ValtTimeoutError, ValtUnavailableError
from gateway.model import Link, Secret
from gateway.valt.allowed_hosts import AllowedHosts, parse_link
from tests.support.scripted_media import Respond, Script, ScriptedMedia, in_turn, response, scripted_media
from tests.unit.delivery.ends import client_context, server_context

PLAIN = response("200 OK", body=b"hello")
EMPTY = response("200 OK")
CHUNKED = response("200 OK", "Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n", length=None)


@asynccontextmanager
async def media_server(
    respond: Respond, *, encrypted: bool = False, connect_timeout: float = 10, read_timeout: float = 2
) -> AsyncIterator[tuple[ScriptedMedia, MediaServer, Link]]:
    """A media server, the client under test, and a link to a film there."""
    connector = aiohttp.TCPConnector(force_close=True, ssl=client_context())
    tls = server_context() if encrypted else None
    async with scripted_media(respond, tls=tls) as server, aiohttp.ClientSession(connector=connector) as session:
        hosts = AllowedHosts.of("http://localhost", [])
        client = MediaServer(
            session,
            client_context(),
            partial(parse_link, allowed_hosts=hosts, fetched_at=0.0),
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
        )
        try:
            yield server, client, Link(Secret(server.url()), None, None)
        finally:
            client.close()


async def test_the_first_request_opens_a_connection_of_the_spliced_path() -> None:
    async with media_server(in_turn(PLAIN)) as (_, client, link):
        media = await client.get(link, {})
        assert (media.status, media.spliced) == (200, True)
        media.close()


async def test_the_second_request_uses_the_first_ones_connection() -> None:
    async with media_server(in_turn(EMPTY, EMPTY)) as (server, client, link):
        (await client.get(link, {})).close()
        (await client.get(link, {})).close()
        assert len(server.connections) == 1


async def test_an_unread_body_that_came_with_the_head_is_discarded() -> None:
    async with media_server(in_turn(PLAIN, PLAIN)) as (server, client, link):
        for _ in range(2):
            (await client.get(link, {})).close()
        assert len(server.connections) == 1


async def test_a_connection_that_the_server_closed_meanwhile_is_replaced_unseen() -> None:
    async with media_server(in_turn(EMPTY, Script([], close=True), PLAIN)) as (server, client, link):
        (await client.get(link, {})).close()
        media = await client.get(link, {})
        assert media.status == 200
        media.close()
        assert len(server.connections) == 2


@pytest.mark.promise("media-M11")
async def test_m11_a_408_on_a_reused_connection_is_no_response_to_the_request() -> None:
    async with media_server(in_turn(EMPTY, response("408 Request Timeout"), PLAIN)) as (server, client, link):
        (await client.get(link, {})).close()
        media = await client.get(link, {})
        assert media.status == 200
        media.close()
        assert [request.connection for request in server.requests] == [0, 0, 1]


async def test_an_unsupported_response_selects_the_buffered_path_for_a_minute() -> None:
    async with media_server(in_turn(CHUNKED, CHUNKED, CHUNKED)) as (server, client, link):
        (await client.get(link, {})).close()
        media = await client.get(link, {})
        assert (media.status, media.spliced) == (200, False)
        media.close()
        assert len(server.requests) == 3


@pytest.mark.promise("media-M8")
@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden", "404 Not Found", "416 X", "503 X"])
async def test_m8_a_chunked_error_leaves_the_server_on_the_spliced_path(status: str) -> None:
    error = response(status, "Transfer-Encoding: chunked", body=b"2\r\nno\r\n0\r\n\r\n", length=None)
    async with media_server(in_turn(error, PLAIN)) as (server, client, link):
        first = await client.get(link, {})
        assert (first.status, first.spliced) == (int(status[:3]), True)
        first.close()
        second = await client.get(link, {})
        assert second.spliced
        second.close()
        assert len(server.requests) == 2


@pytest.mark.promise("media-M8")
async def test_m8_chunked_parts_leave_the_server_on_the_spliced_path() -> None:
    fields = ("Content-Type: multipart/byteranges; boundary=x", "Transfer-Encoding: chunked")
    parts = response("206 Partial Content", *fields, body=b"0\r\n\r\n", length=None)
    async with media_server(in_turn(parts, parts, PLAIN)) as (_, client, link):
        first = await client.get(link, {"Range": "bytes=0-1,4-5"})
        assert (first.status, first.spliced) == (206, False)
        first.close()
        second = await client.get(link, {})
        assert second.spliced
        second.close()


@pytest.mark.promise("media-M16")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("absolute", [True, False])
async def test_m16_one_redirect_to_an_allowed_host_is_followed(status: int, absolute: bool) -> None:
    async with scripted_media(in_turn(PLAIN)) as storage:
        target = storage.url("/store/a%2Fb.mp4?sig=x%2By") if absolute else "/store/a%2Fb.mp4?sig=x%2By"
        redirect = response(f"{status} X", f"Location: {target}")
        replies = in_turn(redirect) if absolute else in_turn(redirect, PLAIN)
        async with media_server(replies) as (server, client, link):
            media = await client.get(link, {"Range": "bytes=0-4"})
            media.close()
            last = storage.requests[-1] if absolute else server.requests[-1]
            assert (media.status, last.target, last.headers["Range"]) == (
                200,
                "/store/a%2Fb.mp4?sig=x%2By",
                "bytes=0-4",
            )


@pytest.mark.promise("media-M16")
@pytest.mark.parametrize(
    "target", ["http://127.0.0.1/x.mp4", "ftp://localhost/x", "//other.example/x", "http://localhost@evil/x", "https:x"]
)
async def test_m16_a_redirect_to_where_no_link_may_lead_is_refused(target: str) -> None:
    async with media_server(in_turn(response("302 Found", f"Location: {target}"))) as (server, client, link):
        with pytest.raises(LinkRefusedError):
            await client.get(link, {})
        assert len(server.requests) == 1


@pytest.mark.promise("media-M16")
async def test_m16_a_second_redirect_is_not_followed() -> None:
    redirect = response("302 Found", "Location: /again.mp4")
    async with media_server(in_turn(redirect, redirect, PLAIN)) as (server, client, link):
        media = await client.get(link, {})
        media.close()
        assert media.status == 302
        assert len(server.requests) == 2


@pytest.mark.promise("media-M5")
@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_m5_a_late_body_of_a_response_without_one_reaches_no_other_request(status: str) -> None:
    late = Script([response(status, length=5), response("200 OK", body=b"wrong")], pause=0.05)
    async with media_server(in_turn(late, PLAIN)) as (server, client, link):
        (await client.get(link, {"If-None-Match": '"a"'})).close()
        media = await client.get(link, {})
        assert media.headers["Content-Length"] == "5"
        media.close()
        assert [request.connection for request in server.requests] == [0, 1]


@pytest.mark.promise("media-M5")
async def test_m5_the_buffered_path_reuses_no_connection() -> None:
    not_modified = response("304 Not Modified", length=None)
    async with media_server(in_turn(CHUNKED, CHUNKED, not_modified, CHUNKED)) as (server, client, link):
        for _ in range(3):
            (await client.get(link, {})).close()
        assert [request.connection for request in server.requests] == [0, 1, 2, 3]


async def test_a_server_that_does_not_respond_is_a_timeout_without_its_url() -> None:
    async with media_server(lambda _request: Script([])) as (_, client, link):
        with pytest.raises(ValtTimeoutError) as error:
            await client.get(link, {})
        assert "localhost" not in str(error.value)


async def test_a_server_that_cannot_be_reached_is_unavailable_without_its_url() -> None:
    async with media_server(in_turn()) as (server, _client, _link):
        pass
    async with media_server(in_turn()) as (_, client, _unused):
        with pytest.raises(ValtUnavailableError) as error:
            await client.get(Link(Secret(server.url()), None, None), {})
        assert urlsplit(server.url()).path not in str(error.value)


@dataclass
class Counter:
    """What a MediaResponse needs of a ClientStream."""

    sent: int = 0

    async def write(self, piece: bytes) -> None:
        self.sent += len(piece)


@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("end", ["clean", "cut", "reset"])
async def test_a_body_without_length_is_whole_only_if_its_connection_ended_cleanly(encrypted: bool, end: str) -> None:
    """Of a plain connection a FIN is a clean end; with TLS only close_notify is (RFC 9112, section 9.8)."""
    head = response("200 OK", "Content-Type: video/mp4", length=None)
    script = Script([head + bytes(100_000)], close=True, end=end)
    async with media_server(lambda _request: script, encrypted=encrypted) as (_, client, link):
        media, counter = await client.get(link, {}), Counter()
        if end == "clean" or (end == "cut" and not encrypted):
            await media.relay(cast("ClientStream", counter), 0, None, must_end=False)
            assert counter.sent == 100_000
        else:
            with pytest.raises(BodyInterruptedError, match="dropped"):
                await media.relay(cast("ClientStream", counter), 0, None, must_end=False)
        media.close()


@pytest.mark.parametrize("encrypted", [False, True])
async def test_a_reset_after_a_whole_part_without_length_logs_no_error(encrypted: bool) -> None:
    messages: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: messages.append(context["message"]))
    head = response("206 X", "Content-Type: video/mp4", "Content-Range: bytes 0-99999/300000", length=None)
    script = Script([head + bytes(100_000)], close=True, end="reset")
    async with media_server(lambda _request: script, encrypted=encrypted) as (_, client, link):
        media, counter = await client.get(link, {}), Counter()
        await media.relay(cast("ClientStream", counter), 0, 100_000, must_end=True)
        media.close()
        del media
    gc.collect()
    assert counter.sent == 100_000
    assert not [message for message in messages if "never retrieved" in message]


async def test_what_is_not_http_is_a_wrong_response_and_not_a_server_that_is_down() -> None:
    for reply in (
        response("200 OK", "Content-Length: 5", "Content-Length: 6", body=b"hello", length=None),
        response("200 OK", "Content-Length: 5, 5", body=b"hello", length=None),
        response("200 OK", "Transfer-Encoding: chunked", "Content-Length: 5", body=b"hello", length=None),
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    ):
        async with media_server(lambda _request, reply=reply: Script([reply], close=True)) as (_, client, link):  # type: ignore[misc]
            with pytest.raises(ValtResponseError):
                await client.get(link, {})


async def test_interim_responses_without_end_are_refused_and_not_requested_again() -> None:
    endless = Script([b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100] * 100)
    async with media_server(lambda _request: endless) as (server, client, link):
        with pytest.raises(ValtResponseError):
            await client.get(link, {})
        assert len(server.requests) == 1


async def test_interim_responses_through_aiohttp_end_with_the_timeout() -> None:
    endless = Script([b"HTTP/1.1 100 Continue\r\n\r\n"] * 1000, pause=0.02)
    async with (
        asyncio.timeout(15),
        media_server(
            in_turn(CHUNKED, CHUNKED, endless, endless, PLAIN), connect_timeout=0.2, read_timeout=0.2
        ) as opened,
    ):
        _, client, link = opened
        (await client.get(link, {})).close()
        requests = (client.get(link, {}), client.read_range(link, 0, 5, None))
        errors = await asyncio.gather(*requests, return_exceptions=True)
        assert [type(error) for error in errors] == [ValtTimeoutError, ValtTimeoutError]
        media = await client.get(link, {})
        assert media.spliced, "the spliced path bounds interim responses earlier"
        media.close()


@pytest.mark.promise("media-M14")
@pytest.mark.parametrize("interim", [False, True], ids=["lines", "interim responses"])
async def test_m14_a_head_through_aiohttp_that_is_never_silent_is_no_timeout(interim: bool) -> None:
    status_line, *rest = CHUNKED.splitlines(keepends=True)
    lines = [status_line, *[b"X: y\r\n"] * 8, b"".join(rest)]
    pieces = [*[b"HTTP/1.1 102 Processing\r\n\r\n"] * 8, CHUNKED] if interim else lines
    async with media_server(
        in_turn(CHUNKED, CHUNKED, Script(pieces, pause=0.1)), connect_timeout=0.2, read_timeout=0.4
    ) as (_, client, link):
        (await client.get(link, {})).close()
        media = await client.get(link, {})
        assert (media.status, media.spliced) == (200, False)
        media.close()


@pytest.mark.parametrize("changed", [False, True])
async def test_a_part_for_the_index_is_of_the_same_file_also_after_a_redirect(changed: bool) -> None:
    etag = '"2"' if changed else '"1"'
    moved = response("302 Found", "Location: /other.mp4")
    part = response("206 Partial Content", "Content-Range: bytes 2-4/9", f"ETag: {etag}", body=b"abc")
    body = Representation(0, 9, 9, '"1"')
    async with media_server(in_turn(moved, part)) as (server, client, link):
        if changed:
            with pytest.raises(ValtUnavailableError):
                await client.read_range(link, 2, 3, body)
        else:
            assert await client.read_range(link, 2, 3, body) == b"abc"
        assert [request.target for request in server.requests] == ["/film.mp4", "/other.mp4"]


MODIFIED = "Tue, 24 Nov 2026 08:00:00 GMT"
TAGGED, DATED = Representation(0, 9, 9, '"1"', MODIFIED), Representation(0, 9, 9, None, MODIFIED)


@pytest.mark.promise("media-M1", "media-M3")
@pytest.mark.parametrize(
    ("body", "status", "fields", "is_used"),
    [
        (TAGGED, "206 X", ("Content-Range: bytes 2-4/9", 'ETag: "1"'), True),
        (TAGGED, "206 X", ("Content-Range: bytes 2-4/*", 'ETag: "1"'), True),
        (DATED, "206 X", ("Content-Range: bytes 2-4/9", f"Last-Modified: {MODIFIED}"), True),
        (TAGGED, "206 X", ("Content-Range: bytes 2-4/10", 'ETag: "1"'), False),
        (TAGGED, "206 X", ("Content-Range: bytes 2-5/9", 'ETag: "1"'), False),
        (TAGGED, "206 X", ("Content-Range: bytes 1-3/9", 'ETag: "1"'), False),
        (TAGGED, "206 X", ("Content-Range: bytes 2-4/9", f"Last-Modified: {MODIFIED}"), False),
        (TAGGED, "206 X", ("Content-Range: bytes 2-4/9", 'ETag: "1"', "Last-Modified: another"), False),
        (TAGGED, "206 X", ("Content-Range: bytes 2-4/9",), False),
        (DATED, "206 X", ("Content-Range: bytes 2-4/*", f"Last-Modified: {MODIFIED}"), False),
        (DATED, "206 X", ("Content-Range: bytes 2-4/9",), False),
        (Representation(0, 9, 9), "206 X", ("Content-Range: bytes 2-4/9",), False),
        (TAGGED, "200 X", ('ETag: "1"',), False),
        (None, "206 X", ("Content-Range: bytes 2-4/9",), True),
        (None, "206 X", ("Content-Range: bytes 2-5/9",), False),
    ],
)
async def test_a_part_for_the_index_is_used_only_if_it_is_that_part_of_the_same_file(
    body: Representation | None, status: str, fields: tuple[str, ...], is_used: bool
) -> None:
    async with media_server(in_turn(response(status, *fields, body=b"abc"))) as (_, client, link):
        if is_used:
            assert await client.read_range(link, 2, 3, body) == b"abc"
        else:
            with pytest.raises(ValtUnavailableError):
                await client.read_range(link, 2, 3, body)


async def test_a_part_for_the_index_that_is_longer_than_it_states_is_not_used() -> None:
    fields = ("Content-Range: bytes 2-4/9", 'ETag: "1"', "Transfer-Encoding: chunked")
    for chunk, is_used in ((b"3\r\nabc\r\n0\r\n\r\n", True), (b"4\r\nabcd\r\n0\r\n\r\n", False)):
        part = response("206 X", *fields, body=chunk, length=None)
        async with media_server(in_turn(part)) as (_, client, link):
            if is_used:
                assert await client.read_range(link, 2, 3, TAGGED) == b"abc"
            else:
                with pytest.raises(ValtUnavailableError):
                    await client.read_range(link, 2, 3, TAGGED)
