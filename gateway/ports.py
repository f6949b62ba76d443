"""The Protocols between the packages. Their docstrings are the contract for every implementer."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from gateway.events import Event
from gateway.model import Credentials, Grant, Identity, Link, Secret, Video
from gateway.recording_details import Comments, RecordingDetails, Room
from gateway.request_record import RequestRecord

E = TypeVar("E", bound=Event)


class Clock(Protocol):
    """Time as a constructor argument, so that tests can control it."""

    def now(self) -> float:
        """Returns Unix seconds. May jump when the system clock is set."""

    def monotonic(self) -> float:
        """Returns seconds that never go back. Every deadline in memory is measured in these."""

    async def sleep(self, seconds: float) -> None:
        """Returns when *seconds* have passed."""


class Authenticator(Protocol):
    """Verifies one kind of credential."""

    name: str

    def cached(self, credentials: Credentials) -> Identity | None:
        """Returns the identity if these credentials were verified before, or None: then await `authenticate`."""
        return None

    async def authenticate(self, credentials: Credentials) -> Identity | None:
        """Returns the identity, or None for credentials of another kind. Raises InvalidCredentialsError if they are not
        valid (no other authenticator is tried), IdentityProviderError if that is not certain (503, never 401)."""


class IdentityResolver(Protocol):
    """All authenticators, as one step of access.authorize."""

    async def identify(self, credentials: Credentials) -> tuple[Identity, ...]:
        """Returns one identity, or one for each session of a browser, newest first, whose rights are never combined.
        Raises MissingCredentialsError without credentials, and else what `Authenticator.authenticate` raises."""

    def confirm(self, identity: Identity, since: float) -> None:
        """Raises InvalidCredentialsError if *identity*, which was valid at *since* (Unix seconds), is not any more."""


class RateLimit(Protocol):
    per_minute: int
    """Requests that one person may make; 0 is no limit, and then nothing is to be counted."""

    def count(self, identity: Identity) -> None:
        """Counts one more request of that person. Raises TooManyRequestsError if it exceeds the limit."""


class Policy(Protocol):
    async def decide(
        self, identity: Identity, recording: str, video: str | None = None, client: str | None = None
    ) -> Grant:
        """Returns the grant of the first rule that matches, for *video* or the recording. Raises AccessDeniedError
        if none does or it refuses, RecordingExpiredError, and ValtError if VALT could not be asked for a condition."""

    def is_due(self, grant: Grant) -> bool:
        """Whether *grant* has to be decided again: its decision depends on a time that has passed since."""

    def decides_like(self, other: "Policy") -> bool:
        """Whether *other* has the same rules, and asks the same users of VALT."""


class Links(Protocol):
    """VALT's download links, cached per account and video."""

    def cached(self, account: str, video: Video, *, min_life: float = 0.0) -> Link | None:
        """Returns what `get` would return, without I/O, if it is cached; or None."""

    async def get(self, account: str, video: Video, *, min_life: float = 0.0) -> Link:
        """Returns a link that stays valid for at least *min_life* seconds, from the cache or from VALT, or a newly
        fetched one whatever its lifetime. Raises VideoNotFoundError, BusyError, TooManyRequestsError or ValtError."""

    async def renew(self, account: str, video: Video, stale: Link) -> Link:
        """Returns another link than *stale*, which is dropped from the cache. Raises what `get` raises."""


class Recordings(Protocol):
    async def get(self, account: str, recording: str) -> RecordingDetails:
        """Returns VALT's details of *recording* as *account* sees it. Raises VideoNotFoundError or ValtError."""


class CommentsOfRecordings(Protocol):
    async def get(self, account: str, recording: str) -> Comments:
        """Returns VALT's comments on *recording*. Raises VideoNotFoundError, also if VALT has none, and ValtError."""


class ValtSearch(Protocol):
    """The recordings and rooms that VALT lists for an account."""

    async def search(self, account: str, query: Mapping[str, Any]) -> list[RecordingDetails]:
        """Returns every recording that matches VALT's own *query*, in a shared list. Raises ValtError."""

    async def rooms(self, account: str) -> list[tuple[int, str]]:
        """Returns ids and names of rooms, in a shared list. Raises ValtError."""

    async def room(self, account: str, room: str) -> Room:
        """Returns the room of that id. Raises VideoNotFoundError or ValtError."""


class ValtVersions(Protocol):
    async def get(self, accounts: Sequence[str]) -> str:
        """Returns VALT's version as it discloses it to one of *accounts*, or a likely one. Raises ValtError."""


class ListPolicy(Protocol):
    def accounts(self, identity: Identity, client: str | None) -> list[str]:
        """Returns the VALT accounts to ask for this person."""

    def may_list(self, identity: Identity, account: str, row: RecordingDetails, client: str | None) -> bool | None:
        """Whether the person may see *row*, as VALT listed it for *account*; None if that needs its details."""

    async def may_see(self, identity: Identity, account: str, recording: str, client: str | None) -> bool:
        """Whether the person may see *recording* by its details. Raises ValtError if VALT could not be asked."""

    def may_see_room(self, identity: Identity, account: str, room: str, client: str | None) -> bool:
        """Whether the person may see some recording of *room*."""


