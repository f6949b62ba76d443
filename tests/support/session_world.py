"""The identity step and decisions without HTTP, driven beside the plain model of tests.support.plain_sessions.

Each action is done to both; `Mismatch` is raised if they differ. Time is a ManualClock, and nothing is read or written.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.access import Access
from gateway.audited_sessions import begin_session, end_sessions
from gateway.errors import AccessDeniedError, InvalidCredentialsError, MissingCredentialsError
from gateway.group_selection import GroupSelection
from gateway.identity.access_token import AccessTokens
from gateway.identity.chain import Chain
from gateway.identity.claims import TokenRequirements
from gateway.identity.service_key import ServiceKeys
from gateway.identity.session import Sessions
from gateway.identity.switch import PersonSwitch
from gateway.identity.ticket import TicketAuthenticator, mint_ticket
from gateway.model import Credentials, Identity, IdentityKind, Link, Secret, Video
from gateway.policy import Rules
from gateway.ports import Audit, Authenticator
from gateway.rate_limit import RateLimiter
from gateway.recording_details import RecordingDetails, VideoDetails
from gateway.request_record import RequestRecord
from gateway.rules import Rule, ValtNames
from gateway.sealed import secret_id
from gateway.store.memory import MemoryStore
from gateway.validity import Validity
from gateway.web.http_server import MAX_FIELD
from tests.support.clock import ManualClock
from tests.support.cookie_jar import CookieJar
from tests.support.plain_sessions import (
    IDLE,
    LIFETIME,
    RECORDINGS,
    SWITCH_LIFETIME,
    TICKET_AGE,
    Cookie,
    PlainSessions,
    Proof,
)
from tests.support.recorder import Recorder

AUDIENCE, KEY, SECRET = "https://recordings.example.edu", "k" * 32, Secret("s" * 32)
PORTALS = {"portal": "https://portal", "library": "https://library"}
PROVIDERS = {**PORTALS, "login": "https://sso", "campus": "https://campus", "front": "front"}
"""Issuers by name: two portals' tickets, a sign-in, a bearer token, and a proxy in front."""
PORTAL_LEEWAY, BEARER_LEEWAY = 5.0, 30.0
GROUPS = frozenset({"supervisors", "students"})
RULES = (
    Rule("supervisors", "reviewer", frozenset({"supervisors"})),
    Rule("students", "trainee", frozenset({"students"}), recordings=("A",), download=False),
)
TARGETS = [("A", None), ("A", "1"), ("A", "2"), ("B", None), ("B", "3"), ("B", "1")]


class Mismatch(AssertionError):
    """The gateway and the model differ."""


class Stated(Authenticator):
    """Authenticates what a request states: an identity as the text of a header, which the tests write."""

    def __init__(self, name: str, header: str, identities: Mapping[str, Identity], clock: ManualClock) -> None:
        self.name = name
        self._header = header
        self._identities = identities
        self._clock = clock

    async def authenticate(self, credentials: Credentials) -> Identity | None:
        value = credentials.headers.get(self._header)
        if value is None:
            return None
        identity = self._identities[value]
        if identity.expires_at is not None and identity.expires_at <= self._clock.now():
            raise InvalidCredentialsError("the token has expired")
        return identity


class SignOuts(Audit):
    """An audit that collects the person of each ``sign_out`` line."""

    def __init__(self) -> None:
        self.people: list[tuple[str, str]] = []

    async def opened(self, request_record: RequestRecord) -> None:
        """Does nothing."""

    def signed(self, event: str, identity: Identity, request_record: RequestRecord) -> None:
        if event == "sign_out":
            self.people.append(identity.person)

    def require_room(self) -> None:
        """Does nothing."""


class StaticRecordings:
    """VALT's details, and a link for every video."""

    async def get(self, _account: str, recording: str) -> RecordingDetails:
        videos = tuple(VideoDetails(video, video) for video in RECORDINGS[recording])
        return RecordingDetails(recording, videos=videos)


