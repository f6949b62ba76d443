"""Limits: who exceeds one gets an error with Retry-After, costs VALT nothing, and affects nobody else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from gateway.sim.catalogue import SESSION
from tests.support.clock import ManualClock
from tests.support.gateway_fixture import VIDEO_PATH, GatewayStack, running_stack, settings_of


async def status_of(stack: GatewayStack, headers: dict[str, str], path: str = VIDEO_PATH) -> tuple[int, str | None]:
    """Returns status and code. A refusal must have a Retry-After."""
    async with stack.client.get(stack.url + path, headers=headers) as response:
        if response.status < 400:
            await response.read()
            return response.status, None
        if response.status in (429, 503):
            assert int(response.headers["Retry-After"]) >= 1
        return response.status, (await response.json(content_type=None))["code"]


@asynccontextmanager
async def held(stack: GatewayStack, *people: str) -> AsyncIterator[None]:
    """Until the end of the block each of *people* has a stream that does not move."""
    gate = stack.valt.knobs.gate["media"] = asyncio.Event()
    before = stack.valt.calls["media"]
    running = [asyncio.create_task(status_of(stack, stack.bearer(person))) for person in people]
    await stack.valt.wait_for(lambda: stack.valt.calls["media"] == before + len(people))
    del stack.valt.knobs.gate["media"]
    yield
    gate.set()
    assert await asyncio.gather(*running) == [(200, None)] * len(people)


async def count(stack: GatewayStack, limit: str) -> float:
    return (await stack.metrics())[f'valt_gateway_limits_total{{limit="{limit}"}}']


@pytest.mark.promise("streams-28")
@pytest.mark.parametrize(
    ("limit", "refused"),
    [
        ("streams", (503, "busy")),
        ("streams_per_person", (429, "too_many_requests")),
        ("streams_per_address", (429, "too_many_requests")),
    ],
)
async def test_a_stream_beyond_a_limit_is_refused_without_a_media_request(
    tmp_path: Path, limit: str, refused: tuple[int, str]
) -> None:
    async with running_stack(tmp_path, more=f"[limits]\n{limit} = 2\n") as stack:
        async with held(stack, "anna", "anna"):
            before = stack.valt.calls.copy()
            assert await status_of(stack, stack.bearer("anna")) == refused
            assert stack.valt.calls == before
            assert await count(stack, limit) == 1
        assert await status_of(stack, stack.bearer("anna")) == (200, None)
        denied = [line for line in stack.audit() if line["event"] == "deny"]
        assert [(line["subject"], line["code"]) for line in denied] == [("anna", refused[1])]


@pytest.mark.promise("streams-30")
async def test_one_person_at_their_limit_takes_nothing_from_the_others(tmp_path: Path) -> None:
    async with running_stack(tmp_path, more="[limits]\nstreams_per_person = 3\n") as stack, held(stack, *["anna"] * 3):
        assert await status_of(stack, stack.bearer("anna")) == (429, "too_many_requests")
        assert [await status_of(stack, stack.bearer(f"person{n}")) for n in range(20)] == [(200, None)] * 20


async def test_zero_is_no_limit_for_a_person_and_an_address(tmp_path: Path) -> None:
    limits = "[limits]\nstreams_per_person = 0\nstreams_per_address = 0\n"
    async with running_stack(tmp_path, more=limits) as stack, held(stack, *["anna"] * 80):
        assert await status_of(stack, stack.bearer("anna")) == (200, None)


async def test_addresses_behind_a_trusted_proxy_are_counted_separately(tmp_path: Path) -> None:
    server = 'trusted_proxies = ["127.0.0.1/32"]\n'
    limits = "[limits]\nstreams_per_address = 1\n"
    async with running_stack(tmp_path, server=server, more=limits) as stack, held(stack, "anna"):
        assert await status_of(stack, stack.bearer("ben")) == (429, "too_many_requests")
        assert await status_of(stack, stack.bearer("ben") | {"X-Forwarded-For": "192.0.2.7"}) == (200, None)


@pytest.mark.promise("streams-28")
async def test_a_request_beyond_waiting_for_valt_is_refused_without_a_call(tmp_path: Path) -> None:
    async with running_stack(tmp_path, more="[limits]\nwaiting_for_valt = 3\n") as stack:
        paths = [f"/recordings/{SESSION}/videos/v{n}" for n in range(4)]
        for path in paths:
            stack.valt.add_video(SESSION, path.rpartition("/")[2], b"x" * 100)
        gate = stack.valt.knobs.gate["download"] = asyncio.Event()
        people = [stack.bearer(f"person{n}") for n in range(3)]
        waiting = [
            asyncio.create_task(status_of(stack, who, path)) for who, path in zip(people, paths[:3], strict=True)
        ]
        await stack.valt.wait_for(lambda: stack.valt.calls["download"] == 3)

        assert await status_of(stack, stack.bearer(), paths[3]) == (503, "busy")
        assert stack.valt.calls["download"] == 3
        assert await count(stack, "waiting_for_valt") == 1
        # A request for a link that is being fetched costs VALT nothing, and waits with the others.
        waiting.append(asyncio.create_task(status_of(stack, stack.bearer("ben"), paths[0])))
        gate.set()
        assert await asyncio.gather(*waiting) == [(200, None)] * 4
        assert await status_of(stack, stack.bearer(), paths[3]) == (200, None)


@pytest.mark.promise("streams-30")
async def test_one_person_can_use_half_of_waiting_for_valt_and_no_more(tmp_path: Path) -> None:
    async with running_stack(tmp_path, more="[limits]\nwaiting_for_valt = 6\n") as stack:
        paths = [f"/recordings/{SESSION}/videos/v{n}" for n in range(6)]
        for path in paths:
            stack.valt.add_video(SESSION, path.rpartition("/")[2], b"x" * 100)
        gate = stack.valt.knobs.gate["download"] = asyncio.Event()
        waiting = [asyncio.create_task(status_of(stack, stack.bearer("anna"), path)) for path in paths[:3]]
        await stack.valt.wait_for(lambda: stack.valt.calls["download"] == 3)
        assert await status_of(stack, stack.bearer("anna"), paths[3]) == (429, "too_many_requests")
        assert stack.valt.calls["download"] == 3
        assert await count(stack, "waiting_for_valt") == 1
        waiting += [asyncio.create_task(status_of(stack, stack.bearer("ben"), path)) for path in paths[3:]]
        await stack.valt.wait_for(lambda: stack.valt.calls["download"] == 6)
        gate.set()
        assert await asyncio.gather(*waiting) == [(200, None)] * 6
        assert await status_of(stack, stack.bearer("anna"), paths[3]) == (200, None)


async def test_cached_links_are_served_while_nobody_else_may_wait(tmp_path: Path) -> None:
    async with running_stack(tmp_path, more="[limits]\nwaiting_for_valt = 1\n") as stack:
        assert await status_of(stack, stack.bearer()) == (200, None)
        gate = stack.valt.knobs.gate["download"] = asyncio.Event()
        stack.valt.add_video(SESSION, "new", b"x" * 100)
        waiting = asyncio.create_task(status_of(stack, stack.bearer(), f"/recordings/{SESSION}/videos/new"))
        await stack.valt.wait_for(lambda: stack.valt.calls["download"] == 2)
        assert await status_of(stack, stack.bearer()) == (200, None)
        gate.set()
        assert await waiting == (200, None)


@pytest.mark.promise("streams-28")
async def test_a_person_beyond_requests_per_minute_gets_retry_after(tmp_path: Path, clock: ManualClock) -> None:
    async with running_stack(tmp_path, clock=clock, more="[limits]\nrequests_per_minute = 6\n") as stack:
        anna = stack.bearer("anna")
        assert [await status_of(stack, anna) for _ in range(6)] == [(200, None)] * 6
        before = stack.valt.calls.copy()
        async with stack.client.get(stack.url + VIDEO_PATH, headers=anna) as response:
            assert (response.status, response.headers["Retry-After"]) == (429, "10")
        assert stack.valt.calls == before
        assert await count(stack, "requests_per_minute") == 1
        assert await status_of(stack, stack.bearer("ben")) == (200, None)
        clock.pass_(9.0)
        assert await status_of(stack, anna) == (429, "too_many_requests")
        clock.pass_(1.0)
        assert await status_of(stack, anna) == (200, None)
        assert await status_of(stack, anna) == (429, "too_many_requests")
        clock.pass_(60.0)
        assert [await status_of(stack, anna) for _ in range(7)] == [(200, None)] * 6 + [(429, "too_many_requests")]


async def test_requests_are_counted_by_person_and_not_by_credentials(tmp_path: Path, clock: ManualClock) -> None:
    async with running_stack(tmp_path, clock=clock, more="[limits]\nrequests_per_minute = 2\n") as stack:
        for number in range(2):
            assert await status_of(stack, stack.bearer("anna", jti=str(number))) == (200, None)
        assert await status_of(stack, stack.bearer("anna", jti="another")) == (429, "too_many_requests")
        assert (await status_of(stack, stack.front("anna")))[0] == 200, "another issuer's anna is another person"


async def test_nobody_else_can_use_up_a_persons_requests(tmp_path: Path, clock: ManualClock) -> None:
    async with running_stack(tmp_path, clock=clock, more="[limits]\nrequests_per_minute = 1\n") as stack:
        forged = stack.bearer("anna")["Authorization"][:-8] + "AAAAAAAA"
        for _ in range(5):
            assert await status_of(stack, {"Authorization": forged}) == (401, "credentials_invalid")
        assert await status_of(stack, stack.bearer("anna")) == (200, None)


async def test_a_reload_changes_the_limits_at_once(tmp_path: Path, clock: ManualClock) -> None:
    async with running_stack(tmp_path, clock=clock) as stack:
        text = stack.config.read_text()
        stack.config.write_text(text + "\n[limits]\nrequests_per_minute = 1\nstreams = 1\nwaiting_for_valt = 1\n")
        assert await stack.gateway.reload(settings_of(stack.config))
        async with held(stack, "anna"):
            assert await status_of(stack, stack.bearer("ben")) == (503, "busy")
        assert await status_of(stack, stack.bearer("anna")) == (429, "too_many_requests")
        stack.config.write_text(text)
        assert await stack.gateway.reload(settings_of(stack.config))
        assert await status_of(stack, stack.bearer("anna")) == (200, None)


async def test_clients_that_disconnect_no_longer_count(tmp_path: Path) -> None:
    async with running_stack(tmp_path, more="[limits]\nstreams = 5\nstreams_per_person = 5\n") as stack:
        stack.valt.add_video(SESSION, "long", bytes(32 * 1024 * 1024))
        async with AsyncExitStack() as exits:
            for _ in range(5):
                client = await exits.enter_async_context(aiohttp.ClientSession())
                url = f"{stack.url}/recordings/{SESSION}/videos/long"
                response = await exits.enter_async_context(client.get(url, headers=stack.bearer()))
                await response.content.readexactly(1000)
            assert await status_of(stack, stack.bearer()) == (503, "busy")
        await stack.ended()
        assert await status_of(stack, stack.bearer()) == (200, None)
