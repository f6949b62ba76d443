"""One request to VALT's API with its deadline, retries and circuit breaker; aiohttp's exceptions end here.

VALT takes its access token in the query and aiohttp's exceptions print the URL, so they are translated ``from None``.

Only requests that may be repeated are retried. A GET: after every failure but a timeout. A POST: if its connection was
never established, or had served before and was closed without a response or with status 408, as a server closes an idle
one (RFC 9112, sections 9.3.1 and 9.5), of which there may be several. A POST that only reads, such as a search, also
if the first connection was lost in another way, as a new one or amid its response. A login is repeated only once if a
connection was closed without a response, and not at all if that was new: VALT may have counted it, and ten failed ones
lock the account.

Below all this aiohttp repeats a GET once, at once, whose connection was closed, on any connection (RFC 9112, 9.3.1).
"""

import asyncio
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp import hdrs
from yarl import URL

from gateway.connection_failure import describe_failure
from gateway.errors import BusyError, CircuitOpenError, ValtResponseError, ValtTimeoutError, ValtUnavailableError
from gateway.events import LogEvent
from gateway.ports import Clock, Observer
from gateway.request_trace import current_trace
from gateway.valt.circuit_breaker import CircuitBreaker, Outcome, State
from gateway.valt.retry_budget import RetryBudget

_TRANSPORT_ERRORS = (aiohttp.ClientError, OSError, ValueError)
_LOST = (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError)
"""The connection was closed before the end of the response."""
CONNECTIONS = 32
"""To VALT's API. A request may meet as many idle ones, one after another, while the server closes them. README states
it."""
_TRANSITION_LOGS = {
    State.OPEN: ("warning", "VALT API circuit breaker opened"),
    State.CLOSED: ("info", "VALT API circuit breaker closed"),
}


@dataclass(frozen=True, slots=True)
class Response:
    """VALT's response, whatever its status. The body is not in the repr: it may hold a token or a link."""

    status: int
    body: bytes = field(repr=False)
    closes: bool = False
    """Whether VALT closes the connection after it."""


@dataclass(slots=True)
class _Attempt:
    """One request on the wire. aiohttp's tracing sets *has_waited*, *on_used_connection* and *is_sent*."""

    has_waited: bool = False
    """For a connection that is free: all were in use."""
    on_used_connection: bool = False
    is_sent: bool = False
    has_response: bool = False

    def is_idle_close(self, error: Exception) -> bool:
        """Whether *error* is how it looks when the server closes an idle connection as the request arrives."""
        return self.on_used_connection and not self.has_response and isinstance(error, _LOST)

    def is_idle_timeout(self, response: Response) -> bool:
        """Whether *response* says that the server closes an idle connection: it may be sent as the request arrives,
        which the server has not read then (RFC 9110, section 15.5.9)."""
        return self.on_used_connection and response.status == 408 and response.closes


def trace_used_connections() -> aiohttp.TraceConfig:
    """Returns the tracing that a session for a `Transport` needs."""

    async def mark_used(_session: aiohttp.ClientSession, context: SimpleNamespace, _: object) -> None:
        context.trace_request_ctx.on_used_connection = True

    async def mark_new(_session: aiohttp.ClientSession, context: SimpleNamespace, _: object) -> None:
        # aiohttp itself repeats a GET once whose connection was closed.
        context.trace_request_ctx.on_used_connection = False

    async def mark_waiting(_session: aiohttp.ClientSession, context: SimpleNamespace, _: object) -> None:
        context.trace_request_ctx.has_waited = True

    async def mark_sent(_session: aiohttp.ClientSession, context: SimpleNamespace, _: object) -> None:
        context.trace_request_ctx.is_sent = True

    config = aiohttp.TraceConfig()
    config.on_connection_queued_start.append(mark_waiting)
    config.on_connection_reuseconn.append(mark_used)
    config.on_connection_create_start.append(mark_new)
    config.on_request_headers_sent.append(mark_sent)
    return config


def send_traceparent() -> aiohttp.TraceConfig:
    """Returns the tracing of a session whose requests carry the trace of the request that they are made for."""

    async def add_header(_session: aiohttp.ClientSession, _: object, sent: aiohttp.TraceRequestStartParams) -> None:
        if (trace := current_trace.get()) is not None:
            sent.headers["traceparent"] = trace.call_header()

    config = aiohttp.TraceConfig()
    config.on_request_start.append(add_header)
    return config


