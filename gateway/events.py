"""Events: facts, with the labels that they count under. A ports.Observer receives them; `observe` counts and logs.

Each class states what one event stands for. An event that is only counted is a tuple of its label values, in the order
of the metric's labels. No label holds a person, a recording or a URL.
"""

from dataclasses import dataclass
from typing import NamedTuple


class CacheLookup(NamedTuple):
    """One cache lookup. *cache* is token, link, jwks, recording, verified or index; *result* is hit, loaded, joined (a
    load that ran already), negative (a cached failure) or short (the entry's remaining lifetime did not suffice)."""

    cache: str
    result: str


@dataclass(frozen=True, slots=True)
class ValtCall:
    """One VALT API call ended, with its retries. *operation* is login, download, record, search, rooms, general or
    comments; *outcome* is ok, refused, not_found, error or timeout."""

    operation: str
    outcome: str
    seconds: float


class ValtLogin(NamedTuple):
    """One login at VALT ended: *outcome* is ok, refused, error or timeout."""

    account: str
    outcome: str


class JwksRefresh(NamedTuple):
    """One attempt to fetch a provider's keys ended: *outcome* is ok or error."""

    provider: str
    outcome: str


class IdentityDecided(NamedTuple):
    """An identity provider decided about one request: *outcome* is accepted, refused or unavailable."""

    provider: str
    outcome: str


class GrantDecided(NamedTuple):
    """One rule was decisive: *rule* is its name, or "" if no rule matches; *outcome* is allowed, denied or unknown."""

    rule: str
    outcome: str


class LinkUsed(NamedTuple):
    """A link was used; *remaining* is its remaining lifetime in seconds, 0 if that is unknown."""

    remaining: float


class StreamResumed(NamedTuple):
    """One attempt to resume a body ended: *reason* is dropped, stalled, short, link_refused or idle; *outcome* is ok or
    failed."""

    reason: str
    outcome: str


class StreamAborted(NamedTuple):
    """A stream ended early: *side* is viewer, upstream or gateway; *reason* is left, idle, changed, gone, revoked,
    drain or internal."""

    side: str
    reason: str


class RelayStarted(NamedTuple):
    """The relay of a body started: *way* is fast (splice) or plain (copying)."""

    way: str


class ConfigReloaded(NamedTuple):
    """One reload of the configuration ended: *outcome* is ok or failed."""

    outcome: str


class LimitReached(NamedTuple):
    """One request was refused by *limit*, a key of ``[limits]``."""

    limit: str


class LoopLagMeasured(NamedTuple):
    """One measurement of the event loop's lag in seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class LogEvent:
    """A message for the operator's log. *level* is info, warning or error; *fields* must not contain secrets."""

    level: str
    message: str
    fields: tuple[tuple[str, str], ...] = ()


FILM_INDEX_OUTCOMES = ("ok", "damaged", "too_large", "no_index", "timeout", "unavailable", "busy", "internal")


class FilmIndexLoaded(NamedTuple):
    """The load of a film's index ended: *outcome* is one of FILM_INDEX_OUTCOMES."""

    outcome: str


AUDIT_EVENTS = ("open", "close", "deny", "deny_summary", "api", "sign_in", "sign_out", "admin", "chain")


class AuditWritten(NamedTuple):
    """One audit line was written: *event* is one of AUDIT_EVENTS."""

    event: str


class AuditFailed(NamedTuple):
    """One audit line could not be written at once."""


class LogLineDropped(NamedTuple):
    """A line of the log was dropped, because the log is not read or too many lines waited."""


class SpanDropped(NamedTuple):
    """A span of a trace was dropped, because the collector does not take it."""


class RefusalSuppressed(NamedTuple):
    """A refusal has no lines of its own in audit and log, because its address has caused too many."""


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
    | LogLineDropped
    | RefusalSuppressed
    | SpanDropped
    | FilmIndexLoaded
)
