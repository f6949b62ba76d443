"""What the listener does with malformed, ambiguous and pipelined requests, byte by byte."""

import asyncio
import gzip
import json
import re
from pathlib import Path

import pytest

from tests.support.client import connect
from tests.support.gateway_fixture import VIDEO_PATH, GatewayStack, running_stack

MARK = "c4n4ry-value"


async def exchange(stack: GatewayStack, *lines: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    """Sends a request as it is. Returns status, headers in lower case, and everything after the head until the end."""
    async with connect(stack.url) as connection:
        await connection.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        response = await connection.read_last_response()
    return response.status, {name.lower(): value for name, value in response.headers.items()}, response.body


def get(*lines: str, path: str = VIDEO_PATH, version: str = "1.1") -> tuple[str, ...]:
    return (f"GET {path} HTTP/{version}", "Host: x", *lines, "Connection: close")


def authorization(stack: GatewayStack) -> str:
    return f"Authorization: {stack.bearer()['Authorization']}"


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Content-Length: 1", "Content-Length: 2"),
        ("Content-Length: +1",),
        ("Content-Length: 0x1",),
        ("Content-Length: 1_0",),
        ("Content-Length: -1",),
        ("Content-Length:",),
        ("Content-Length: 1, 1",),
        (f"Content-Length: {'9' * 30}",),
        ("Transfer-Encoding: xchunked",),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding: \x0bchunked",),
        ("Transfer-Encoding : chunked",),
        ("Transfer-Encoding: gzip, chunked",),
        ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
        (f"X-A : {MARK}",),
        (f" X-A: {MARK}",),
        (f"X-A: a\x00{MARK}",),
        (f"X-A: a\x0b{MARK}\x01",),
        (f"X-A: a\x7f{MARK}",),
        (f"X-A: a\rX-B: {MARK}",),
        (f"X-A: a\nX-B: {MARK}",),
        ("X-A: a", f" {MARK}"),
        (f": {MARK}",),
        (f"X({MARK}: a",),
    ],
)
async def test_an_ambiguous_request_is_refused_and_not_repeated(stack: GatewayStack, lines: tuple[str, ...]) -> None:
    status, headers, body = await exchange(stack, *get(authorization(stack), *lines))
    assert status == 400
    problem = json.loads(body)
    assert problem["code"] == "bad_request"
    assert problem["request_id"] == headers["x-request-id"]
    assert MARK.encode() not in body
    assert MARK not in stack.log.getvalue()
    assert not stack.valt.calls


async def test_every_response_has_a_request_id_of_its_own(stack: GatewayStack) -> None:
    ids = [(await exchange(stack, *get(authorization(stack))))[1]["x-request-id"] for _ in range(20)]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[0-9a-f]{20}", request_id) for request_id in ids)


@pytest.mark.parametrize("version", ["0.9", "1.2", "2.0", "3.0"])
async def test_versions_other_than_http_1_are_refused(stack: GatewayStack, version: str) -> None:
    status, headers, _ = await exchange(stack, *get(authorization(stack), version=version))
    assert status == 400
    assert "x-request-id" in headers


@pytest.mark.promise("findings-5")
@pytest.mark.parametrize(
    "repeated",
    [
        ("Authorization: Bearer a",),
        ("Range: bytes=0-1", "Range: bytes=2-3"),
        ("X-Forwarded-User: anna", "X-Forwarded-User: ben"),
        ("X-Forwarded-Groups: a", "X-Forwarded-Groups: supervisors"),
        ("If-Range: a", "If-Range: b"),
    ],
)
async def test_a_repeated_security_header_is_a_bad_request(stack: GatewayStack, repeated: tuple[str, ...]) -> None:
    status, _, body = await exchange(stack, *get(authorization(stack), *repeated))
    assert (status, json.loads(body)["code"]) == (400, "bad_request")
    assert not stack.valt.calls


@pytest.mark.promise("identity-I20")
@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (f"http://evil.test{VIDEO_PATH}", 421),
        (f"http://localhost:8081{VIDEO_PATH}", 421),
        (f"http://localhost:8080@evil.test{VIDEO_PATH}", 421),
        (f"http://u:p@evil.test{VIDEO_PATH}", 421),
        (f"http://localhost:port{VIDEO_PATH}", 400),
        (f"//evil.test{VIDEO_PATH}", 400),
        (f"ftp://localhost:8080{VIDEO_PATH}", 400),
        (f"{VIDEO_PATH}#t=90", 400),
        ("http:///robots.txt", 400),
        ("*", 400),
    ],
)
async def test_a_target_for_another_authority_is_not_answered(stack: GatewayStack, target: str, expected: int) -> None:
    status, _, body = await exchange(stack, *get(authorization(stack), path=target))
    assert status == expected
    assert b"evil" not in body


