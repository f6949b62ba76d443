"""What proofs allow, in the most obvious way: nothing is sealed, every proof is an object.

It stands apart from gateway.identity, gateway.validity and gateway.access, to compare them with.
"""

from dataclasses import dataclass, field, replace

LIFETIME, IDLE = 8 * 3600.0, 3600.0
LINK_LIFETIME, SWITCH_LIFETIME, TICKET_AGE = 3600.0, 300.0, 60.0
RECORDINGS = {"A": ("1", "2"), "B": ("3",)}
"""The videos that VALT has."""


@dataclass(eq=False)
class Login:
    """Sessions of one person with the same limits, which a sign-out ends together."""

    ended: bool = False
    streams: int = 0
    """Running now: playing counts as use."""
    played_at: float = 0.0
    """When the last stream ended."""


@dataclass(eq=False)
class Proof:
    """One proof, or what was made from it, with its own rights and times (Unix seconds)."""

    issuer: str
    subject: str
    provider: str
    groups: frozenset[str]
    recording: str | None = None
    video: str | None = None
    issued_at: float | None = None
    """By the clock of the issuer, which may be ahead by *leeway*."""
    leeway: float = 0.0
    expires_at: float | None = None
    login: Login | None = None
    """Where it is a session, or was made in one."""
    ends_at: float | None = None
    """When the session ends that this is, or that it was made in."""
    began_at: float = 0.0
    """When that session began."""
    sealed_for: frozenset[str] | None = None
    """For what the gateway has sealed: the groups that rules refused at that time. Of other groups it may not tell."""
    is_used: bool = False
    """For tickets and confirmed changes of person, which are good once."""
    is_link: bool = False
    """Whether it is for one video and for nothing else of its recording."""

    @property
    def person(self) -> tuple[str, str]:
        return self.issuer, self.subject

    @property
    def limits(self) -> tuple[str | None, str | None]:
        return self.recording, self.video

    def allows(self, recording: str, video: str | None, refused: frozenset[str], *, download: bool = False) -> bool:
        """Whether the proof, if it is valid, allows the target by its limits and by the rules, which refuse the groups
        *refused* in every letter case."""
        if {group.lower() for group in self.groups} & {group.lower() for group in refused}:
            return False
        if self.recording is not None and self.recording != recording:
            return False
        if self.is_link and video is None:
            return False
        if self.video is not None:
            if self.recording is None and (video is None or self.video not in RECORDINGS[recording]):
                return False
            if video is not None and video != self.video:
                return False
        if "supervisors" in self.groups:
            return True
        return "students" in self.groups and recording == "A" and not download

    def lists(self, refused: frozenset[str]) -> set[str]:
        """The recordings in the person's list."""
        if self.is_link or (self.recording is None and self.video is not None):
            return set()
        return {recording for recording in RECORDINGS if self.allows(recording, None, refused)}


@dataclass(eq=False)
class Cookie:
    """One copy of a session's cookie."""

    proof: Proof
    used_at: float


