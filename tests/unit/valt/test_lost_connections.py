"""Which requests to VALT are repeated when their connection is lost, and which are not."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import SupportsIndex

import aiohttp
import pytest
from yarl import URL

from gateway.errors import BusyError, CircuitOpenError, ValtResponseError, ValtTimeoutError, ValtUnavailableError
from gateway.model import Video
from gateway.sim.catalogue import CAMERA_A, SESSION
from gateway.valt.circuit_breaker import State
from gateway.valt.client import AccessToken, ValtClient
from gateway.valt.retry_budget import RetryBudget
from gateway.valt.transport import Transport, trace_used_connections
from tests.support.clock import ManualClock
from tests.support.recorder import Recorder
from tests.support.valt_client import CONNECTIONS, Calls, calling

pytestmark = pytest.mark.promise("valt-I6")

Call = Callable[[ValtClient, AccessToken], Awaitable[object]]

READS: dict[str, Call] = {
    "search": lambda client, token: client.search(token, {"search": "Session"}),
    "download": lambda client, token: client.download(token, Video(SESSION, CAMERA_A)),
    "record": lambda client, token: client.record(token, SESSION),
    "rooms": lambda client, token: client.room(token, "37"),
    "comments": lambda client, token: client.comments(token, SESSION),
    "general": lambda client, token: client.version(token),
}


def exhausted() -> RetryBudget:
    """A budget that allows no retry."""
    return RetryBudget(ratio=0.0, capacity=0.0)


def state(calls: Calls) -> State:
    return calls.breaker.state


async def result_of(calls: Calls, operation: str) -> object:
    if operation == "login":
        return await calls.token()
    return await READS[operation](calls.client, await calls.token())


async def idle_connections(calls: Calls, count: int) -> AccessToken:
    """Has so many connections to VALT that are idle; returns an access token."""
    token = await calls.token()
    calls.valt.knobs.gate["rooms"] = asyncio.Event()
    several = [asyncio.create_task(calls.client.room(token, "37")) for _ in range(count)]
    await calls.valt.wait_for(lambda: calls.valt.calls["rooms"] == count)
    calls.valt.knobs.gate["rooms"].set()
    await asyncio.gather(*several)
    return token


@pytest.mark.parametrize("operation", [*READS, "login"])
async def test_a_closed_idle_connection_costs_no_retry(operation: str) -> None:
    async with calling(retry_budget=exhausted()) as calls:
        await calls.token()  # the connection has served a request from here on
        calls.valt.knobs.drop_used_connections.add(operation)
        assert await result_of(calls, operation)


@pytest.mark.parametrize("operation", [*READS, "login"])
async def test_a_408_that_closes_an_idle_connection_costs_no_retry(operation: str) -> None:
    async with calling(retry_budget=exhausted()) as calls:
        token = await calls.token()  # the connection has served a request from here on
        calls.valt.knobs.fail[operation] = [408]
        assert await (calls.token() if operation == "login" else READS[operation](calls.client, token))


@pytest.mark.parametrize("closes_by", ["a reset", "408"])
@pytest.mark.parametrize("operation", READS)
async def test_a_read_may_meet_one_idle_connection_after_another(operation: str, closes_by: str) -> None:
    async with calling(retry_budget=exhausted()) as calls:
        token = await idle_connections(calls, 4)
        if closes_by == "408":
            calls.valt.knobs.fail[operation] = [408] * 4
        else:
            calls.valt.knobs.drop_used_connections.add(operation)
        assert await READS[operation](calls.client, token)


@pytest.mark.parametrize("operation", ["search", "login"])
async def test_a_post_may_meet_a_408_before_an_idle_connection_that_is_closed(operation: str) -> None:
    async with calling(retry_budget=exhausted()) as calls:
        token = await idle_connections(calls, 3)

        class ThenDrop(list[int]):
            """Statuses, after the last of which the next request gets no response."""

            def pop(self, *_: SupportsIndex) -> int:
                calls.valt.knobs.drop[operation] = 1
                return super().pop()

        calls.valt.knobs.fail[operation] = ThenDrop([408])
        assert await (calls.token() if operation == "login" else READS[operation](calls.client, token))


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_408_whose_body_has_no_end_closes_an_idle_connection_too(method: str) -> None:
    """Node.js states no length, and aiohttp may have read the response before it uses the connection again."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n")
            await reader.read()
        except asyncio.IncompleteReadError:
            pass  # the client has ended an idle connection
        finally:
            writer.close()

    clock, recorder = ManualClock(), Recorder()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = URL.build(scheme="http", host="127.0.0.1", port=server.sockets[0].getsockname()[1])
    async with server, aiohttp.ClientSession(trace_configs=[trace_used_connections()]) as session:
        transport = Transport(session, "valt", clock, recorder, read_timeout=5.0, retry_budget=exhausted())
        for _ in range(2):
            response = await transport.request(method, url, limit=100, reads_only=method == "GET")
            assert (response.status, response.body) == (200, b"{}")


