"""VALT's access tokens, one per account.

A refused *token* is replaced once: the cached one is forgotten, another login is made and the call repeated. A refused
*password* is cached as an error for minutes, because VALT locks an account after ten failed logins (VALT: API
Authentication).
"""

from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import TypeVar

from gateway.cache import CacheEntry, LoadingCache
from gateway.errors import AccessTokenRefusedError, CallRefusedError, ValtLoginError
from gateway.events import LogEvent
from gateway.model import Secret
from gateway.ports import Clock, Observer
from gateway.shared_loads import Refusal, SharedLoads, SharedValue
from gateway.valt.client import AccessToken, ValtClient
from gateway.valt.concurrency_limit import ConcurrencyLimit, Turns

T = TypeVar("T")

LOGIN_REFUSED_TTL = 300.0
"""Seconds for which no further login is attempted after VALT refused the account's password."""


class ValtTokens:
    """Logs in and caches the tokens. *token_ttl* is the age in seconds at which a token is replaced even if VALT still
    accepts it. Every call occupies a slot of *concurrency_limit*; await `admit` before the load of which it is a
    part."""

    def __init__(
        self,
        valt: ValtClient,
        clock: Clock,
        observer: Observer,
        concurrency_limit: ConcurrencyLimit,
        loads: SharedLoads,
        *,
        token_ttl: float,
    ) -> None:
        self._valt = valt
        self._concurrency_limit = concurrency_limit
        self._observer = observer
        self._clock = clock
        self._loads = loads
        self._token_ttl = token_ttl
        self._refused_tokens: dict[str, Secret] = {}
        """The last token of each account that VALT refused: other replicas may not have replaced it yet."""
        self._login_states: dict[str, str] = {}
        self._cache: LoadingCache[str, AccessToken] = LoadingCache(
            "token",
            clock,
            observer,
            max_entries=1000,
            negative=(ValtLoginError,),
            negative_ttl=LOGIN_REFUSED_TTL,
        )

    async def use(self, account: str, call: Callable[[AccessToken], Awaitable[T]]) -> T:
        """Returns what *call* returns when it is passed a token of *account*.

        Raises ValtLoginError if VALT refused the account, CallRefusedError if VALT refused a new token too, BusyError
        if no slot is free, and what *call* raises.
        """
        with self._concurrency_limit.slot():
            token = await self._get(account)
            try:
                return await call(token)
            except AccessTokenRefusedError:
                self._refused_tokens[account] = token.value
                self._cache.forget(account, token)
            try:
                return await call(await self._get(account))
            except AccessTokenRefusedError:
                raise CallRefusedError(f"VALT refused a new access token of the account {account!r}") from None

    async def admit(self, *turns: Turns) -> ExitStack:
        """See ConcurrencyLimit. Raises TooManyRequestsError or BusyError."""
        return await self._concurrency_limit.admit(*turns)

    def turns(self, maximum: int) -> Turns:
        """Returns turns for `admit`, of *maximum* requests of each person at once."""
        return self._concurrency_limit.turns(maximum)

    def login_state(self, account: str) -> str:
        """The result of the last login of *account*: "ok", "refused", or "unknown" before the first one."""
        return self._login_states.get(account, "unknown")

    async def close(self) -> None:
        """Cancels the running logins."""
        await self._cache.close()

    async def _get(self, account: str) -> AccessToken:
        return self._cache.cached(account) or await self._cache.get(account, lambda: self._login(account))

    async def _login(self, account: str) -> CacheEntry[AccessToken]:
        """Returns the token of this account that another replica has obtained, or a new one."""
        try:
            shared = await self._loads.load(
                f"token {self._valt.user_digest(account)}",
                lambda: self._request_token(account),
                lambda token: Secret(token.content["token"]) != self._refused_tokens.get(account),
                Refusal(ValtLoginError, LOGIN_REFUSED_TTL),
            )
        except ValtLoginError:
            self._login_states[account] = "refused"
            raise
        self._login_states[account] = "ok"
        token = AccessToken(account, Secret(shared.content["token"]), self._clock.monotonic())
        return CacheEntry(token, shared.expires_at - self._clock.now())

    async def _request_token(self, account: str) -> SharedValue:
        try:
            token = await self._valt.login(account)
        except ValtLoginError as error:
            message = f"{error}; next login attempt in {LOGIN_REFUSED_TTL:.0f} s: check valt.accounts.{account}"
            self._observer.on_event(LogEvent("error", message, (("account", account),)))
            raise
        return SharedValue({"token": token.value.reveal()}, self._clock.now() + self._token_ttl)
