"""Generated sequences of ticket checks over two replicas, compared with a plain model."""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

from redis.asyncio import Redis

from gateway.errors import BusyError, InvalidCredentialsError
from gateway.identity.claims import TokenRequirements
from gateway.identity.ticket import TicketAuthenticator, mint_ticket
from gateway.model import Credentials, Secret
from gateway.redis_url import parse_redis_url
from gateway.store.redis import RedisStore
from tests.support.clock import ManualClock
from tests.support.generated import sequences
from tests.support.plain_tickets import LEEWAY, MAX_AGE, PlainTickets
from tests.support.redis_server import redis_server

KEY = "a secret of the portal with more than thirty-two bytes"
REQUIREMENTS = TokenRequirements("https://portal.example.edu", "https://gateway.example.edu", ("HS256",), LEEWAY)


def mint(clock: ManualClock) -> tuple[str, float]:
    """Returns a ticket, and when it was issued."""
    now = float(int(clock.now()))
    claims = {"issuer": REQUIREMENTS.issuer, "audience": REQUIREMENTS.audience, "subject": "anna"}
    return mint_ticket(KEY, **claims, now=now, ttl=MAX_AGE), now


async def outcome(replica: TicketAuthenticator, ticket: str, *, consume: bool) -> str:
    try:
        accepted = await replica.authenticate(Credentials(ticket=Secret(ticket), consume_ticket=consume))
    except BusyError:
        return "unknown"
    except InvalidCredentialsError:
        return "refused"
    assert accepted is not None
    return "accepted"


async def play(
    chosen: random.Random, clock: ManualClock, client: Redis, stores: Sequence[RedisStore], model: PlainTickets
) -> None:
    """Runs one sequence of ten steps."""
    replicas = [
        TicketAuthenticator("portal", REQUIREMENTS, (KEY,), clock, store, max_age=MAX_AGE, started_at=clock.now())
        for store in stores
    ]
    tickets = [mint(clock) for _ in range(3)]
    for _ in range(10):
        step = chosen.choice(("present", "present", "present", "present", "head", "wait", "mint", "empty", "lose"))
        if step in ("present", "head"):
            ticket, issued_at = chosen.choice(tickets)
            at = [chosen.choice(replicas) for _ in range(chosen.choice((1, 2, 4)))]
            consume = step == "present"
            outcomes = await asyncio.gather(*(outcome(replica, ticket, consume=consume) for replica in at))
            expected = model.present(ticket, issued_at, clock.now(), times=len(at), consume=consume)
            assert sorted(outcomes) == expected
        elif step == "wait":
            clock.pass_(chosen.choice((1.0, 10.0, 30.0)))
        elif step == "mint":
            tickets.append(mint(clock))
        elif chosen.random() < 0.2:
            if step == "empty":
                await client.flushall()
                await stores[0].is_consumed("any")  # the first who looks sets the epoch
                model.empty(clock.now())
            else:
                await client.client_kill_filter(_type="pubsub")


async def test_of_interleaved_checks_over_two_replicas_one_accepts_each_ticket(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with redis_server(tmp_path) as server, server.client() as client:
        url = parse_redis_url(Secret(server.url))
        stores = [RedisStore(url, "test:", clock, probe_interval=0.05) for _ in range(2)]
        try:
            for store in stores:
                await store.start()
            model = PlainTickets(complete_since=clock.now())
            for seed in range(sequences(500)):
                clock.pass_(7)
                await play(random.Random(seed), clock, client, stores, model)
            assert model.used
        finally:
            for store in stores:
                await store.close()
