"""The bytes of one stream: requested once, and requested again from the position reached when they are interrupted.

How it works: *open* gets the first response and settles what the client is promised. *relay* moves its body; if the
link expires, the connection drops or the server stalls, it requests the rest, with another link if need be, and goes
on where it stopped. The client sees one body, byte for byte that of one file, or BodyLostError.
"""

import random
from collections.abc import Awaitable, Callable, Mapping

from multidict import MultiMapping

from gateway.delivery.client_stream import ClientStalledError, ClientStream
from gateway.delivery.media_response import BodyInterruptedError, BodyTooLongError, MediaResponse
from gateway.delivery.resume import can_continue, evaluate, is_identified, pause, resume_request
from gateway.delivery.verdicts import (
    Complete,
    MediaRequest,
    NotFound,
    Representation,
    StaleLink,
    TryAgain,
    Unusable,
    Usable,
    Verdict,
)
from gateway.errors import (
    CircuitOpenError,
    GatewayError,
    ValtResponseError,
    ValtUnavailableError,
    VideoNotFoundError,
)
from gateway.events import StreamResumed
from gateway.model import Grant, Link
from gateway.ports import Clock, Links, Observer
from gateway.request_record import RequestRecord

Get = Callable[[Link, Mapping[str, str]], Awaitable[MediaResponse]]
"""MediaServer.get."""


