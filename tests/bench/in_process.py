"""``python -m tests.bench.in_process``: what a decision costs with many rules, and what a look-up does in full caches.

Prints JSON: for each curve the points (number, microseconds, bytes). Microseconds of processor time are the least of
several runs of one function alone, so that other processes do not matter. Bytes are those of one entry, 0 if unknown.
"""

import asyncio
import json
import random
import sys
import time
import tracemalloc
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp

from gateway.cache import CacheEntry, LoadingCache
from gateway.clock import SystemClock
from gateway.identity.claims import TokenRequirements
from gateway.identity.jwks import JwksClient
from gateway.identity.jwt import JwtAuthenticator
from gateway.model import Credentials, Identity, IdentityKind, Link, Secret
from gateway.policy import Rules
from gateway.ports import Observer
from gateway.recording_details import RecordingDetails
from gateway.rules import Rule, ValtNames
from tests.support.provider import Provider, signing_key

RULES = (10, 100, 1_000, 10_000)
LINKS = (100, 1_000, 10_000, 100_000)
TOKENS = (100, 1_000, 10_000)
_REPEATS = 7
Point = tuple[int, float, float]


class SilentObserver(Observer):
    """Drops everything."""

    def on_event(self, event: Any) -> None: ...

    def on_request_end(self, record: Any) -> None: ...


class NoRecordings:
    """VALT, which is not asked."""

    async def get(self, account: str, recording: str) -> RecordingDetails:
        raise AssertionError(f"{account} asks for {recording}")


async def rules_curve(count: int) -> Point:
    """Decides with *count* rules, of which the last one alone names the person."""
    others = tuple(Rule(f"rule-{number}", "a", groups=frozenset({f"group-{number}"})) for number in range(count - 1))
    last = Rule("last", "a", groups=frozenset({"staff"}))
    policy = Rules((*others, last), NoRecordings(), ValtNames(), SystemClock(), SilentObserver())
    who = Identity("anna", "https://sso", "campus", IdentityKind.JWT, frozenset({"staff", "psychology", "all"}))
    best = float("inf")
    for _ in range(_REPEATS):
        started = time.process_time()
        for _ in range(1000):
            await policy.decide(who, "recording", "video")
        best = min(best, (time.process_time() - started) / 1000)
    return count, best * 1e6, 0.0


async def links_curve(count: int) -> Point:
    """Looks up links in a cache that has *count*."""
    cache: LoadingCache[tuple[str, str, str], Link] = LoadingCache(
        "link", SystemClock(), SilentObserver(), max_entries=100_000
    )
    keys = [("reviewer", f"{number:032x}", f"{number:08x}") for number in range(count)]
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    expires_at = time.time() + 3600
    for key in keys:
        link = Link(
            Secret(f"https://media.example.edu/distribution/{key[1]}.mp4?access_token={key[1] * 2}"),
            expires_at,
            "film.mp4",
        )

        async def load(link: Link = link) -> CacheEntry[Link]:
            return CacheEntry(link, 3600.0)

        await cache.get(key, load)
    size = (tracemalloc.get_traced_memory()[0] - before) / count
    tracemalloc.stop()
    some = random.choices(keys, k=2000)
    return count, _least(lambda: [cache.cached(key) for key in some]) / len(some), size


async def tokens_curve(count: int) -> Point:
    """Recognises tokens of which *count* have been verified."""
    provider = Provider(keys=[signing_key("ES256")])
    clock, observer, now = SystemClock(), SilentObserver(), int(time.time())
    async with provider.running(), aiohttp.ClientSession() as session:
        keys = JwksClient("campus", provider.issuer, f"{provider.issuer}/keys", session, clock, observer)
        expected = TokenRequirements(provider.issuer, "valt-gateway", ("ES256",), 5.0)
        campus = JwtAuthenticator("campus", "Authorization", expected, keys, clock, observer, cache_ttl=3600.0)
        claims = {"iss": provider.issuer, "aud": "valt-gateway", "groups": ["staff"], "iat": now, "exp": now + 7200}
        people = [
            Credentials(headers={"authorization": f"Bearer {provider.sign({**claims, 'sub': f'person-{number}'})}"})
            for number in range(count)
        ]
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for person in people:
            await campus.authenticate(person)
        size = (tracemalloc.get_traced_memory()[0] - before) / count
        tracemalloc.stop()
        some = random.choices(people, k=2000)
        return count, _least(lambda: [campus.cached(person) for person in some]) / len(some), size


def _least(function: Callable[[], object]) -> float:
    """Returns the microseconds of processor time of the fastest of several runs."""
    best = float("inf")
    for _ in range(_REPEATS):
        started = time.process_time()
        function()
        best = min(best, time.process_time() - started)
    return best * 1e6


_CURVES: dict[str, tuple[Callable[[int], Coroutine[Any, Any, Point]], tuple[int, ...]]] = {
    "rules": (rules_curve, RULES),
    "links": (links_curve, LINKS),
    "tokens": (tokens_curve, TOKENS),
}


async def main(most: int) -> None:
    """Prints the curves, with numbers up to *most*."""
    points = {
        name: [await curve(number) for number in numbers if number <= most]
        for name, (curve, numbers) in _CURVES.items()
    }
    print(json.dumps(points))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
