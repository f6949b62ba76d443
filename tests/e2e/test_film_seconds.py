"""The ``close`` line names the seconds of the film that were sent."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gateway.sim.catalogue import SESSION
from tests.support.gateway_fixture import VIDEO_PATH, GatewayStack, audit_lines, running_stack


async def closed(stack: GatewayStack, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """Gets the video and returns its ``close`` line once it is written."""
    before = len(stack.audit())
    async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer() | (headers or {})) as answer:
        await answer.read()
    async with asyncio.timeout(10):
        while len(stack.audit()) < before + 2:
            await asyncio.sleep(0.01)
    return dict(stack.audit()[-1])


@pytest.mark.promise("evidence-8")
async def test_a_close_line_names_the_seconds_that_were_sent(tmp_path: Path) -> None:
    async with running_stack(tmp_path, film_indexes=True) as stack:
        whole = await closed(stack)
        assert (whole["film_from"], whole["film_to"]) == (0.0, pytest.approx(24.0, abs=0.1))
        size = int(str(whole["bytes"]))
        end = await closed(stack, {"Range": f"bytes={size - size // 4}-"})
        assert 0 < float(str(end["film_from"])) < float(str(end["film_to"])) <= float(str(whole["film_to"]))
        metrics = await stack.metrics()
        assert metrics['valt_gateway_cache_lookups_total{cache="index",result="loaded"}'] == 1
        assert metrics['valt_gateway_cache_lookups_total{cache="index",result="hit"}'] == 1


@pytest.mark.promise("evidence-8")
async def test_a_film_without_an_index_has_no_seconds_and_its_close_line_all_the_same(tmp_path: Path) -> None:
    async with running_stack(tmp_path, film_indexes=True) as stack:
        film = stack.valt.recording(SESSION).films[0]
        film.content = bytes(len(film.content))
        line = await closed(stack)
        assert (line["bytes"], line["film_from"], line["film_to"]) == (len(film.content), None, None)
        stack.gateway.refusals.flush()
        assert "a film has no index that can be read" in stack.log.getvalue()


@pytest.mark.promise("evidence-8")
async def test_at_exit_a_close_line_does_not_wait_for_an_index(tmp_path: Path) -> None:
    async with running_stack(tmp_path, film_indexes=True) as stack:
        reads: list[int] = []
        loading = asyncio.Event()

        async def never(*arguments: Any) -> bytes:
            reads.append(1)
            loading.set()
            await asyncio.Event().wait()
            return b""

        stack.gateway.app.valt.films.read_range = never
        async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer()) as answer:
            await answer.read()
        await loading.wait()
        assert [line["event"] for line in stack.audit()] == ["open"]
    closing = audit_lines(tmp_path / "audit.jsonl")[-1]
    assert (closing["event"], closing["outcome"], closing["film_from"]) == ("close", "whole", None)
