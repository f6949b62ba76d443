"""VALT's API is down or slow: requests fail at once, VALT gets few calls, and cached links stay in use."""

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from gateway.sim.catalogue import CAMERA_A, SESSION
from gateway.sim.valt import ValtSimulator
from tests.support.clock import ManualClock
from tests.support.gateway_fixture import VIDEO_PATH, GatewayStack, running_stack, settings_of

RESET_TIMEOUT = 10.0
"""Seconds for which the circuit breaker stays open."""


async def request_new(stack: GatewayStack, number: int) -> tuple[int, str]:
    """The status and the Retry-After of a request for a video whose link is not cached."""
    async with stack.client.get(
        f"{stack.url}/recordings/{SESSION}/videos/new-{number}", headers=stack.bearer()
    ) as answer:
        await answer.read()
        return answer.status, answer.headers.get("Retry-After", "")


async def plays(stack: GatewayStack) -> bool:
    film = stack.valt.recording(SESSION).film(CAMERA_A)
    async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer()) as answer:
        return film is not None and await answer.read() == film.content


async def state(stack: GatewayStack) -> float:
    return (await stack.metrics())[f'valt_gateway_breaker_state{{server="{stack.valt.base_url}"}}']


async def open_breaker(stack: GatewayStack) -> None:
    """Lets VALT answer 500 until the breaker is open."""
    stack.valt.knobs.fail["download"] = [500] * 100
    number = 0
    while await state(stack) != 2:
        number += 1
        assert number < 10
        assert (await request_new(stack, number))[0] == 503


@pytest.mark.promise("streams-26")
async def test_while_the_breaker_is_open_requests_get_503_with_retry_after(tmp_path: Path, clock: ManualClock) -> None:
    async with running_stack(tmp_path, clock=clock) as stack:
        assert await state(stack) == 0
        await open_breaker(stack)
        before = stack.valt.calls.copy()
        clock.pass_(4.0)
        for number in range(100, 120):
            assert await request_new(stack, number) == (503, "6")
        assert stack.valt.calls == before


async def readiness(stack: GatewayStack) -> Any:
    async with stack.client.get(f"{stack.admin}/readyz?verbose") as answer:
        assert answer.status == 200, "the gateway is ready although VALT is down"
        return await answer.json()


def log_events(stack: GatewayStack) -> list[str]:
    return [json.loads(line)["event"] for line in stack.log.getvalue().splitlines()]


@pytest.mark.promise("streams-27")
async def test_the_breaker_is_in_readyz_and_each_transition_is_logged_once(tmp_path: Path, clock: ManualClock) -> None:
    async with running_stack(tmp_path, clock=clock) as stack:
        server = stack.valt.base_url
        assert (await readiness(stack))["breakers"] == {server: "closed"}
        await open_breaker(stack)
        for _ in range(3):
            assert (await readiness(stack))["breakers"] == {server: "open"}
            clock.pass_(RESET_TIMEOUT)
            await request_new(stack, 0)  # a probe, which fails as well
        assert log_events(stack).count("VALT API circuit breaker opened") == 1
        stack.valt.knobs.fail.clear()
        clock.pass_(RESET_TIMEOUT)
        await request_new(stack, 0)
        assert (await readiness(stack))["breakers"] == {server: "closed"}
        assert log_events(stack).count("VALT API circuit breaker closed") == 1


@pytest.mark.promise("streams-27")
async def test_a_replaced_server_disappears_from_metrics_and_readyz(tmp_path: Path, clock: ManualClock) -> None:
    async with running_stack(tmp_path, clock=clock) as stack, ValtSimulator(clock=clock) as other:
        await open_breaker(stack)
        stack.config.write_text(stack.config.read_text().replace(stack.valt.base_url, other.base_url))
        assert await stack.gateway.reload(settings_of(stack.config))
        breaker_metrics = {name: value for name, value in (await stack.metrics()).items() if "breaker_state" in name}
        assert breaker_metrics == {f'valt_gateway_breaker_state{{server="{other.base_url}"}}': 0}
        assert (await readiness(stack))["breakers"] == {other.base_url: "closed"}
        assert await plays(stack)


@pytest.mark.promise("streams-26")
async def test_cached_links_are_served_while_the_breaker_is_open(tmp_path: Path, clock: ManualClock) -> None:
    async with running_stack(tmp_path, clock=clock) as stack:
        assert await plays(stack)
        await open_breaker(stack)
        assert await plays(stack)


async def test_one_probe_closes_the_breaker(tmp_path: Path, clock: ManualClock) -> None:
    async with running_stack(tmp_path, clock=clock) as stack:
        await open_breaker(stack)
        stack.valt.knobs.fail.clear()
        stack.valt.add_video(SESSION, "new-0", b"x" * 100)
        before = stack.valt.calls["download"]
        gate = stack.valt.knobs.gate["download"] = asyncio.Event()
        clock.pass_(RESET_TIMEOUT)
        probe = asyncio.create_task(request_new(stack, 0))
        await stack.valt.wait_for(lambda: stack.valt.calls["download"] == before + 1)
        assert await state(stack) == 1
        assert [(await request_new(stack, number))[0] for number in range(200, 210)] == [503] * 10
        assert stack.valt.calls["download"] == before + 1
        gate.set()
        assert (await probe)[0] == 200
        assert await state(stack) == 0
        assert (await request_new(stack, 300))[0] == 404


