"""Validity for tests that build the parts of an identity step themselves."""

from collections.abc import Iterable

from gateway.model import Identity, Secret
from gateway.ports import Clock, Store
from gateway.sealed import secret_id
from gateway.validity import Validity


def validity_of(
    store: Store,
    clock: Clock,
    identities: Iterable[Identity],
    *,
    service_keys: Iterable[tuple[str, str]] = (),
    has_sessions: bool = True,
    secrets: Iterable[Secret] = (),
) -> Validity:
    """Returns the check of a configuration with the providers of *identities*, and with the sealing *secrets*."""
    providers = [(identity.issuer, identity.provider) for identity in identities]
    return Validity(
        providers,
        list(service_keys),
        store,
        clock,
        has_sessions=has_sessions,
        secrets=[secret_id(secret) for secret in secrets],
    )
