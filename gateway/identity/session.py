"""Sessions: each is a sealed cookie and is stored nowhere else, so that a restart ends none."""

import secrets as random
from collections.abc import Callable, Iterable
from dataclasses import replace

from gateway.errors import GatewayError
from gateway.identity.cookies import Cookie
from gateway.model import Credentials, Identity, IdentityKind, Secret
from gateway.ports import Clock, Store
from gateway.sealed import SealedTokens

_NAME = "valt_gateway_session"
_VERSION = 2
_MAX_VALUE = 3900
"""Characters. With its name and attributes the cookie stays below 4096 bytes, above which browsers drop it (RFC 6265,
section 6.1). A renewed cookie, whose times may compress less well, stays below the limit of cookies.read_cookie."""
_MAX_SCOPES = 16
"""Single recordings that one session may hold. The oldest is dropped."""
_RENEW_AFTER = 0.1
"""The fraction of the idle limit after which a session in use is given a renewed cookie."""


class Sessions:
    """Implements ports.Authenticator for session cookies, and issues them.

    The first of *secrets* seals and all of them unseal, so that secrets can be rotated without ending sessions.
    *lifetime* and *idle* are seconds. Of a person's groups, only those in *keep_groups*, which some rule names, are
    stored: a person in hundreds of groups must fit into a cookie. *used_at* returns when a session last played a
    video, in Unix seconds, or None.
    """

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
        self._cookie = Cookie(_NAME, secure=secure, cross_site=cross_site)
        self._sealed = SealedTokens(secrets, "session", _VERSION)
        self._lifetime = lifetime
        self._idle = idle
        self._clock = clock
        self._store = store
        self._keep_groups = keep_groups
        self._used_at = used_at

    async def authenticate(self, credentials: Credentials) -> Identity | None:
        """Returns None (never raises) for a cookie that cannot be decrypted, has expired, has been idle longer than
        *idle*, was signed out, or was issued before a revocation."""
        if credentials.session is None:
            return None
        identity = self._unseal(credentials.session.reveal())
        return None if identity is None or self._is_revoked(identity) else identity

    def read(self, headers: Iterable[str]) -> str | None:
        """Returns the value of the session cookie in raw ``Cookie`` headers."""
        return self._cookie.read(headers)

    def issue_header(self, identity: Identity) -> str:
        """Returns a Set-Cookie header for a new session of *identity*, with a new session id.

        Raises GatewayError if the person's groups do not fit into a cookie.
        """
        now = self._clock.now()
        session = replace(identity, session=random.token_urlsafe(16), issued_at=now, used_at=now)
        value = self._seal(session)
        if len(value) > _MAX_VALUE:
            raise GatewayError("the groups of this person that rules name do not fit into a session cookie")
        return self._set_cookie(session, value)

    async def add_session_scopes(self, credentials: Credentials, identity: Identity) -> Identity:
        """Returns *identity*, of a ticket, with the recordings that the same person's present session allows as well,
        so that a recording in another tab keeps playing."""
        session = await self.authenticate(credentials)
        if session is None or (session.subject, session.provider) != (identity.subject, identity.provider):
            return identity
        scopes = dict.fromkeys(((session.recording, session.video), *session.scopes))
        if any(recording is None for recording, _ in scopes):
            return replace(identity, recording=None, video=None)
        limited = [(recording, video) for recording, video in scopes if recording is not None]
        return replace(identity, scopes=tuple(limited[:_MAX_SCOPES]))

    def refresh_header(self, identity: Identity) -> str | None:
        """Returns a Set-Cookie header that restarts the idle limit, or None if less than a tenth of it has passed."""
        now = self._clock.now()
        if identity.session is None or identity.used_at is None or now - identity.used_at < self._idle * _RENEW_AFTER:
            return None
        renewed = replace(identity, used_at=now)
        return self._set_cookie(renewed, self._seal(renewed))

    def clear_header(self) -> str:
        """Returns a Set-Cookie header that deletes the session cookie."""
        return self._cookie.set_header("", 0)

    def _is_revoked(self, identity: Identity) -> bool:
        """Whether the session was signed out here or at its provider, or began before the person's revocation."""
        revoked_at = self._store.revoked_at(identity.subject, *identity.revocation_keys)
        if revoked_at is not None and (identity.issued_at is None or identity.issued_at <= revoked_at):
            return True
        return identity.session is None or self._store.is_signed_out(identity.session)

    def _set_cookie(self, identity: Identity, value: str) -> str:
        remaining = int((identity.issued_at or 0.0) + self._lifetime - self._clock.now())
        return self._cookie.set_header(value, max(0, remaining))

    def _seal(self, identity: Identity) -> str:
        return self._sealed.seal(
            {
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
        )

    def _unseal(self, value: str) -> Identity | None:
        claims = self._sealed.unseal(value)
        if claims is None:
            return None
        now, issued_at, used_at = self._clock.now(), claims["iat"], claims["use"]
        last_used_at = max(used_at, self._used_at(claims["id"]) or 0.0)
        if now >= issued_at + self._lifetime or now >= last_used_at + self._idle:
            return None
        return Identity(
            subject=claims["sub"],
            issuer=claims["iss"],
            provider=claims["prv"],
            kind=IdentityKind.SESSION,
            groups=frozenset(claims["grp"]),
            issued_at=issued_at,
            expires_at=issued_at + self._lifetime,
            recording=claims["rec"],
            video=claims["vid"],
            scopes=tuple((recording, video) for recording, video in claims["also"]),
            session=claims["id"],
            used_at=used_at,
            revocation_keys=tuple(claims.get("out", ())),  # absent from cookies of earlier releases
        )
