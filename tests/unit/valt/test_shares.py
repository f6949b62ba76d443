"""The share of one person in what waits for VALT, against a simulated VALT."""

import asyncio
from collections.abc import Coroutine
from contextvars import copy_context
from typing import Any, TypeVar

import pytest

from gateway.errors import TooManyRequestsError
from gateway.model import Identity, IdentityKind, Link, Video
from gateway.request_record import current_identity
from gateway.shared_loads import LocalLoads
from gateway.sim.catalogue import SESSION
from gateway.valt.recordings import ValtSearch
from tests.support.shared_loads import OtherReplica, links_of
from tests.support.valt_client import Calls, calling

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
    async with calling(waiting_for_valt=20) as calls:
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