class Transport:
    """Sends requests to the VALT API at *server*, its base URL as it appears in the log.

    *session* keeps no cookies, has `trace_used_connections` and is used for VALT's API alone. *read_timeout* is seconds
    for a whole request, its retries included.
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

    async def request(
        self, method: str, url: URL, *, limit: int, json: Any = None, reads_only: bool = True, optional: bool = False
    ) -> Response:
        """Returns VALT's response, retried where that is safe and the retry budget allows it.

        *reads_only*: whether the request changes nothing in VALT. *optional*: whether the call may be one that this
        VALT does not have or does not allow, or one that takes it long because of what a client chose, so that a
        response with status 500 or 504 is neither retried nor counted by the circuit breaker, nor is one counted that
        does not arrive in time, and no other call waits for its end while the breaker is half open.
        Raises ValtResponseError if the body exceeds *limit* bytes, ValtTimeoutError after the read timeout, BusyError
        if no connection was free until then, CircuitOpenError if the circuit breaker is open and ValtUnavailableError
        for any other failure.
        """
        loop = asyncio.get_running_loop()
        deadline, retries, idle_closes, idle_timeouts = loop.time() + self._read_timeout, 0, 0, 0
        self._retry_budget.record_call()
        while True:
            response, failure, attempt = None, "", _Attempt()
            delay: float | None = None
            try:
                response = await self._attempt(attempt, method, url, deadline, limit, json, optional)
                if attempt.is_idle_timeout(response) and idle_timeouts < CONNECTIONS:
                    idle_timeouts, delay = idle_timeouts + 1, 0.0
                retryable = method == "GET" and response.status >= 500 and not _is_of_the_call(optional, response)
            except TimeoutError:
                if attempt.has_waited and not attempt.is_sent:
                    raise BusyError("no connection to VALT was free in time") from None
                raise ValtTimeoutError(f"VALT did not respond to a {method} request in time") from None
            except _TRANSPORT_ERRORS as error:
                lost_once = reads_only and not (retries or idle_closes or idle_timeouts) and isinstance(error, _LOST)
                if attempt.is_idle_close(error) and idle_closes < (CONNECTIONS if reads_only else 1):
                    idle_closes, delay = idle_closes + 1, 0.0
                retryable = method == "GET" or lost_once or isinstance(error, aiohttp.ClientConnectorError)
                failure = describe_failure(error, self._server)
            if retryable and delay is None:  # the end of an idle connection costs nothing of the budget
                delay = self._retry_budget.next_delay(retries, deadline - loop.time())
                retries += 1
            if delay is not None:
                await asyncio.sleep(delay)
            elif response is not None:
                return response
            else:
                raise ValtUnavailableError(f"the request to VALT failed: {failure}")

    async def _attempt(
        self, attempt: _Attempt, method: str, url: URL, deadline: float, limit: int, json: Any, optional: bool
    ) -> Response:
        """Returns the response to one request, and records its outcome in the circuit breaker."""
        now = self._clock.monotonic()
        permit = self.breaker.acquire(now, may_probe=not optional)
        if permit is None:
            raise CircuitOpenError("VALT API circuit breaker is open", retry_after=self.breaker.retry_after(now))
        outcome = Outcome.UNCLEAR
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._exchange(attempt, method, url, limit, json)
            if not _is_of_the_call(optional, response) and not attempt.is_idle_timeout(response):
                outcome = Outcome.FAILURE if response.status >= 500 else Outcome.SUCCESS
            return response
        except ValtResponseError:
            outcome = Outcome.SUCCESS
            raise
        except (TimeoutError, *_TRANSPORT_ERRORS) as error:
            # A VALT that is slow for everything fails the calls that did not wait for a connection.
            ours = attempt.has_waited or (optional and attempt.is_sent)
            is_unclear = attempt.is_idle_close(error) or (ours and isinstance(error, TimeoutError))
            outcome = Outcome.UNCLEAR if is_unclear else Outcome.FAILURE
            raise
        finally:
            self.breaker.record(permit, outcome, self._clock.monotonic())
            self._log_transition()

    async def _exchange(self, attempt: _Attempt, method: str, url: URL, limit: int, json: Any) -> Response:
        async with self._session.request(
            method, url, json=json, allow_redirects=False, trace_request_ctx=attempt
        ) as response:
            attempt.has_response = True
            head = Response(response.status, b"", "close" in response.headers.get(hdrs.CONNECTION, "").lower())
            if attempt.is_idle_timeout(head):
                response.close()  # aiohttp finds no end of a body that arrived before the connection was used again
                return head
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > limit:
                    raise ValtResponseError(f"VALT's response is larger than {limit} bytes")
            return replace(head, body=bytes(body))

    def _log_transition(self) -> None:
        """Logs when the breaker has opened or closed since the last log line; half open is neither."""
        state = self.breaker.state
        if state is not self._logged_state and state in _TRANSITION_LOGS:
            self._logged_state = state
            self._observer.on_event(LogEvent(*_TRANSITION_LOGS[state], (("server", self._server),)))


def _is_of_the_call(optional: bool, response: Response) -> bool:
    """Whether the call is the reason for the response's status, rather than VALT's state."""
    return optional and response.status in (500, 504)
