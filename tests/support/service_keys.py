"""Service keys in a test's configuration."""

import hashlib

from tests.support.configuration import table


def service_key(name: str, secret: str, *groups: str) -> str:
    """Returns a ``[[service_keys]]`` table."""
    digest = hashlib.sha256(secret.encode()).hexdigest()
    return table("[[service_keys]]", name=name, secret_sha256=digest, groups=groups)
