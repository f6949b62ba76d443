"""Why this process is not ready (``/readyz`` is 503), besides that it starts or drains.

How it works: a fault of this process alone counts at once. Redis may be away for all replicas, and a load balancer that
turned away from all of them would end what still works: most requests need no Redis, because what they present is valid
by itself. But tickets, sign-ins at a provider and Kerberos tokens are accepted once, so that without Redis nobody is
admitted by them. Where there is no other way in, the process serves only those who were admitted before, and when none
of them has a session or link in use any more, it serves nobody: then Redis must not be missed.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.delivery.streams import Streams
from gateway.ports import Clock
from gateway.settings.identity import STATEFUL_TABLES
from gateway.settings.model import Settings
from gateway.store.memory import MemoryStore
from gateway.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from gateway.store.redis import RedisStore


class IssuedProofs:
    """The sessions, and links for one video, that this process has issued or renewed."""

    def __init__(self) -> None:
        self.valid_until = 0.0
        """Unix seconds from which on none of them is valid, unless a session is used before."""

    def __repr__(self) -> str:
        return f"<IssuedProofs valid_until={self.valid_until}>"

    def add(self, valid_until: float) -> None:
        """Has one more count, which is valid until *valid_until*."""
        self.valid_until = max(self.valid_until, valid_until)


def admits_by_state_alone(settings: Settings) -> bool:
    """Whether everybody who is admitted anew is admitted by something that has to be stored as used."""
    tables = settings.identity
    return bool(tables) and all(isinstance(table, STATEFUL_TABLES) for table in tables) and not settings.service_keys


def required_fault(settings: Settings, fault: str | None, valid_until: float, now: float) -> str | None:
    """Returns why a process serves nobody without Redis, whose *fault* is None if it can be used; None if it serves
    somebody. *valid_until* is when the last of what was issued before ends, in Unix seconds as *now*."""
    if fault is None or now < valid_until or not admits_by_state_alone(settings):
        return None
    return f"{fault}: without it nobody can be admitted, and nobody has a session or link in use"


class ReadinessFaults:
    """The faults of one process. *settings* returns those in force, None before there are any."""

    def __init__(
        self,
        audit_is_writable: Callable[[], bool],
        store: "MemoryStore | SqliteStore | RedisStore",
        streams: Streams,
        issued: IssuedProofs,
        clock: Clock,
        settings: Callable[[], Settings | None],
    ) -> None:
        self._audit_is_writable = audit_is_writable
        self._store = store
        self._streams = streams
        self._issued = issued
        self._clock = clock
        self._settings = settings

    def __repr__(self) -> str:
        return f"<ReadinessFaults {self.all()}>"

    def local(self) -> list[str]:
        """Returns the faults that are of this process alone."""
        faults = [None if self._audit_is_writable() else "the audit cannot be written", self._store.local_fault]
        return [fault for fault in faults if fault is not None]

    def required(self) -> str | None:
        """Returns why this process serves nobody without Redis, which is away; None if it can be used or somebody is
        served."""
        settings = self._settings()
        if self._store.fault is None or self._store.local_fault is not None or settings is None:
            return None
        idle = 0.0 if settings.session is None else settings.session.idle
        valid_until = max(self._issued.valid_until, self._streams.last_used_at + idle)
        return required_fault(settings, self._store.fault, valid_until, self._clock.now())

    def all(self) -> list[str]:
        """Returns every fault because of which this process is not ready."""
        required = self.required()
        return self.local() if required is None else [*self.local(), required]

    def state(self) -> dict[str, object]:
        """Returns whether the state can be used, for ``/readyz?verbose``."""
        fault = self._store.fault
        required = self._store.local_fault is not None or self.required() is not None
        return {"available": fault is None, "fault": fault, "required": required}
