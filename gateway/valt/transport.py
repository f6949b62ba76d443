"""One request to VALT's API with its deadline, retries and circuit breaker; aiohttp's exceptions end here.

VALT takes its access token in the query and aiohttp's exceptions print the URL, so they are translated ``from None``.
Only requests that may be repeated safely are retried: any GET, and a POST whose connection was never established.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from yarl import URL

from gateway.errors import CircuitOpenError, ValtResponseError, ValtTimeoutError, ValtUnavailableError
from gateway.events import LogEvent
from gateway.ports import Clock, Observer
from gateway.valt.circuit_breaker import CircuitBreaker, Outcome, State
from gateway.valt.retry_budget import RetryBudget

_TRANSPORT_ERRORS = (aiohttp.ClientError, OSError, ValueError)
_TRANSITION_LOGS = {
    State.OPEN: ("warning", "VALT API circuit breaker opened"),
    State.CLOSED: ("info", "VALT API circuit breaker closed"),
}


@dataclass(frozen=True, slots=True)
class Response:
    """VALT's response, whatever its status. The body is not in the repr: it may hold a token or a link."""

    status: int
    body: bytes = field(repr=False)


class Transport:
    """Sends requests to the VALT API at *server*, its base URL as it appears in the log.

    *session* keeps no cookies and is used for VALT's API alone. *read_timeout* is seconds for a whole request, its
    retries included.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        server: str,
        clock: Clock,
        observer: Observer,
        *,
        read_timeout: float,
        breaker: CircuitBreaker | None = None,
        retry_budget: RetryBudget | None = None,
    ) -> None:
        self.breaker = breaker or CircuitBreaker()
        self._session = session
        self._server = server
        self._clock = clock
        self._observer = observer
        self._read_timeout = read_timeout
        self._retry_budget = retry_budget or RetryBudget()
        self._logged_state = self.breaker.state

    def __repr__(self) -> str:
        return f"<Transport {self._server} {self.breaker!r}>"

    async def request(self, method: str, url: URL, *, limit: int, json: Any = None) -> Response:
        """Returns VALT's response, retried where that is safe and the retry budget allows it.

        Raises ValtResponseError if the body exceeds *limit* bytes, ValtTimeoutError after the read timeout,
        CircuitOpenError if the circuit breaker is open and ValtUnavailableError for any other failure.
        """
        loop = asyncio.get_running_loop()
        deadline, retries = loop.time() + self._read_timeout, 0
        self._retry_budget.record_call()
        while True:
            response, failure = None, ""
            try:
                response = await self._attempt(method, url, deadline, limit, json)
                retryable = method == "GET" and response.status >= 500
            except TimeoutError:
                raise ValtTimeoutError(f"VALT did not respond to a {method} request in time") from None
            except _TRANSPORT_ERRORS as error:
                # A POST whose response was lost may have taken effect; one that was never sent has not.
                retryable = method == "GET" or isinstance(error, aiohttp.ClientConnectorError)
                failure = type(error).__name__
            delay = self._retry_budget.next_delay(retries, deadline - loop.time()) if retryable else None
            if delay is not None:
                retries += 1
                await asyncio.sleep(delay)
            elif response is not None:
                return response
            else:
                raise ValtUnavailableError(f"the request to VALT failed: {failure}")

    async def _attempt(self, method: str, url: URL, deadline: float, limit: int, json: Any) -> Response:
        """Returns the response to one request, and records its outcome in the circuit breaker."""
        now = self._clock.monotonic()
        permit = self.breaker.acquire(now)
        if permit is None:
            raise CircuitOpenError("VALT API circuit breaker is open", retry_after=self.breaker.retry_after(now))
        outcome = Outcome.CANCELLED
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._exchange(method, url, limit, json)
            outcome = Outcome.FAILURE if response.status >= 500 else Outcome.SUCCESS
            return response
        except ValtResponseError:
            outcome = Outcome.SUCCESS
            raise
        except (TimeoutError, *_TRANSPORT_ERRORS):
            outcome = Outcome.FAILURE
            raise
        finally:
            self.breaker.record(permit, outcome, self._clock.monotonic())
            self._log_transition()

    async def _exchange(self, method: str, url: URL, limit: int, json: Any) -> Response:
        async with self._session.request(method, url, json=json, allow_redirects=False) as response:
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > limit:
                    raise ValtResponseError(f"VALT's response is larger than {limit} bytes")
            return Response(response.status, bytes(body))

    def _log_transition(self) -> None:
        """Logs when the breaker has opened or closed since the last log line; half open is neither."""
        state = self.breaker.state
        if state is not self._logged_state and state in _TRANSITION_LOGS:
            self._logged_state = state
            self._observer.on_event(LogEvent(*_TRANSITION_LOGS[state], (("server", self._server),)))
