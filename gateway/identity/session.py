"""The session: an encrypted, authenticated cookie. It is the store, so a restart signs nobody out."""

import base64
import json
import secrets as random
import zlib
from collections.abc import Callable, Iterable
from dataclasses import replace

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.errors import GatewayError
from gateway.identity.cookies import read_cookie
from gateway.model import Credentials, Identity, IdentityKind, Secret
from gateway.ports import Clock, Store

_NAME = "valt_gateway_session"
_FORMAT = 2
_MAX_VALUE = 3900
"""Characters. With its name and attributes the cookie stays under 4096 bytes, beyond which browsers drop it unsaid
(RFC 6265, 6.1); a renewal, whose times may pack a little worse, stays under what is read again."""
_MOST_JOINED = 16
"""Narrow tickets that one session remembers; the oldest is dropped."""
_REFRESH = 0.1
"""The part of the idle limit after which a session in use gets a newer cookie."""


class Sessions:
    """Implements ports.Authenticator. The first of *secrets* signs, all are accepted, so that keys rotate without
    signing anyone out. *lifetime* and *idle* are seconds. Only groups in *keep_groups*, those that some rule names, are
    kept: a person in hundreds of groups must fit into a cookie. *used_at* tells when a session last played."""

    name = "session"

    def __init__(
        self,
        secrets: Iterable[Secret],
        lifetime: float,
        idle: float,
        clock: Clock,
        store: Store,
        *,
        secure: bool,
        keep_groups: frozenset[str],
        cross_site: bool = False,
        used_at: Callable[[str], float | None] = lambda _session: None,
    ) -> None:
        self.cookie_name = f"__Host-{_NAME}" if secure else _NAME
        self._box = MultiFernet([Fernet(derived(secret)) for secret in secrets])
        self._lifetime = lifetime
        self._idle = idle
        self._clock = clock
        self._store = store
        self._keep_groups = keep_groups
        self._used_at = used_at
        same_site = "SameSite=None; Partitioned" if cross_site else "SameSite=Lax"
        self._attributes = f"; Path=/; HttpOnly; {same_site}" + ("; Secure" if secure else "")

    async def authenticate(self, credentials: Credentials) -> Identity | None:
        """A session that is foreign, over, idle for too long or signed out is no proof, and nobody's fault."""
        if credentials.session is None:
            return None
        identity = self._opened(credentials.session.reveal())
        return None if identity is None or self._is_over(identity) else identity

    def read(self, headers: Iterable[str]) -> str | None:
        """The session cookie's value out of raw ``Cookie`` headers."""
        return read_cookie(headers, self.cookie_name)

    def issue_header(self, identity: Identity) -> str:
        """A Set-Cookie for a new session of *identity*, with an id of its own: nothing older is continued.
        GatewayError where no cookie holds all of the person's groups: better told than lost without a word."""
        now = self._clock.now()
        started = replace(identity, session=random.token_urlsafe(16), issued_at=now, used_at=now)
        value = self._sealed(started)
        if len(value) > _MAX_VALUE:
            raise GatewayError("the groups of this person that rules name do not fit into a session cookie")
        return self._set_cookie(started, value)

    async def joined(self, credentials: Credentials, identity: Identity) -> Identity:
        """*identity*, by a narrow ticket, good as well for what the same person's session in this browser is good for:
        a recording in another tab goes on playing."""
        held = await self.authenticate(credentials)
        same = held is not None and (held.subject, held.provider) == (identity.subject, identity.provider)
        if held is None or not same:
            return identity
        scopes = dict.fromkeys(((held.recording, held.video), *held.scopes))
        if any(recording is None for recording, _ in scopes):
            return replace(identity, recording=None, video=None)
        also = [(recording, video) for recording, video in scopes if recording is not None]
        return replace(identity, scopes=tuple(also[:_MOST_JOINED]))

    def refresh_header(self, identity: Identity) -> str | None:
        """A Set-Cookie that keeps a session in use from idling out, once a tenth of the idle limit has passed."""
        now = self._clock.now()
        if identity.session is None or identity.used_at is None or now - identity.used_at < self._idle * _REFRESH:
            return None
        renewed = replace(identity, used_at=now)
        return self._set_cookie(renewed, self._sealed(renewed))

    def clear_header(self) -> str:
        """A Set-Cookie that takes the session away."""
        return f"{self.cookie_name}=; Max-Age=0{self._attributes}"

    def _is_over(self, identity: Identity) -> bool:
        """Whether it was signed out here or at its provider, or its person's proofs were revoked since it began."""
        revoked_at = self._store.revoked_at(identity.subject, *identity.revocation_keys)
        if revoked_at is not None and (identity.issued_at is None or identity.issued_at <= revoked_at):
            return True
        return identity.session is None or self._store.signed_out(identity.session)

    def _set_cookie(self, identity: Identity, value: str) -> str:
        left = int((identity.issued_at or 0.0) + self._lifetime - self._clock.now())
        return f"{self.cookie_name}={value}; Max-Age={max(0, left)}{self._attributes}"

    def _sealed(self, identity: Identity) -> str:
        kept = {
            "v": _FORMAT,
            "id": identity.session,
            "sub": identity.subject,
            "iss": identity.issuer,
            "prv": identity.provider,
            "grp": sorted(identity.groups & self._keep_groups),
            "iat": identity.issued_at,
            "use": identity.used_at,
            "rec": identity.recording,
            "vid": identity.video,
            "also": identity.scopes,
            "out": identity.revocation_keys,
        }
        text = json.dumps(kept, separators=(",", ":"), ensure_ascii=False)
        return self._box.encrypt(zlib.compress(text.encode())).decode()

    def _opened(self, value: str) -> Identity | None:
        try:
            kept = json.loads(zlib.decompress(self._box.decrypt(value.encode())))
        except (InvalidToken, ValueError, zlib.error):
            return None
        if kept.get("v") != _FORMAT:
            return None
        now, since, used = self._clock.now(), kept["iat"], kept["use"]
        last = max(used, self._used_at(kept["id"]) or 0.0)
        if now >= since + self._lifetime or now >= last + self._idle:
            return None
        return Identity(
            subject=kept["sub"],
            issuer=kept["iss"],
            provider=kept["prv"],
            kind=IdentityKind.SESSION,
            groups=frozenset(kept["grp"]),
            issued_at=since,
            expires_at=since + self._lifetime,
            recording=kept["rec"],
            video=kept["vid"],
            scopes=tuple((recording, video) for recording, video in kept["also"]),
            session=kept["id"],
            used_at=used,
            revocation_keys=tuple(kept.get("out", ())),  # older cookies lack it
        )


def derived(secret: Secret, purpose: bytes = b"valt-gateway session") -> bytes:
    """A Fernet key of any secret text (HKDF, RFC 5869), another one for each *purpose*."""
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose)
    return base64.urlsafe_b64encode(kdf.derive(secret.reveal().encode()))
