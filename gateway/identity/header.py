"""What a fronting proxy says in a header, believed by the socket's own peer address alone."""

import hmac
import ipaddress
from collections.abc import Collection

from gateway.errors import InvalidCredentialsError
from gateway.identity.claims import name_of
from gateway.model import Credentials, Identity, Secret


class HeaderAuthenticator:
    """*networks* list the peers whose word it is ("unix" for a unix socket). From everyone else the headers are as if
    they were absent. *secret_header* and *secret* are an optional second lock."""

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
        self._unix = "unix" in networks
        self._networks = [ipaddress.ip_network(network) for network in networks if network != "unix"]
        self._secret_header = secret_header.lower()
        self._secret = secret

    async def authenticate(self, credentials: Credentials) -> Identity | None:
        subject = credentials.headers.get(self._subject_header)
        if subject is None or not self._is_listed(credentials.peer):
            return None
        if self._secret is not None:
            shown = credentials.headers.get(self._secret_header, "")
            if not hmac.compare_digest(_bytes(shown), _bytes(self._secret.reveal())):
                raise InvalidCredentialsError("the fronting proxy did not show its secret")
        groups = credentials.headers.get(self._groups_header, "").split(self._separator)
        return Identity(
            subject=name_of(subject),
            issuer=self.name,
            provider=self.name,
            kind="header",
            groups=frozenset(name_of(group.strip()) for group in groups if group.strip()),
        )

    def _is_listed(self, peer: str | None) -> bool:
        if peer is None:
            return self._unix
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._networks)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
