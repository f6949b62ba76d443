"""Requests that never end, by the ways that a client has to look as if one had ended."""

import asyncio
from pathlib import Path

import pytest
from yarl import URL

from gateway.web.request_validation import MAX_HEAD, HeadScanner
from tests.support.gateway_fixture import running_stack

LIMITS = '[limits]\nrequest_timeout = "1s"\n'
SWITCH = (
    b"POST /oauth2/switch HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 10\r\n\r\n"
)


@pytest.mark.parametrize("sent", [SWITCH, b"\r\n\r\n", b"\r\n\r\nGET / HTTP/1.1\r\n"], ids=["body", "empty", "head"])
async def test_what_never_ends_is_answered_with_408(tmp_path: Path, sent: bytes) -> None:
    async with running_stack(tmp_path, more=LIMITS) as stack:
        reader, writer = await asyncio.open_connection("127.0.0.1", URL(stack.url).port)
        writer.write(sent)
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 408 ")


def test_empty_lines_before_a_request_are_no_head() -> None:
    scanner = HeadScanner()
    assert scanner.feed(b"\r\n\r\n", MAX_HEAD)
    assert (scanner.completed, scanner.head_size) == (0, 0)
    assert not scanner.feed(b"\r\n\r\nGET / HTTP/1.1\r\n" + b"X" * MAX_HEAD, MAX_HEAD)
