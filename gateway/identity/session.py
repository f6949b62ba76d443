"""Browser sessions: each is a sealed cookie and is stored nowhere else, so that a restart ends none.

How it works: each ticket that is exchanged and each sign-in makes one session with the rights of that proof alone, in a
cookie of its own. A cookie is never made from another one, except that a session in use is sealed again with the time
of that use. So tickets that are exchanged at the same moment do not overwrite each other's cookies, and no session has
the rights of two proofs. A session's id is what a sign-out ends: sessions of one person with the same limits share it,
and so every copy of their cookies ends with it.
"""

import secrets as random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from gateway.completion import complete_all
from gateway.errors import InvalidCredentialsError, TooManyGroupsError
from gateway.group_selection import GroupSelection
from gateway.identity.deleted_cookies import DeletedCookies
from gateway.identity.session_claims import VERSION, to_claims, to_identity
from gateway.identity.session_cookie import SessionCookie
from gateway.identity.session_limits import MOST, names_to_clear
from gateway.model import Credentials, Identity, Secret
from gateway.ports import Clock, Store
from gateway.sealed import SealedTokens
from gateway.validity import Validity, void_seconds

_MAX_VALUE = 3900
"""Characters. With its name and attributes the cookie stays below 4096 bytes, above which browsers drop it (RFC 6265,
section 6.1). A renewed cookie, whose times may compress less well, stays below the limit of cookies.read_cookies."""
_RENEW_AFTER = 0.1
"""The fraction of the idle limit after which a session in use is given a renewed cookie."""


