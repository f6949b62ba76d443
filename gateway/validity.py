"""The one check of whether a proof that was accepted once is still valid, for new requests and running streams alike.

Everything derived from a proof (a session, an access token for one video) carries its issuer, provider, subject, issue
time and session id, so that it becomes invalid together with the proof.
"""

import math
from collections.abc import Collection, Mapping

from gateway.group_selection import GroupSelection
from gateway.model import Grant, Identity, IdentityKind
from gateway.ports import Clock, Store

SERVICE_KEY_ISSUER, SERVICE_KEY_PROVIDER = "valt-gateway", "service_key"
"""Issuer and provider of the identities that service keys prove."""

_LONGEST_TOKEN = 30 * 24 * 3600.0
"""Seconds. No session and no token of an earlier configuration is assumed to live longer."""
_CLOCK_MARGIN = 24 * 3600.0
"""Seconds for which the clock may be set back."""


def void_seconds(lifetime: float) -> float:
    """Returns for how many seconds a sign-out or a revocation is stored if *lifetime* is the longest of what it makes
    void (sessions, tokens), in seconds.

    Longer than now seems necessary: a session may be sealed under a longer lifetime, which a reload may bring back.
    """
    return max(lifetime, _LONGEST_TOKEN) + _CLOCK_MARGIN


def renew(grant: Grant, again: Grant) -> bool:
    """Has *grant* last as long as *again*, a later decision about the same request. False, with nothing changed, if
    what runs by *grant* may not go on as it runs."""
    is_same = (again.account, again.delivery) == (grant.account, grant.delivery)
    if not is_same or (grant.attachment and not again.download):
        return False
    grant.decided_at, grant.until = again.decided_at, again.until
    return True


class Validity:
    """The check by one configuration.

    *providers* are the issuer and the name of each ``[[identity]]``. *service_keys* maps the name and the SHA-256 hash
    of each key to its groups and its end, in Unix seconds. *lifetime* is that of sessions in seconds, None if there are
    none. *secrets* are the ids of the secrets that unseal sessions and access tokens, *selection* says which groups are
    sealed in them. *clock_difference* is by how many seconds the clock of what issued an identity may be ahead of the
    one that a revocation's time was read from: another replica's.
    """

    def __init__(
        self,
        providers: Collection[tuple[str, str]],
        service_keys: Mapping[tuple[str, str], tuple[frozenset[str], float | None]],
        store: Store,
        clock: Clock,
        *,
        lifetime: float | None,
        secrets: Collection[str] = (),
        selection: GroupSelection | None = None,
        clock_difference: float = 0.0,
    ) -> None:
        self._providers = frozenset(providers)
        self._service_keys = dict(service_keys)
        self._store = store
        self._clock = clock
        self._lifetime = lifetime
        self._secrets = frozenset(secrets)
        self._selection = selection or GroupSelection()
        self._clock_difference = clock_difference

    def refusal(self, identity: Identity, *, first_used_at: float | None = None) -> str | None:
        """Returns why *identity* is no longer valid, or None if it is.

        Of the expiry times only those of a session and of a service key count here, also for what was made from them.
        The others are verified when a request begins, and do not end a stream that has begun: the holder of a bearer
        token would be admitted again with the next one. *first_used_at*
        (Unix seconds) replaces the issue time of an identity that has none, that of a header or a service key: without
        it such an identity cannot have been issued before a revocation.
        """
        ends_at = identity.expires_at or 0.0 if identity.kind is IdentityKind.SESSION else identity.ends_at
        if identity.service_key is not None:
            groups, ends_at = self._service_keys.get((identity.subject, identity.service_key), (None, None))
            if groups != identity.groups:
                return "its service key is no longer configured, or has other groups"
        elif (identity.issuer, identity.provider) not in self._providers:
            return "its provider is no longer configured"
        if identity.session is not None:
            if self._lifetime is None:
                return "sessions are no longer configured"
            # A reload may have shortened the lifetime since the session began.
            ends_at = min(math.inf if ends_at is None else ends_at, (identity.issued_at or 0.0) + self._lifetime)
        if identity.sealed_by is not None and identity.sealed_by not in self._secrets:
            return "the secret that sealed it is no longer configured"
        if identity.selection is not None and not self._selection.is_current(identity.selection):
            return "a rule refuses groups that were not stored in it"
        if identity.session is not None and self._store.is_signed_out(identity.session):
            return "the session was signed out"
        if ends_at is not None and ends_at <= self._clock.now():
            return "the session or service key has expired"
        revoked_at = self._store.revoked_at(
            identity.subject, f"{identity.provider}#{identity.subject}", *identity.revocation_keys
        )
        issued_at = first_used_at if identity.issued_at is None else identity.issued_at - identity.leeway
        if revoked_at is not None and issued_at is not None and issued_at - self._clock_difference <= revoked_at:
            return "it was issued before this person's revocation"
        return None
