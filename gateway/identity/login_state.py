"""Login state: the pending sign-ins of one browser, in one sealed, short-lived cookie.

Several tabs may sign in at once; beyond a limit the oldest pending sign-in is dropped. The state also counts completed
sign-ins, so that a browser in a redirect loop (cookies blocked, a wrong clock or public_url) is shown an error page
instead of being redirected again.
"""

import base64
import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace

from gateway.identity.cookies import Cookie
from gateway.model import Secret
from gateway.sealed import SealedTokens

_NAME = "valt_gateway_sign_in"
_VERSION = 1
_MAX_PENDING = 4
_MAX_VALUE = 3900
"""Characters. Browsers drop a longer cookie (RFC 6265, section 6.1)."""
_LIFETIME = 600.0
_MAX_COMPLETED = 3
_LOOP_WINDOW = 60.0


_MAX_RD = 2000
"""Characters. Four attempts with paths of this length fit into the login state cookie if the paths compress well."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One pending sign-in, stored in the browser's login state."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    provider: str
    """The name of its ``[[identity]]`` table."""
    rd: str
    """The path of this gateway to redirect to after the sign-in."""
    started_at: float
    """Unix seconds."""

    @classmethod
    def begin(cls, provider: str, rd: str, now: float) -> "Attempt":
        """Returns a new attempt. A *rd* that is too long for a cookie is replaced by the home page."""
        rd = rd if len(rd) <= _MAX_RD else "/"
        return cls(secrets.token_urlsafe(16), secrets.token_urlsafe(16), secrets.token_urlsafe(48), provider, rd, now)

    @property
    def challenge(self) -> str:
        """The code challenge, method S256 (RFC 7636, section 4.2)."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class LoginState:
    """The sign-ins of one browser, each list from the oldest to the newest."""

    pending: tuple[Attempt, ...] = ()
    completed_at: tuple[float, ...] = ()
    """When the last sign-ins completed, in Unix seconds."""
    completed: tuple[tuple[str, str], ...] = ()
    """The state parameter of each completed sign-in, and the path that it led to."""

    def is_redirect_loop(self, now: float) -> bool:
        """Whether three sign-ins completed within the last minute."""
        return sum(now - completed_at < _LOOP_WINDOW for completed_at in self.completed_at) >= _MAX_COMPLETED

    def with_pending(self, attempt: Attempt) -> "LoginState":
        """Returns this state with *attempt* added."""
        return replace(self, pending=(*self.pending, attempt)[-_MAX_PENDING:])

    def with_completed(self, attempt: Attempt, now: float) -> "LoginState":
        """Returns this state with *attempt* completed."""
        return LoginState(
            tuple(other for other in self.pending if other != attempt),
            (*self.completed_at, now)[-_MAX_COMPLETED:],
            (*self.completed, (attempt.state, attempt.rd))[-_MAX_COMPLETED:],
        )

    def find(self, state: str, now: float) -> Attempt | None:
        """Returns the pending attempt with that state parameter, unless it started more than ten minutes ago."""
        matching = (attempt for attempt in self.pending if attempt.state == state)
        return next((attempt for attempt in matching if now - attempt.started_at < _LIFETIME), None)


class LoginStateCookie:
    """Reads and writes the cookie that holds the login state. The first of *keys* seals and all of them unseal."""

    def __init__(self, keys: Iterable[Secret], *, secure: bool) -> None:
        self._cookie = Cookie(_NAME, secure=secure)
        self._sealed = SealedTokens(keys, "sign-in", _VERSION)

    def read(self, headers: Iterable[str], now: float) -> LoginState:
        """Returns the state in raw ``Cookie`` headers; an empty one if the cookie is absent, not valid or expired."""
        value = self._cookie.read(headers)
        content = None if value is None else self._sealed.unseal(value)
        if content is None or now >= content["exp"]:
            return LoginState()
        return LoginState(
            tuple(Attempt(**attempt) for attempt in content["pending"]),
            tuple(content["completed_at"]),
            tuple((state, rd) for state, rd in content["completed"]),
        )

    def header(self, state: LoginState, now: float) -> str:
        """Returns a Set-Cookie header. If the state does not fit into a cookie, completed sign-ins are dropped first,
        then the oldest pending ones."""
        while len(value := self._seal(state, now)) > _MAX_VALUE and (state.completed or state.pending):
            if state.completed:
                state = replace(state, completed=state.completed[1:])
            else:
                state = replace(state, pending=state.pending[1:])
        return self._cookie.set_header(value, int(_LIFETIME))

    def _seal(self, state: LoginState, now: float) -> str:
        return self._sealed.seal(
            {
                "pending": [asdict(attempt) for attempt in state.pending],
                "completed_at": state.completed_at,
                "completed": state.completed,
                "exp": now + _LIFETIME,
            }
        )
