"""Login state: what is remembered between the start of a sign-in and the provider's response to it.

How it works: the OAuth parameter ``state`` is a sealed token with everything about one attempt, so that any number of
tabs may sign in at the same moment and no cookie has to be read, changed and written back. A browser cookie holds a
random value, the binding, whose digest every ``state`` contains: a response that another browser started is refused. A
browser that has a binding uses it for every further attempt; only attempts that start in parallel, before the browser
has one, add cookies.

Another cookie counts the sign-ins after which no session arrived, so that a browser in a redirect loop (a session
cookie that is not accepted, a wrong clock) is shown an error page instead of being redirected again.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.identity.cookies import Cookie, read_cookies, select_last
from gateway.model import Secret
from gateway.sealed import SealedTokens

_NAME = "valt_gateway_sign_in"
_BINDING_VALUE = re.compile(r"[0-9]{10}[A-Za-z0-9_-]{22}", re.ASCII)
_STATE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_VERSION = 2
_MAX_BINDINGS = 32
"""A browser that presents more has the oldest cleared."""
_MAX_READ = 128
"""Bindings of one request that are read; no more fit into a Cookie header of 8190 bytes."""
_LIFETIME = 600.0
_MAX_LOOP = 3
_LOOP_WINDOW = 60.0
_MAX_RD = 2000
"""Characters, so that the provider's URL and its response stay below the usual limits of a request line."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sign-in. Nonce and code verifier are derived from *secret*, which leaves this process only encrypted."""

    secret: str = field(repr=False)
    provider: str
    """The name of its ``[[identity]]`` table."""
    rd: str
    """The path of this gateway to redirect to after the sign-in."""
    started_at: float
    """Unix seconds."""
    binding: str = field(repr=False)
    """The digest of the value of the browser's binding cookie."""
    state: str = field(default="", repr=False, compare=False)
    """The OAuth parameter of that name."""

    @property
    def key(self) -> str:
        """The key in the store under which this attempt counts as used."""
        return f"sign-in {_digest('key', self.secret)}"

    @property
    def nonce(self) -> str:
        return _digest("nonce", self.secret)

    @property
    def verifier(self) -> str:
        """The code verifier (RFC 7636, section 4.1)."""
        return _digest("verifier", self.secret)

    @property
    def challenge(self) -> str:
        """The code challenge, method S256 (RFC 7636, section 4.2)."""
        return _base64url(hashlib.sha256(self.verifier.encode()).digest())

    def has_expired(self, now: float) -> bool:
        """Whether the attempt started more than ten minutes before *now*."""
        return now - self.started_at >= _LIFETIME


class LoginStates:
    """Writes and reads states and their cookies. The first of *keys* seals and all of them unseal. *cookies* are always
    the raw ``Cookie`` headers of a request. *secure*: whether the public URL is https."""

    def __init__(self, keys: Iterable[Secret], *, secure: bool) -> None:
        keys = tuple(keys)
        self._secure = secure
        self._prefix = "__Host-" if secure else ""
        self._binding_names = re.compile(rf"{self._prefix}{_NAME}_[0-9a-f]{{8}}", re.ASCII)
        self._states = SealedTokens(keys, "sign-in", _VERSION)
        self._counts = SealedTokens(keys, "sign-in loop", _VERSION)
        self._loop_cookie = Cookie(f"{_NAME}_count", secure=secure)

    def begin(self, cookies: Iterable[str], provider: str, rd: str, now: float) -> tuple[Attempt, list[str]]:
        """Returns a new attempt, and the Set-Cookie headers that bind it to the browser. A *rd* that is too long is
        replaced by the home page."""
        bindings = self._bindings(cookies)
        newest = next(iter(bindings), None)
        name, value = newest or (f"{_NAME}_{secrets.token_hex(4)}", f"{int(now):010d}{secrets.token_urlsafe(16)}")
        rd = rd if len(rd) <= _MAX_RD else "/"
        content: dict[str, Any] = {
            "secret": secrets.token_urlsafe(16),
            "provider": provider,
            "rd": rd,
            "started_at": int(now),
            "binding": _digest("binding", value)[:22],
        }
        headers = [self._binding_cookie(name).set_header(value, int(_LIFETIME))]
        headers += [self._binding_cookie(old).clear_header() for old, _ in bindings[_MAX_BINDINGS:]]
        return Attempt(**content, state=self._states.seal(content).rstrip("=")), headers

    def read(self, state: str) -> Attempt | None:
        """Returns the attempt in a *state* parameter, however old, whichever browser started it; None if the state was
        not sealed here."""
        padded = state + "=" * (-len(state) % 4)
        content: Mapping[str, Any] | None = self._states.unseal(padded) if _STATE.fullmatch(state) else None
        if content is None:
            return None
        return Attempt(**{name: value for name, value in content.items() if name != "v"}, state=state)

    def is_bound(self, cookies: Iterable[str], attempt: Attempt) -> bool:
        """Whether the browser that presents *cookies* started *attempt*."""
        return any(_digest("binding", value)[:22] == attempt.binding for _, value in self._bindings(cookies))

    def has_binding(self, cookies: Iterable[str]) -> bool:
        """Whether the browser presents the cookie of any sign-in."""
        return bool(self._bindings(cookies))

    def is_redirect_loop(self, cookies: Iterable[str], now: float) -> bool:
        """Whether three sign-ins in a row completed within a minute each, and no session arrived after them."""
        return self._count(cookies, now) >= _MAX_LOOP

    def count_header(self, cookies: Iterable[str], now: float) -> str:
        """Returns a Set-Cookie header that counts one more sign-in. Sign-ins that complete at the same moment count as
        one."""
        content = {"count": self._count(cookies, now) + 1, "exp": now + _LOOP_WINDOW}
        return self._loop_cookie.set_header(self._counts.seal(content), int(_LOOP_WINDOW))

    def reset_headers(self, cookies: Iterable[str]) -> list[str]:
        """Returns the Set-Cookie headers that set the count to zero: none if it is."""
        return [] if self._loop_cookie.read(cookies) is None else [self._loop_cookie.clear_header()]

    def _count(self, cookies: Iterable[str], now: float) -> int:
        value = self._loop_cookie.read(cookies)
        content = None if value is None else self._counts.unseal(value)
        return 0 if content is None or now >= content["exp"] else content["count"]

    def _bindings(self, cookies: Iterable[str]) -> list[tuple[str, str]]:
        """Returns name (without ``__Host-``) and value of the binding cookies, the newest first."""
        presented = select_last(read_cookies(cookies, self._binding_names).items(), _BINDING_VALUE, _MAX_READ)
        bindings = [(name.removeprefix(self._prefix), value) for name, value in presented]
        return sorted(bindings, key=lambda pair: pair[1], reverse=True)

    def _binding_cookie(self, name: str) -> Cookie:
        return Cookie(name, secure=self._secure)


def _digest(purpose: str, value: str) -> str:
    """Returns 43 characters from which *value* cannot be derived (RFC 7636 requires as many of a code verifier)."""
    return _base64url(hashlib.sha256(f"{purpose} {value}".encode()).digest())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
