"""A sign-in from its beginning to its end, as far as it is not HTTP's: attempts in the browser, answers judged."""

from collections.abc import Iterable, Mapping, Sequence

from gateway.errors import (
    IdentityProviderError,
    InvalidCredentialsError,
    OutOfTimeError,
    SignInCirclesError,
    SignInClockError,
    SignInFailedError,
    SignInForgottenError,
)
from gateway.events import IdentityDecided
from gateway.identity.login_state import LoginState, LoginStateCookie
from gateway.identity.oidc import Attempt, OidcProvider
from gateway.model import Identity, IdentityKind
from gateway.ports import Clock, Observer, Store


class SignIn:
    """At one of *providers*, of which there is one at least. *cookies* everywhere are the raw ``Cookie`` headers of the
    browser that asks. *lifetime*: seconds a session lives at most."""

    def __init__(
        self,
        providers: Sequence[OidcProvider],
        cookie: LoginStateCookie,
        clock: Clock,
        observer: Observer,
        store: Store,
        lifetime: float,
    ) -> None:
        self._providers = {provider.name: provider for provider in providers}
        self._cookie = cookie
        self._clock = clock
        self._observer = observer
        self._store = store
        self._lifetime = lifetime

    @property
    def providers(self) -> tuple[str, ...]:
        """Their names, in the configuration's order."""
        return tuple(self._providers)

    async def begin(self, cookies: Iterable[str], provider: str, rd: str) -> tuple[str, str]:
        """The provider's address and a Set-Cookie. SignInCirclesError; IdentityProviderError."""
        now = self._clock.now()
        attempts = self._cookie.read(cookies)
        if attempts.is_redirect_loop(now):
            raise SignInCirclesError(
                "three sign-ins within a minute: cookies blocked, a clock off, or public_url wrong"
            )
        attempt = Attempt.begin(provider, rd, now)
        try:
            address = await self._providers[provider].address(attempt)
        except IdentityProviderError:
            self._observer.on_event(IdentityDecided(provider, "unavailable"))
            raise
        return address, self._cookie.header(attempts.begun(attempt))

    def completed(self, cookies: Iterable[str], state: str) -> str | None:
        """Where this browser's sign-in of that *state* led, if it is long over: who goes back in the history may be
        sent here by the provider once more."""
        return dict(self._cookie.read(cookies).completed).get(state)

    async def finish(self, cookies: Iterable[str], answer: Mapping[str, str]) -> tuple[Identity, str, str]:
        """The identity, the path that was wanted, and a Set-Cookie. SignInFailedError; IdentityProviderError."""
        now = self._clock.now()
        attempts = self._cookie.read(cookies)
        attempt = attempts.find(answer.get("state", ""), now)
        # The attempt knows its provider, so that no code of one's is taken to another (RFC 9207).
        provider = None if attempt is None else self._providers.get(attempt.provider)
        if attempts == LoginState():
            raise SignInForgottenError("the browser brought no sign-in: cookies blocked, late, or another address")
        if attempt is None or provider is None:
            raise SignInFailedError("the answer is to no sign-in that this browser began")
        try:
            identity = await self._judged(provider, attempt, answer)
        except OutOfTimeError as error:
            raise SignInClockError(f"{error}, by this clock: it and the provider's do not agree") from None
        except InvalidCredentialsError as error:
            raise SignInFailedError(str(error)) from None
        return identity, attempt.rd, self._cookie.header(attempts.came_back(attempt, now))

    async def _judged(self, provider: OidcProvider, attempt: Attempt, answer: Mapping[str, str]) -> Identity:
        """What *provider* makes of an *answer*, counted."""
        try:
            identity = await provider.finish(attempt, answer)
        except (IdentityProviderError, InvalidCredentialsError) as error:
            outcome = "refused" if isinstance(error, InvalidCredentialsError) else "unavailable"
            self._observer.on_event(IdentityDecided(provider.name, outcome))
            raise
        self._observer.on_event(IdentityDecided(provider.name, "accepted"))
        return identity

    async def sign_out_address(self, provider: str | None, back: str) -> str | None:
        """Where *provider* signs people out and sends them *back*, if it does; where there is one alone, it is that."""
        name = self.providers[0] if len(self._providers) == 1 else provider
        return await self._providers[name].sign_out_address(back) if name in self._providers else None

    async def end_sessions(self, token: str) -> Identity:
        """End what a provider's logout *token* names, for good: the sessions that began until now. The identity is the
        person's as far as the token tells. InvalidCredentialsError; IdentityProviderError; BusyError."""
        for provider in self._providers.values():
            logout = await provider.read_logout(token)
            if logout is None:
                continue
            if not await self._store.spend(f"logout {logout.issuer} {logout.jti}", logout.until):
                raise InvalidCredentialsError("the logout token has been used")
            now = self._clock.now()
            for name in logout.ends:
                await self._store.revoke(name, now, now + self._lifetime)
            return Identity(logout.subject or "", logout.issuer, provider.name, IdentityKind.OIDC)
        raise InvalidCredentialsError("the logout token is not of a provider here, or for another client of it")

    async def close(self) -> None:
        for provider in self._providers.values():
            await provider.close()
