"""A film of no bytes, as a camera leaves it that was switched on and off."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.sim.catalogue import Film, Recording
from gateway.sim.valt import ValtSimulator
from tests.support.gateway_fixture import GatewayStack, running_stack

PATH = "/recordings/701/videos/702"


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[GatewayStack]:
    empty = Recording("701", "Empty", films=[Film("702", "Empty", b"")])
    async with running_stack(tmp_path, valt=ValtSimulator(recordings=[empty])) as built:
        yield built


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_an_empty_film_is_a_body_of_no_bytes(stack: GatewayStack, method: str) -> None:
    async with stack.client.request(method, stack.url + PATH, headers=stack.bearer()) as response:
        assert (response.status, response.headers["Content-Length"]) == (200, "0")
        assert await response.read() == b""


@pytest.mark.parametrize("requested", ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=5-9"])
async def test_no_range_of_an_empty_film_is_called_a_part(stack: GatewayStack, requested: str) -> None:
    """RFC 9110, section 14.1.2: a range is satisfiable only if it has at least one byte."""
    async with stack.client.get(stack.url + PATH, headers=stack.bearer() | {"Range": requested}) as response:
        assert response.status in (200, 416)
        assert "multipart" not in response.headers.get("Content-Type", "")
        assert response.headers.get("Content-Range", "bytes */0") == "bytes */0"
