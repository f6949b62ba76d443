"""What several replicas load once for all of them, and its form without replicas.

A Protocol outside ports.py, with two implementers: `LocalLoads` here, and store.redis_loads, which valt cannot import.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.errors import GatewayError
from gateway.ports import Store
from gateway.shared_counts import SharedCounts


@dataclass(frozen=True, slots=True)
class SharedValue:
    """A loaded value as JSON. *expires_at* is Unix seconds; a value that has expired is not shared."""

    content: Mapping[str, Any]
    expires_at: float


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error of a load that holds for every replica, for *ttl* seconds."""

    error: type[GatewayError]
    ttl: float


class SharedLoads(Protocol):
    """Loads that replicas share. Whatever keeps them from sharing, the value is loaded."""

    async def load(
        self,
        key: str,
        load: Callable[[], Awaitable[SharedValue]],
        usable: Callable[[SharedValue], bool],
        refusal: Refusal | None = None,
    ) -> SharedValue:
        """Returns the value of *key* that some replica has loaded, if it is *usable*, or what *load* returns, which one
        replica calls at a time. Raises what *load* raised, also in another replica if it is the *refusal*."""


class LocalLoads:
    """Implements SharedLoads for a process that shares nothing."""

    async def load(
        self,
        key: str,
        load: Callable[[], Awaitable[SharedValue]],
        usable: Callable[[SharedValue], bool],
        refusal: Refusal | None = None,
    ) -> SharedValue:
        """Returns what *load* returns."""
        return await load()


class SharingStore(Store, Protocol):
    """The store of a process, which opens and closes it, and what else its replicas share."""

    async def start(self) -> None:
        """Opens the store. Called once, before every other method."""

    async def close(self) -> None:
        """Closes the store. No other method may be called afterwards."""

    @property
    def loads(self) -> SharedLoads:
        """The loads that are shared by whatever shares the state."""

    @property
    def counts(self) -> SharedCounts | None:
        """The counts of requests and streams that are shared, or None."""