class StaticLinks:
    def cached(self, _account: str, _video: Video, *, min_life: float = 0.0) -> Link:
        return Link(Secret("https://valt/film"), None, None)

    async def get(self, account: str, video: Video, *, min_life: float = 0.0) -> Link:
        return self.cached(account, video, min_life=min_life)

    async def renew(self, account: str, video: Video, stale: Link) -> Link:
        return stale


@dataclass
class Browser:
    """A browser's cookies, and what the model says of each."""

    jar: CookieJar = field(default_factory=CookieJar)
    cookies: dict[str, Cookie] = field(default_factory=dict)
    """By the cookie's name."""

    def copy(self) -> "Browser":
        return Browser(CookieJar(dict(self.jar.cookies)), dict(self.cookies))

    @property
    def presented(self) -> list[Cookie]:
        return list(self.cookies.values())

    def store(self, headers: list[str], cookie: Cookie | None = None) -> None:
        """Stores Set-Cookie headers, of which the last is the session that the model calls *cookie*."""
        self.jar.store(headers)
        self.cookies = {name: value for name, value in self.cookies.items() if name in self.jar.cookies}
        if cookie is not None:
            self.cookies[headers[-1].partition("=")[0]] = cookie


@dataclass(eq=False)
class Offer:
    """A page that asks whether to change the person."""

    sealed: str
    ticket: Proof
    offered_at: float
    sealed_for: frozenset[str]
    is_used: bool = False


@dataclass(eq=False)
class Stream:
    """A running stream, and the proof that opened it."""

    identity: Identity
    proof: Proof
    opened_at: float


