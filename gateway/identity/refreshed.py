"""A value from an identity provider that stays in use while the provider is down (stale-if-error, RFC 5861), also after
a reload of the configuration."""

import math
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from gateway.errors import IdentityProviderError
from gateway.ports import Clock
from gateway.single_flight import SingleFlight

T = TypeVar("T")


class RefreshedValue(Generic[T]):
    """The result of the last successful *load*, which raises IdentityProviderError if it fails.

    Loads start at least *cooldown* seconds apart, whether they succeed or fail, so that requests with unknown keys
    cannot make the gateway flood the provider. *name* is the name of the tasks.
    """

    def __init__(self, name: str, load: Callable[[], Awaitable[T]], clock: Clock, *, cooldown: float) -> None:
        self.value: T | None = None
        """None until a load has succeeded."""
        self.error: IdentityProviderError | None = None
        """The error of the last load, or None if it succeeded."""
        self._load = load
        self._monotonic = clock.monotonic
        self._cooldown = cooldown
        self._flight = SingleFlight[None, None](name)
        self._loaded_at = -math.inf
        self._started_at = -math.inf
        self._taken_over = False
        """Whether the value is another instance's, and no load of this one has ended."""

    def __repr__(self) -> str:
        return f"<RefreshedValue age={self.age:.0f} error={self.error} loading={self.is_loading}>"

    @property
    def age(self) -> float:
        """Seconds since the last successful load; infinite if there was none."""
        return self._monotonic() - self._loaded_at

    @property
    def is_loading(self) -> bool:
        return None in self._flight

    @property
    def may_start(self) -> bool:
        """Whether *cooldown* has passed since the last load started."""
        return self._monotonic() - self._started_at >= self._cooldown

    def start(self) -> None:
        """Start a load in the background, unless one is running or the cooldown has not passed."""
        if not self.is_loading and self.may_start:
            self._started_at = self._monotonic()
            _ = self._flight.start(None, self._run)

    async def refresh(self) -> None:
        """Like `start`, and wait until the running load, if any, has ended. Never raises a load's error."""
        self.start()
        if self.is_loading:
            await self._flight.run(None, self._run)

    def take_over(self, previous: "RefreshedValue[T]") -> None:
        """Starts with the value of *previous*, which a reload replaces, at the age that it has there."""
        self.value, self._loaded_at = previous.value, previous._loaded_at
        self._taken_over = self.value is not None

    async def refresh_if_old(self, max_age: float) -> None:
        """Refreshes a value that is older than *max_age* seconds in the background.

        Waits for the load if the value is another instance's, because what was configured of the provider may have
        changed, and if it is twice as old and no load has failed since then: nothing was requested for so long, and the
        provider may have withdrawn it.
        """
        has_paused = self._monotonic() - self._started_at > 2 * max_age
        if self._taken_over or (self.age > 2 * max_age and (self.error is None or has_paused)):
            await self.refresh()
        elif self.age > max_age:
            self.start()

    async def close(self) -> None:
        """Cancel a running load and wait until it has ended."""
        await self._flight.close()

    async def _run(self) -> None:
        try:
            self.value = await self._load()
        except IdentityProviderError as error:
            self.error = error
        except Exception as error:
            # A fault of ours, raised for its traceback; a later request must not take it for a fault of its token.
            self.error = IdentityProviderError(f"the response could not be used: {type(error).__name__}")
            raise
        else:
            self.error = None
            self._loaded_at = self._monotonic()
        finally:
            self._taken_over = False
