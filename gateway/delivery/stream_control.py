"""What an operator sees of the running streams, and how one of them is cut. Both for this process alone."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from heapq import nlargest
from typing import Any

from gateway.delivery.streams import Stream, Streams
from gateway.events import LogEvent
from gateway.ports import Clock, Observer

OPERATOR = "operator"
"""Why a stream has ended that an operator has cut."""
_MOST_LISTED = 2000
"""Streams in a list, so that neither its reader nor the event loop is overwhelmed."""
_REFUSALS, _WINDOW = 60, 60.0
"""Refused attempts that are audited in so many seconds: who may not cut must not fill the audit either."""


class StreamControl:
    """Lists and cuts *streams*. *record_admin* writes an ``admin`` line of the audit: the action, and its details."""

    def __init__(
        self,
        streams: Streams,
        record_admin: Callable[[str, Mapping[str, Any]], None],
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._streams = streams
        self._record_admin = record_admin
        self._clock = clock
        self._observer = observer
        self._window_ends_at = float("-inf")
        self._refused = 0

    def __repr__(self) -> str:
        return f"<StreamControl streams={len(self._streams)}>"

    async def list_streams(self) -> dict[str, Any]:
        """Returns ``streams``, the newest first and no more than 2000, and their number in all as ``total``."""
        now = self._clock.now()
        newest = nlargest(_MOST_LISTED, self._streams, key=lambda stream: stream.opened_at)
        return {"streams": [_description(stream, now) for stream in newest], "total": len(self._streams)}

    async def cut(self, request_id: str, peer: str | None, *, report_missing: bool = True) -> bool:
        """Resets the stream of that request, on behalf of an operator at *peer*; False if there is none. The audit has
        a line about it; about a missing one only if *report_missing*."""
        chosen = [stream for stream in self._streams if stream.record.request_id == request_id]
        for stream in chosen:
            grant = stream.grant
            whose = {"subject": grant.identity.subject, "recording": grant.recording, "video": grant.video}
            self._record("ok", request_id, peer, whose)
            stream.end(OPERATOR)
        if not chosen and report_missing:
            self.report_missing(request_id, peer)
        return bool(chosen)

    def report_missing(self, request_id: str, peer: str | None) -> None:
        """Has the audit say that no stream of that request was there to be cut."""
        self._record("not_found", request_id, peer)

    async def refuse_cut(self, request_id: str, peer: str | None) -> None:
        """Records that somebody at *peer* who may not cut has tried to."""
        now = self._clock.monotonic()
        if now >= self._window_ends_at:
            self._window_ends_at, self._refused = now + _WINDOW, 0
        self._refused += 1
        if self._refused <= _REFUSALS:
            self._record("refused", request_id, peer)
            last = "; further ones in this minute are neither logged nor audited" if self._refused == _REFUSALS else ""
            details = (("peer", str(peer)),)
            self._observer.on_event(LogEvent("warning", f"cutting a stream was refused: no admin.token{last}", details))

    def _record(self, outcome: str, request_id: str, peer: str | None, whose: Mapping[str, Any] | None = None) -> None:
        self._record_admin("cut", {"outcome": outcome, "stream": request_id, **(whose or {}), "peer": peer})


def _description(stream: Stream, now: float) -> dict[str, Any]:
    """Returns what is known of *stream*, with the names that the audit has for it."""
    grant, record, identity = stream.grant, stream.record, stream.grant.identity
    return {
        "request_id": record.request_id,
        "since": datetime.fromtimestamp(int(stream.opened_at), UTC).isoformat().replace("+00:00", "Z"),
        "seconds": round(max(0.0, now - stream.opened_at), 1),
        "subject": _encodable(identity.subject),
        "issuer": identity.issuer,
        "provider": identity.provider,
        "rule": grant.rule,
        "account": grant.account,
        "recording": grant.recording,
        "video": grant.video,
        "delivery": grant.delivery,
        "method": record.method,
        "range": record.range and _encodable(record.range[:200]),
        "peer": record.peer,
    }


def _encodable(text: str) -> str:
    """Returns *text*, of which bytes that are not UTF-8 are escaped: a header may have them, JSON may not."""
    return text.encode("utf-8", "backslashreplace").decode()
