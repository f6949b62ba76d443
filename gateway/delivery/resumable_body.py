"""The bytes of one stream, from wherever they come: asked for once, and asked for again when they break off.

Links go stale, servers drop connections, networks stall: here that is a detour, not an end. The reader sees one body,
byte for byte the same, or a SourceLostError.
"""

import random
from collections.abc import Mapping

from gateway.delivery import resume
from gateway.delivery.client_stream import ClientStalledError, ClientStream
from gateway.delivery.media_server import MediaAnswer, MediaBrokenError, MediaServer
from gateway.errors import (
    CircuitOpenError,
    GatewayError,
    LinkRejectedError,
    ValtResponseError,
    ValtUnavailableError,
    VideoNotFoundError,
)
from gateway.events import StreamResumed
from gateway.model import Grant, Link
from gateway.ports import Clock, Links, Observer
from gateway.request_record import RequestRecord

_PASSED = frozenset({200, 206, 304, 412, 416})


class SourceLostError(Exception):
    """The body cannot go on. *reason* is a fixed word: changed, refused or gone."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ResumableBody:
    """*tries*: how often in a row, without progress, the rest is asked for."""

    def __init__(
        self,
        media: MediaServer,
        links: Links,
        clock: Clock,
        observer: Observer,
        grant: Grant,
        link: Link,
        record: RequestRecord,
        *,
        tries: int,
    ) -> None:
        self._media = media
        self._links = links
        self._clock = clock
        self._observer = observer
        self._grant = grant
        self._link = link
        self._record = record
        self._tries = tries
        self._answer: MediaAnswer | None = None
        self._promise: resume.Representation | None = None
        self._skip = 0

    async def open(self, method: str, headers: Mapping[str, str]) -> MediaAnswer:
        """The first answer, whose status may be passed on. A stale link is renewed once, unseen.

        VideoNotFoundError, ValtError: nothing has been sent yet, so it may still be told properly.
        """
        try:
            answer = await self._ask_first(method, headers)
        except LinkRejectedError:
            self._link = await self._links.renew(self._grant.account, self._grant.target, self._link)
            try:
                answer = await self._ask_first(method, headers)
            except LinkRejectedError:
                raise ValtResponseError("the media server refused a fresh link") from None
        self._answer = answer
        return answer

    async def relay(self, viewer: ClientStream) -> None:
        """Move the whole body. SourceLostError where it cannot go on; ViewerIdleError; ConnectionError."""
        if self._promise is None:
            viewer.disable_stall_timeout()
        failures = 0
        while self._answer is not None:
            before, reason = viewer.bytes, "short"
            try:
                await self._answer.relay(viewer, self._skip, self._left(viewer))
                if self._is_done(viewer):
                    return
            except MediaBrokenError as error:
                reason = error.reason
            except ClientStalledError:
                self._answer.abort()
                await viewer.wait_writable()
                reason = "idle"
            self._answer.abort()
            failures = await self._resume(reason, failures if viewer.bytes == before else 0, viewer)

    @property
    def fast(self) -> bool:
        """Whether the answer came on a connection that a pump can read."""
        return self._answer is not None and self._answer.fast

    def abort(self) -> None:
        if self._answer is not None:
            self._answer.abort()

    async def _ask_first(self, method: str, headers: Mapping[str, str]) -> MediaAnswer:
        try:
            answer = await self._media.ask(method, self._link, headers)
        except ValtUnavailableError:
            # A connection that broke before or inside the head: nothing has been sent on, so once more does no harm.
            await self._pause(1)
            answer = await self._media.ask(method, self._link, headers)
        try:
            self._judge_first(answer, method, headers.get("Range"))
        except GatewayError:
            answer.abort()
            raise
        return answer

    def _judge_first(self, answer: MediaAnswer, method: str, asked: str | None) -> None:
        status = answer.status
        if status in (401, 403):
            raise LinkRejectedError("the media server refused a link")
        if status in (404, 410):
            raise VideoNotFoundError(f"the media server answered HTTP {status}")
        if status == 429 or status >= 500:
            raise ValtUnavailableError(f"the media server answered HTTP {status}")
        if status not in _PASSED or answer.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise ValtResponseError(f"the media server answered HTTP {status} in a way that is not media")
        promised = resume.promise(status, answer.headers)
        if not resume.is_consistent(promised, status, answer.headers, asked if method == "GET" else None):
            raise ValtResponseError("the media server answered with other bytes than were asked for")
        self._promise = promised if method == "GET" else None

    async def _resume(self, reason: str, failures: int, viewer: ClientStream) -> int:
        """Ask for the rest until there is an answer that continues. Returns the failures in a row so far."""
        left_alone = 0.0
        while self._promise is not None and failures < self._tries:
            await self._pause(failures, left_alone)
            left_alone, failures = 0.0, failures + 1
            at = self._promise.first + viewer.bytes
            try:
                told = await self._ask_rest(self._promise, at)
                if isinstance(told, resume.StaleLink):
                    self._observer.on_event(StreamResumed(reason, "failed"))
                    reason = "link_refused"
                    self._link = await self._links.renew(self._grant.account, self._grant.target, self._link)
                    told = await self._ask_rest(self._promise, at)
            except VideoNotFoundError:
                raise SourceLostError("gone") from None
            except CircuitOpenError as error:
                told, left_alone = resume.TryAgain(), error.retry_after or 0.0
            except GatewayError:
                told = resume.TryAgain()
            if isinstance(told, resume.Complete):
                return failures
            if isinstance(told, resume.Continues):
                self._record.count_resume()
                self._observer.on_event(StreamResumed(reason, "ok"))
                return failures
            self._observer.on_event(StreamResumed(reason, "failed"))
            if isinstance(told, resume.Changed):
                raise SourceLostError("changed")
        raise SourceLostError("gone")

    async def _ask_rest(self, promised: resume.Representation, at: int) -> resume.Answer:
        """Ask once. An answer that continues is the one to relay from then on; where there is nothing left, none is."""
        answer = await self._media.ask("GET", self._link, resume.resume_headers(promised, at))
        told = resume.judge(promised, at, answer.status, answer.headers)
        if isinstance(told, resume.Continues):
            self._promise, self._answer, self._skip = told.promise, answer, told.skip
            return told
        answer.abort()
        if isinstance(told, resume.Complete):
            self._answer = None
        return told

    async def _pause(self, failures: int, left_alone: float = 0.0) -> None:
        await self._clock.sleep(resume.pause(failures, left_alone, random.random()))  # noqa: S311 jitter, no secret

    def _left(self, viewer: ClientStream) -> int | None:
        """How many bytes are still promised; no more are passed on, whatever the server sends."""
        end = None if self._promise is None else self._promise.end
        return None if end is None or self._promise is None else end - self._promise.first - viewer.bytes

    def _is_done(self, viewer: ClientStream) -> bool:
        """Whether the body ended at its end. One of unknown length, or multipart, ends where it ends."""
        return not self._left(viewer)