@pytest.mark.promise("identity-I20")
@pytest.mark.parametrize("origin", ["http://localhost:8080", "HTTP://LOCALHOST:8080", "https://localhost:8080"])
async def test_a_target_in_absolute_form_is_answered_for_our_own_authority(stack: GatewayStack, origin: str) -> None:
    status, _, body = await exchange(stack, *get(path=f"{origin}/robots.txt"))
    assert (status, b"Disallow" in body) == (200, True)


@pytest.mark.promise("findings-2")
@pytest.mark.promise("identity-I20")
async def test_a_target_in_absolute_form_without_a_path_is_the_first_page(stack: GatewayStack) -> None:
    page, _, _ = await exchange(stack, *get(authorization(stack), path="/"))
    status, _, _ = await exchange(stack, *get(authorization(stack), path="http://localhost:8080"))
    assert (status, page) == (200, 200)


@pytest.mark.parametrize("path", [f"/{VIDEO_PATH}", f"/x/..{VIDEO_PATH}", VIDEO_PATH.upper(), f"{VIDEO_PATH}/"])
async def test_paths_are_not_normalised(stack: GatewayStack, path: str) -> None:
    status, headers, _ = await exchange(stack, *get(authorization(stack), path=path))
    assert status in (400, 404)
    assert "location" not in headers


@pytest.mark.promise("findings-4")
@pytest.mark.parametrize("host", ["evil.test", "evil.test/x?y", "a@evil.test", "a b", "x:99999"])
async def test_the_host_header_is_never_used(stack: GatewayStack, host: str) -> None:
    lines = (
        f"GET {VIDEO_PATH} HTTP/1.1",
        f"Host: {host}",
        authorization(stack),
        "Accept: application/json",
        "Connection: close",
    )
    status, headers, body = await exchange(stack, *lines)
    assert status in (200, 400)
    assert b"evil" not in body
    assert "evil" not in " ".join(headers.values())


async def test_forwarded_headers_of_an_untrusted_client_are_ignored(stack: GatewayStack) -> None:
    forwarded = (
        "X-Forwarded-For: 1.2.3.4",
        "X-Forwarded-Host: evil.test",
        "X-Forwarded-Proto: https",
        "Forwarded: for=1.2.3.4",
    )
    status, _, _ = await exchange(stack, *get(authorization(stack), *forwarded))
    assert status == 200
    assert stack.audit()[-1]["peer"] == "127.0.0.1"


@pytest.mark.parametrize("method", ["TRACE", "DELETE", "PUT", "OPTIONS", "get", "FOO"])
async def test_other_methods_are_refused_and_end_the_connection(stack: GatewayStack, method: str) -> None:
    status, _, _ = await exchange(stack, f"{method} {VIDEO_PATH} HTTP/1.1", "Host: x", authorization(stack))
    assert status in (400, 405)


async def test_connect_opens_no_tunnel(stack: GatewayStack) -> None:
    status, _, _ = await exchange(stack, "CONNECT x:80 HTTP/1.1", "Host: x", "Connection: close")
    assert status in (400, 404, 405)


