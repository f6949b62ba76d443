"""The authenticators of a configuration, in order. The first that recognises its kind of credential decides."""

from collections.abc import Sequence

from gateway.errors import IdentityProviderError, InvalidCredentialsError, MissingCredentialsError
from gateway.events import IdentityDecided
from gateway.model import Credentials, Identity
from gateway.ports import Authenticator, Observer, Store


class Chain:
    """Tries *authenticators* in order, and refuses credentials that were issued before a revocation in *store*."""

    def __init__(self, authenticators: Sequence[Authenticator], store: Store, observer: Observer) -> None:
        self._authenticators = tuple(authenticators)
        self._store = store
        self._observer = observer
        self._events = {
            (authenticator.name, outcome): IdentityDecided(authenticator.name, outcome)
            for authenticator in authenticators
            for outcome in ("accepted", "refused", "unavailable")
        }

    async def identify(self, credentials: Credentials) -> Identity:
        """Returns the identity that the credentials prove.

        Raises InvalidCredentialsError if they are not valid or no authenticator recognises them,
        MissingCredentialsError if there are none, and IdentityProviderError if they could not be verified.
        """
        for authenticator in self._authenticators:
            try:
                identity = await authenticator.authenticate(credentials)
                if identity is None:
                    continue
                self._refuse_revoked(identity)
            except InvalidCredentialsError:
                self._observer.on_event(self._events[authenticator.name, "refused"])
                raise
            except IdentityProviderError:
                self._observer.on_event(self._events[authenticator.name, "unavailable"])
                raise
            self._observer.on_event(self._events[authenticator.name, "accepted"])
            return identity
        if _has_credentials(credentials):
            raise InvalidCredentialsError("no authenticator recognises the credentials")
        raise MissingCredentialsError

    def _refuse_revoked(self, identity: Identity) -> None:
        revoked_at = self._store.revoked_at(identity.subject, *identity.revocation_keys)
        if revoked_at is not None and identity.issued_at is not None and identity.issued_at <= revoked_at:
            raise InvalidCredentialsError("the credentials were issued before this person's revocation")


def _has_credentials(credentials: Credentials) -> bool:
    """Whether there is a bearer token, a ticket or an access token. Other schemes are for other services, and a session
    cookie may simply be old."""
    bearer = credentials.headers.get("authorization", "").partition(" ")[0].lower() == "bearer"
    return bearer or credentials.ticket is not None or credentials.access_token is not None
