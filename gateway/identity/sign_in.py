"""Browser sign-in, apart from its HTTP: the login state of the browser and the responses of the providers."""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence

from gateway.completion import complete_all
from gateway.errors import (
    IdentityProviderError,
    InvalidCredentialsError,
    OutOfTimeError,
    SignInCirclesError,
    SignInClockError,
    SignInFailedError,
    SignInForgottenError,
)
from gateway.events import IdentityDecided, LogEvent
from gateway.identity.login_state import Attempt, LoginStates
from gateway.identity.oidc import OidcProvider
from gateway.model import Identity, IdentityKind
from gateway.ports import Clock, Observer, Store
from gateway.single_flight import SingleFlight
from gateway.validity import void_seconds

_WARNING_INTERVAL = 60.0
_USED_FOR = 1200.0
"""Seconds after the start of an attempt for which its code counts as used: twice as long as the attempt is valid."""


class SignIn:
    """Signs people in at one of *providers* (at least one), and out again.

    *cookies* are always the raw ``Cookie`` headers of the request. *lifetime* is a session's, in seconds.
    """

    def __init__(
        self,
        providers: Sequence[OidcProvider],
        states: LoginStates,
        clock: Clock,
        observer: Observer,
        store: Store,
        lifetime: float,
    ) -> None:
        self._providers = {provider.name: provider for provider in providers}
        self._states = states
        self._clock = clock
        self._observer = observer
        self._store = store
        self._lifetime = lifetime
        self._warned: dict[str, tuple[str, float]] = {}
        """By provider: the last reason that was logged, and when."""
        self._exchanges = SingleFlight[str, Identity]("exchange of an authorization code")

    @property
    def providers(self) -> tuple[str, ...]:
        """The names of the providers, in the order of the configuration."""
        return tuple(self._providers)

    async def begin(self, cookies: Iterable[str], provider: str, rd: str) -> tuple[str, list[str]]:
        """Returns the URL of the provider's authorization endpoint, and Set-Cookie headers.

        Raises SignInCirclesError if the browser is in a redirect loop, IdentityProviderError if the provider is down.
        """
        now = self._clock.now()
        if self._states.is_redirect_loop(cookies, now):
            raise SignInCirclesError(
                "three sign-ins within a minute: cookies are blocked, or a clock or public_url is wrong"
            )
        attempt, headers = self._states.begin(cookies, provider, rd, now)
        try:
            url = await self._providers[provider].authorization_url(attempt)
        except IdentityProviderError as error:
            self._observer.on_event(IdentityDecided(provider, "unavailable"))
            self._warn(provider, str(error))
            raise
        return url, headers

    def _warn(self, provider: str, reason: str) -> None:
        """Logs why no sign-in can begin at *provider*: when the reason changes, and once a minute."""
        now = self._clock.monotonic()
        last_reason, logged_at = self._warned.get(provider, ("", -math.inf))
        if reason != last_reason or now - logged_at >= _WARNING_INTERVAL:
            self._warned[provider] = (reason, now)
            fields = (("provider", provider), ("error", reason))
            self._observer.on_event(LogEvent("warning", "nobody can sign in at an identity provider", fields))

    def attempt(self, state: str) -> tuple[str, float]:
        """Returns the path to which the sign-in with that *state* parameter was to lead, whatever became of it, and
        when it began, Unix seconds; an empty path and infinity if the state is not one of this gateway's."""
        attempt = self._states.read(state)
        return ("", math.inf) if attempt is None else (attempt.rd, attempt.started_at)

    def reset_headers(self, cookies: Iterable[str]) -> list[str]:
        """Returns the Set-Cookie headers after which no earlier sign-in counts towards the redirect-loop limit."""
        return self._states.reset_headers(cookies)

    async def finish(self, cookies: Iterable[str], response: Mapping[str, str]) -> tuple[Identity, str, list[str]]:
        """Returns the identity, the path that was requested, and Set-Cookie headers.

        *response* is the query of the authorization response. A response that arrives again while its code is being
        exchanged has the result of that exchange; a code is never sent twice. Raises SignInFailedError or one of its
        subclasses, IdentityProviderError, and BusyError if the store is full.
        """
        now = self._clock.now()
        if not self._states.has_binding(cookies):
            raise SignInForgottenError("no login state: cookies are blocked, it expired, or the host name differs")
        attempt = self._states.read(response.get("state", ""))
        # The attempt names its provider: a response that names another issuer is refused (RFC 9207). All providers have
        # one redirect URI, so that a response which names none may be another provider's: see _request_identity.
        provider = None if attempt is None else self._providers.get(attempt.provider)
        if attempt is None or provider is None or not self._states.is_bound(cookies, attempt):
            raise SignInFailedError("the response belongs to no pending sign-in of this browser")
        if attempt.has_expired(now):
            raise SignInFailedError("the sign-in took more than ten minutes")
        try:
            identity = await self._exchanges.run(
                attempt.key, lambda: self._request_identity(provider, attempt, response)
            )
        except SignInFailedError:
            raise
        except OutOfTimeError as error:
            raise SignInClockError(f"{error} by this server's clock, which differs from the provider's") from None
        except InvalidCredentialsError as error:
            raise SignInFailedError(str(error)) from None
        return identity, attempt.rd, [self._states.count_header(cookies, now)]

    async def _request_identity(
        self, provider: OidcProvider, attempt: Attempt, response: Mapping[str, str]
    ) -> Identity:
        """Returns the identity that *provider* confirms, and counts the outcome."""
        if "code" in response:
            await self._consume(attempt.key, attempt, "the code of the response was used before")
        if "code" in response and len(self._providers) > 1:
            # A mix-up (RFC 9700, section 4.4): a hostile provider has the browser bring the code of another one, which
            # does not name its issuer, is sent that code, and presents it with an attempt that it began there itself.
            await self._consume(_code_key(response["code"]), attempt, "the code arrived with another sign-in before")
        try:
            identity = await provider.finish(attempt, response)
        except (IdentityProviderError, InvalidCredentialsError) as error:
            # An error that the browser brings is no sign that the provider cannot be reached: whoever began an attempt
            # can bring one, as often as they like.
            is_refusal = isinstance(error, InvalidCredentialsError) or "error" in response
            outcome = "refused" if is_refusal else "unavailable"
            self._observer.on_event(IdentityDecided(provider.name, outcome))
            raise
        self._observer.on_event(IdentityDecided(provider.name, "accepted"))
        return identity

    async def _consume(self, key: str, attempt: Attempt, refusal: str) -> None:
        """Marks *key* as used for as long as any attempt of now is valid. Raises SignInFailedError with the text
        *refusal* if it was used, BusyError if that cannot be stored."""
        if not await self._store.consume(key, attempt.started_at + _USED_FOR, since=attempt.started_at):
            raise SignInFailedError(refusal)

    async def sign_out_url(self, provider: str | None, back: str) -> str | None:
        """Returns the URL at which *provider* signs the person out and then redirects to *back*; None if there is none.

        If there is only one provider, *provider* does not matter.
        """
        name = self.providers[0] if len(self._providers) == 1 else provider
        return await self._providers[name].sign_out_url(back) if name in self._providers else None

    async def end_sessions(self, token: str) -> Identity:
        """Revokes the sessions that a provider's logout token names, as far as they began before now.

        Returns the identity of the person, whose subject is empty if the token names only a session. Raises
        InvalidCredentialsError, IdentityProviderError, and BusyError if the store fails, after each of the token's keys
        has been tried; a caller that is cancelled interrupts no revocation.
        """
        for provider in self._providers.values():
            logout = await provider.read_logout(token)
            if logout is None:
                continue
            token_key = f"logout {logout.issuer} {logout.jti}"
            if await self._store.is_consumed(token_key):
                raise InvalidCredentialsError("the logout token was used before")
            now = self._clock.now()
            until = now + void_seconds(self._lifetime)
            await complete_all(*(self._store.revoke(key, now, until) for key in logout.revocation_keys))
            # Last: if the store fails, the provider may send the token again.
            await self._store.consume(token_key, logout.expires_at)
            return Identity(logout.subject or "", logout.issuer, provider.name, IdentityKind.OIDC)
        raise InvalidCredentialsError("the logout token has another issuer or audience than the providers here")

    async def close(self) -> None:
        """Cancels pending requests to the providers."""
        await self._exchanges.close()
        for provider in self._providers.values():
            await provider.close()


def _code_key(code: str) -> str:
    """Returns the key in the store under which *code* counts as used. Spellings that decoders which are not strict read
    as the same code have one key: letter case, padding and spaces, and the last character of what base64 encodes."""
    parts = ("".join(filter(str.isalnum, part)).lower()[:-1] for part in code.split("."))
    return f"code {hashlib.sha256('.'.join(parts).encode('utf-8', 'surrogateescape')).hexdigest()}"
