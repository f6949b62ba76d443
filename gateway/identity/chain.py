"""The authenticators of a configuration, in order. The first that recognises its kind of credential decides."""

from collections.abc import Collection, Sequence

from gateway.errors import IdentityProviderError, InvalidCredentialsError, MissingCredentialsError
from gateway.events import IdentityDecided
from gateway.model import Credentials, Identity
from gateway.ports import Authenticator, Observer, Sessions
from gateway.validity import Validity


class Chain:
    """Implements ports.IdentityResolver: tries *providers* in order, then the *sessions*, if there are any, then
    *service_keys*, and refuses what is not valid any more. *token_headers* are the headers, in lower case, in which
    providers expect tokens."""

    def __init__(
        self,
        providers: Sequence[Authenticator],
        sessions: Sessions | None,
        service_keys: Authenticator | None,
        validity: Validity,
        observer: Observer,
        token_headers: Collection[str] = (),
    ) -> None:
        self._token_headers = frozenset(token_headers) - {"authorization"}
        self._providers = tuple(providers)
        self._sessions = sessions
        self._service_keys = service_keys
        self._validity = validity
        self._report = observer.reporter(IdentityDecided)
        names = [one.name for one in (*providers, sessions, service_keys) if one is not None]
        self._events = {
            (name, outcome): IdentityDecided(name, outcome)
            for name in names
            for outcome in ("accepted", "refused", "unavailable")
        }

    async def identify(self, credentials: Credentials) -> tuple[Identity, ...]:
        """Returns the identities that the credentials prove: one, or one for each of a browser's valid sessions, the
        newest first.

        Raises InvalidCredentialsError if they are not valid or no authenticator recognises them,
        MissingCredentialsError if there are none, and IdentityProviderError if they could not be verified.
        """
        for provider in self._providers:
            identity = provider.cached(credentials)
            if identity is None:
                identity = await self._authenticate(provider, credentials)
            if identity is not None:
                self._require_valid(provider.name, identity)
                return (identity,)
        if self._sessions is not None and credentials.sessions:
            identities = self._sessions.identities(credentials)
            if identities:
                self._report(self._events[self._sessions.name, "accepted"])
                return identities
        if self._service_keys is not None:
            identity = await self._authenticate(self._service_keys, credentials)
            if identity is not None:
                self._require_valid(self._service_keys.name, identity)
                return (identity,)
        if self._has_credentials(credentials):
            raise InvalidCredentialsError("no authenticator recognises the credentials")
        raise MissingCredentialsError

    def confirm(self, identity: Identity, since: float) -> None:
        """Raises InvalidCredentialsError if *identity*, which was valid at *since* (Unix seconds), is not any more: it
        may have been revoked or signed out while the request waited for VALT."""
        refusal = self._validity.refusal(identity, first_used_at=since)
        if refusal is not None:
            raise InvalidCredentialsError(refusal)

    def _has_credentials(self, credentials: Credentials) -> bool:
        """Whether there is a token of whatever issuer, a ticket or an access token. Other schemes than Bearer are for
        other services, and a session cookie may simply be old."""
        bearer = credentials.headers.get("authorization", "").partition(" ")[0].lower() == "bearer"
        elsewhere = any(credentials.headers.get(name, "").strip() for name in self._token_headers)
        return bearer or elsewhere or credentials.ticket is not None or credentials.access_token is not None

    async def _authenticate(self, authenticator: Authenticator, credentials: Credentials) -> Identity | None:
        """Returns the identity by one authenticator, and counts its errors."""
        try:
            return await authenticator.authenticate(credentials)
        except InvalidCredentialsError:
            self._report(self._events[authenticator.name, "refused"])
            raise
        except IdentityProviderError:
            self._report(self._events[authenticator.name, "unavailable"])
            raise

    def _require_valid(self, authenticator: str, identity: Identity) -> None:
        """Raises InvalidCredentialsError if *identity* is not valid any more, and counts the outcome."""
        refusal = self._validity.refusal(identity)
        if refusal is not None:
            self._report(self._events[authenticator, "refused"])
            raise InvalidCredentialsError(refusal)
        self._report(self._events[authenticator, "accepted"])
