"""Sign-ins under way, kept in the browser that began them: one encrypted cookie, short-lived, that never grows.

Several tabs may sign in at once; of more than a few the oldest is dropped. It also counts round trips, so that a
browser that is sent to and fro (cookies blocked, a clock off, a wrong public_url) is told so and not sent once more.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from gateway.identity.cookies import read_cookie
from gateway.identity.oidc import Attempt
from gateway.identity.session import derived
from gateway.model import Secret

_NAME = "valt_gateway_sign_in"
_MOST = 4
_MAX_VALUE = 3900
"""Characters: browsers drop a longer cookie unsaid (RFC 6265, 6.1)."""
_LIFE = 600.0
_TRIPS = 3
_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class LoginState:
    """*under_way* from the oldest to the newest; *trips* are Unix seconds of sign-ins that came back; *landed* are
    their states, and where they led."""

    under_way: tuple[Attempt, ...] = ()
    trips: tuple[float, ...] = ()
    completed: tuple[tuple[str, str], ...] = ()

    def is_redirect_loop(self, now: float) -> bool:
        return sum(now - trip < _MINUTE for trip in self.trips) >= _TRIPS

    def begun(self, attempt: Attempt) -> "LoginState":
        return replace(self, under_way=(*self.under_way, attempt)[-_MOST:])

    def came_back(self, attempt: Attempt, now: float) -> "LoginState":
        return LoginState(
            tuple(one for one in self.under_way if one != attempt),
            (*self.trips, now)[-_TRIPS:],
            (*self.completed, (attempt.state, attempt.rd))[-_TRIPS:],
        )

    def find(self, state: str, now: float) -> Attempt | None:
        return next((one for one in self.under_way if one.state == state and now - one.begun < _LIFE), None)


class LoginStateCookie:
    """Seals Attempts with the session's *secrets*, apart from sessions."""

    def __init__(self, secrets: Iterable[Secret], *, secure: bool) -> None:
        self._name = f"__Host-{_NAME}" if secure else _NAME
        self._box = MultiFernet([Fernet(derived(secret, b"valt-gateway sign-in")) for secret in secrets])
        self._attributes = "; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")

    def read(self, headers: Iterable[str]) -> LoginState:
        """Those of this browser; none where the cookie is absent or not ours."""
        value = read_cookie(headers, self._name)
        try:
            kept = json.loads(self._box.decrypt(value.encode(), ttl=int(_LIFE))) if value else {}
            return LoginState(
                tuple(Attempt(**one) for one in kept.get("a", ())),
                tuple(kept.get("t", ())),
                tuple((state, rd) for state, rd in kept.get("l", ())),
            )
        except (InvalidToken, ValueError, TypeError):  # the last: another release's
            return LoginState()

    def header(self, attempts: LoginState) -> str:
        """A Set-Cookie that keeps them, as many as there is room for in one cookie: what landed goes first, then the
        oldest under way."""
        while len(sealed := self._sealed(attempts)) > _MAX_VALUE and (attempts.completed or attempts.under_way):
            spare = 0 if attempts.completed else 1
            attempts = replace(attempts, completed=attempts.completed[1:], under_way=attempts.under_way[spare:])
        return f"{self._name}={sealed}; Max-Age={int(_LIFE)}{self._attributes}"

    def _sealed(self, attempts: LoginState) -> str:
        kept = {"a": [asdict(one) for one in attempts.under_way], "t": attempts.trips, "l": attempts.completed}
        return self._box.encrypt(json.dumps(kept, separators=(",", ":")).encode()).decode()
