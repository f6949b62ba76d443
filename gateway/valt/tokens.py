"""An access token per account: one login at a time, however many wait.

A refused *token* is cured here: forget that one, get another, try once more. A refused *password* is remembered and not
tried again for minutes, because VALT locks an account after ten failures (valt-api.md, 1.7).
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway.cache import CacheEntry, LoadingCache
from gateway.errors import AccessTokenRefusedError, ValtLoginError, ValtResponseError
from gateway.events import LogEvent
from gateway.model import AccessToken
from gateway.ports import Clock, Observer, Valt
from gateway.valt.concurrency_limit import Queue

T = TypeVar("T")

REFUSED_PASSWORD_REST = 300.0
"""Seconds for which a refused password is not tried again."""


class Tokens:
    """*token_ttl* is seconds: a token is renewed before this age even if VALT never complains. Who asks needs
    a place in *queue*."""

    def __init__(self, valt: Valt, clock: Clock, observer: Observer, queue: Queue, *, token_ttl: float) -> None:
        self._valt = valt
        self._queue = queue
        self._observer = observer
        self._token_ttl = token_ttl
        self._states: dict[str, str] = {}
        self._cache: LoadingCache[str, AccessToken] = LoadingCache(
            "token",
            clock,
            observer,
            max_entries=1000,
            negative=(ValtLoginError,),
            negative_ttl=REFUSED_PASSWORD_REST,
        )

    async def use(self, account: str, call: Callable[[AccessToken], Awaitable[T]]) -> T:
        """What *call* makes of a token of *account*. ValtResponseError if VALT refuses a fresh token too; BusyError if
        too many wait for VALT already."""
        with self._queue.place():
            return await self._use(account, call)

    def state(self, account: str) -> str:
        """ok, refused or unknown: how the last login of *account* went."""
        return self._states.get(account, "unknown")

    async def close(self) -> None:
        await self._cache.close()

    async def _use(self, account: str, call: Callable[[AccessToken], Awaitable[T]]) -> T:
        token = await self._get(account)
        try:
            return await call(token)
        except AccessTokenRefusedError:
            self._cache.forget(account, token)
        try:
            return await call(await self._get(account))
        except AccessTokenRefusedError:
            raise ValtResponseError(f"VALT refused a fresh access token of the account {account!r}") from None

    async def _get(self, account: str) -> AccessToken:
        return await self._cache.get(account, lambda: self._login(account))

    async def _login(self, account: str) -> CacheEntry[AccessToken]:
        try:
            token = await self._valt.login(account)
        except ValtLoginError as error:
            self._states[account] = "refused"
            remedy = f"{error}; it is not tried again for {REFUSED_PASSWORD_REST:.0f} s: check valt.accounts.{account}"
            self._observer.on_event(LogEvent("error", remedy, (("account", account),)))
            raise
        self._states[account] = "ok"
        return CacheEntry(token, self._token_ttl)
