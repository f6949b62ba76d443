"""Kerberos: tickets that browsers of an intranet send in ``Authorization: Negotiate`` (RFC 4559, SPNEGO of RFC 4178).

How it works. The token is verified with the key of the gateway's own service, from the keytab; no server is asked. A
token is valid once: its sub-key and sequence number, which its client chose, are remembered in the store, however the
token is wrapped. The Kerberos library has a replay cache besides, in a file of this machine.

The library blocks (on the keytab and the replay cache, and on whatever a plug-in of krb5.conf does), so that it runs in
threads of its own, of which there are few.
"""

import asyncio
import base64
import binascii
import hashlib
import os
import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from errno import EBADMSG, EDOM, EILSEQ, EINVAL, EMSGSIZE, ENOTSUP, EOVERFLOW, EPROTO, ERANGE, errorcode
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.errors import IdentityProviderError, InvalidCredentialsError
from gateway.identity.claim_values import parse_name
from gateway.model import Credentials, Identity, IdentityKind
from gateway.ports import Authenticator, Clock, Store

if TYPE_CHECKING:
    from gssapi import Credentials as GssapiCredentials
    from gssapi import Name
    from gssapi.raw.misc import GSSError

CLOCK_SKEW = 300.0
"""Seconds by which Kerberos allows clocks to differ, unless krb5.conf says otherwise."""
_THREADS = 2
_PENDING = 64
_RESERVED_NAMES = "WELLKNOWN/"
"""Principals that are nobody in particular, as the anonymous one (RFC 6111)."""
_OF_TOKENS = {EBADMSG, EDOM, EILSEQ, EINVAL, EMSGSIZE, ENOTSUP, EOVERFLOW, EPROTO, ERANGE}
"""Errors of the system by which functions refuse what they are given."""
_LOCAL_FAULTS = (
    *(os.strerror(code) for code in errorcode.keys() - _OF_TOKENS),
    *("Replay", "End-of-file on replay cache", "I/O error in replay cache", "Generic unknown RC", "No more memory"),
    *("Insufficient system space", "Can't open"),
)
"""What the library's messages begin with if it could not verify a token: it reports them with the code of a bad token.
Further on, a message may repeat names from the token."""


@dataclass(frozen=True, slots=True)
class AcceptedToken:
    """What a valid token states. Times are seconds."""

    principal: str
    """The person with their realm, "anna@EXAMPLE.EDU"; special characters are preceded by a backslash."""
    authenticated_at: float
    """When the person proved who they are to the Kerberos server, by that server's clock."""
    lifetime: float
    replay_key: str
    """Hash of what the client chose at random for this token."""
    response: bytes
    """The server's part of the mutual authentication."""


class GssapiAcceptor:
    """Verifies tokens with the library ``gssapi``. *service* is a host-based name, "HTTP@recordings.example.edu".

    The keytab is read again for every token, so that new keys count at once.
    """

    def __init__(self, keytab: Path, service: str) -> None:
        import gssapi  # an optional extra, with the system's Kerberos library

        self._gssapi = gssapi
        self._keytab = str(keytab)
        self._service = service.replace("@", "/", 1)

    def __call__(self, token: bytes) -> AcceptedToken:
        """Returns what a valid *token* states. Blocks.

        Raises InvalidCredentialsError if the token is not valid or for another service, and IdentityProviderError if
        that could not be verified.
        """
        try:
            credentials = self._acquire()
        except self._gssapi.raw.GSSError as error:
            raise IdentityProviderError(f"the keytab cannot be used, or krb5.conf: {_describe(error)}") from None
        try:
            return self._accept(credentials, token)
        except self._gssapi.raw.GSSError as error:
            reason = _describe(error)
            if is_local_fault(reason):
                raise IdentityProviderError(f"Kerberos tokens cannot be verified: {reason}") from None
            # Also that credentials are missing: the token is of a mechanism for which the gateway has none.
            raise InvalidCredentialsError(f"the Kerberos token was refused: {reason}") from None

    def _acquire(self) -> "GssapiCredentials":
        raw, kerberos = self._gssapi.raw, self._gssapi.MechType.kerberos
        mechanisms = [self._gssapi.OID.from_int_seq("1.3.6.1.5.5.2"), kerberos]
        credentials = self._gssapi.Credentials(usage="accept", mechs=mechanisms, store={"keytab": self._keytab})
        raw.set_neg_mechs(credentials, [kerberos])
        return credentials

    def _accept(self, credentials: "GssapiCredentials", token: bytes) -> AcceptedToken:
        raw, kerberos = self._gssapi.raw, self._gssapi.MechType.kerberos
        context = self._gssapi.SecurityContext(creds=credentials, usage="accept")
        response = context.step(token) or b""
        if not context.complete or context.mech != kerberos:
            raise InvalidCredentialsError("the client offers something else than a Kerberos ticket, perhaps NTLM")
        service = _display(context.target_name).rpartition("@")[0]
        if service.lower() != self._service.lower():
            raise InvalidCredentialsError(f"the Kerberos ticket is for another service: {service}")
        principal, lifetime = _display(context.initiator_name), float(context.lifetime)
        authenticated_at = float(raw.krb5_extract_authtime_from_sec_context(context))
        keys = raw.krb5_export_lucid_sec_context(context, 1)  # ends the context
        chosen = keys.cfx_kd.ctx_key if keys.protocol == 1 else keys.rfc1964_kd.key
        replay_key = hashlib.sha256(chosen + keys.recv_seq.to_bytes(8, "big")).hexdigest()
        return AcceptedToken(principal, authenticated_at, lifetime, replay_key, response)


