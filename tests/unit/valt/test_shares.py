"""The share of one person in what waits for VALT, against a simulated VALT."""

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import ExitStack
from contextvars import copy_context
from typing import Any, TypeVar

import pytest

from gateway.errors import BusyError, TooManyRequestsError
from gateway.model import Identity, IdentityKind, Link, Video
from gateway.request_record import current_identity
from gateway.shared_loads import LocalLoads
from gateway.sim.catalogue import SESSION
from gateway.valt import schema
from gateway.valt.concurrency_limit import Turns
from gateway.valt.recordings import ValtSearch
from tests.support.shared_loads import OtherReplica, links_of
from tests.support.valt_client import CONNECTIONS, Calls, calling

T = TypeVar("T")

pytestmark = pytest.mark.promise("streams-30")


def on_behalf_of(name: str, call: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Runs *call* on behalf of a person."""
    context = copy_context()
    context.run(current_identity.set, Identity(name, "https://idp.example", "campus", IdentityKind.JWT))
    return asyncio.create_task(call, context=context)


def add_videos(calls: Calls, count: int) -> list[Video]:
    videos = [Video(SESSION, f"v{number}") for number in range(count)]
    for video in videos:
        calls.valt.add_video(video.recording, video.video, b"x" * 100)
    return videos


async def test_a_refusal_for_one_persons_limit_reaches_nobody_who_wants_the_same_link() -> None:
    async with calling(waiting_for_valt=4) as calls:
        loads = OtherReplica()
        links, videos = links_of(calls, loads), add_videos(calls, 3)
        waiting = [on_behalf_of("anna", links.get("reviewer", video)) for video in videos[:2]]
        anna = on_behalf_of("anna", links.get("reviewer", videos[2]))
        ben = on_behalf_of("ben", links.get("reviewer", videos[2]))
        with pytest.raises(TooManyRequestsError):
            await anna
        loads.gate.set()
        assert isinstance(await ben, Link)
        await asyncio.gather(*waiting)
        await links.close()


async def test_a_refusal_for_one_persons_limit_reaches_nobody_who_wants_the_same_list() -> None:
    async with calling(waiting_for_valt=4) as calls:
        links, search = links_of(calls, LocalLoads()), ValtSearch(calls.client, calls.tokens)
        videos = add_videos(calls, 2)
        downloads = calls.valt.knobs.gate["download"] = asyncio.Event()
        searches = calls.valt.knobs.gate["search"] = asyncio.Event()
        waiting = [on_behalf_of("anna", links.get("reviewer", video)) for video in videos]
        others = [on_behalf_of(name, search.search("reviewer", {"search": name})) for name in ("dora", "emil")]
        await calls.valt.wait_for(lambda: calls.valt.calls["download"] == calls.valt.calls["search"] == 2)
        anna = on_behalf_of("anna", search.search("reviewer", {}))
        ben = on_behalf_of("ben", search.search("reviewer", {}))
        with pytest.raises(TooManyRequestsError):
            await anna
        searches.set()
        assert await ben
        downloads.set()
        await asyncio.gather(*waiting, *others)
        await search.close()
        await links.close()


async def test_a_person_at_their_limit_joins_the_loads_of_others() -> None:
    async with calling(waiting_for_valt=4) as calls:
        links, videos = links_of(calls, LocalLoads()), add_videos(calls, 3)
        gate = calls.valt.knobs.gate["download"] = asyncio.Event()
        waiting = [on_behalf_of("anna", links.get("reviewer", video)) for video in videos[:2]]
        waiting += [on_behalf_of(name, links.get("reviewer", videos[2])) for name in ("ben", "anna")]
        await calls.valt.wait_for(lambda: calls.valt.calls["download"] == 3)
        gate.set()
        assert len(await asyncio.gather(*waiting)) == 4
        await links.close()


def search_for(search: ValtSearch, name: str, *texts: str) -> list[asyncio.Task[object]]:
    return [on_behalf_of(name, search.search("reviewer", {"search": text})) for text in texts]


async def test_nobody_waits_behind_all_that_another_person_searches_for() -> None:
    async with calling() as calls:
        search = ValtSearch(calls.client, calls.tokens)
        searched = calls.valt.knobs.gate["search"] = asyncio.Event()
        annas = search_for(search, "anna", *(str(number) for number in range(10)))
        await calls.valt.wait_for(lambda: calls.valt.calls["search"] == 2)
        (ben,) = search_for(search, "ben", "9")  # which waits for anna's turn too
        await asyncio.sleep(0)
        del calls.valt.knobs.gate["search"]
        calls.valt.knobs.gate["search"] = later = asyncio.Event()
        searched.set()
        await calls.valt.wait_for(lambda: calls.valt.calls["search"] == 4)
        later.set()
        await ben
        assert calls.valt.calls["search"] < 10
        await asyncio.gather(*annas)
        await search.close()


async def test_searches_that_wait_count_for_their_person() -> None:
    async with calling(waiting_for_valt=8) as calls:
        search = ValtSearch(calls.client, calls.tokens)
        gate = calls.valt.knobs.gate["search"] = asyncio.Event()
        waiting = search_for(search, "anna", "1", "2", "3", "4", "4")
        (refused,) = search_for(search, "anna", "5")
        with pytest.raises(TooManyRequestsError):
            await refused
        gate.set()
        await asyncio.gather(*waiting, *search_for(search, "ben", "5"))
        await search.close()


async def test_valt_does_not_search_for_who_has_left() -> None:
    async with calling(waiting_for_valt=24) as calls:  # those that VALT has got count still
        search = ValtSearch(calls.client, calls.tokens)
        gate = calls.valt.knobs.gate["search"] = asyncio.Event()
        left = search_for(search, "anna", *(str(number) for number in range(10)))
        await calls.valt.wait_for(lambda: calls.valt.calls["search"] == 2)
        for task in left:
            task.cancel()
        await asyncio.wait(left)
        present = search_for(search, "anna", *(f"again {number}" for number in range(10)))
        gate.set()
        await asyncio.gather(*present)
        assert calls.valt.calls["search"] == 12
        await search.close()


async def leave(*tasks: asyncio.Task[Any]) -> None:
    """Ends what waits, as when the client closes its connection."""
    await asyncio.sleep(0)  # so that each has begun
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_a_search_keeps_its_persons_turn_although_its_client_leaves() -> None:
    async with calling() as calls:
        search = ValtSearch(calls.client, calls.tokens)
        gate = calls.valt.knobs.gate["search"] = asyncio.Event()
        sent = search_for(search, "anna", "1", "2")
        await calls.valt.wait_for(lambda: calls.valt.calls["search"] == 2)
        await leave(*sent)
        for number in range(3, 8):
            await leave(*search_for(search, "anna", str(number)))
        next_one, again = search_for(search, "anna", "8", "1")
        others = search_for(search, "ben", "1", "9")  # the first joins what nobody waits for any more, as anna's again
        await calls.valt.wait_for(lambda: calls.valt.calls["search"] == 3)
        assert not next_one.done()
        gate.set()
        await asyncio.gather(next_one, again, *others)
        assert calls.valt.calls["search"] == 4
        await search.close()


async def test_nobody_else_waits_behind_a_search_whose_client_has_left() -> None:
    async with calling() as calls:
        search = ValtSearch(calls.client, calls.tokens)
        slow = calls.valt.knobs.gate["search"] = asyncio.Event()
        sent = search_for(search, "anna", "1", "2")
        await calls.valt.wait_for(lambda: calls.valt.calls["search"] == 2)
        await leave(*sent)
        del calls.valt.knobs.gate["search"]
        await asyncio.gather(*search_for(search, "ben", "3", "4"))
        slow.set()
        await search.close()


async def test_a_result_that_is_parsed_for_nobody_keeps_its_persons_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    parsing, parse, go_on = threading.Semaphore(0), schema.search_results, threading.Event()

    def parse_slowly(body: bytes) -> list[Any]:
        parsing.release()
        go_on.wait(20.0)
        return parse(body)

    async with calling() as calls:
        search = ValtSearch(calls.client, calls.tokens)
        monkeypatch.setattr(schema, "search_results", parse_slowly)
        sent = search_for(search, "anna", "1", "2")
        for _ in sent:
            await asyncio.to_thread(parsing.acquire)
        await leave(*sent)
        (next_one,) = search_for(search, "anna", "3")
        (ben,) = search_for(search, "ben", "4")
        await calls.valt.wait_for(lambda: calls.valt.calls["search"] == 3)
        go_on.set()
        await asyncio.gather(ben, next_one)
        assert calls.valt.calls["search"] == 4
        await search.close()


async def test_rooms_count_for_their_person_although_the_client_leaves() -> None:
    async with calling(waiting_for_valt=4) as calls:
        search = ValtSearch(calls.client, calls.tokens)
        gate = calls.valt.knobs.gate["rooms"] = asyncio.Event()
        sent = on_behalf_of("anna", search.rooms("reviewer")), on_behalf_of("anna", search.room("reviewer", "37"))
        await calls.valt.wait_for(lambda: calls.valt.calls["rooms"] == 2)
        await leave(*sent)
        with pytest.raises(TooManyRequestsError):
            await on_behalf_of("anna", search.room("reviewer", "38"))
        others = [on_behalf_of(name, search.rooms("reviewer")) for name in ("anna", "ben")]
        gate.set()
        rooms, again = await asyncio.gather(*others)
        assert rooms == again != []
        assert calls.valt.calls["rooms"] == 2
        await search.close()


async def test_one_person_has_half_of_the_connections_and_others_are_sent() -> None:
    async with calling() as calls:
        links, videos = links_of(calls, LocalLoads()), add_videos(calls, 10)
        gate = calls.valt.knobs.gate["download"] = asyncio.Event()
        annas = [on_behalf_of("anna", links.get("reviewer", video)) for video in videos]
        await calls.valt.wait_for(lambda: calls.valt.calls["download"] == CONNECTIONS // 2)
        del calls.valt.knobs.gate["download"]
        await on_behalf_of("ben", links.get("reviewer", videos[-1]))  # which anna waits for too
        assert calls.valt.calls["download"] == CONNECTIONS // 2 + 1
        gate.set()
        await asyncio.gather(*annas)
        assert calls.valt.calls["download"] == len(videos)
        await links.close()


async def test_a_link_whose_client_has_left_keeps_its_persons_connection() -> None:
    async with calling() as calls:
        links, videos = links_of(calls, LocalLoads()), add_videos(calls, 4)
        gate = calls.valt.knobs.gate["download"] = asyncio.Event()
        sent = [on_behalf_of("anna", links.get("reviewer", video)) for video in videos[:2]]
        await calls.valt.wait_for(lambda: calls.valt.calls["download"] == 2)
        await leave(*sent)
        del calls.valt.knobs.gate["download"]
        anna = on_behalf_of("anna", links.get("reviewer", videos[2]))
        await on_behalf_of("ben", links.get("reviewer", videos[3]))
        assert calls.valt.calls["download"] == 3
        gate.set()
        await anna
        await links.close()


async def test_who_waits_too_long_for_a_turn_of_their_own_is_busy() -> None:
    turns = Turns(1, timeout=0.01)

    async def take(admission: ExitStack) -> None:
        await turns.take(admission)

    with ExitStack() as first, ExitStack() as second:
        await on_behalf_of("anna", take(first))
        with pytest.raises(BusyError):
            await on_behalf_of("anna", take(second))
        await on_behalf_of("ben", take(second))
        first.close()
        await on_behalf_of("anna", take(first))
