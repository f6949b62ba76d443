"""What happened, as typed facts. Rooms tell them to a Listener; observe reads them. Each class says exactly
what counts once; one that is only counted is the tuple of its labels. Labels hold no person, recording or URL."""

from dataclasses import dataclass
from typing import NamedTuple


class CacheLookup(NamedTuple):
    """One look into a cache: *result* is hit, loaded, joined, negative or short."""

    cache: str
    result: str


@dataclass(frozen=True, slots=True)
class ValtCall:
    """One call to VALT's API ended, its retries with it. *operation* login|download|record|search|rooms;
    *outcome* ok|refused|not_found|error|timeout."""

    operation: str
    outcome: str
    seconds: float


class ValtLogin(NamedTuple):
    """One login ended: *outcome* ok, refused, error or timeout."""

    account: str
    outcome: str


class JwksRefresh(NamedTuple):
    """One attempt to fetch a provider's keys ended: *outcome* is ok or error."""

    provider: str
    outcome: str


class IdentityDecided(NamedTuple):
    """A provider gave its answer on a request: *outcome* accepted, refused or unavailable."""

    provider: str
    outcome: str


class GrantDecided(NamedTuple):
    """A decision: *rule* is the rule's name, or "" where none fits; *outcome* allowed|denied|unknown."""

    rule: str
    outcome: str


class LinkUsed(NamedTuple):
    """A link was used, with so many seconds of life left (0 where unknown)."""

    remaining: float


class StreamResumed(NamedTuple):
    """A body was asked for again: *reason* dropped|stalled|short|link_refused|idle; *outcome* ok|failed."""

    reason: str
    outcome: str


class StreamAborted(NamedTuple):
    """A stream ended before its end: *side* viewer|upstream|gateway, *reason* a short fixed word."""

    side: str
    reason: str


class RelayStarted(NamedTuple):
    """A body began to move: *way* fast or plain."""

    way: str


class ConfigReloaded(NamedTuple):
    """*outcome* ok or failed."""

    outcome: str


class LimitReached(NamedTuple):
    """A request was turned away by the limit of that name (a key of [limits])."""

    limit: str


class LoopLagMeasured(NamedTuple):
    """One measurement of how late the event loop ran, in seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class LogEvent:
    """Something an operator should read in the log. *level* is info, warning or error; *fields* hold no secret."""

    level: str
    message: str
    fields: tuple[tuple[str, str], ...] = ()


class AuditWritten(NamedTuple):
    """A line stands in the audit: *event* is open, close, deny, api, sign_in or sign_out."""

    event: str


class AuditFailed(NamedTuple):
    """A line could not be written."""


Event = (
    CacheLookup
    | ValtCall
    | ValtLogin
    | JwksRefresh
    | IdentityDecided
    | GrantDecided
    | LinkUsed
    | StreamResumed
    | StreamAborted
    | RelayStarted
    | ConfigReloaded
    | LimitReached
    | LoopLagMeasured
    | LogEvent
    | AuditWritten
    | AuditFailed
)
