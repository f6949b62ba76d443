"""Identities that a fronting proxy states in request headers; accepted from listed socket peers only."""

import hmac
from collections.abc import Collection

from gateway.errors import InvalidCredentialsError
from gateway.identity.claims import parse_name
from gateway.model import Credentials, Identity, IdentityKind, Secret
from gateway.network import TrustedNetworks


class HeaderAuthenticator:
    """*networks* are the peers whose headers are accepted; from any other peer the headers count as absent.

    With *secret_header* and *secret* the proxy must also send that secret.
    """

    def __init__(
        self,
        name: str,
        subject_header: str,
        groups_header: str,
        groups_separator: str,
        networks: Collection[str],
        secret_header: str = "",
        secret: Secret | None = None,
    ) -> None:
        self.name = name
        self._subject_header = subject_header.lower()
        self._groups_header = groups_header.lower()
        self._separator = groups_separator
        self._networks = TrustedNetworks(networks)
        self._secret_header = secret_header.lower()
        self._secret = secret

    async def authenticate(self, credentials: Credentials) -> Identity | None:
        """Returns the identity, or None without a subject header or from a peer that is not listed.

        Raises InvalidCredentialsError if the secret is wrong or a name is not valid.
        """
        subject = credentials.headers.get(self._subject_header)
        if subject is None or credentials.peer not in self._networks:
            return None
        if self._secret is not None:
            offered = credentials.headers.get(self._secret_header, "")
            if not hmac.compare_digest(_to_bytes(offered), _to_bytes(self._secret.reveal())):
                raise InvalidCredentialsError("the fronting proxy's secret is missing or wrong")
        groups = credentials.headers.get(self._groups_header, "").split(self._separator)
        return Identity(
            subject=parse_name(subject),
            issuer=self.name,
            provider=self.name,
            kind=IdentityKind.HEADER,
            groups=frozenset(parse_name(group.strip()) for group in groups if group.strip()),
        )


def _to_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
