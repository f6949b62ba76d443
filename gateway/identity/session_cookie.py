"""The cookies of sessions: their names, which of a request's are read, and the Set-Cookie headers. Pure."""

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping

from gateway.identity.cookies import Cookie, read_cookies, read_every_cookie, select_last
from gateway.model import Credentials, Identity, Secret

_NAME = "valt_gateway_session"
_LEAST = 200
"""Characters of a sealed session, which has never less: its id and the names of its claims do not compress further."""
_RESERVE = 220
"""Bytes of a Cookie header that a ticket leaves free: eight older cookies may be renewed, of which each is up to 24
characters longer then, because its times compress less well; and proxies count the field's name and the line feed."""
_VALUE = re.compile(rf"[A-Za-z0-9_=-]{{{_LEAST},}}", re.ASCII)


class SessionCookie:
    """*secure* and *cross_site* are as for `Cookie`. *max_header* is how many bytes one header of a request may have.

    A partitioned cookie and another one of the same name are two for a browser: after *cross_site* has changed, both
    are sent, and neither is used. So wherever a cookie may have been set with the other attributes, that one is deleted
    too. Not always: a response is not to set one cookie twice (RFC 6265, section 4.1.1), and a browser that ignores
    ``Partitioned`` has but one.
    """

    def __init__(self, *, secure: bool, cross_site: bool, max_header: int) -> None:
        self.cross_site = cross_site
        self._secure = secure
        self.base = Cookie(_NAME, secure=secure).name
        """The name of the cookie of a session that is not narrowed."""
        self.longest_header = max_header - _RESERVE
        """Bytes of cookies that a Cookie header may have after a ticket."""
        self._max_read = max_header // len(f"{self.base}={'x' * _LEAST}; ")
        """Session cookies of one request that are decrypted. No more fit into a Cookie header, so that a browser's own
        are all read, whatever cookies another site of the same domain adds."""
        self._names = re.compile(f"{self.base}(_[0-9a-f]{{8}})?")

    def read(self, headers: Iterable[str]) -> Mapping[str, Secret]:
        """Returns the session cookies in raw ``Cookie`` headers, by name, as many as a browser can present."""
        cookies = select_last(read_cookies(headers, self._names).items(), _VALUE, self._max_read)
        return {name: Secret(value) for name, value in cookies}

    def read_every(self, credentials: Credentials) -> list[tuple[str, str]]:
        """Returns names and values of all session cookies of *credentials*, also of those that collide with another
        one and are not read: a sign-out ends them all."""
        presented = [(name, value.reveal()) for name, value in credentials.sessions.items()]
        return presented + select_last(read_every_cookie(credentials.cookies, self._names), _VALUE, self._max_read)

    def names(self, credentials: Credentials) -> Collection[str]:
        """Returns the names of all session cookies of *credentials*, whatever their values."""
        every = read_every_cookie(credentials.cookies, self._names)
        return dict.fromkeys([*credentials.sessions, *(name for name, _ in every)])

    def lengths(self, credentials: Credentials) -> tuple[dict[str, int], int]:
        """Returns how many characters each session cookie that is read of *credentials* has in a Cookie header, by its
        name, and how many bytes the other cookies have."""
        lengths = {name: len(f"{name}={value.reveal()}; ") for name, value in credentials.sessions.items()}
        every = sum(len(field.encode("utf-8", "surrogateescape")) for field in credentials.cookies)
        return lengths, max(0, every - sum(lengths.values()))

    def name(self, session: Identity) -> str:
        """Returns the name of the cookie of *session*. Each narrowed one has a name of its own: a response that deletes
        one can arrive after another response that sets a newer one with the same limits."""
        return self.key(session) if session.is_narrowed else self.base

    def key(self, session: Identity) -> str:
        """Returns the name of the cookie of *session* as if it were narrowed: with a digest of what it is limited to,
        of its id and of its beginning. A session that is not narrowed can be told by it from those before."""
        text = f"{session.recording}/{session.video}/{session.session}/{session.issued_at}"
        return f"{self.base}_{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    def set_header(self, session: Identity, value: str, max_age: int) -> str:
        """Returns the Set-Cookie header of the cookie of *session*. *max_age* is seconds."""
        return self._cookie(self.name(session), cross_site=self.cross_site).set_header(value, max_age)

    def clear_header(self, name: str) -> str:
        """Returns the Set-Cookie header that deletes the cookie *name*."""
        return self._cookie(name, cross_site=self.cross_site).clear_header()

    def clear_other_headers(self, name: str, presented: Collection[str], sessions: Mapping[str, Identity]) -> list[str]:
        """Returns the Set-Cookie headers that delete the cookie *name* with the other attributes: none if it is not
        among the names *presented*, or if the one that is read was sealed for these attributes. *sessions* are those
        that are read, by name."""
        is_ours = name in sessions and sessions[name].cross_site == self.cross_site
        if is_ours or name not in presented or not self._secure:
            return []
        return [self._cookie(name, cross_site=not self.cross_site).clear_header()]

    def _cookie(self, name: str, *, cross_site: bool) -> Cookie:
        return Cookie(name.removeprefix("__Host-"), secure=self._secure, cross_site=cross_site)
