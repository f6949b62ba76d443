"""A sign-in from its beginning to its end, as far as it is not HTTP's: attempts in the browser, answers judged."""

from collections.abc import Iterable, Mapping

from gateway.errors import InvalidCredentialsError, SignInCirclesError, SignInFailedError
from gateway.identity.attempts import AttemptsCookie
from gateway.identity.oidc import Attempt, OidcProvider
from gateway.model import Identity
from gateway.ports import Clock, Store


class SignIn:
    """*cookies* everywhere are the raw ``Cookie`` headers of the browser that asks. *lifetime*: seconds a session lives
    at most."""

    def __init__(
        self, provider: OidcProvider, cookie: AttemptsCookie, clock: Clock, store: Store, lifetime: float
    ) -> None:
        self._provider = provider
        self._cookie = cookie
        self._clock = clock
        self._store = store
        self._lifetime = lifetime

    async def begin(self, cookies: Iterable[str], rd: str) -> tuple[str, str]:
        """The provider's address and a Set-Cookie. SignInCirclesError; IdentityProviderError."""
        now = self._clock.now()
        attempts = self._cookie.read(cookies)
        if attempts.goes_in_circles(now):
            raise SignInCirclesError(
                "three sign-ins within a minute: cookies blocked, a clock off, or public_url wrong"
            )
        attempt = Attempt.begin(rd, now)
        return await self._provider.address(attempt), self._cookie.header(attempts.begun(attempt))

    async def finish(self, cookies: Iterable[str], answer: Mapping[str, str]) -> tuple[Identity, str, str]:
        """The identity, the path that was wanted, and a Set-Cookie. SignInFailedError; IdentityProviderError."""
        now = self._clock.now()
        attempts = self._cookie.read(cookies)
        attempt = attempts.find(answer.get("state", ""), now)
        if attempt is None:
            raise SignInFailedError("the answer is to no sign-in that this browser began")
        try:
            identity = await self._provider.finish(attempt, answer)
        except InvalidCredentialsError as error:
            raise SignInFailedError(str(error)) from None
        return identity, attempt.rd, self._cookie.header(attempts.came_back(attempt, now))

    async def sign_out_address(self, back: str) -> str | None:
        """Where the provider signs people out and sends them *back*, if it does."""
        return await self._provider.sign_out_address(back)

    async def end_sessions(self, token: str) -> Identity:
        """End what a provider's logout *token* names, for good: the sessions that began until now. The identity is the
        person's as far as the token tells. InvalidCredentialsError; IdentityProviderError; BusyError."""
        logout = await self._provider.read_logout(token)
        if logout is None:
            raise InvalidCredentialsError("the logout token is not of a provider here, or for another client of it")
        if not await self._store.spend(f"logout {logout.issuer} {logout.jti}", logout.until):
            raise InvalidCredentialsError("the logout token has been used")
        now = self._clock.now()
        await self._store.revoke(logout.ends, now, now + self._lifetime)
        return Identity(logout.subject or "", logout.issuer, self._provider.name, "oidc")

    async def close(self) -> None:
        await self._provider.close()
