"""A call to VALT's API, from the first try to the last: the seam where aiohttp's errors become ours.

VALT takes its token in the query, and aiohttp's exceptions print the URL: so they are translated ``from None`` here.
What failed is repeated only where repeating it does no harm, and a VALT that keeps failing is left alone.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from yarl import URL

from gateway.errors import CircuitOpenError, ValtResponseError, ValtTimeoutError, ValtUnavailableError
from gateway.events import LogEvent
from gateway.ports import Clock, Observer
from gateway.valt.circuit_breaker import CircuitBreaker, End, State
from gateway.valt.retry_budget import RetryBudget

_BROKEN = (aiohttp.ClientError, OSError, ValueError)
_NOTICES = {State.OPEN: ("warning", "VALT keeps failing and is left alone"), State.CLOSED: ("info", "VALT is back")}


@dataclass(frozen=True, slots=True)
class Answer:
    """What VALT said, whatever its status."""

    status: int
    body: bytes = field(repr=False)


class Calls:
    """*session* keeps no cookies and belongs to VALT's API alone. *server* is its base URL, as the log names it.
    *read_timeout*: seconds for a whole answer, the retries before it included."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        server: str,
        clock: Clock,
        observer: Observer,
        *,
        read_timeout: float,
        breaker: CircuitBreaker | None = None,
        patience: RetryBudget | None = None,
    ) -> None:
        self._session = session
        self._server = server
        self._clock = clock
        self._observer = observer
        self._read_timeout = read_timeout
        self._breaker = breaker or CircuitBreaker()
        self._patience = patience or RetryBudget()
        self._told = self._breaker.state

    @property
    def state(self) -> State:
        """The breaker's."""
        return self._breaker.state

    async def ask(self, method: str, url: URL, *, limit: int, json: Any = None) -> Answer:
        """VALT's answer, of *limit* bytes at most. ValtUnavailableError; ValtTimeoutError; ValtResponseError."""
        loop = asyncio.get_running_loop()
        until, retries = loop.time() + self._read_timeout, 0
        self._patience.record_call()
        while True:
            try:
                answer = await self._once(method, url, until, limit, json)
                repeatable, broken = method == "GET" and answer.status >= 500, None
            except TimeoutError:
                raise ValtTimeoutError(f"VALT did not answer a {method} in time") from None
            except _BROKEN as error:
                # A POST may have done its work before its answer was lost; one that was never sent has not.
                repeatable = method == "GET" or isinstance(error, aiohttp.ClientConnectorError)
                answer, broken = None, type(error).__name__
            pause = self._patience.pause(retries, until - loop.time()) if repeatable else None
            if pause is not None:
                retries += 1
                await asyncio.sleep(pause)
            elif answer is not None:
                return answer
            else:
                raise ValtUnavailableError(f"VALT cannot be reached: {broken}")

    async def _once(self, method: str, url: URL, until: float, limit: int, json: Any) -> Answer:
        """One try, if VALT is to be asked at all; its end is told to the breaker."""
        now = self._clock.monotonic()
        permit = self._breaker.admit(now)
        if permit is None:
            raise CircuitOpenError("VALT keeps failing and is left alone", retry_after=self._breaker.wait(now))
        end = End.UNKNOWN
        try:
            async with asyncio.timeout_at(until):
                answer = await self._exchange(method, url, limit, json)
            end = End.FAILED if answer.status >= 500 else End.ANSWERED
            return answer
        except ValtResponseError:
            end = End.ANSWERED
            raise
        except (TimeoutError, *_BROKEN):
            end = End.FAILED
            raise
        finally:
            self._breaker.settle(permit, end, self._clock.monotonic())
            self._tell()

    async def _exchange(self, method: str, url: URL, limit: int, json: Any) -> Answer:
        async with self._session.request(method, url, json=json, allow_redirects=False) as answer:
            body = bytearray()
            async for piece in answer.content.iter_any():
                body += piece
                if len(body) > limit:
                    raise ValtResponseError("VALT's answer is larger than any of its answers should be")
            return Answer(answer.status, bytes(body))

    def _tell(self) -> None:
        if self.state is not self._told and self.state in _NOTICES:
            self._told = self.state
            self._observer.on_event(LogEvent(*_NOTICES[self._told], (("server", self._server),)))
