"""The gateway's own client of VALT's API, against a simulated VALT."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace

import aiohttp

from gateway.clock import SystemClock
from gateway.model import Account, Secret
from gateway.ports import Clock
from gateway.shared_loads import LocalLoads
from gateway.sim.valt import USERS, ValtSimulator
from gateway.valt.circuit_breaker import CircuitBreaker
from gateway.valt.client import AccessToken, ValtClient
from gateway.valt.concurrency_limit import ConcurrencyLimit
from gateway.valt.retry_budget import RetryBudget
from gateway.valt.tokens import ValtTokens
from gateway.valt.transport import Transport, trace_used_connections
from gateway.valt_backend import client_session
from tests.support.recorder import Recorder

CONNECTIONS = 4
"""To VALT, of each client."""


@dataclass
class Calls:
    """A client, what it calls, and what it reports."""

    valt: ValtSimulator
    client: ValtClient
    tokens: ValtTokens
    breaker: CircuitBreaker
    clock: Clock
    recorder: Recorder
    session: aiohttp.ClientSession

    async def hold_connection(self) -> None:
        """Holds a connection to VALT until that answers a call of ``rooms``, whatever the read timeout."""
        url = f"{self.valt.base_url}/api/v3/rooms/info"
        async with self.session.get(url, trace_request_ctx=SimpleNamespace()) as response:
            await response.read()

    async def token(self) -> AccessToken:
        return await self.client.login("reviewer")


@asynccontextmanager
async def calling(
    *,
    clock: Clock | None = None,
    read_timeout: float = 5.0,
    retry_budget: RetryBudget | None = None,
    waiting_for_valt: int = 100,
) -> AsyncIterator[Calls]:
    """Yields a client with the account ``reviewer``. Retries wait for no time."""
    own_clock, recorder, breaker = clock or SystemClock(), Recorder(), CircuitBreaker()
    session = client_session(ssl.create_default_context(), limit=CONNECTIONS, trace_configs=[trace_used_connections()])
    async with session, ValtSimulator(clock=clock) as valt:
        transport = Transport(
            session,
            valt.base_url,
            own_clock,
            recorder,
            read_timeout=read_timeout,
            breaker=breaker,
            retry_budget=retry_budget or RetryBudget(rand=lambda: 0.0),
        )
        accounts = {"reviewer": Account("reviewer", "svc-reviewer", Secret(USERS["svc-reviewer"]))}
        client = ValtClient(transport, valt.base_url, accounts, (), own_clock, recorder)
        limit = ConcurrencyLimit(recorder, maximum=waiting_for_valt, connections=CONNECTIONS, timeout=read_timeout)
        tokens = ValtTokens(client, own_clock, recorder, limit, LocalLoads(), token_ttl=3600.0)
        yield Calls(valt, client, tokens, breaker, own_clock, recorder, session)
        await tokens.close()
