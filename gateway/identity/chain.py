"""Who is asked, and in which order. The first that finds its kind of proof decides."""

from collections.abc import Sequence

from gateway.errors import IdentityProviderError, InvalidCredentialsError, MissingCredentialsError
from gateway.events import IdentityDecided
from gateway.model import Credentials, Identity
from gateway.ports import Authenticator, Observer, Store


class Chain:
    """Asks *authenticators* in order. What is older than its person's revocation in *store* is void."""

    def __init__(self, authenticators: Sequence[Authenticator], store: Store, observer: Observer) -> None:
        self._authenticators = tuple(authenticators)
        self._store = store
        self._observer = observer
        self._told = {
            (one.name, outcome): IdentityDecided(one.name, outcome)
            for one in authenticators
            for outcome in ("accepted", "refused", "unavailable")
        }

    async def identify(self, credentials: Credentials) -> Identity:
        """The identity. InvalidCredentialsError: proof was offered that is bad, or that nobody claims.
        MissingCredentialsError: none was. IdentityProviderError: could not find out."""
        for authenticator in self._authenticators:
            try:
                identity = await authenticator.authenticate(credentials)
                if identity is None:
                    continue
                self._refuse_revoked(identity)
            except InvalidCredentialsError:
                self._observer.on_event(self._told[authenticator.name, "refused"])
                raise
            except IdentityProviderError:
                self._observer.on_event(self._told[authenticator.name, "unavailable"])
                raise
            self._observer.on_event(self._told[authenticator.name, "accepted"])
            return identity
        if _offers_proof(credentials):
            raise InvalidCredentialsError("nobody claims the proof that was offered")
        raise MissingCredentialsError

    def _refuse_revoked(self, identity: Identity) -> None:
        revoked_at = self._store.revoked_at(identity.subject, *identity.revocation_keys)
        if revoked_at is not None and identity.issued_at is not None and identity.issued_at <= revoked_at:
            raise InvalidCredentialsError("what was issued to this person before the revocation is void")


def _offers_proof(credentials: Credentials) -> bool:
    """A bearer token or a ticket is proof offered. ``Basic …`` is nobody's; an old cookie is no offer."""
    bearer = credentials.headers.get("authorization", "").partition(" ")[0].lower() == "bearer"
    return bearer or credentials.ticket is not None or credentials.access_token is not None