class Sessions:
    """Reads session cookies, and begins and ends sessions. Implements ports.Sessions.

    The first of *secrets* seals and all of them unseal, so that secrets can be rotated without ending sessions.
    *lifetime* and *idle* are seconds, *max_header* is bytes of one header of a request. Of a person's groups, those in
    *keep_groups* are stored. *used_at* returns when a session was last used without a renewal of its cookie, for a
    stream above all, in Unix seconds, or None. *on_issue* is called with the time until which a new or renewed cookie
    is valid if it is not used again.
    """

    name = "session"

    def __init__(
        self,
        secrets: Iterable[Secret],
        lifetime: float,
        idle: float,
        clock: Clock,
        store: Store,
        validity: Validity,
        *,
        secure: bool,
        keep_groups: GroupSelection,
        cross_site: bool = False,
        max_header: int,
        used_at: Callable[[str], float | None] = lambda _session: None,
        on_issue: Callable[[float], None] = lambda _until: None,
    ) -> None:
        self._cookie = SessionCookie(secure=secure, cross_site=cross_site, max_header=max_header)
        self._sealed = SealedTokens(secrets, "session", VERSION)
        self._lifetime = lifetime
        self._idle = idle
        self._clock = clock
        self._store = store
        self._validity = validity
        self._keep_groups = keep_groups
        self._used_at = used_at
        self._on_issue = on_issue
        self._deleted = DeletedCookies(clock)

    def take_over(self, previous: "Sessions") -> None:
        """Shares with *previous*, those of an earlier configuration, which cookies were deleted: a request that waits
        across a reload ends by the configuration by which it began."""
        self._deleted = previous._deleted

    def read(self, headers: Iterable[str]) -> Mapping[str, Secret]:
        """Returns the session cookies in raw ``Cookie`` headers, by name, as many as a browser can present."""
        return self._cookie.read(headers)

    def identities(self, credentials: Credentials) -> tuple[Identity, ...]:
        """Returns the identities of the valid sessions, the newest first. Never raises: a cookie that cannot be
        decrypted, or whose session has expired, was idle for longer than *idle* or is void, is ignored."""
        return self._valid(self._unseal_all(credentials))

    def find_other_person(self, credentials: Credentials, identity: Identity) -> Identity | None:
        """Returns the newest valid session that is another person's than *identity*, or None."""
        others = (session for session in self.identities(credentials) if session.person != identity.person)
        return next(others, None)

    async def begin(self, credentials: Credentials, identity: Identity) -> list[str]:
        """Returns the Set-Cookie headers for a new session with the rights of *identity*.

        If *credentials* have a valid session of the same limits, its id is continued. If they have a valid session of
        another person, all their sessions are made void. Raises InvalidCredentialsError if *identity* is not valid any
        more, TooManyGroupsError if its groups do not fit into a cookie, and BusyError if the store fails.
        """
        refusal = self._validity.refusal(identity)
        if refusal is not None:
            raise InvalidCredentialsError(refusal)
        unsealed = self._unseal_all(credentials)
        present = self._valid(unsealed)
        if any(session.person != identity.person for session in present):
            header = self.issue_header(identity)
            _, cleared = await self.end(credentials)
            overwritten = self._cookie.clear_header(_name(header))
            return [*(cookie for cookie in cleared if cookie != overwritten), header]
        continued = next((session.session for session in present if _limits(session) == _limits(identity)), None)
        header = self.issue_header(identity, continued)
        return [*self._make_room(credentials, unsealed, identity, header), header]

    async def end(self, credentials: Credentials) -> tuple[tuple[Identity, ...], list[str]]:
        """Makes every session of *credentials* void, with all copies of its cookies, also of those that are not used
        because another cookie collides with them: a site of the same domain must not keep them valid. Returns those
        that were valid, the newest first, and the Set-Cookie headers that delete all the cookies. Raises BusyError if
        the store fails, after it has been tried with each; a caller that is cancelled interrupts nothing.
        """
        sessions, now = self._unseal_all(credentials), self._clock.now()
        valid, presented = self._valid(sessions), self._cookie.read_every(credentials)
        unsealed = filter(None, map(self._sealed.unseal, {value for _, value in presented}))
        # A newer copy of a cookie that has expired may be valid.
        ends = [(claims["id"], max(now, claims["exp"]) + void_seconds(self._lifetime)) for claims in unsealed]
        await complete_all(*(self._store.sign_out(session, until) for session, until in ends))
        names = dict.fromkeys([self._cookie.base, *(name for name, _ in presented)])
        return valid, self._clear_headers(names, credentials, sessions)

    def clear_narrowed(self, headers: Sequence[str]) -> list[str]:
        """Returns the Set-Cookie headers that delete the cookies of narrowed sessions in raw ``Cookie`` headers, for a
        browser that presents too many to be served: tickets of one moment leave as many as there are."""
        credentials = Credentials(sessions=self.read(headers), cookies=headers)
        names = [name for name in self._cookie.names(credentials) if name != self._cookie.base]
        self._deleted.add_unread(names)
        return self._clear_headers(names, credentials, self._unseal_all(credentials))

    def issue_header(self, identity: Identity, session: str | None = None) -> str:
        """Returns a Set-Cookie header for a session of *identity* with the id *session*, by default a new one.

        Raises TooManyGroupsError if the person's groups do not fit into a cookie.
        """
        now = self._clock.now()
        started = replace(
            identity,
            session=random.token_urlsafe(16) if session is None else session,
            issued_at=now,
            leeway=0.0 if identity.issued_at is None else max(0.0, now - identity.issued_at + identity.leeway),
            used_at=now,
            expires_at=now + self._lifetime,
            groups=frozenset(self._keep_groups.select(identity.groups)),
            selection=self._keep_groups.digest,
            cross_site=self._cookie.cross_site,
        )
        value = self._seal(started)
        if len(value) > _MAX_VALUE:
            raise TooManyGroupsError("the groups of this person that rules name do not fit into a session cookie")
        return self._set_cookie(started, value)

    def refresh_headers(self, identity: Identity) -> list[str]:
        """Returns the Set-Cookie headers that restart the idle limit. None if less than a tenth of it has passed, if
        the browser was lately made to delete or to replace that cookie, or if the session has ended: the browser may
        have signed out."""
        now = self._clock.now()
        if (
            identity.session is None
            or identity.used_at is None
            or now - identity.used_at < self._idle * _RENEW_AFTER
            or self._cookie.key(identity) in self._deleted
            or self._validity.refusal(identity) is not None
        ):
            return []
        name = self._cookie.name(identity)
        other = self._cookie.clear_other_headers(name, [name], {name: identity})
        renewed = replace(identity, used_at=now, cross_site=self._cookie.cross_site)
        return [*other, self._set_cookie(renewed, self._seal(renewed))]

    def _make_room(
        self, credentials: Credentials, unsealed: Mapping[str, Identity], identity: Identity, header: str
    ) -> list[str]:
        """Returns the Set-Cookie headers that delete what the new cookie *header*, of a session of *identity*, replaces
        of the cookies of *credentials*, and the oldest narrowed ones for which there is no room beside it. *unsealed*
        is what the cookies contain, by name."""
        lengths, others = self._cookie.lengths(credentials)
        name, own = _name(header), len(header.partition(";")[0]) + len("; ")
        replaced = {one: session for one, session in unsealed.items() if _limits(session) == _limits(identity)}
        older = {one: length for one, length in lengths.items() if one not in replaced and one != name}
        room = self._cookie.longest_header - others - own - older.pop(self._cookie.base, 0)
        issued_at = {one: _issued_at(session) for one, session in unsealed.items()}
        most, longest = (MOST - 1, room / 2) if identity.is_narrowed else (MOST, room)
        surplus = names_to_clear(older, issued_at, most=most, longest=longest)
        cleared = [*replaced, *surplus]
        self._deleted.add(self._cookie.key(unsealed[one]) for one in cleared if one in unsealed)
        variant = self._cookie.clear_other_headers(name, self._cookie.names(credentials), unsealed)
        return [*self._clear_headers([one for one in cleared if one != name], credentials, unsealed), *variant]

    def _clear_headers(
        self, names: Iterable[str], credentials: Credentials, sessions: Mapping[str, Identity]
    ) -> list[str]:
        """Returns the Set-Cookie headers that delete the cookies *names*, with whichever attributes *credentials* may
        have them. *sessions* are what they contain, by the cookie's name."""
        presented = self._cookie.names(credentials)
        headers = []
        for name in names:
            headers += [self._cookie.clear_header(name), *self._cookie.clear_other_headers(name, presented, sessions)]
        return headers

    def _set_cookie(self, session: Identity, value: str) -> str:
        remaining = int((session.expires_at or 0.0) - self._clock.now())
        return self._cookie.set_header(session, value, remaining)

    def _valid(self, sessions: Mapping[str, Identity]) -> tuple[Identity, ...]:
        """Returns those of *sessions* that are valid, the newest first."""
        valid = [
            session
            for session in sessions.values()
            if not self._is_idle(session) and self._validity.refusal(session) is None
        ]
        return tuple(sorted(valid, key=_issued_at, reverse=True))

    def _is_idle(self, session: Identity) -> bool:
        last_used_at = max(session.used_at or 0.0, self._used_at(session.session or "") or 0.0)
        return self._clock.now() >= last_used_at + self._idle

    def _seal(self, session: Identity) -> str:
        self._on_issue((session.used_at or 0.0) + self._idle)
        return self._sealed.seal(to_claims(session))

    def _unseal_all(self, credentials: Credentials) -> dict[str, Identity]:
        """Returns what the session cookies contain, valid or not, by the cookie's name."""
        unsealed = {name: self._sealed.unseal_with_id(value.reveal()) for name, value in credentials.sessions.items()}
        return {
            name: to_identity(claims, secret, self._lifetime)
            for name, (claims, secret) in unsealed.items()
            if claims is not None
        }


def _limits(identity: Identity) -> tuple[str | None, str | None]:
    return identity.recording, identity.video


def _name(header: str) -> str:
    return header.partition("=")[0]


def _issued_at(session: Identity) -> float:
    return session.issued_at or 0.0