async def test_an_upgrade_is_declined(stack: GatewayStack) -> None:
    status, headers, _ = await exchange(
        stack, *get(authorization(stack), "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
    )
    assert status in (200, 400)
    assert "upgrade" not in headers


@pytest.mark.promise("streams-29", "findings-18")
@pytest.mark.parametrize("size", [9_000, 200_000])
async def test_a_header_too_large_is_431(stack: GatewayStack, size: int) -> None:
    status, _, body = await exchange(stack, *get(f"X-A: {'a' * size}"))
    assert (status, json.loads(body)["code"]) == (431, "headers_too_large")


@pytest.mark.promise("streams-29", "findings-18")
async def test_too_many_headers_are_refused(stack: GatewayStack) -> None:
    status, _, _ = await exchange(stack, *get(*(f"X-{n}: a" for n in range(200))))
    assert status in (400, 431)


async def test_a_request_inside_a_body_is_not_answered(stack: GatewayStack) -> None:
    hidden = b"GET /robots.txt HTTP/1.1\r\nHost: x\r\n\r\n"
    status, _, rest = await exchange(stack, *get(f"Content-Length: {len(hidden)}", path="/robots.txt"), body=hidden)
    assert status == 200
    assert rest.count(b"Disallow") == 1


@pytest.mark.promise("findings-17")
async def test_a_thousand_malformed_requests_write_few_log_lines(stack: GatewayStack) -> None:
    for _ in range(1000):
        status, _, _ = await exchange(stack, "GET / HTTP/1.1", f"Bad Header {MARK}: x", "Host: x")
        assert status == 400
    stack.gateway.refusals.flush()
    log = stack.log.getvalue()
    assert MARK not in log
    assert log.count("\n") < 100
    metrics = await stack.metrics()
    assert metrics['valt_gateway_requests_total{method="other",route="other",status="400"}'] == 1000


@pytest.mark.parametrize("parameter", ["ticket", "download", "rd", "access_token"])
async def test_a_repeated_query_parameter_is_a_bad_request(stack: GatewayStack, parameter: str) -> None:
    status, _, body = await exchange(
        stack, *get(authorization(stack), path=f"{VIDEO_PATH}?{parameter}=a&{parameter}=b")
    )
    assert (status, json.loads(body)["code"]) == (400, "bad_request")


async def test_other_query_parameters_are_ignored_and_not_passed_on(stack: GatewayStack) -> None:
    status, _, _ = await exchange(stack, *get(authorization(stack), path=f"{VIDEO_PATH}?t=90&utm=x&t=91"))
    assert status == 200
    assert "utm" not in stack.valt.media_requests[-1].path


async def test_an_unsupported_expectation_is_refused_and_not_repeated(stack: GatewayStack) -> None:
    for path in (VIDEO_PATH, "/nowhere"):
        status, headers, body = await exchange(stack, *get(authorization(stack), f"Expect: {MARK}", path=path))
        assert (status, json.loads(body)["code"]) == (400, "bad_request")
        assert "x-request-id" in headers
        assert MARK.encode() not in body


@pytest.mark.parametrize("line", ['If-None-Match: "\xe2"', "Range: bytes=0-5\xe2", "If-Range: \xff"])
async def test_invalid_bytes_in_a_condition_are_ignored(stack: GatewayStack, line: str) -> None:
    status, _, _ = await exchange(stack, *get(authorization(stack), line))
    assert status == 200


async def test_a_service_key_with_invalid_bytes_is_refused(stack: GatewayStack) -> None:
    status, _, body = await exchange(stack, *get("Authorization: Bearer vgk_\xff"))
    assert (status, json.loads(body)["code"]) == (401, "credentials_invalid")


async def test_a_body_without_length_ends_with_the_connection_in_http_1_0(stack: GatewayStack) -> None:
    stack.valt.knobs.chunked = True
    status, headers, body = await exchange(stack, *get(authorization(stack), version="1.0"))
    film = stack.valt.recordings[0].films[0].content
    assert (status, "transfer-encoding" in headers) == (200, False)
    assert body == film


def redirected(stack: GatewayStack, *lines: str, method: str = "GET") -> bytes:
    """A request on a kept connection, by a subject whose rule redirects."""
    bearer = f"Authorization: {stack.bearer('anna', 'redirected')['Authorization']}"
    return "\r\n".join([f"{method} {VIDEO_PATH} HTTP/1.1", "Host: x", bearer, *lines, "", ""]).encode()


async def response_heads(stack: GatewayStack, *pieces: bytes, count: int) -> list[list[str]]:
    """The lines of *count* bodiless responses on one connection to which *pieces* are written one by one."""
    async with connect(stack.url) as connection:
        for piece in pieces:
            await connection.send(piece)
            await asyncio.sleep(0)
        heads = [await connection.read_head() for _ in range(count)]
    return [head.raw_head.decode().removesuffix("\r\n\r\n").split("\r\n") for head in heads]


def lasting_headers(head: list[str]) -> list[str]:
    """The status line and the headers that do not differ from one request to the next."""
    return sorted(line for line in head if not line.startswith(("Date: ", "X-Request-ID: ")))


@pytest.mark.parametrize(
    ("method", "lines"), [("GET", ()), ("HEAD", ()), ("GET", ("Range: bytes=0-1", "Accept: */*", "Cookie: a=b"))]
)
async def test_pipelined_requests_get_the_responses_of_single_ones(
    stack: GatewayStack, method: str, lines: tuple[str, ...]
) -> None:
    request = redirected(stack, *lines, method=method)
    [single] = await response_heads(stack, request, count=1)
    pipelined = await response_heads(stack, request + request, count=2)
    assert single[0] == "HTTP/1.1 307 Temporary Redirect"
    assert [lasting_headers(head) for head in pipelined] == [lasting_headers(single)] * 2


async def test_responses_come_in_the_order_of_their_requests(stack: GatewayStack) -> None:
    moved, refused = redirected(stack), redirected(stack).replace(b"Authorization: Bearer", b"X-Not: ")
    heads = await response_heads(stack, moved + refused.replace(b"GET", b"HEAD") + moved, moved, count=4)
    assert [head[0].split(" ")[1] for head in heads] == ["307", "401", "307", "307"]


FOLLOWING = b"GET /robots.txt HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.promise("security-S11")
@pytest.mark.parametrize(
    "first",
    [
        ("GET / HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: eA=="),
        ("GET / HTTP/1.1", "Connection: Upgrade", "Upgrade: h2c"),
        ("GET / HTTP/1.1", "Upgrade: websocket"),
        ("CONNECT /robots.txt HTTP/1.1",),
        ("CONNECT localhost:8080 HTTP/1.1",),
    ],
)
async def test_connect_and_upgrade_end_the_connection(stack: GatewayStack, first: tuple[str, ...]) -> None:
    async with connect(stack.url) as connection:
        await connection.send("\r\n".join([*first, "Host: x", "", ""]).encode() + FOLLOWING)
        received = await connection.read_to_end()
    assert received.count(b"HTTP/1.1 ") == 1
    assert b"\r\nConnection: close\r\n" in received


@pytest.mark.promise("security-S11")
@pytest.mark.parametrize("path", ["/api/v3/login", "/oauth2/switch"])
async def test_an_upgrade_whose_body_was_read_ends_the_connection(stack: GatewayStack, path: str) -> None:
    first = (f"POST {path} HTTP/1.1", "Host: x", "Connection: Upgrade", "Upgrade: h2c", "Content-Length: 2", "", "{}")
    async with connect(stack.url) as connection:
        await connection.send("\r\n".join(first).encode() + FOLLOWING)
        received = await connection.read_to_end()
    assert received.count(b"HTTP/1.1 ") == 1
    assert b"\r\nConnection: close\r\n" in received


@pytest.mark.promise("security-S11")
@pytest.mark.parametrize("host", ["x, y", "a@b", "a/b", "[::1", "[::1]x", "a b", "x:1x", "x:y:1", "\xff"])
async def test_a_host_header_that_names_no_host_is_a_bad_request(stack: GatewayStack, host: str) -> None:
    status, _, _ = await exchange(stack, "GET /robots.txt HTTP/1.1", f"Host: {host}", "Connection: close")
    assert status == 400


@pytest.mark.parametrize("host", ["", "x", "x:", "x:80", "A.example", "xn--bcher-kva.example", "[::1]:80", "192.0.2.1"])
async def test_every_host_that_can_be_one_is_accepted(stack: GatewayStack, host: str) -> None:
    status, _, _ = await exchange(stack, "GET /robots.txt HTTP/1.1", f"Host: {host}", "Connection: close")
    assert status == 200


@pytest.mark.promise("bounds-S6", "security-S6")
@pytest.mark.parametrize("body", [b"abcdefgh", gzip.compress(bytes(10_000_000))], ids=["damaged", "bomb"])
async def test_a_compressed_body_is_not_decompressed_and_logs_no_error(stack: GatewayStack, body: bytes) -> None:
    head = ("POST /api/v3/login HTTP/1.1", "Host: x", "Content-Encoding: gzip", f"Content-Length: {len(body)}", "", "")
    async with connect(stack.url) as connection:
        await connection.send("\r\n".join(head).encode() + body)
        response = await connection.read_response()
    stack.gateway.refusals.flush()
    assert response.status == 500  # VALT's answer to a body that it cannot read
    assert '"level":"error"' not in stack.log.getvalue()


@pytest.mark.promise("security-S6")
@pytest.mark.parametrize("character", ["a", "\xe9", "\x85"])
async def test_a_long_header_of_anybody_is_shortened_before_it_is_escaped(stack: GatewayStack, character: str) -> None:
    fields = (f"{name}: {character * 8000}" for name in ("Range", "User-Agent", "Referer", "X-Request-ID"))
    status, _, _ = await exchange(stack, *get(*fields))
    assert status == 401
    stack.gateway.refusals.flush()
    assert len(stack.audit()[-1]["range"]) == 200
    lines = [*(stack.folder / "audit.jsonl").read_text().splitlines(), *stack.log.getvalue().splitlines()]
    assert max(len(line) for line in lines) < 2500


@pytest.mark.promise("security-S11")
@pytest.mark.parametrize(
    "first",
    [
        ("GET /robots.txt HTTP/1.1", "Content-Length: 1000"),
        ("GET /robots.txt HTTP/1.1", "Transfer-Encoding: chunked"),
        ("POST /oauth2/sign_out HTTP/1.1", "Content-Length: 1000"),
    ],
)
async def test_an_unread_body_ends_the_connection(stack: GatewayStack, first: tuple[str, ...]) -> None:
    async with connect(stack.url) as connection:
        await connection.send("\r\n".join([*first, "Host: x", "", ""]).encode())
        response = await connection.read_response()
        await connection.send(FOLLOWING)
        assert await connection.read_to_end() == b""
    assert response.headers["Connection"] == "close"


@pytest.mark.promise("security-S3")
@pytest.mark.parametrize(
    ("framing", "body"),
    [
        ("Content-Length: 10", b""),
        ("Content-Length: 10", b"{"),
        ("Transfer-Encoding: chunked", b""),
        ("Transfer-Encoding: chunked", b"5;extension=" + b"x" * 1000),
        ("Transfer-Encoding: chunked", b"5\r\n{"),
    ],
    ids=["length, nothing", "length, one byte", "chunked, nothing", "chunked, endless extension", "chunked, one byte"],
)
async def test_a_body_that_does_not_arrive_in_time_is_408(tmp_path: Path, framing: str, body: bytes) -> None:
    limits = '[limits]\nrequest_timeout = "50ms"'
    async with running_stack(tmp_path, more=limits) as stack, connect(stack.url) as connection:
        head = ("POST /api/v3/login HTTP/1.1", "Host: x", "Content-Type: application/json", framing, "", "")
        await connection.send("\r\n".join(head).encode() + body)
        response = await connection.read_response()
    assert response.status == 408


async def test_a_request_that_arrives_byte_by_byte_gets_the_same_response(stack: GatewayStack) -> None:
    request = redirected(stack)
    [whole] = await response_heads(stack, request, count=1)
    [pieces] = await response_heads(stack, *(bytes([byte]) for byte in request), count=1)
    assert lasting_headers(pieces) == lasting_headers(whole)


async def test_the_last_response_of_a_connection_announces_its_end(stack: GatewayStack) -> None:
    status, headers, _ = await exchange(stack, *redirected(stack, "Connection: close").decode().split("\r\n")[:-2])
    assert (status, headers["connection"]) == (307, "close")


async def test_each_redirect_has_one_audit_line(stack: GatewayStack) -> None:
    await response_heads(stack, redirected(stack) * 2, count=2)
    assert [(line["event"], line["status"], line["delivery"]) for line in stack.audit()] == [
        ("open", 307, "redirect")
    ] * 2


async def test_no_redirect_is_sent_while_the_audit_cannot_be_written(stack: GatewayStack) -> None:
    audit, headers = stack.folder / "audit.jsonl", stack.bearer("anna", "redirected")

    async def four_at_once() -> list[tuple[int, bool]]:
        async def once() -> tuple[int, bool]:
            async with stack.client.get(stack.url + VIDEO_PATH, headers=headers, allow_redirects=False) as response:
                return response.status, "Location" in response.headers

        return await asyncio.gather(*(once() for _ in range(4)))

    assert await four_at_once() == [(307, True)] * 4
    audit.unlink()
    audit.symlink_to("/dev/full")
    stack.gateway.audit.reopen()
    assert await four_at_once() == [(503, False)] * 4
    audit.unlink()
    stack.gateway.audit.reopen()
    assert await four_at_once() == [(307, True)] * 4
    assert [line["event"] for line in stack.audit()] == ["deny"] * 4 + ["open"] * 4


async def test_the_audit_names_the_request_id_of_a_trusted_proxy(tmp_path: Path) -> None:
    for trusted, expected in (('trusted_proxies = ["127.0.0.1/32"]', "front-7"), ("", None)):
        folder = tmp_path / str(expected)
        folder.mkdir()
        async with running_stack(folder, server=trusted) as stack:
            headers = stack.bearer() | {"X-Request-ID": "front-7"}
            async with stack.client.get(stack.url + VIDEO_PATH, headers=headers) as answer:
                await answer.read()
                assert answer.headers["X-Request-ID"] != "front-7"
            await stack.ended()
            assert {line["front_request_id"] for line in stack.audit()} == {expected}
