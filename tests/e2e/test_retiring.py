"""A process that another one replaces: what becomes of its connections, and when it ends."""

import asyncio
from pathlib import Path

import pytest

from tests.support.client import connect, request
from tests.support.gateway_fixture import running_stack

ROBOTS = request("GET", "/robots.txt")


@pytest.mark.promise("restart-2")
async def test_idle_connections_of_a_replaced_process_are_closed_and_it_ends(tmp_path: Path) -> None:
    async with running_stack(tmp_path) as stack, connect(stack.url) as used, connect(stack.url) as idle:
        for connection in (used, idle):
            await connection.send(ROBOTS)
            assert (await connection.read_response()).status == 200
        retired = asyncio.create_task(stack.gateway.retire())
        while stack.gateway.readiness.ready:
            await asyncio.sleep(0.01)
        await used.send(ROBOTS)
        answer = await used.read_response()
        assert (answer.status, answer.headers["Connection"]) == (200, "close")
        async with asyncio.timeout(60):
            await retired
        assert stack.gateway.connections == 0


async def test_a_replaced_process_ends_after_its_last_stream(tmp_path: Path) -> None:
    async with running_stack(tmp_path) as stack:
        stack.valt.add_video("long", "film", bytes(64 * 1024 * 1024))
        stream = await stack.client.get(f"{stack.url}/recordings/long/videos/film", headers=stack.bearer())
        await stream.content.readexactly(1000)
        retired = asyncio.create_task(stack.gateway.retire())
        await asyncio.sleep(6)  # idle connections are closed after five seconds, and this one has a stream
        assert not retired.done()
        assert len(await stream.content.read()) == 64 * 1024 * 1024 - 1000
        async with asyncio.timeout(60):
            await retired
    assert stack.audit()[-1]["outcome"] == "whole"