@dataclass
class PlainSessions:
    """The state that decides which proofs are valid. *now* is the server's clock."""

    now: float
    providers: set[tuple[str, str]]
    has_sessions: bool = True
    lifetime: float = LIFETIME
    """How long sessions last by the configuration in force."""
    refused: frozenset[str] = frozenset()
    """The groups that rules refuse."""
    clock_difference: float = 0.0
    """Seconds by which the clock of another replica, which issued something, may be ahead of this server's."""
    revoked_at: dict[str, float] = field(default_factory=dict)
    signed_out: list[tuple[str, str]] = field(default_factory=list)
    """The person of each valid session that a sign-out, or another person's sign-in, has ended."""

    def revoke(self, name: str) -> None:
        self.revoked_at[name] = max(self.now, self.revoked_at.get(name, self.now))

    def is_valid(self, proof: Proof, *, first_used_at: float | None = None) -> bool:
        """Whether *proof* still counts, apart from the expiry of what does not end with a session."""
        if (proof.issuer, proof.provider) not in self.providers or not self.tells_refused(proof.sealed_for):
            return False
        if proof.login is not None and (proof.login.ended or not self.has_sessions):
            return False
        if proof.ends_at is not None and self.now >= min(proof.ends_at, proof.began_at + self.lifetime):
            return False
        issued_at = first_used_at if proof.issued_at is None else proof.issued_at - proof.leeway
        names = (proof.subject, f"{proof.provider}#{proof.subject}")
        latest = max((self.revoked_at[name] for name in names if name in self.revoked_at), default=None)
        return issued_at is None or latest is None or issued_at > latest + self.clock_difference

    def tells_refused(self, sealed_for: frozenset[str] | None) -> bool:
        """Whether what was sealed while the groups *sealed_for* were refused has every group that is refused now."""
        return sealed_for is None or self.refused <= sealed_for

    def is_good(self, proof: Proof) -> bool:
        """Whether a new request with *proof* is accepted."""
        return self.is_valid(proof) and (proof.expires_at is None or self.now < proof.expires_at)

    def presented(self, proof: Proof) -> Proof:
        """Returns *proof* as a request has it: a session that a shorter lifetime ends sooner."""
        if proof.ends_at is None:
            return proof
        ends_at = min(proof.ends_at, proof.began_at + self.lifetime)
        return replace(proof, ends_at=ends_at, expires_at=min(proof.expires_at or ends_at, ends_at))

    def is_good_cookie(self, cookie: Cookie) -> bool:
        """Whether a new request with *cookie* is accepted."""
        login = cookie.proof.login
        assert login is not None
        used_at = self.now if login.streams else max(cookie.used_at, login.played_at)
        return self.is_good(cookie.proof) and self.now < used_at + IDLE

    def is_good_ticket(self, ticket: Proof) -> bool:
        """Whether a ticket is accepted, if it was not used."""
        assert ticket.issued_at is not None
        assert ticket.expires_at is not None
        timely = self.now < ticket.expires_at + ticket.leeway and ticket.issued_at <= self.now + ticket.leeway
        return timely and self.now - ticket.issued_at <= TICKET_AGE and self.is_valid(ticket)

    def begin(self, ticket: Proof, presented: list[Cookie]) -> Cookie:
        """Returns the cookie of the session that a ticket or a sign-in makes."""
        good = [cookie for cookie in presented if self.is_good_cookie(cookie)]
        login = None
        if any(cookie.proof.person != ticket.person for cookie in good):
            self.end(presented)
        else:
            login = next((cookie.proof.login for cookie in good if cookie.proof.limits == ticket.limits), None)
        session = Proof(
            ticket.issuer,
            ticket.subject,
            ticket.provider,
            ticket.groups,
            ticket.recording,
            ticket.video,
            issued_at=min(self.now, (ticket.issued_at or self.now) - ticket.leeway),
            expires_at=self.now + self.lifetime,
            login=login or Login(),
            ends_at=self.now + self.lifetime,
            began_at=self.now,
            sealed_for=self.refused,
        )
        return Cookie(session, self.now)

    def end(self, presented: list[Cookie]) -> None:
        """A sign-out with these cookies."""
        self.signed_out += [cookie.proof.person for cookie in presented if self.is_good_cookie(cookie)]
        for cookie in presented:
            assert cookie.proof.login is not None
            cookie.proof.login.ended = True

    def link(self, proof: Proof, recording: str, video: str) -> Proof:
        """What a link for one video, made with *proof*, is good for."""
        return Proof(
            proof.issuer,
            proof.subject,
            proof.provider,
            proof.groups,
            recording,
            video,
            issued_at=self.now if proof.issued_at is None else proof.issued_at,
            leeway=proof.leeway,
            expires_at=min(self.now + LINK_LIFETIME, proof.expires_at or self.now + LINK_LIFETIME),
            login=proof.login,
            ends_at=proof.ends_at,
            began_at=proof.began_at,
            is_link=True,
            sealed_for=self.refused if proof.sealed_for is None else proof.sealed_for,
        )
