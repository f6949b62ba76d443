"""Callers with different requirements who join the load of one link, which another replica may have fetched."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

from gateway.model import Link, Secret, Video
from gateway.sim.catalogue import CAMERA_A, SESSION
from gateway.valt.links import ValtLinks
from tests.support.clock import ManualClock
from tests.support.shared_loads import OtherReplica, links_of
from tests.support.valt_client import Calls, calling

FILM = Video(SESSION, CAMERA_A)


@asynccontextmanager
async def links_of_another_replica() -> AsyncIterator[tuple[Calls, ValtLinks, OtherReplica, Link]]:
    """Yields links of a replica that has none, those that it shares, and the one that another replica has fetched. The
    gate is closed."""
    other = OtherReplica()
    async with calling(clock=ManualClock()) as calls:
        other.gate.set()
        theirs = await links_of(calls, other).get("reviewer", FILM)
        other.gate = asyncio.Event()
        links = links_of(calls, other)
        yield calls, links, other, theirs
        await links.close()


async def joined(other: OtherReplica, *waiting: Awaitable[Link]) -> list[Link]:
    tasks = [asyncio.ensure_future(one) for one in waiting]
    await asyncio.sleep(0)
    other.gate.set()
    return await asyncio.gather(*tasks)


async def test_a_link_that_is_too_short_for_who_joined_its_load_is_replaced_once() -> None:
    async with links_of_another_replica() as (calls, links, other, theirs):
        assert isinstance(calls.clock, ManualClock)
        assert theirs.expires_at is not None
        calls.clock.pass_(theirs.expires_at - calls.clock.now() - 200.0)
        redirects = [links.get("reviewer", FILM, min_life=300.0) for _ in range(3)]
        short, *long = await joined(other, links.get("reviewer", FILM), *redirects)
        assert short == theirs
        assert {link.url for link in long} == {long[0].url} != {theirs.url}
        assert calls.valt.calls["download"] == 2


async def test_a_link_that_was_refused_is_not_given_to_who_joins_a_load_of_it() -> None:
    async with links_of_another_replica() as (calls, links, other, theirs):
        first, renewed = await joined(other, links.get("reviewer", FILM), links.renew("reviewer", FILM, theirs))
        assert first == theirs != renewed
        assert calls.valt.calls["download"] == 2


async def test_a_link_that_was_refused_is_replaced_if_it_was_read_again() -> None:
    async with links_of_another_replica() as (calls, links, other, theirs):
        assert isinstance(calls.clock, ManualClock)
        calls.clock.pass_(1.0)
        other.gate.set()
        assert await links.get("reviewer", FILM) == theirs
        assert await links.renew("reviewer", FILM, theirs) != theirs


def test_the_same_url_is_the_same_link() -> None:
    assert Link(Secret("u"), None, None, 1.0) == Link(Secret("u"), None, None, 2.0)