async def test_a_failed_probe_keeps_the_breaker_open(tmp_path: Path, clock: ManualClock) -> None:
    async with running_stack(tmp_path, clock=clock) as stack:
        await open_breaker(stack)
        before = stack.valt.calls["download"]
        clock.pass_(RESET_TIMEOUT)
        assert (await request_new(stack, 0))[0] == 503
        assert stack.valt.calls["download"] == before + 1
        assert await state(stack) == 2


@pytest.mark.parametrize("status", [400, 403, 404, 429])
async def test_a_refusal_by_valt_does_not_count_as_a_failure(stack: GatewayStack, status: int) -> None:
    stack.valt.knobs.fail["download"] = [status] * 20
    for number in range(20):
        await request_new(stack, number)
    assert stack.valt.calls["download"] == 20
    assert await state(stack) == 0


@pytest.mark.promise("streams-26")
async def test_media_server_failures_do_not_open_the_breaker(stack: GatewayStack) -> None:
    stack.valt.knobs.refuse_media = [500] * 20
    for _ in range(20):
        assert not await plays(stack)
    assert await state(stack) == 0
    assert await plays(stack)


async def test_an_unreachable_api_opens_the_breaker(stack: GatewayStack) -> None:
    assert await plays(stack)
    await stack.valt.stop()
    for number in range(5):
        assert (await request_new(stack, number))[0] == 503
    assert await state(stack) == 2


@pytest.mark.promise("streams-25")
async def test_a_failed_get_is_retried(stack: GatewayStack) -> None:
    stack.valt.knobs.fail["download"] = [502, 503]
    assert await plays(stack)
    assert stack.valt.calls["download"] == 3


@pytest.mark.promise("streams-25")
async def test_a_login_that_was_sent_is_not_retried(stack: GatewayStack) -> None:
    stack.valt.knobs.fail["login"] = [500]
    assert not await plays(stack)
    assert stack.valt.calls["login"] == 1


async def test_a_429_response_is_not_retried(stack: GatewayStack) -> None:
    stack.valt.knobs.fail["download"] = [429]
    assert not await plays(stack)
    assert stack.valt.calls["download"] == 1


@pytest.mark.promise("streams-25")
async def test_the_retry_budget_bounds_the_retries(stack: GatewayStack) -> None:
    """Every other call fails, so that the breaker stays closed and only the budget limits the retries."""
    for number in range(100):
        stack.valt.add_video(SESSION, f"new-{number}", b"x")
        stack.valt.knobs.fail["download"] = [500]
        await request_new(stack, number)
    assert stack.valt.calls["download"] <= 100 + 10 + 5


async def test_a_stalled_response_is_504_and_is_not_retried(tmp_path: Path) -> None:
    async with running_stack(tmp_path, valt_more='read_timeout = "500ms"\n') as stack:
        gate = stack.valt.knobs.gate["download"] = asyncio.Event()
        assert (await request_new(stack, 0))[0] == 504
        assert stack.valt.calls["download"] == 1
        gate.set()


@contextmanager
def unaccepting_server() -> Iterator[str]:
    """Host and port that accept no connection: the listen queue is full."""
    with ExitStack() as exits:
        listener, *callers = [exits.enter_context(socket.socket()) for _ in range(4)]
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for caller in callers:
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.promise("streams-24")
async def test_connecting_has_a_timeout_of_its_own(tmp_path: Path) -> None:
    async with running_stack(tmp_path, valt_more='connect_timeout = "100ms"\nread_timeout = "1h"\n') as stack:
        stack.valt.add_video(SESSION, "new-0", b"x" * 100)
        with unaccepting_server() as address:
            stack.valt.knobs.link_host = address
            assert (await request_new(stack, 0))[0] == 504
            stack.config.write_text(stack.config.read_text().replace(stack.valt.base_url, f"http://{address}"))
            assert await stack.gateway.reload(settings_of(stack.config))
            assert (await request_new(stack, 0))[0] == 504


@pytest.mark.promise("streams-24")
async def test_a_response_sent_byte_by_byte_is_bounded_by_the_read_timeout(tmp_path: Path) -> None:
    connection_closed = asyncio.Event()

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await asyncio.sleep(0.02)
        with suppress(OSError):
            await writer.wait_closed()
        connection_closed.set()

    slow = await asyncio.start_server(trickle, "127.0.0.1")
    async with running_stack(tmp_path, valt_more='read_timeout = "200ms"\n') as stack, slow:
        port = slow.sockets[0].getsockname()[1]
        stack.config.write_text(stack.config.read_text().replace(stack.valt.base_url, f"http://127.0.0.1:{port}"))
        assert await stack.gateway.reload(settings_of(stack.config))
        assert (await request_new(stack, 0))[0] == 504
        await connection_closed.wait()


async def test_a_cancelled_request_does_not_count_as_a_failure(stack: GatewayStack) -> None:
    gate = stack.valt.knobs.gate["download"] = asyncio.Event()
    for number in range(10):
        leaving = asyncio.create_task(request_new(stack, number))
        await stack.valt.wait_for(lambda number=number: stack.valt.calls["download"] == number + 1)  # type: ignore[misc]
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
    gate.set()
    assert await state(stack) == 0