class Sessions(Protocol):
    """Browser sessions in cookies."""

    name: str

    def identities(self, credentials: Credentials) -> tuple[Identity, ...]:
        """Returns the identities of the valid sessions, the newest first. Never raises."""

    def find_other_person(self, credentials: Credentials, identity: Identity) -> Identity | None:
        """Returns a valid session that is another person's than *identity*, or None."""

    async def begin(self, credentials: Credentials, identity: Identity) -> list[str]:
        """Returns Set-Cookie headers for a new session, which ends those of another person. Raises GatewayError."""

    async def end(self, credentials: Credentials) -> tuple[tuple[Identity, ...], list[str]]:
        """Makes all sessions void. Returns those that were valid, and Set-Cookie headers. Raises BusyError."""

    def refresh_headers(self, identity: Identity) -> list[str]:
        """Returns Set-Cookie headers that keep a valid session from idling out, none if none is due or it is old."""


class PersonSwitch(Protocol):
    """Changes of the person that a browser is signed in as, which the person has to confirm."""

    def seal(self, identity: Identity, path: str) -> str:
        """Returns a text that proves, for five minutes and once, that *identity* came to this *path*."""

    async def open(self, text: str) -> tuple[Identity, str]:
        """Returns what was sealed. Raises InvalidCredentialsError or BusyError."""


class SignIn(Protocol):
    """Sign-in at OpenID providers. *cookies* are raw ``Cookie`` headers."""

    @property
    def providers(self) -> tuple[str, ...]: ...

    async def begin(self, cookies: Iterable[str], provider: str, rd: str) -> tuple[str, list[str]]:
        """Returns a URL and Set-Cookie headers. Raises SignInCirclesError or IdentityProviderError."""

    def attempt(self, state: str) -> tuple[str, float]:
        """Returns the path of the sign-in with that *state* and when it began; "" and infinity if it is not ours."""

    def reset_headers(self, cookies: Iterable[str]) -> list[str]:
        """Returns Set-Cookie headers after which no earlier sign-in counts towards the redirect-loop limit."""

    async def finish(self, cookies: Iterable[str], response: Mapping[str, str]) -> tuple[Identity, str, list[str]]:
        """Returns identity, path and Set-Cookie headers. Raises SignInFailedError, IdentityProviderError, BusyError."""

    async def sign_out_url(self, provider: str | None, back: str) -> str | None:
        """Returns the URL at which *provider* signs people out and redirects to *back*, or None."""

    async def end_sessions(self, token: str) -> Identity:
        """Ends the sessions that a logout *token* names; returns the person if it names one. Raises GatewayError."""


class ServiceKeys(Protocol):
    """Logins of VALT's API clients, and access tokens of this gateway's own."""

    def log_in(self, name: str, secret: Secret) -> tuple[Identity, Secret]:
        """Returns the service key's identity and an access token. Raises InvalidCredentialsError."""

    def issue_video_token(self, identity: Identity, video: Video, identified_at: float | None = None) -> Secret:
        """Returns an access token with which *identity*, verified then, may see *video* and nothing else."""


class Store(Protocol):
    """The state that outlives a request: consumed tickets, sign-outs and revocations. Times are Unix seconds. Methods
    that write return once the state is stored; they raise BusyError if it cannot be. An entry remains until the latest
    *until* given for it or longer. Reads do no I/O; they see in two seconds what another process has stored."""

    complete_since: float | None
    """Since when no entry was lost, in Unix seconds; None: the start. A ticket that was issued before is refused."""

    async def consume(self, key: str, until: float, *, since: float | None = None) -> bool:
        """Whether *key* was not consumed yet; marks it as consumed until *until*. Of concurrent calls exactly one
        returns True. Raises BusyError if entries may be lost that are as late as *since*, its first possible use."""

    async def is_consumed(self, key: str, *, since: float | None = None) -> bool:
        """Whether *key* is consumed. Raises BusyError if that cannot be read, or as `consume` does."""

    async def sign_out(self, session: str, until: float) -> None:
        """Makes the session of that id invalid until *until*."""

    async def revoke(self, name: str, at: float, until: float) -> None:
        """Makes what *name*, a subject or key, in any spelling, was issued at or before *at* invalid until *until*."""

    def is_signed_out(self, session: str) -> bool:
        """Whether the session of that id was signed out."""

    def revoked_at(self, *names: str) -> float | None:
        """Returns the latest time at which one of *names* was revoked, or None."""


class Observer(Protocol):
    """Receives events and finished requests. Must not raise and must not block."""

    def on_event(self, event: Event) -> None: ...

    def reporter(self, kind: type[E]) -> Callable[[E], None]:
        """Returns the function for events of one type, which occur in every request: it need not look at the type."""
        return self.on_event

    def on_request_end(self, request_record: RequestRecord) -> None:
        """Called once for every request, when it has ended."""


class Audit(Protocol):
    """The record of who saw which recording. A delivery that cannot be recorded is refused."""

    async def opened(self, request_record: RequestRecord) -> None:
        """Writes the ``open`` line before the first byte. Raises BusyError if it cannot be written."""

    def signed(self, event: str, identity: Identity, request_record: RequestRecord) -> None:
        """Writes a ``sign_in`` or ``sign_out`` line."""

    def require_room(self) -> None:
        """Raises BusyError if so many lines wait that no request may be served that would add one."""