class World:
    """One gateway, and the model of it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock)
        providers = {(issuer, name) for name, issuer in PROVIDERS.items()}
        self.model = PlainSessions(self.clock.now(), providers, clock_difference=5.0 if seed % 2 else 0.0)
        self.audit = SignOuts()
        self.stated: dict[str, Identity] = {}
        self.browsers = [Browser(), Browser()]
        self.tickets: list[tuple[str, Proof]] = []
        self.offers: list[Offer] = []
        self.bearers: list[tuple[Credentials, Proof]] = []
        """Bearer tokens, statements of the proxy in front, and links."""
        self.streams: list[Stream] = []
        self.last_use: dict[str, float] = {}
        """By session, when its last stream ended, as delivery.streams has it."""
        self.allowed = self.denied = self.opened = self.cut = 0
        self._load()

    def _load(self) -> None:
        """Builds what a reload replaces, from the model's configuration."""
        clock, store, recorder, refused = self.clock, self.store, Recorder(), self.model.refused
        lifetime = self.model.lifetime
        keep = GroupSelection(GROUPS | refused, refused)
        names = {name for _, name in self.model.providers}
        self.validity = Validity(
            self.model.providers,
            {},
            store,
            clock,
            lifetime=lifetime if self.model.has_sessions else None,
            secrets=[secret_id(SECRET)],
            selection=keep,
            clock_difference=self.model.clock_difference,
        )
        self.sessions = Sessions(
            *([SECRET], lifetime, IDLE, clock, store, self.validity),
            secure=True,
            keep_groups=keep,
            max_header=MAX_FIELD,
            used_at=self.used_at,
        )
        self.switch = PersonSwitch([SECRET], clock, store, started_at=0.0, keep_groups=keep)
        self.keys = ServiceKeys((), AccessTokens([SECRET], keep_groups=keep), clock)
        providers: list[Any] = [
            TicketAuthenticator(
                name,
                TokenRequirements(issuer, AUDIENCE, ("HS256",), PORTAL_LEEWAY),
                (KEY,),
                clock,
                store,
                max_age=TICKET_AGE,
                started_at=0.0,
            )
            for name, issuer in PORTALS.items()
            if name in names
        ]
        providers += [
            Stated(name, header, self.stated, clock)
            for name, header in (("campus", "authorization"), ("front", "x-forwarded-user"))
            if name in names
        ]
        sessions = self.sessions if self.model.has_sessions else None
        self.chain = Chain(providers, sessions, self.keys, self.validity, recorder)
        never = tuple(Rule(f"never {group}", "reviewer", frozenset({group}), allow=False) for group in sorted(refused))
        self.policy = Rules(never + RULES, StaticRecordings(), ValtNames(), clock, recorder)
        rates = RateLimiter(clock, recorder, per_minute=0)
        self.access = Access(self.chain, rates, self.policy, StaticLinks(), self.clock, min_life=0.0)

    def record(self) -> RequestRecord:
        return RequestRecord("id", "GET", "/", None, self.clock.monotonic, self.clock.monotonic())

    def credentials(self, browser: Browser, ticket: str | None = None) -> Credentials:
        if self.model.has_sessions:
            return browser.jar.credentials(self.sessions, ticket)
        return Credentials(ticket=None if ticket is None else Secret(ticket))

    def new_ticket(self) -> tuple[str, Proof]:
        """Returns a ticket: of any person and groups, narrowed in any way, by a clock that may be off."""
        choose = self.random.choice
        name = choose(["portal", "portal", "library"])
        recording, video = choose([(None, None), (None, None), ("A", None), ("A", "1"), (None, "1"), ("B", None)])
        groups = choose([{"supervisors"}, {"students"}, {"supervisors", "students"}, set(), {"students", "Guests"}])
        now = self.clock.now() + choose([0, 0, 0, -3, 4])
        subject = choose(["anna", "anna", "anna", "mallory"])
        text = mint_ticket(
            KEY,
            issuer=PORTALS[name],
            audience=AUDIENCE,
            subject=subject,
            now=now,
            ttl=TICKET_AGE,
            groups=groups,
            recording=recording,
            video=video,
        )
        proof = Proof(
            PORTALS[name],
            subject,
            name,
            frozenset(groups),
            recording,
            video,
            issued_at=float(int(now)),
            leeway=PORTAL_LEEWAY,
            expires_at=float(int(now + TICKET_AGE)),
        )
        return text, proof

    async def follow(self, browser: Browser, text: str, ticket: Proof) -> None:
        """A navigation with a ticket, as web.session_cookies answers it."""
        expected = self.model.is_good_ticket(ticket) and not ticket.is_used and self.model.has_sessions
        credentials = self.credentials(browser, text)
        if not self.model.has_sessions:
            return
        try:
            identity, *_ = await self.chain.identify(credentials)
        except InvalidCredentialsError:
            self.expect("a ticket", False, expected)
            ticket.is_used = ticket.is_used or self.is_consumed(ticket)
            return
        self.expect("a ticket", identity.kind is IdentityKind.TICKET, expected)
        if not expected:
            return  # its provider is not configured, so that a session was used instead
        ticket.is_used = True
        if self.sessions.find_other_person(credentials, identity) is not None:
            good = [cookie for cookie in browser.presented if self.model.is_good_cookie(cookie)]
            self.expect("another person", True, any(cookie.proof.person != ticket.person for cookie in good))
            self.offers.append(Offer(self.switch.seal(identity, "/"), ticket, self.clock.now(), self.model.refused))
            return
        headers = await self.begin(credentials, identity)
        browser.store(headers, self.model.begin(ticket, browser.presented))
        self.check_sign_outs()

    def is_consumed(self, ticket: Proof) -> bool:
        """Whether a ticket that is refused counts as used: it does if only a revocation or a removal voids it."""
        return (ticket.issuer, ticket.provider) in self.model.providers and self.is_timely(ticket)

    def is_timely(self, ticket: Proof) -> bool:
        bare = PlainSessions(self.model.now, self.model.providers)
        return bare.is_good_ticket(ticket)

    async def sign_in(self, browser: Browser, subject: str, groups: frozenset[str]) -> None:
        """The callback of a sign-in, as web.handlers.login answers it."""
        now, issuer = self.clock.now(), PROVIDERS["login"]
        proof = Proof(issuer, subject, "login", groups, issued_at=now)
        if not self.model.has_sessions or (issuer, "login") not in self.model.providers:
            return
        identity = Identity(subject, issuer, "login", IdentityKind.OIDC, groups, issued_at=now)
        expected = self.model.is_valid(proof)
        try:
            headers = await self.begin(self.credentials(browser), identity)
        except InvalidCredentialsError:
            self.expect("a sign-in", False, expected)
            return
        self.expect("a sign-in", True, expected)
        browser.store(headers, self.model.begin(proof, browser.presented))
        self.check_sign_outs()

    async def confirm(self, browser: Browser, offer: Offer) -> None:
        """POST /oauth2/switch, as web.handlers.switch answers it."""
        if not self.model.has_sessions:
            return
        timely = self.model.now < offer.offered_at + SWITCH_LIFETIME
        expected = timely and not offer.is_used and self.model.is_valid(offer.ticket)
        expected = expected and self.model.tells_refused(offer.sealed_for)
        try:
            identity, _ = await self.switch.open(offer.sealed)
            headers = await self.begin(self.credentials(browser), identity)
        except InvalidCredentialsError:
            self.expect("a change of person", False, expected)
        else:
            self.expect("a change of person", True, expected)
            browser.store(headers, self.model.begin(offer.ticket, browser.presented))
            self.check_sign_outs()
        offer.is_used = offer.is_used or timely

    async def sign_out(self, browser: Browser) -> None:
        if not self.model.has_sessions:
            return
        _, headers = await end_sessions(self.sessions, self.audit, self.credentials(browser), self.record())
        self.model.end(browser.presented)
        browser.store(headers)
        self.check_sign_outs()

    async def begin(self, credentials: Credentials, identity: Identity) -> list[str]:
        return await begin_session(self.sessions, self.audit, credentials, identity, self.record())

    def check_sign_outs(self) -> None:
        """The audit has a line for each valid session that ended."""
        self.expect("sign-outs", sorted(self.audit.people) == sorted(self.model.signed_out), True)

    async def revoke(self, name: str) -> None:
        now = self.clock.now()
        await self.store.revoke(name, now, now + 30 * 24 * 3600)
        self.model.revoke(name)

    def reload(
        self,
        *,
        providers: set[tuple[str, str]],
        has_sessions: bool,
        refused: frozenset[str] = frozenset(),
        lifetime: float = LIFETIME,
    ) -> None:
        self.model.providers, self.model.has_sessions, self.model.refused = providers, has_sessions, refused
        self.model.lifetime = lifetime
        self._load()

    def pass_time(self, seconds: float) -> None:
        self.clock.pass_(seconds)
        self.model.now = self.clock.now()

    def step_clock(self, seconds: float) -> None:
        self.clock.step(seconds)
        self.model.now = self.clock.now()

    def new_bearer(self) -> None:
        """A bearer token, whose clock may be ahead, or a statement of the proxy in front."""
        now, subject = self.clock.now(), self.random.choice(["anna", "mallory"])
        groups = frozenset({self.random.choice(["supervisors", "students"]), self.random.choice(["guests", "x"])})
        key = f"statement {len(self.stated)}"
        if self.random.random() < 0.3:
            self.stated[key] = Identity(subject, "front", "front", IdentityKind.HEADER, groups)
            credentials, proof = Credentials({"x-forwarded-user": key}), Proof("front", subject, "front", groups)
        else:
            issued_at, issuer = now + self.random.choice([0.0, -600.0, 20.0]), PROVIDERS["campus"]
            times: dict[str, Any] = {"issued_at": issued_at, "leeway": BEARER_LEEWAY, "expires_at": now + 60}
            self.stated[key] = Identity(subject, issuer, "campus", IdentityKind.JWT, groups, **times)
            credentials = Credentials({"authorization": f"{key}"})
            proof = Proof(issuer, subject, "campus", groups, **times)
        self.bearers.append((credentials, proof))

    async def request(self, browser: Browser) -> None:
        """One request of a browser, for any target, and what may follow from it: a newer cookie, a link, a stream."""
        target = self.random.choice(TARGETS)
        good = [cookie.proof for cookie in browser.presented if self.model.is_good_cookie(cookie)]
        if not self.model.has_sessions:
            good = []
        identity = await self._request(self.credentials(browser), target, good)
        if identity is None:
            return
        name, cookie = next(
            (name, cookie)
            for name, cookie in browser.cookies.items()
            if cookie.proof.limits == (identity.recording, identity.video)
        )
        proof, refreshed = self.model.presented(cookie.proof), self.sessions.refresh_headers(identity)
        if refreshed:
            self.expect("the name of the cookie", {header.partition("=")[0] for header in refreshed} == {name}, True)
            browser.store(refreshed, Cookie(proof, self.clock.now()))
        self._follow_up(identity, proof, target)

    async def request_with_bearer(self, bearer: tuple[Credentials, Proof]) -> None:
        """One request with a bearer token, a statement of the proxy in front, or a link."""
        credentials, proof = bearer
        target = self.random.choice(TARGETS)
        identity = await self._request(credentials, target, [proof] if self.model.is_good(proof) else [])
        if identity is not None:
            self._follow_up(identity, proof, target)

    async def list_recordings(self, browser: Browser) -> None:
        """The list shows what one valid session allows."""
        good = [cookie.proof for cookie in browser.presented if self.model.is_good_cookie(cookie)]
        try:
            identity = await self.access.authenticate(self.credentials(browser), self.record())
        except MissingCredentialsError:
            self.expect("a list", False, bool(good) and self.model.has_sessions)
            return
        rows = {
            recording
            for recording in RECORDINGS
            for account in self.policy.accounts(identity, None)
            if self.policy.may_list(identity, account, RecordingDetails(recording), None)
        }
        self.expect("a list", any(rows == proof.lists(self.model.refused) for proof in good), True)

    async def _request(
        self, credentials: Credentials, target: tuple[str, str | None], good: list[Proof]
    ) -> Identity | None:
        recording, video = target
        download = self.random.random() < 0.2
        refused = self.model.refused
        expected = any(proof.allows(recording, video, refused, download=download) for proof in good)
        try:
            if video is None:
                expected = any(proof.allows(recording, None, refused) for proof in good)
                grant = await self.access.decide(credentials, recording, None, self.record())
            else:
                grant, _ = await self.access.authorize(
                    credentials, Video(recording, video), self.record(), download=download
                )
        except (AccessDeniedError, InvalidCredentialsError, MissingCredentialsError):
            self.expect(f"{target}", False, expected)
            self.denied += 1
            return None
        self.expect(f"{target}", True, expected)
        identity = grant.identity
        single = any(
            proof.groups & GROUPS == identity.groups & GROUPS
            and proof.limits == (identity.recording, identity.video)
            and grant.rule in proof.groups
            for proof in good
        )
        self.expect(f"{target} by the rights of one proof", single, True)
        self.allowed += 1
        return identity

    def _follow_up(self, identity: Identity, proof: Proof, target: tuple[str, str | None]) -> None:
        recording, video = target
        if video is None:
            return
        if self.random.random() < 0.3:
            token = self.keys.issue_video_token(identity, Video(recording, video))
            self.bearers.append((Credentials(access_token=token), self.model.link(proof, recording, video)))
        if self.random.random() < 0.3:
            self.streams.append(Stream(identity, proof, self.clock.now()))
            self.opened += 1
            if proof.login is not None and not proof.is_link:
                proof.login.streams += 1

    def check_streams(self) -> None:
        """A running stream is cut exactly when the proof that opened it is no longer valid."""
        for stream in tuple(self.streams):
            runs = self.validity.refusal(stream.identity, first_used_at=stream.opened_at) is None
            self.expect("a stream", runs, self.model.is_valid(stream.proof, first_used_at=stream.opened_at))
            if not runs:
                self.cut += 1
                self.end_stream(stream)

    def end_stream(self, stream: Stream) -> None:
        self.streams.remove(stream)
        if stream.identity.session is not None and stream.identity.kind is IdentityKind.SESSION:
            self.last_use[stream.identity.session] = self.clock.now()
        if stream.proof.login is not None and not stream.proof.is_link:
            stream.proof.login.streams -= 1
            stream.proof.login.played_at = self.clock.now()

    def used_at(self, session: str) -> float | None:
        """As delivery.streams.Streams.used_at."""
        of_session = (stream for stream in self.streams if stream.identity.kind is IdentityKind.SESSION)
        if any(stream.identity.session == session for stream in of_session):
            return self.clock.now()
        return self.last_use.get(session)

    def expect(self, what: str, actual: bool, expected: bool) -> None:
        if actual != expected:
            raise Mismatch(f"{what}: the gateway says {actual}, the model {expected}")
