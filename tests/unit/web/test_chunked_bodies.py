"""Bodies in chunks that are malformed, endless or followed by fields that claim to be headers."""

import contextlib
from pathlib import Path

import pytest

from tests.support.client import connect
from tests.support.gateway_fixture import GatewayStack, running_stack

HEAD = "\r\n".join(
    (
        "POST /api/v3/login HTTP/1.1",
        "Host: x",
        "Content-Type: application/json",
        "Transfer-Encoding: chunked",
        "X-Front-Secret: {secret}",
        "",
        "",
    )
)
SECOND = b"GET /oauth2/userinfo HTTP/1.1\r\nHost: x\r\n\r\n"
"""A request that a server answers if it takes the malformed chunk for the end of a body."""


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.parametrize(
    "body",
    [
        b"0x1\r\n{\r\n0\r\n\r\n",
        b"-1\r\n{\r\n0\r\n\r\n",
        b"+1\r\n{\r\n0\r\n\r\n",
        b"1_0\r\n{\r\n0\r\n\r\n",
        b"10000000000000001\r\n{\r\n0\r\n\r\n",
        b"\r\n{\r\n0\r\n\r\n",
        b"1\n{\n0\n\n",
        b"1;a\nb\r\n{\r\n0\r\n\r\n",
        b"1\r\n{}\r\n0\r\n\r\n",
        b"1 \r\r\n{\r\n0\r\n\r\n",
        b"1;" + b"a" * 100_000 + b"\r\n{\r\n0\r\n\r\n",
    ],
    ids=lambda body: ascii(body[:12]),
)
async def test_a_malformed_chunk_ends_the_connection_and_nothing_after_it_is_answered(
    tmp_path: Path, body: bytes
) -> None:
    # A fault that shows in a later segment than that of the head ends the connection at the deadline.
    async with running_stack(tmp_path, more='[limits]\nrequest_timeout = "2s"\n') as stack:
        async with connect(stack.url) as connection:
            await connection.send(HEAD.format(secret=stack.front_secret).encode() + body + SECOND)
            received, _ = await connection.read_until_reset()
        assert received.count(b"HTTP/1.1 ") <= 1
        assert b" 200 " not in received
        assert not stack.valt.calls


@pytest.mark.parametrize("piece", [b"1;" + b"a" * 65_536, b"a" * 65_536], ids=["extension", "size"])
async def test_a_chunk_head_without_end_uses_no_memory(stack: GatewayStack, piece: bytes) -> None:
    """How long it may go on is bounded by ``limits.request_timeout``, as any other body."""
    async with connect(stack.url) as connection:
        await connection.send(HEAD.format(secret=stack.front_secret).encode())
        before = resident_bytes()
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            for _ in range(1000):
                await connection.send(piece)
        assert resident_bytes() - before < 32 * 1024 * 1024


async def test_a_trailer_field_names_nobody(stack: GatewayStack) -> None:
    """RFC 9110, section 6.5.1: a trailer field must not be merged into the header fields."""
    trailers = "".join(f"{name}: {value}\r\n" for name, value in stack.front("anna").items())
    head = "POST /api/v3/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
    head += f"X-Front-Secret: {stack.front_secret}\r\nTrailer: X-Forwarded-User\r\n\r\n"
    async with connect(stack.url) as connection:
        await connection.send((head + "2\r\n{}\r\n0\r\n" + trailers + "\r\n").encode())
        response = await connection.read_last_response()
    assert response.status == 401
    assert not stack.valt.calls
