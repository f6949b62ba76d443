"""What lives as long as the process and is shared by every configuration that it is reloaded with.

The composition root (`app`) and `identity_factory` build on it, so it is a layer below both.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from gateway.delivery.streams import Streams
from gateway.model import Secret
from gateway.ports import Audit, Clock, Observer
from gateway.rate_limit import RateLimiter
from gateway.readiness_faults import IssuedProofs
from gateway.shared_loads import SharingStore

Share = Callable[[str, str, float, float], Awaitable[None]]
"""Returns after the other workers have taken over an entry of the state: its kind, key, expiry and value."""


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """What the workers of one gateway have in common."""

    seal: Secret
    """Encrypts access tokens if no session key is configured."""
    started_at: float
    """When the gateway started, in seconds since the epoch."""
    is_durable: bool = True
    """Whether the state survives a restart of the gateway."""
    share: Share | None = None
    is_running: bool = False
    """Whether the gateway runs already: a file that cannot be written must not keep it from new rules then."""


@dataclass(frozen=True, slots=True)
class ProcessContext:
    """What outlives a reload. *started_at* is in seconds since the epoch."""

    clock: Clock
    observer: Observer
    audit: Audit
    store: SharingStore
    streams: Streams
    rates: RateLimiter
    started_at: float
    seal: Secret
    """Encrypts access tokens that this gateway issues if no session key is configured."""
    film_indexes: bool = True
    """Whether the audit names the seconds of the film that were sent."""
    issued: IssuedProofs = field(default_factory=IssuedProofs)
