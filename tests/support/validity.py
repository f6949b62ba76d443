"""Validity for tests that build the parts of an identity step themselves."""

from collections.abc import Iterable

from gateway.model import Identity
from gateway.ports import Clock, Store
from gateway.validity import Validity


def validity_of(
    store: Store,
    clock: Clock,
    identities: Iterable[Identity],
    *,
    service_keys: Iterable[tuple[str, str]] = (),
    has_sessions: bool = True,
) -> Validity:
    """Returns the check of a configuration with the providers of *identities*."""
    providers = [(identity.issuer, identity.provider) for identity in identities]
    return Validity(providers, list(service_keys), store, clock, has_sessions=has_sessions)
