"""Identities that a fronting proxy states in request headers; accepted from listed socket peers only."""

import hmac
from collections.abc import Collection

from gateway.errors import InvalidCredentialsError
from gateway.identity.claim_values import parse_groups, parse_name
from gateway.identity.ignored_groups import IgnoredGroups
from gateway.model import Credentials, Identity, IdentityKind, Secret
from gateway.network import TrustedNetworks
from gateway.ports import Authenticator

_ESCAPED = "\ud800"
"""Stands for an escaped separator while a header is split. A surrogate that no header can contain."""
_NOBODY = ("", "(null)")
"""What a proxy sends for nobody; "(null)" is Apache's."""


class HeaderAuthenticator(Authenticator):
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
        *,
        ignored_groups: IgnoredGroups,
    ) -> None:
        self._ignored_groups = ignored_groups
        self.name = name
        self._subject_header = subject_header.lower()
        self._groups_header = groups_header.lower()
        self._separator = groups_separator
        self._networks = TrustedNetworks(networks)
        self._secret_header = secret_header.lower()
        self._secret = secret

    async def authenticate(self, credentials: Credentials) -> Identity | None:
        """Returns the identity, or None without a subject or from a peer that is not listed. Groups that are not valid
        names are ignored.

        Raises InvalidCredentialsError if the secret is wrong or the subject is not a valid name.
        """
        subject = credentials.headers.get(self._subject_header)
        if subject is None or subject.strip(" \t") in _NOBODY or credentials.peer not in self._networks:
            return None
        if self._secret is not None:
            offered = credentials.headers.get(self._secret_header, "")
            if not hmac.compare_digest(_to_bytes(offered), _to_bytes(self._secret.reveal())):
                raise InvalidCredentialsError("the fronting proxy's secret is missing or wrong")
        groups, ignored = parse_groups(self._split(credentials.headers.get(self._groups_header, "")))
        self._ignored_groups.add(ignored)
        return Identity(
            subject=parse_name(subject),
            issuer=self.name,
            provider=self.name,
            kind=IdentityKind.HEADER,
            groups=groups,
        )

    def _split(self, text: str) -> list[str]:
        """Returns the groups in a header's value. A separator right after a backslash belongs to the group's name, as
        mod_shib writes it; mod_shib does not escape a backslash, so that two are two characters of a name."""
        if text.strip(" \t") in _NOBODY:
            return []
        parts = text.replace(f"\\{self._separator}", _ESCAPED).split(self._separator)
        names = [part.replace(_ESCAPED, self._separator).strip(" \t") for part in parts]
        return [name for name in names if name]


def _to_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
