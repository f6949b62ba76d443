"""A gateway that stops: what becomes of the streams and requests that have not ended."""

import asyncio
from pathlib import Path

import pytest

from tests.e2e.test_media_servers import DATE, FILM, media_stack
from tests.support.client import connect, request
from tests.support.gateway_fixture import VIDEO_PATH
from tests.support.scripted_media import Script, response

HALF = len(FILM) // 2
CHUNKED = response(
    "200 OK", "Content-Type: video/mp4", f"Last-Modified: {DATE}", "Transfer-Encoding: chunked", length=None
)
STATED = response("200 OK", "Content-Type: video/mp4", f"Last-Modified: {DATE}", length=len(FILM))


def unfinished(head: bytes) -> Script:
    """Half of the film, and nothing after it for longer than any test."""
    size = b"%x\r\n" % HALF if head is CHUNKED else b""
    return Script([head + size + FILM[:HALF], b""], pause=60)


@pytest.mark.promise("streams-23")
@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("head", [CHUNKED, STATED], ids=["chunked", "stated"])
async def test_a_stop_without_a_drain_resets_running_streams_and_audits_a_cut(
    tmp_path: Path, head: bytes, version: str
) -> None:
    running = media_stack(tmp_path, lambda _: unfinished(head), manual=False)
    async with running as (stack, _), connect(stack.url) as connection:
        await connection.send(request("GET", VIDEO_PATH, stack.bearer(), version=version))
        await connection.read_head()
        await connection.read(1000)
        stopping = asyncio.create_task(stack.gateway.stop())
        _, was_reset = await connection.read_until_reset()
        await stopping
        assert was_reset
        (closed,) = [line for line in stack.audit() if line["event"] == "close"]
        assert closed["outcome"] == "cut"


async def test_a_film_that_would_start_after_the_streams_were_ended_is_refused(tmp_path: Path) -> None:
    running = media_stack(tmp_path, lambda _: unfinished(CHUNKED), manual=False)
    async with running as (stack, media), connect(stack.url) as connection:
        link = stack.valt.knobs.gate["download"] = asyncio.Event()
        await connection.send(request("GET", VIDEO_PATH, stack.bearer(), version="1.0"))
        await stack.valt.wait_for(lambda: stack.valt.calls["download"] == 1)
        stopping = asyncio.create_task(stack.gateway.stop())
        await asyncio.sleep(0)  # it has ended the streams, and waits for what it releases
        link.set()
        refused = await connection.read_last_response()
        await stopping
        assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
        assert not media.requests
        assert [line["code"] for line in stack.audit() if line["event"] == "deny"] == ["busy"]
