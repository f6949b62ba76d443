"""Any request may be the one whose body breaks off: what was asked decides what is asked again, and nothing else."""

import random

import aiohttp
import pytest

from tests.support.gateway_fixture import GatewayStack

FILM = random.Random(5).randbytes(1024 * 1024)
PATH = "/recordings/long/videos/film"
END = len(FILM)


@pytest.fixture
async def home_with_film(stack: GatewayStack) -> GatewayStack:
    stack.valt.add_video("long", "film", FILM)
    return stack


@pytest.mark.promise("streams-10")
@pytest.mark.parametrize("fault", ["reset_after", "end_after"])
@pytest.mark.parametrize(
    ("asked", "first", "end"),
    [
        (None, 0, END),
        ("bytes=0-", 0, END),
        ("bytes=300001-", 300_001, END),
        ("bytes=-700001", END - 700_001, END),
        ("bytes=200000-799999", 200_000, 800_000),
        ("bytes=900000-99999999", 900_000, END),
    ],
)
async def test_the_rest_of_what_was_asked_is_asked_for_and_no_byte_more(
    home_with_film: GatewayStack, fault: str, asked: str | None, first: int, end: int
) -> None:
    stack = home_with_film
    getattr(stack.valt.knobs, fault).append((end - first) // 2)
    headers = stack.bearer() | ({} if asked is None else {"Range": asked})
    async with stack.client.get(stack.url + PATH, headers=headers) as answer:
        assert answer.status == (200 if asked is None else 206)
        assert int(answer.headers["Content-Length"]) == end - first
        assert await answer.read() == FILM[first:end]
    begun, again = stack.valt.media_requests
    reached, last = (again.range or "").removeprefix("bytes=").split("-")
    assert first <= int(reached) <= first + begun.sent
    assert int(last) == end - 1
    assert again.headers["If-Range"] == answer.headers["ETag"]


@pytest.mark.promise("streams-10")
@pytest.mark.parametrize("trouble", ["a dead link", "a dead connection"])
async def test_a_head_is_asked_for_again_as_well(home_with_film: GatewayStack, trouble: str) -> None:
    stack = home_with_film
    for _ in range(2):
        async with stack.client.head(stack.url + PATH, headers=stack.bearer()) as answer:
            assert (answer.status, int(answer.headers["Content-Length"])) == (200, END)
        if trouble == "a dead link":
            stack.valt.knobs.refuse_media = [403]
        else:
            await stack.valt.restart()
    assert stack.valt.calls["media"] == {"a dead link": 3, "a dead connection": 2}[trouble]


@pytest.mark.promise("streams-31")
async def test_a_valt_that_restarts_in_mid_body_and_forgets_its_tokens_goes_unseen(
    home_with_film: GatewayStack,
) -> None:
    stack = home_with_film
    stack.valt.knobs.stall_after = [400_000]
    async with stack.client.get(stack.url + PATH, headers=stack.bearer()) as answer:
        read = await answer.content.readexactly(100_000)
        await stack.valt.wait_for(lambda: stack.valt.media_requests[-1].sent == 400_000)
        stack.valt.knobs.refuse_media = [403]
        await stack.valt.restart()
        assert read + await answer.read() == FILM
    assert stack.valt.calls["login"] == 2
    await stack.ended()
    assert stack.audit()[-1]["resumes"] == 1


@pytest.mark.promise("streams-8")
async def test_a_rest_that_is_said_to_be_from_another_place_is_not_joined(home_with_film: GatewayStack) -> None:
    stack = home_with_film
    knobs = stack.valt.knobs
    knobs.stall_after, knobs.reset_after = [400_000], [400_000]
    async with stack.client.get(stack.url + PATH, headers=stack.bearer()) as answer:
        await stack.valt.wait_for(lambda: stack.valt.media_requests[-1].sent == 400_000)
        knobs.wrong_content_range = True
        knobs.stall_gate.set()
        with pytest.raises(aiohttp.ClientError):
            await answer.read()
    await stack.ended()
    assert stack.audit()[-1]["outcome"] == "failed"
    assert (await stack.metrics())['valt_gateway_stream_aborts_total{reason="changed",side="upstream"}'] == 1