@pytest.mark.parametrize("operation", [*READS, "login"])
async def test_a_408_that_leaves_its_connection_open_is_valts_response(operation: str) -> None:
    async with calling() as calls:
        token = await calls.token()
        before = calls.valt.calls[operation]
        calls.valt.knobs.keep_after_408 = True
        calls.valt.knobs.fail[operation] = [408] * 40
        with pytest.raises(ValtResponseError):
            await (calls.token() if operation == "login" else READS[operation](calls.client, token))
        assert calls.valt.calls[operation] == before + 1


async def test_a_408_to_the_first_request_of_a_connection_is_valts_response() -> None:
    async with calling() as calls:
        calls.valt.knobs.fail["login"] = [408]
        with pytest.raises(ValtResponseError):
            await calls.token()
        assert calls.valt.calls["login"] == 1


@pytest.mark.parametrize("operation", READS)
async def test_a_read_whose_connection_is_lost_once_is_repeated(operation: str) -> None:
    async with calling() as calls:
        calls.valt.knobs.drop[operation] = 1
        token = await calls.token()
        assert await READS[operation](calls.client, token)
        assert calls.valt.calls[operation] == 2


async def test_a_search_is_repeated_no_more_than_once() -> None:
    async with calling() as calls:
        token = await calls.token()
        calls.valt.knobs.drop["search"] = 2
        with pytest.raises(ValtUnavailableError):
            await calls.client.search(token, {})
        assert calls.valt.calls["search"] == 2


async def test_a_new_connection_that_is_lost_after_an_idle_one_counts_as_a_retry() -> None:
    async with calling(retry_budget=exhausted()) as calls:
        token = await calls.token()
        calls.valt.knobs.drop["record"] = 2
        with pytest.raises(ValtUnavailableError):
            await calls.client.record(token, SESSION)
        assert calls.valt.calls["record"] == 2


async def test_a_login_on_a_new_connection_is_not_repeated() -> None:
    async with calling() as calls:
        calls.valt.knobs.drop["login"] = 1
        with pytest.raises(ValtUnavailableError):
            await calls.token()
        assert calls.valt.calls["login"] == 1
        assert await calls.token()


async def test_a_login_is_repeated_no_more_than_once() -> None:
    async with calling() as calls:
        await calls.token()
        calls.valt.knobs.drop["login"] = 2
        with pytest.raises(ValtUnavailableError):
            await calls.token()
        assert calls.valt.calls["login"] == 3


@pytest.mark.parametrize("status", [500, 502, 503])
@pytest.mark.parametrize("operation", ["search", "login"])
async def test_a_post_that_got_a_response_is_not_repeated(operation: str, status: int) -> None:
    async with calling() as calls:
        await calls.token()
        before = calls.valt.calls[operation]
        calls.valt.knobs.fail[operation] = [status]
        with pytest.raises(ValtUnavailableError):
            await (calls.token() if operation == "login" else result_of_search(calls))
        assert calls.valt.calls[operation] == before + 1


async def result_of_search(calls: Calls) -> object:
    token = await calls.token()
    return await calls.client.search(token, {})


async def test_a_search_that_gets_no_response_in_time_is_not_repeated() -> None:
    async with calling(read_timeout=0.2) as calls:
        token = await calls.token()
        calls.valt.knobs.gate["search"] = asyncio.Event()
        with pytest.raises(ValtTimeoutError):
            await calls.client.search(token, {})
        assert calls.valt.calls["search"] == 1
        calls.valt.knobs.gate.pop("search").set()


async def test_a_lost_search_takes_its_retry_from_the_budget() -> None:
    async with calling(retry_budget=exhausted()) as calls:
        token = await calls.token()
        calls.valt.knobs.drop["search"] = 2
        with pytest.raises(ValtUnavailableError):
            await calls.client.search(token, {})
        # The first was lost on a connection that had served before: that retry is free, the next would not be.
        assert calls.valt.calls["search"] == 2


async def test_closed_idle_connections_never_open_the_breaker() -> None:
    async with calling() as calls:
        token = await calls.token()
        calls.valt.knobs.drop_used_connections.add("search")
        for _ in range(20):
            assert await calls.client.search(token, {})
        assert state(calls) is State.CLOSED