class BodyLostError(Exception):
    """The body cannot go on. *reason* is changed or gone."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ResumableBody:
    """The body of one request. *tries*: how often in a row, without progress, the rest is requested."""

    def __init__(
        self,
        get: Get,
        links: Links,
        clock: Clock,
        observer: Observer,
        grant: Grant,
        link: Link,
        record: RequestRecord,
        *,
        tries: int,
    ) -> None:
        self._get = get
        self._links = links
        self._clock = clock
        self._observer = observer
        self._grant = grant
        self._link = link
        self._record = record
        self._tries = tries
        self._response: MediaResponse | None = None
        self._body: Representation | None = None
        self._skip = 0
        self._length: int | None = None

    def __repr__(self) -> str:
        return f"<ResumableBody {self._body!r} resumes={self._record.resumes}>"

    async def open(self, request: MediaRequest) -> tuple[Usable, MultiMapping[str]]:
        """Send *request* and return the verdict on the response, and its fields. A stale link is renewed once.

        Raises VideoNotFoundError or a ValtError; nothing has been sent to the client then.
        """
        verdict, response = await self._first(request)
        if isinstance(verdict, StaleLink):
            self._link = await self._links.renew(self._grant.account, self._grant.target, self._link)
            verdict, response = await self._first(request)
        if not isinstance(verdict, Usable):
            raise _error(verdict)
        self._body, self._length = verdict.body, verdict.length
        return verdict, response.headers

    async def relay(self, client: ClientStream) -> None:
        """Move the whole body. Raises BodyLostError if it cannot go on, ClientIdleError or ConnectionError."""
        failures = 0
        while (response := self._response) is not None:
            if self._body is None or not can_continue(self._body):
                client.disable_stall_timeout()
            before, reason = client.sent, "short"
            left = self._left(client)
            own = None if self._length is None else self._length - self._skip  # a part may end before what is missing
            must_end = own is not None and (left is None or own <= left)
            try:
                await response.relay(client, self._skip, own if must_end else left, must_end=must_end)
                left = self._left(client)
                if left == 0 or (left is None and not self._may_be_incomplete(response)):
                    return  # a body of unknown length, or of several parts, ends with the response
            except BodyInterruptedError as error:
                reason = error.reason
            except BodyTooLongError:
                raise BodyLostError("changed") from None
            except ClientStalledError:
                response.close()
                await client.wait_writable()
                reason = "idle"
            if self._left(client) == 0:
                return  # the client paused with the last bytes on their way
            response.close()
            failures = await self._resume(reason, failures if client.sent == before else 0, client)

    @property
    def spliced(self) -> bool:
        """Whether the response's body can be moved from socket to socket."""
        return self._response is not None and self._response.spliced

    def close(self) -> None:
        """Stop reading from the media server."""
        if self._response is not None:
            self._response.close()

    def _may_be_incomplete(self, response: MediaResponse) -> bool:
        """Whether to ask for the rest of a body of unknown length: its end may have been a lost connection, or that of
        a part, of which a server may send less than was requested."""
        if self._body is None or not can_continue(self._body):
            return False
        return response.ends_with_connection or response.status == 206

    async def _first(self, request: MediaRequest) -> tuple[Verdict, MediaResponse]:
        """Returns the verdict on the first response, and the response, which is closed unless it is usable."""
        try:
            response = await self._get(self._link, request.headers)
        except ValtUnavailableError:
            # The connection failed before the end of the head. Nothing has been sent, so the request can be repeated.
            await self._wait(1)
            response = await self._get(self._link, request.headers)
        self._response = response  # which `close` closes, whatever is raised
        verdict = evaluate(request, response.status, response.headers)
        if not isinstance(verdict, Usable):
            response.close()
        return verdict, response

    async def _resume(self, reason: str, failures: int, client: ClientStream) -> int:
        """Request the rest until there is a usable response. Returns the number of failures in a row so far."""
        retry_after = 0.0
        while self._body is not None and is_identified(self._body) and failures < self._tries:
            await self._wait(failures, retry_after)
            retry_after, failures = 0.0, failures + 1
            request = resume_request(self._body, self._body.first + client.sent)
            verdict: Verdict | None = None
            try:
                verdict = await self._rest(request)
                if isinstance(verdict, StaleLink):
                    self._observer.on_event(StreamResumed(reason, "failed"))
                    reason = "link_refused"
                    self._link = await self._links.renew(self._grant.account, self._grant.target, self._link)
                    verdict = await self._rest(request)
            except VideoNotFoundError:
                raise BodyLostError("gone") from None
            except CircuitOpenError as error:
                retry_after = error.retry_after or 0.0
            except GatewayError:
                pass  # one more failure, which is counted below
            if isinstance(verdict, Complete):
                return failures
            if isinstance(verdict, Usable):
                self._record.count_resume()
                self._observer.on_event(StreamResumed(reason, "ok"))
                return failures
            self._observer.on_event(StreamResumed(reason, "failed"))
            if isinstance(verdict, NotFound | Unusable):
                raise BodyLostError("gone" if isinstance(verdict, NotFound) else "changed")
        raise BodyLostError("gone")

    async def _rest(self, request: MediaRequest) -> Verdict:
        """Request the rest once. A usable response is the one to relay from then on; with Complete there is none."""
        response = self._response = await self._get(self._link, request.headers)
        verdict = evaluate(request, response.status, response.headers)
        if isinstance(verdict, Usable):
            self._body, self._skip, self._length = verdict.body, verdict.skip, verdict.length
            return verdict
        response.close()
        if isinstance(verdict, Complete):
            self._response = None
        return verdict

    async def _wait(self, failures: int, retry_after: float = 0.0) -> None:
        await self._clock.sleep(pause(failures, retry_after, random.random()))  # noqa: S311 jitter, not a secret

    def _left(self, client: ClientStream) -> int | None:
        """How many bytes the client was promised and does not have; None if unknown. It is never sent more."""
        if self._body is None or self._body.end is None:
            return None
        return self._body.end - self._body.first - client.sent


def _error(verdict: Verdict) -> GatewayError:
    """Returns what a verdict on the first response is to the client."""
    match verdict:
        case NotFound(status):
            return VideoNotFoundError(f"the media server responded with HTTP {status}")
        case TryAgain(status):
            return ValtUnavailableError(f"the media server responded with HTTP {status}")
        case Unusable(reason):
            return ValtResponseError(reason)
        case _:
            return ValtResponseError("the media server refused a fresh link")
