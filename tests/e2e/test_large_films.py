"""A film of five gibibytes: ranges at and beyond the 31st and the 32nd bit, through broken connections.

``make soak`` sends such a film from its first byte to its last.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.support.gateway_fixture import GatewayStack, running_stack
from tests.support.large_films import add_numbered_film, numbered

SIZE = 5 * 1024**3 + 5
PATH = "/recordings/large/videos/film"
MIB = 1024 * 1024
LENGTH = 24 * MIB


@pytest.fixture
async def large(tmp_path: Path) -> AsyncIterator[GatewayStack]:
    """Yields a gateway whose media server fails several times in each response of LENGTH bytes."""
    more = '[streams]\nupstream_idle = "100ms"\n'
    async with running_stack(tmp_path, valt_more='read_timeout = "2s"\n', more=more) as stack:
        add_numbered_film(stack.valt, "large", "film", SIZE)
        yield stack


async def read(answer: aiohttp.ClientResponse, first: int, length: int) -> None:
    """Reads so many bytes. Asserts that they are those of the film from *first*."""
    at = first
    while at < first + length:
        piece = await answer.content.read(min(MIB, first + length - at))
        assert piece, f"the body ended at {at}"
        is_same = piece == numbered(at, at + len(piece))
        assert is_same, f"wrong bytes between {at} and {at + len(piece)}"
        at += len(piece)


@pytest.mark.parametrize(
    ("requested", "first", "last"),
    [
        (f"bytes={2**31 - LENGTH // 2}-{2**31 + LENGTH // 2 - 1}", 2**31 - LENGTH // 2, 2**31 + LENGTH // 2 - 1),
        (f"bytes={2**32 - LENGTH // 2}-{2**32 + LENGTH // 2 - 1}", 2**32 - LENGTH // 2, 2**32 + LENGTH // 2 - 1),
        (f"bytes={SIZE - LENGTH - 3}-", SIZE - LENGTH - 3, SIZE - 1),
        (f"bytes=-{LENGTH + 1}", SIZE - LENGTH - 1, SIZE - 1),
    ],
    ids=["at 2 GiB", "at 4 GiB", "to the end", "the last bytes"],
)
async def test_ranges_beyond_four_gibibytes_are_right_through_broken_connections(
    large: GatewayStack, requested: str, first: int, last: int
) -> None:
    knobs = large.valt.knobs
    knobs.reset_after, knobs.end_after = [5 * MIB + 1, 99 * MIB, 3 * MIB], [99 * MIB, 4 * MIB - 1]
    knobs.stall_after = [99 * MIB, 99 * MIB, 99 * MIB, 6 * MIB]
    async with large.client.get(large.url + PATH, headers=large.bearer() | {"Range": requested}) as answer:
        assert answer.status == 206
        assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{SIZE}"
        assert answer.headers["Content-Length"] == str(last - first + 1)
        knobs.refuse_media = [403]  # a link that has expired meanwhile
        await read(answer, first, last - first + 1)
        assert await answer.content.read() == b""
    assert knobs.reset_after == knobs.end_after == knobs.stall_after == knobs.refuse_media == []


async def test_the_length_of_a_film_of_five_gibibytes_is_right(large: GatewayStack) -> None:
    headers = large.bearer()
    async with large.client.head(large.url + PATH, headers=headers) as answer:
        assert (answer.status, answer.headers["Content-Length"]) == (200, str(SIZE))
    async with large.client.get(large.url + PATH, headers=headers) as answer:
        assert (answer.status, answer.headers["Content-Length"]) == (200, str(SIZE))
        await read(answer, 0, MIB)
    async with large.client.get(large.url + PATH, headers=headers | {"Range": f"bytes={SIZE}-"}) as answer:
        assert (answer.status, answer.headers["Content-Range"]) == (416, f"bytes */{SIZE}")
