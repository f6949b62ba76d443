"""The one check of whether a proof that was accepted once is still valid, for new requests and running streams alike.

Everything derived from a proof (a session, an access token for one video) carries its issuer, provider, subject, issue
time and session id, so that it becomes invalid together with the proof.
"""

from collections.abc import Collection

from gateway.group_selection import GroupSelection
from gateway.model import Identity, IdentityKind
from gateway.ports import Clock, Store

SERVICE_KEY_ISSUER, SERVICE_KEY_PROVIDER = "valt-gateway", "service_key"
"""Issuer and provider of the identities that service keys prove."""


class Validity:
    """The check by one configuration.

    *providers* are the issuer and the name of each ``[[identity]]``, *service_keys* the name and the
    SHA-256 hash of each key.
    *has_sessions*: whether ``[session]`` is configured. *secrets* are the ids of the secrets that unseal
    sessions and access tokens, *selection* says which groups are sealed in them.
    """

    def __init__(
        self,
        providers: Collection[tuple[str, str]],
        service_keys: Collection[tuple[str, str]],
        store: Store,
        clock: Clock,
        *,
        has_sessions: bool,
        secrets: Collection[str] = (),
        selection: GroupSelection | None = None,
    ) -> None:
        self._providers = frozenset(providers)
        self._service_keys = frozenset(service_keys)
        self._store = store
        self._clock = clock
        self._has_sessions = has_sessions
        self._secrets = frozenset(secrets)
        self._selection = selection or GroupSelection()

    def refusal(self, identity: Identity, *, first_used_at: float | None = None) -> str | None:
        """Returns why *identity* is no longer valid, or None if it is.

        Of the expiry times only those of a session and of a service key count here, also for what was made from them.
        The others are verified when a request begins, and do not end a stream that has begun: the holder of a bearer
        token would be admitted again with the next one. *first_used_at*
        (Unix seconds) replaces the issue time of an identity that has none, that of a header or a service key: without
        it such an identity cannot have been issued before a revocation.
        """
        if identity.service_key is not None:
            if (identity.subject, identity.service_key) not in self._service_keys:
                return "its service key is no longer configured"
        elif (identity.issuer, identity.provider) not in self._providers:
            return "its provider is no longer configured"
        if identity.session is not None and not self._has_sessions:
            return "sessions are no longer configured"
        if identity.sealed_by is not None and identity.sealed_by not in self._secrets:
            return "the secret that sealed it is no longer configured"
        if identity.selection is not None and not self._selection.is_current(identity.selection):
            return "a rule refuses groups that were not stored in it"
        if identity.session is not None and self._store.is_signed_out(identity.session):
            return "the session was signed out"
        ends_at = identity.expires_at or 0.0 if identity.kind is IdentityKind.SESSION else identity.ends_at
        if ends_at is not None and ends_at <= self._clock.now():
            return "the session or service key has expired"
        revoked_at = self._store.revoked_at(
            identity.subject, f"{identity.provider}#{identity.subject}", *identity.revocation_keys
        )
        issued_at = first_used_at if identity.issued_at is None else identity.issued_at - identity.leeway
        if revoked_at is not None and issued_at is not None and issued_at <= revoked_at:
            return "it was issued before this person's revocation"
        return None
