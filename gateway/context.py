"""What lives as long as the process and is shared by every configuration that it is reloaded with.

The composition root (`app`) and `identity_factory` build on it, so it is a layer below both.
"""

import secrets
from dataclasses import dataclass, field

from gateway.delivery.streams import Streams
from gateway.model import Secret
from gateway.ports import Audit, Clock, Observer
from gateway.rate_limit import RateLimiter
from gateway.shared_loads import SharingStore


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
    film_indexes: bool = True
    """Whether the audit names the seconds of the film that were sent."""
    seal: Secret = field(default_factory=lambda: Secret(secrets.token_urlsafe(32)))
    """Encrypts access tokens that this process issues if no session key is configured."""
