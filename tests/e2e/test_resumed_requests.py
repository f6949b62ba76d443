"""Whatever a client requested, exactly the rest of it is requested when the body is interrupted."""

import random

import aiohttp
import pytest

from tests.support.gateway_fixture import GatewayStack

FILM = random.Random(5).randbytes(1024 * 1024)
PATH = "/recordings/long/videos/film"
END = len(FILM)


@pytest.fixture
async def film_stack(stack: GatewayStack) -> GatewayStack:
    stack.valt.add_video("long", "film", FILM)
    return stack


@pytest.mark.promise("streams-10")
@pytest.mark.parametrize("fault", ["reset_after", "end_after"])
@pytest.mark.parametrize(
    ("requested", "first", "end"),
    [
        (None, 0, END),
        ("bytes=0-", 0, END),
        ("bytes=300001-", 300_001, END),
        ("bytes=-700001", END - 700_001, END),
        ("bytes=200000-799999", 200_000, 800_000),
        ("bytes=900000-99999999", 900_000, END),
    ],
)
async def test_the_rest_of_the_requested_bytes_is_requested_and_no_byte_more(
    film_stack: GatewayStack, fault: str, requested: str | None, first: int, end: int
) -> None:
    stack = film_stack
    getattr(stack.valt.knobs, fault).append((end - first) // 2)
    headers = stack.bearer() | ({} if requested is None else {"Range": requested})
    async with stack.client.get(stack.url + PATH, headers=headers) as response:
        assert response.status == (200 if requested is None else 206)
        assert int(response.headers["Content-Length"]) == end - first
        assert await response.read() == FILM[first:end]
    first_request, second_request = stack.valt.media_requests
    reached, last = (second_request.range or "").removeprefix("bytes=").split("-")
    assert first <= int(reached) <= first + first_request.sent
    assert int(last) == end - 1
    assert second_request.headers["If-Range"] == response.headers["ETag"]


@pytest.mark.promise("streams-10")
@pytest.mark.parametrize("trouble", ["a dead link", "a dead connection"])
async def test_a_head_is_requested_again_too(film_stack: GatewayStack, trouble: str) -> None:
    stack = film_stack
    for _ in range(2):
        async with stack.client.head(stack.url + PATH, headers=stack.bearer()) as response:
            assert (response.status, int(response.headers["Content-Length"])) == (200, END)
        if trouble == "a dead link":
            stack.valt.knobs.refuse_media = [403]
        else:
            await stack.valt.restart()
    assert stack.valt.calls["media"] == {"a dead link": 3, "a dead connection": 2}[trouble]


@pytest.mark.promise("streams-31")
async def test_a_restart_of_valt_that_loses_its_tokens_is_invisible(
    film_stack: GatewayStack,
) -> None:
    stack = film_stack
    stack.valt.knobs.stall_after = [400_000]
    async with stack.client.get(stack.url + PATH, headers=stack.bearer()) as response:
        read = await response.content.readexactly(100_000)
        await stack.valt.wait_for(lambda: stack.valt.media_requests[-1].sent == 400_000)
        stack.valt.knobs.refuse_media = [403]
        await stack.valt.restart()
        assert read + await response.read() == FILM
    assert stack.valt.calls["login"] == 2
    await stack.ended()
    assert stack.audit()[-1]["resumes"] == 1


@pytest.mark.promise("streams-8")
async def test_a_rest_that_is_stated_to_be_from_another_position_is_not_joined(film_stack: GatewayStack) -> None:
    stack = film_stack
    knobs = stack.valt.knobs
    knobs.stall_after, knobs.reset_after = [400_000], [400_000]
    async with stack.client.get(stack.url + PATH, headers=stack.bearer()) as response:
        await stack.valt.wait_for(lambda: stack.valt.media_requests[-1].sent == 400_000)
        knobs.wrong_content_range = True
        knobs.stall_gate.set()
        with pytest.raises(aiohttp.ClientError):
            await response.read()
    await stack.ended()
    assert stack.audit()[-1]["outcome"] == "failed"
    assert (await stack.metrics())['valt_gateway_stream_aborts_total{reason="changed",side="upstream"}'] == 1
