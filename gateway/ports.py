"""The Protocols between the rooms. Their docstrings are the contract."""

from typing import Protocol

from gateway.events import Event
from gateway.model import AccessToken, Credentials, Grant, Identity, Link, RecordingDetails, Video
from gateway.request_record import RequestRecord


class Clock(Protocol):
    """Time, as an argument."""

    def now(self) -> float:
        """Unix seconds. May step."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back. Every deadline kept in memory is in these."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Come back when so many have passed."""
        ...


class Authenticator(Protocol):
    """A kind of proof. It returns values and never answers the request itself."""

    name: str

    async def authenticate(self, credentials: Credentials) -> Identity | None:
        """The identity, or None: not my kind of proof.

        InvalidCredentialsError: mine, and bad; nobody else is asked.
        IdentityProviderError: could not find out; 503, never 401.
        """
        ...


class IdentityResolver(Protocol):
    """All authenticators, as one step of access.authorize."""

    async def identify(self, credentials: Credentials) -> Identity:
        """Return the identity that the credentials prove.

        Raises MissingCredentialsError if there are none, InvalidCredentialsError if they are not valid, and
        IdentityProviderError if that could not be verified.
        """
        ...


class RateLimit(Protocol):
    def count(self, identity: Identity) -> None:
        """Count one more request of that person. Raises TooManyRequestsError if it exceeds the limit."""
        ...


class Policy(Protocol):
    async def decide(self, identity: Identity, recording: str, video: str | None = None) -> Grant:
        """Return the grant of the first rule that matches, for one video or (*video* is None) the whole recording.

        Raises AccessDeniedError if no rule matches, RecordingExpiredError if the recording's retention is over, and
        ValtError if VALT could not be asked for a condition of a rule.
        """
        ...


class Links(Protocol):
    """VALT's download links, cached per account and video."""

    def cached(self, account: str, video: Video, *, min_life: float = 0.0) -> Link | None:
        """Returns the cached link that stays valid for at least *min_life* seconds, or None. Does no I/O, so that a
        request whose link is cached needs no coroutine; on None, await `get` with the same arguments."""
        ...

    async def get(self, account: str, video: Video, *, min_life: float = 0.0) -> Link:
        """Returns a link that stays valid for at least *min_life* seconds, from the cache or from VALT, or a newly
        fetched one whatever its lifetime. Raises VideoNotFoundError, BusyError, TooManyRequestsError or ValtError."""
        ...

    async def renew(self, account: str, video: Video, stale: Link) -> Link:
        """Another link than *stale*, which is forgotten."""
        ...


class Recordings(Protocol):
    async def get(self, account: str, recording: str) -> RecordingDetails:
        """What VALT, asked as *account*, knows of *recording*. VideoNotFoundError; ValtError."""
        ...


class Valt(Protocol):
    """VALT's HTTP API."""

    async def login(self, account: str) -> AccessToken:
        """ValtLoginError where VALT refuses the account; ValtError otherwise."""
        ...

    async def download(self, token: AccessToken, video: Video) -> Link:
        """VideoNotFoundError; AccessTokenRefusedError on 401; LinkRefusedError; ValtError."""
        ...

    async def record(self, token: AccessToken, recording: str) -> RecordingDetails:
        """VideoNotFoundError; AccessTokenRefusedError on 401; ValtError."""
        ...


class Store(Protocol):
    """What must outlive a request: spent tickets, sign-outs, revocations. Times are Unix seconds.

    Reads are answered from memory, so they are plain calls; what another process wrote is seen
    within two seconds where the store is durable.
    """

    async def spend(self, key: str, until: float) -> bool:
        """Mark *key* as spent until *until*; False if it was already. Atomic. BusyError where it cannot be kept."""
        ...

    async def sign_out(self, session: str, until: float) -> None:
        """Void the session of that id; kept until *until*."""
        ...

    async def revoke(self, name: str, at: float, until: float) -> None:
        """Void every proof of *name*, a subject or what a provider's sign-out calls a session, that was made at or
        before *at*; kept until *until*."""
        ...

    def signed_out(self, session: str) -> bool: ...

    def revoked_at(self, *names: str) -> float | None:
        """When any of *names* was last revoked."""
        ...

    @property
    def durable(self) -> bool:
        """False where a restart forgets; then a ticket issued before the start is refused."""
        ...

    async def start(self) -> None: ...

    async def close(self) -> None: ...


class Observer(Protocol):
    """Somebody who reads what happened. Must not raise, must not wait."""

    def on_event(self, event: Event) -> None: ...

    def on_request_end(self, request_record: RequestRecord) -> None:
        """The request is over, whatever its end."""
        ...


class Audit(Protocol):
    """The record of who saw what. Never dropped: what cannot be written is refused."""

    async def opened(self, request_record: RequestRecord) -> None:
        """Write the ``open`` line before the first byte. BusyError where it cannot be written."""
        ...

    def signed(self, event: str, identity: Identity, request_record: RequestRecord) -> None:
        """Write a ``sign_in`` or ``sign_out`` line."""
        ...
