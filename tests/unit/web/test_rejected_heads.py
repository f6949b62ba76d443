"""Heads that are refused before a handler runs: a browser's navigation gets a page, everything else a document."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.web.request import HeadFields
from tests.support.browser import browser
from tests.support.client import Response, connect
from tests.support.gateway_fixture import GatewayStack, running_stack
from tests.support.generated import sequences

HOST = "Host: recordings.example.edu"
CHROMIUM = [
    HOST,
    "Upgrade-Insecure-Requests: 1",
    "User-Agent: Mozilla/5.0",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
    "Sec-Fetch-Site: none",
    "Sec-Fetch-Mode: navigate",
    "Sec-Fetch-User: ?1",
    "Sec-Fetch-Dest: document",
    "Accept-Encoding: gzip, deflate, br",
    "Accept-Language: de-AT,de;q=0.9",
]
SAFARI = [HOST, "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "Accept-Language: es"]
SCRIPT = [HOST, "Accept: */*", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty", "Accept-Language: de"]
PLAYER = [HOST, "Accept: text/html", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: video"]
CURL = [HOST, "Accept: */*"]
CLIENTS = {"chromium": CHROMIUM, "safari": SAFARI, "script": SCRIPT, "player": PLAYER, "curl": CURL, "bare": [HOST]}
PAGES = {"chromium": "Der Link ist zu lang", "safari": "El enlace es demasiado largo"}


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[GatewayStack]:
    async with running_stack(tmp_path) as running:
        yield running


def head_of(path: str, *fields: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", *fields, "", ""]).encode()


def pieces(head: bytes, size: int) -> Iterator[bytes]:
    return (head[start : start + size] for start in range(0, len(head), size))


async def exchange(stack: GatewayStack, head: bytes, size: int = 0) -> Response:
    """Sends *head*, with *size* in pieces of so many bytes, each of which the event loop has time to read."""
    async with connect(stack.url) as client:
        for piece in pieces(head, size or len(head)):
            await client.send(piece)
            await asyncio.sleep(0)
        return await client.read_response()


def assert_rejection(answer: Response, title: str | None, code: str = "headers_too_large", status: int = 431) -> None:
    assert answer.status == status
    headers = {name.lower(): value for name, value in answer.headers.items()}
    assert headers["x-request-id"]
    assert headers["server"] == "valt-gateway"
    assert b"marked-secret" not in answer.body
    if title is None:
        assert headers["content-type"] == "application/problem+json"
        assert json.loads(answer.body)["code"] == code
    else:
        assert headers["content-type"].startswith("text/html")
        assert headers["cache-control"] == "no-store"
        text = answer.body.decode()
        assert f"<h1>{title}</h1>" in text
        assert headers["x-request-id"] in text


@pytest.mark.promise("identity-I7", "findings-18")
@pytest.mark.parametrize("size", [8_200, 33_000, 200_000])
async def test_a_request_line_too_long_is_a_page_for_a_navigation(stack: GatewayStack, size: int) -> None:
    for client, fields in CLIENTS.items():
        head = head_of("/?ticket=marked-secret" + "x" * size, *fields)
        for segment in (0, 1_460):
            assert_rejection(await exchange(stack, head, segment), PAGES.get(client))


@pytest.mark.promise("identity-I7", "findings-18")
@pytest.mark.parametrize(("cookies", "size"), [(1, 8_200), (6, 8_000)])
async def test_cookies_too_large_are_a_page_for_a_navigation(stack: GatewayStack, cookies: int, size: int) -> None:
    titles = {"chromium": "Die Anfrage ist zu groß", "safari": "La petición es demasiado grande"}
    for client, fields in CLIENTS.items():
        head = head_of("/", *fields, *(f"Cookie: a=marked-secret{'x' * size}",) * cookies)
        for segment in (0, 1_460):
            assert_rejection(await exchange(stack, head, segment), titles.get(client))


async def test_a_long_line_whose_head_never_ends_is_answered_in_time(tmp_path: Path) -> None:
    limits = '[limits]\nrequest_timeout = "1s"\n'
    async with running_stack(tmp_path, more=limits) as stack:
        line = b"GET /" + b"x" * 9_000
        for sent, title in ((line, None), (head_of("/", *CHROMIUM)[:-2], "Die Anfrage hat zu lange gedauert")):
            assert_rejection(await exchange(stack, sent), title, "request_timeout", 408)
        answer = await exchange(stack, line + b" HTTP/1.1\r\n" + "\r\n".join(SAFARI).encode() + b"\r\nX: ")
        assert_rejection(answer, PAGES["safari"])


@pytest.mark.promise("security-S5")
@pytest.mark.parametrize(
    "rest", [b"\r\n\r\n", b"\r\n\r\n" + b"GET /robots.txt HTTP/1.1\r\nHost: x\r\n\r\n", b" 5\r\n\r\nhello"]
)
@pytest.mark.parametrize("line", [b"GET /" + b"a" * 9_000, b"GET /"])
async def test_a_refused_head_is_followed_no_further(stack: GatewayStack, line: bytes, rest: bytes) -> None:
    async with connect(stack.url) as client:
        await client.send(line)
        await client.send(b" HTTP/1.1\r\nContent-Length: " + b" " * 2_100)
        with suppress(ConnectionError):
            await client.send(rest)
        received = await client.read_to_end()
    assert received.startswith(b"HTTP/1.1 431 ")
    assert received.count(b"HTTP/1.1 ") == 1


async def test_a_line_without_end_is_refused_in_the_end(stack: GatewayStack) -> None:
    assert_rejection(await exchange(stack, b"GET /" + b"x" * 300_000), None)


async def test_a_head_in_pieces_within_the_limits_is_answered_like_any_other(stack: GatewayStack) -> None:
    cookies = [f"Cookie: a{n}={'x' * 8_000}" for n in range(3)]
    for size in (0, 100, 1_460, 8_190, 9_000):
        answer = await exchange(stack, head_of("/robots.txt", HOST, *cookies, "Connection: close"), size)
        assert (answer.status, b"Disallow" in answer.body) == (200, True)


async def test_what_a_large_head_says_does_not_count_for_the_next_one(stack: GatewayStack) -> None:
    async with connect(stack.url) as client:
        await client.send(head_of("/robots.txt", *CHROMIUM, f"Cookie: a={'x' * 8_000}"))
        assert (await client.read_response()).status == 200
        await client.send(b"GET / HTTP/1.1\r\nBad Header: x\r\nHost: x\r\n\r\n")
        assert_rejection(await client.read_response(), None, "bad_request", 400)


ROBOTS = head_of("/robots.txt", HOST)
LOGIN = f"POST /api/v3/login HTTP/1.1\r\n{HOST}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"


@pytest.mark.parametrize("first", [ROBOTS, b"\r\n" + ROBOTS, LOGIN.encode()], ids=["plain", "empty line", "body"])
async def test_a_request_is_answered_however_long_the_unfinished_head_after_it(
    stack: GatewayStack, first: bytes
) -> None:
    status = 401 if first.startswith(b"POST") else 200
    fields = b"".join(b"X-%d: %s\r\n" % (number, b"x" * 3_000) for number in range(4))
    allowed, refused = ROBOTS[:-2] + fields, b"GET /?" + b"x" * 9_000
    async with connect(stack.url) as client:
        await client.send(first + allowed)
        assert (await client.read_response()).status == status
        await client.send(b"\r\n" + first + refused)
        assert (await client.read_response()).status == 200
        assert (await client.read_response()).status == status
        await client.send(b" HTTP/1.1\r\n\r\n")
        assert_rejection(await client.read_response(), None)


async def test_a_request_is_answered_before_a_too_large_head_ends_the_connection(stack: GatewayStack) -> None:
    async with connect(stack.url) as client:
        await client.send(ROBOTS[:10])
        await client.send(ROBOTS[10:] + head_of("/", *(f"Cookie: {'x' * 8_000}",) * 5))
        received = await client.read_to_end()
    assert received.startswith(b"HTTP/1.1 200 ")
    assert received.count(b"HTTP/1.1 ") == 1


NAMES = ["Accept", "ACCEPT-LANGUAGE", "sec-fetch-mode", "Sec-Fetch-Dest", "Cookie", "X-Accept", "Accepts", ""]


@pytest.mark.promise("identity-I7")
@settings(max_examples=sequences(500), deadline=None)
@given(
    st.integers(0, 40),
    st.lists(st.tuples(st.sampled_from(NAMES), st.text("ab /;,:=\t", max_size=20)), max_size=12),
    st.lists(st.integers(1, 30), max_size=60),
)
def test_the_fields_are_read_wherever_the_head_is_divided(
    size: int, fields: list[tuple[str, str]], cuts: list[int]
) -> None:
    head = head_of("x" * size, *(f"{name}:{value}" for name, value in fields))
    reader, position = HeadFields(), 0
    for cut in [*cuts, len(head)]:
        reader.feed(head[position : position + cut])
        position += cut
    expected: dict[str, str] = {}
    for name, value in fields:
        if name.lower() in {"accept", "accept-language", "sec-fetch-mode", "sec-fetch-dest"}:
            expected.setdefault(name.lower(), value.strip())
    assert {name.lower(): value for name, value in reader.fields.items()} == expected
    cookies = [re.sub("=[^;]*", "=", value).strip() for name, value in fields if name == "Cookie"]
    assert reader.cookies == cookies[-1:]
    assert (reader.is_complete, reader.request_line_size) == (True, len(f"GET {'x' * size} HTTP/1.1\r"))


@pytest.mark.promise("identity-I7")
async def test_chromium_shows_the_page_for_a_link_that_is_too_long(stack: GatewayStack) -> None:
    async with browser() as chromium:
        page = await (await chromium.new_context(locale="en-GB")).new_page()
        for size in (8_200, 40_000):
            answer = await page.goto(f"{stack.url}/recordings?ticket={'x' * size}")
            assert answer is not None
            assert answer.status == 431
            assert await page.text_content("h1") == "The link is too long"
            assert await page.get_attribute("main a.button", "href") == "/"