@pytest.mark.promise("valt-V2")
@pytest.mark.parametrize("operation", ["comments", "general"])
async def test_a_500_of_an_optional_call_is_neither_retried_nor_counted(operation: str) -> None:
    async with calling() as calls:
        token = await calls.token()
        calls.valt.knobs.fail[operation] = [500] * 20
        for number in range(1, 11):
            with pytest.raises(ValtUnavailableError):
                await READS[operation](calls.client, token)
            assert calls.valt.calls[operation] == number
        assert state(calls) is State.CLOSED
        calls.valt.knobs.fail = {"record": [500] * 20}
        with pytest.raises(ValtUnavailableError):
            await calls.client.record(token, SESSION)
        with pytest.raises(ValtUnavailableError):
            await calls.client.record(token, SESSION)
        assert state(calls) is State.OPEN


@pytest.mark.parametrize("operation", ["search", "comments"])
@pytest.mark.parametrize("status", [504, None])
async def test_no_call_that_takes_valt_long_opens_the_breaker_for_others(operation: str, status: int | None) -> None:
    async with calling(read_timeout=0.3 if status is None else 5.0) as calls:
        token = await calls.token()
        if status is None:
            calls.valt.knobs.gate[operation] = asyncio.Event()
        else:
            calls.valt.knobs.fail[operation] = [status] * 6
        for _ in range(6):
            with pytest.raises((ValtTimeoutError, ValtUnavailableError)):
                await READS[operation](calls.client, token)
        assert state(calls) is State.CLOSED
        assert calls.valt.calls[operation] == 6


@pytest.mark.parametrize("operation", ["search", "comments", "general"])
async def test_films_come_back_with_valt_whatever_call_takes_it_long(operation: str) -> None:
    clock = ManualClock()
    async with calling(clock=clock, retry_budget=exhausted()) as calls:
        token = await calls.token()
        calls.valt.knobs.fail["download"] = [500] * 5
        for _ in range(5):
            with pytest.raises(ValtUnavailableError):
                await READS["download"](calls.client, token)
        assert state(calls) is State.OPEN
        clock.pass_(10.0)
        gate = calls.valt.knobs.gate[operation] = asyncio.Event()
        slow = asyncio.ensure_future(READS[operation](calls.client, token))
        await calls.valt.wait_for(lambda: calls.valt.calls[operation] == 1)
        assert await READS["download"](calls.client, token)
        assert state(calls) is State.CLOSED
        gate.set()
        assert await slow


@pytest.mark.parametrize("operation", ["search", "comments", "general"])
async def test_an_optional_call_that_succeeds_closes_the_breaker(operation: str) -> None:
    clock = ManualClock()
    async with calling(clock=clock, retry_budget=exhausted()) as calls:
        token = await calls.token()
        calls.valt.knobs.fail[operation] = [502] * 6
        for _ in range(5):
            with pytest.raises(ValtUnavailableError):
                await READS[operation](calls.client, token)
        clock.pass_(10.0)
        with pytest.raises(ValtUnavailableError):
            await READS[operation](calls.client, token)
        with pytest.raises(CircuitOpenError):
            await READS[operation](calls.client, token)
        clock.pass_(10.0)
        assert await READS[operation](calls.client, token)
        assert state(calls) is State.CLOSED


async def test_a_call_that_no_connection_was_free_for_is_busy_and_no_failure() -> None:
    async with calling(read_timeout=0.1) as calls:
        token = await calls.token()
        gate = calls.valt.knobs.gate["rooms"] = asyncio.Event()
        held = [asyncio.create_task(calls.hold_connection()) for _ in range(CONNECTIONS)]
        await calls.valt.wait_for(lambda: calls.valt.calls["rooms"] == CONNECTIONS)
        for _ in range(6):
            with pytest.raises(BusyError):
                await READS["download"](calls.client, token)
        assert calls.valt.calls["download"] == 0
        assert state(calls) is State.CLOSED
        gate.set()
        await asyncio.gather(*held)
        assert await READS["download"](calls.client, token)


async def test_a_search_that_cannot_be_sent_counts_for_the_breaker() -> None:
    async with calling(read_timeout=0.1, retry_budget=exhausted()) as calls:
        token = await calls.token()
        await calls.valt.stop()
        for _ in range(5):
            with pytest.raises((ValtTimeoutError, ValtUnavailableError)):
                await READS["search"](calls.client, token)
        assert state(calls) is State.OPEN


@pytest.mark.promise("valt-V2")
@pytest.mark.parametrize("operation", ["comments", "general"])
async def test_a_502_of_an_optional_call_counts_for_the_breaker(operation: str) -> None:
    async with calling() as calls:
        token = await calls.token()
        calls.valt.knobs.fail[operation] = [502] * 20
        for _ in range(2):
            with pytest.raises(ValtUnavailableError):
                await READS[operation](calls.client, token)
        assert state(calls) is State.OPEN
