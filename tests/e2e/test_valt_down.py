"""When VALT's API is down or slow: told at once, asked little, and what needs no asking goes on."""

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

REST = 10.0
"""Seconds for which VALT is left alone."""


async def told(stack: GatewayStack, number: int) -> tuple[int, str]:
    """What somebody is told who asks for a video of which no link is known; its Retry-After too."""
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


async def breaks(stack: GatewayStack) -> None:
    """VALT answers 500 until the breaker is open."""
    stack.valt.knobs.fail["download"] = [500] * 100
    number = 0
    while await state(stack) != 2:
        number += 1
        assert number < 10
        assert (await told(stack, number))[0] == 503


@pytest.mark.promise("streams-26")
async def test_a_valt_that_keeps_failing_is_left_alone_and_people_are_told_when_to_come_again(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with running_stack(tmp_path, clock=clock) as stack:
        assert await state(stack) == 0
        await breaks(stack)
        before = stack.valt.calls.copy()
        clock.pass_(4.0)
        for number in range(100, 120):
            assert await told(stack, number) == (503, "6")
        assert stack.valt.calls == before


async def readiness(stack: GatewayStack) -> Any:
    async with stack.client.get(f"{stack.admin}/readyz?verbose") as answer:
        assert answer.status == 200, "VALT being down takes nobody out of the balancer"
        return await answer.json()


def noticed(stack: GatewayStack) -> list[str]:
    return [json.loads(line)["event"] for line in stack.log.getvalue().splitlines()]


@pytest.mark.promise("streams-27")
async def test_an_operator_is_told_of_the_server_that_is_left_alone(tmp_path: Path, clock: ManualClock) -> None:
    async with running_stack(tmp_path, clock=clock) as stack:
        server = stack.valt.base_url
        assert (await readiness(stack))["breakers"] == {server: "closed"}
        await breaks(stack)
        for _ in range(3):
            assert (await readiness(stack))["breakers"] == {server: "open"}
            clock.pass_(REST)
            await told(stack, 0)  # a probe, which fails as well
        assert noticed(stack).count("VALT API circuit breaker opened") == 1
        stack.valt.knobs.fail.clear()
        clock.pass_(REST)
        await told(stack, 0)
        assert (await readiness(stack))["breakers"] == {server: "closed"}
        assert noticed(stack).count("VALT API circuit breaker closed") == 1


@pytest.mark.promise("streams-27")
async def test_of_a_server_that_a_reload_replaced_nothing_old_is_told(tmp_path: Path, clock: ManualClock) -> None:
    async with running_stack(tmp_path, clock=clock) as stack, ValtSimulator(clock=clock) as other:
        await breaks(stack)
        stack.config.write_text(stack.config.read_text().replace(stack.valt.base_url, other.base_url))
        assert await stack.gateway.reload(settings_of(stack.config))
        shown = {name: value for name, value in (await stack.metrics()).items() if "breaker_state" in name}
        assert shown == {f'valt_gateway_breaker_state{{server="{other.base_url}"}}': 0}
        assert (await readiness(stack))["breakers"] == {other.base_url: "closed"}
        assert await plays(stack)


@pytest.mark.promise("streams-26")
async def test_links_that_are_still_good_go_on_being_served(tmp_path: Path, clock: ManualClock) -> None:
    async with running_stack(tmp_path, clock=clock) as stack:
        assert await plays(stack)
        await breaks(stack)
        assert await plays(stack)


async def test_one_call_finds_out_that_valt_is_back(tmp_path: Path, clock: ManualClock) -> None:
    async with running_stack(tmp_path, clock=clock) as stack:
        await breaks(stack)
        stack.valt.knobs.fail.clear()
        stack.valt.add_video(SESSION, "new-0", b"x" * 100)
        before = stack.valt.calls["download"]
        gate = stack.valt.knobs.gate["download"] = asyncio.Event()
        clock.pass_(REST)
        probe = asyncio.create_task(told(stack, 0))
        await stack.valt.wait_for(lambda: stack.valt.calls["download"] == before + 1)
        assert await state(stack) == 1
        assert [(await told(stack, number))[0] for number in range(200, 210)] == [503] * 10
        assert stack.valt.calls["download"] == before + 1
        gate.set()
        assert (await probe)[0] == 200
        assert await state(stack) == 0
        assert (await told(stack, 300))[0] == 404


async def test_a_probe_that_fails_leaves_valt_alone_for_another_while(tmp_path: Path, clock: ManualClock) -> None:
    async with running_stack(tmp_path, clock=clock) as stack:
        await breaks(stack)
        before = stack.valt.calls["download"]
        clock.pass_(REST)
        assert (await told(stack, 0))[0] == 503
        assert stack.valt.calls["download"] == before + 1
        assert await state(stack) == 2


@pytest.mark.parametrize("status", [400, 403, 404, 429])
async def test_what_valt_refuses_is_no_failure_of_valts(stack: GatewayStack, status: int) -> None:
    stack.valt.knobs.fail["download"] = [status] * 20
    for number in range(20):
        await told(stack, number)
    assert stack.valt.calls["download"] == 20
    assert await state(stack) == 0


@pytest.mark.promise("streams-26")
async def test_media_servers_that_fail_are_not_counted_against_valts_api(stack: GatewayStack) -> None:
    stack.valt.knobs.refuse_media = [500] * 20
    for _ in range(20):
        assert not await plays(stack)
    assert await state(stack) == 0
    assert await plays(stack)


async def test_an_api_that_is_gone_opens_the_breaker_as_well(stack: GatewayStack) -> None:
    assert await plays(stack)
    await stack.valt.stop()
    for number in range(5):
        assert (await told(stack, number))[0] == 503
    assert await state(stack) == 2


@pytest.mark.promise("streams-25")
async def test_a_call_that_may_be_repeated_is_repeated_unseen(stack: GatewayStack) -> None:
    stack.valt.knobs.fail["download"] = [502, 503]
    assert await plays(stack)
    assert stack.valt.calls["download"] == 3


@pytest.mark.promise("streams-25")
async def test_a_login_that_was_sent_is_never_repeated(stack: GatewayStack) -> None:
    stack.valt.knobs.fail["login"] = [500]
    assert not await plays(stack)
    assert stack.valt.calls["login"] == 1


async def test_an_api_that_says_it_has_too_much_to_do_is_not_asked_again(stack: GatewayStack) -> None:
    stack.valt.knobs.fail["download"] = [429]
    assert not await plays(stack)
    assert stack.valt.calls["download"] == 1


@pytest.mark.promise("streams-25")
async def test_retries_are_few_while_much_fails(stack: GatewayStack) -> None:
    """Every other call fails, so that the breaker stays closed and the budget alone holds the retries back."""
    for number in range(100):
        stack.valt.add_video(SESSION, f"new-{number}", b"x")
        stack.valt.knobs.fail["download"] = [500]
        await told(stack, number)
    assert stack.valt.calls["download"] <= 100 + 10 + 5


async def test_a_stalled_answer_is_given_up_in_time_and_not_asked_for_again(tmp_path: Path) -> None:
    async with running_stack(tmp_path, valt_more='read_timeout = "500ms"\n') as stack:
        gate = stack.valt.knobs.gate["download"] = asyncio.Event()
        assert (await told(stack, 0))[0] == 504
        assert stack.valt.calls["download"] == 1
        gate.set()


@contextmanager
def deaf() -> Iterator[str]:
    """Host and port at which no connection is ever taken: the queue before it is full."""
    with ExitStack() as exits:
        observer, *callers = [exits.enter_context(socket.socket()) for _ in range(4)]
        observer.bind(("127.0.0.1", 0))
        observer.listen(0)
        for caller in callers:
            caller.setblocking(False)
            caller.connect_ex(observer.getsockname())
        yield f"127.0.0.1:{observer.getsockname()[1]}"


@pytest.mark.promise("streams-24")
async def test_connections_that_are_not_taken_are_given_up_apart_from_slow_answers(tmp_path: Path) -> None:
    async with running_stack(tmp_path, valt_more='connect_timeout = "100ms"\nread_timeout = "1h"\n') as stack:
        stack.valt.add_video(SESSION, "new-0", b"x" * 100)
        with deaf() as place:
            stack.valt.knobs.link_host = place
            assert (await told(stack, 0))[0] == 504
            stack.config.write_text(stack.config.read_text().replace(stack.valt.base_url, f"http://{place}"))
            assert await stack.gateway.reload(settings_of(stack.config))
            assert (await told(stack, 0))[0] == 504


@pytest.mark.promise("streams-24")
async def test_an_answer_that_comes_a_byte_at_a_time_is_given_up_when_its_time_is_over(tmp_path: Path) -> None:
    given_up = asyncio.Event()

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await asyncio.sleep(0.02)
        with suppress(OSError):
            await writer.wait_closed()
        given_up.set()

    slow = await asyncio.start_server(trickle, "127.0.0.1")
    async with running_stack(tmp_path, valt_more='read_timeout = "200ms"\n') as stack, slow:
        port = slow.sockets[0].getsockname()[1]
        stack.config.write_text(stack.config.read_text().replace(stack.valt.base_url, f"http://127.0.0.1:{port}"))
        assert await stack.gateway.reload(settings_of(stack.config))
        assert (await told(stack, 0))[0] == 504
        await given_up.wait()


async def test_a_viewer_who_gives_up_is_no_failure_of_valts(stack: GatewayStack) -> None:
    gate = stack.valt.knobs.gate["download"] = asyncio.Event()
    for number in range(10):
        leaving = asyncio.create_task(told(stack, number))
        await stack.valt.wait_for(lambda number=number: stack.valt.calls["download"] == number + 1)  # type: ignore[misc]
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
    gate.set()
    assert await state(stack) == 0