def _describe(error: "GSSError") -> str:
    """Returns the message of *error*: the mechanism's, which says more, or else the general one."""
    minor = error.min_code
    texts = error.get_all_statuses(minor, False) if minor else error.get_all_statuses(error.maj_code, True)
    return "; ".join(text.strip("\0 ") for text in texts)[:200]


def is_local_fault(reason: str) -> bool:
    """Whether a message of the library is about this machine's files, and not about a token. Pure."""
    return reason.startswith(_LOCAL_FAULTS)


def _display(name: "Name") -> str:
    """Returns a GSSAPI name as text. Raises InvalidCredentialsError if it is not UTF-8."""
    try:
        return bytes(name).decode()
    except UnicodeDecodeError:
        raise InvalidCredentialsError("a Kerberos name is not UTF-8") from None


def parse_principal(principal: str, realms: Collection[str], *, strip_realm: bool) -> str:
    """Returns the subject of *principal*, with *strip_realm* without its realm, which must be one of *realms*. Pure.

    Raises InvalidCredentialsError for any other realm, for reserved names, and for names with characters that have to
    be preceded by a backslash, because what follows them could be taken for a realm.
    """
    name, _, realm = principal.rpartition("@")
    if "\\" in principal or "@" in name or name.startswith(_RESERVED_NAMES):
        raise InvalidCredentialsError("the Kerberos principal is not a person's")
    if realm not in realms:
        raise InvalidCredentialsError(f"the Kerberos realm {realm[:64]!r} is not one of the provider's realms")
    return parse_name(name) if strip_realm else parse_name(name) + f"@{realm}"


class NegotiateAuthenticator(Authenticator):
    """Accepts each token once. *accept* verifies tokens, and may block for *timeout* seconds: see GssapiAcceptor."""

    def __init__(
        self,
        name: str,
        accept: Callable[[bytes], AcceptedToken],
        realms: Collection[str],
        clock: Clock,
        store: Store,
        *,
        strip_realm: bool = True,
        timeout: float = 5.0,
    ) -> None:
        self.name = name
        self._accept = accept
        self._realms = frozenset(realms)
        self._clock = clock
        self._store = store
        self._strip_realm = strip_realm
        self._timeout = timeout
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"kerberos {name}")
        self._free = threading.BoundedSemaphore(_PENDING)

    async def authenticate(self, credentials: Credentials) -> Identity | None:
        """Returns the identity, or None without ``Authorization: Negotiate``.

        Raises InvalidCredentialsError if the token is not valid, was used before or is of a realm that is not listed,
        IdentityProviderError if it could not be verified in time, and BusyError if the
        store is full or has lost entries since the token may have been used.
        """
        scheme, _, text = credentials.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "negotiate":
            return None
        accepted = await self._verify(_decode(text.strip()))
        subject = parse_principal(accepted.principal, self._realms, strip_realm=self._strip_realm)
        now = self._clock.now()
        # Its client made it within CLOCK_SKEW of now, after the person was authenticated.
        since = max(now - CLOCK_SKEW, accepted.authenticated_at) - CLOCK_SKEW
        if not await self._store.consume(f"{self.name} {accepted.replay_key}", now + 3 * CLOCK_SKEW, since=since):
            raise InvalidCredentialsError("the Kerberos token was used before")
        return Identity(
            subject=subject,
            issuer=self.name,
            provider=self.name,
            kind=IdentityKind.NEGOTIATE,
            issued_at=accepted.authenticated_at,
            leeway=CLOCK_SKEW,
            expires_at=now + accepted.lifetime,
            response_token=base64.b64encode(accepted.response).decode(),
        )

    async def _verify(self, token: bytes) -> AcceptedToken:
        """Calls *accept* in a thread. Raises IdentityProviderError if too many calls have not ended, or this one does
        not end in time."""
        if not self._free.acquire(blocking=False):
            raise IdentityProviderError("too many Kerberos tokens are waiting to be verified")
        call = self._threads.submit(self._accept, token)
        call.add_done_callback(self._release)
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.wrap_future(call)
        except TimeoutError:
            raise IdentityProviderError("the Kerberos library did not verify a token in time") from None

    def _release(self, _call: "Future[AcceptedToken]") -> None:
        self._free.release()


def _decode(text: str) -> bytes:
    """Returns the token. Raises InvalidCredentialsError if it is empty, not base64, or NTLM's."""
    try:
        token = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise InvalidCredentialsError("the Kerberos token is not base64") from None
    if not token:
        raise InvalidCredentialsError("the Kerberos token is empty")
    if token.startswith(b"NTLMSSP\0"):
        raise InvalidCredentialsError("the client sent NTLM: it has no Kerberos ticket for this service")
    return token
