"""Browser sign-in, apart from its HTTP: the login state of the browser and the responses of the providers."""

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
from gateway.identity.login_state import Attempt, LoginState, LoginStateCookie
from gateway.identity.oidc import OidcProvider
from gateway.model import Identity, IdentityKind
from gateway.ports import Clock, Observer, Store


class SignIn:
    """Signs people in at one of *providers* (at least one), and out again.

    *cookies* are always the raw ``Cookie`` headers of the request. *lifetime* is a session's, in seconds.
    """

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
        """The names of the providers, in the order of the configuration."""
        return tuple(self._providers)

    async def begin(self, cookies: Iterable[str], provider: str, rd: str) -> tuple[str, str]:
        """Returns the URL of the provider's authorization endpoint, and a Set-Cookie header.

        Raises SignInCirclesError if the browser is in a redirect loop, IdentityProviderError if the provider is down.
        """
        now = self._clock.now()
        state = self._cookie.read(cookies, now)
        if state.is_redirect_loop(now):
            raise SignInCirclesError(
                "three sign-ins within a minute: cookies are blocked, or a clock or public_url is wrong"
            )
        attempt = Attempt.begin(provider, rd, now)
        try:
            url = await self._providers[provider].authorization_url(attempt)
        except IdentityProviderError:
            self._observer.on_event(IdentityDecided(provider, "unavailable"))
            raise
        return url, self._cookie.header(state.with_pending(attempt), now)

    def completed(self, cookies: Iterable[str], state: str) -> str | None:
        """Returns the path that this browser's sign-in with that *state* parameter led to, if it has completed.

        The provider may redirect to the callback a second time if the person goes back in the browser's history.
        """
        return dict(self._cookie.read(cookies, self._clock.now()).completed).get(state)

    async def finish(self, cookies: Iterable[str], response: Mapping[str, str]) -> tuple[Identity, str, str]:
        """Returns the identity, the path that was requested, and a Set-Cookie header for the login state.

        *response* is the query of the authorization response. Raises SignInFailedError or one of its subclasses, and
        IdentityProviderError.
        """
        now = self._clock.now()
        state = self._cookie.read(cookies, now)
        if state == LoginState():
            raise SignInForgottenError("no login state: cookies are blocked, it expired, or the host name differs")
        attempt = state.find(response.get("state", ""), now)
        # The attempt names its provider, so that one provider's code is never sent to another (RFC 9207).
        provider = None if attempt is None else self._providers.get(attempt.provider)
        if attempt is None or provider is None:
            raise SignInFailedError("the response belongs to no pending sign-in of this browser")
        try:
            identity = await self._request_identity(provider, attempt, response)
        except OutOfTimeError as error:
            raise SignInClockError(f"{error} by this server's clock, which differs from the provider's") from None
        except InvalidCredentialsError as error:
            raise SignInFailedError(str(error)) from None
        return identity, attempt.rd, self._cookie.header(state.with_completed(attempt, now), now)

    async def _request_identity(
        self, provider: OidcProvider, attempt: Attempt, response: Mapping[str, str]
    ) -> Identity:
        """Returns the identity that *provider* confirms, and counts the outcome."""
        try:
            identity = await provider.finish(attempt, response)
        except (IdentityProviderError, InvalidCredentialsError) as error:
            outcome = "refused" if isinstance(error, InvalidCredentialsError) else "unavailable"
            self._observer.on_event(IdentityDecided(provider.name, outcome))
            raise
        self._observer.on_event(IdentityDecided(provider.name, "accepted"))
        return identity

    async def sign_out_url(self, provider: str | None, back: str) -> str | None:
        """Returns the URL at which *provider* signs the person out and then redirects to *back*; None if there is none.

        If there is only one provider, *provider* does not matter.
        """
        name = self.providers[0] if len(self._providers) == 1 else provider
        return await self._providers[name].sign_out_url(back) if name in self._providers else None

    async def end_sessions(self, token: str) -> Identity:
        """Revokes the sessions that a provider's logout token names, as far as they began before now.

        Returns the identity of the person, whose subject is empty if the token names only a session. Raises
        InvalidCredentialsError, IdentityProviderError, and BusyError if the store is full.
        """
        for provider in self._providers.values():
            logout = await provider.read_logout(token)
            if logout is None:
                continue
            if not await self._store.consume(f"logout {logout.issuer} {logout.jti}", logout.expires_at):
                raise InvalidCredentialsError("the logout token was used before")
            now = self._clock.now()
            for key in logout.revocation_keys:
                await self._store.revoke(key, now, now + self._lifetime)
            return Identity(logout.subject or "", logout.issuer, provider.name, IdentityKind.OIDC)
        raise InvalidCredentialsError("the logout token has another issuer or audience than the providers here")

    async def close(self) -> None:
        """Cancels pending requests to the providers."""
        for provider in self._providers.values():
            await provider.close()
