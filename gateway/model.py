"""The nouns, slotted, and frozen where they outlive the request: to set a frozen field takes three times as long. Every
room talks in these; this module imports no framework."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.errors import InvalidVideoError

# RFC-free rule of the house (product.md, "Ids"): ASCII only, so that nothing decoded from a path can
# change the meaning of the VALT URL that is built from it.
_ID = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)


class IdentityKind(StrEnum):
    """The kind of credential that proved an identity on this request."""

    JWT = "jwt"
    HEADER = "header"
    TICKET = "ticket"
    OIDC = "oidc"
    SESSION = "session"
    SERVICE_KEY = "service_key"
    ACCESS_TOKEN = "access_token"  # noqa: S105
    """A token of this gateway's own, for one video."""


class Delivery(StrEnum):
    """How the bytes reach the client."""

    PROXY = "proxy"
    REDIRECT = "redirect"


class Stage(StrEnum):
    """A step of a request whose duration is measured."""

    IDENTITY = "identity"
    GRANT = "grant"
    LINK = "link"
    FIRST_BYTE = "first_byte"


class Outcome(StrEnum):
    """How a delivery ended: complete, the client disconnected, ended by the gateway, or an error."""

    WHOLE = "whole"
    LEFT = "left"
    CUT = "cut"
    FAILED = "failed"


class Secret:
    """Text that must not be shown. Prints as ``***``; *reveal* is the only way out, so that a search
    for it lists every place where a secret leaves."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not pickled")


def parse_id(text: str) -> str:
    """Return *text* if it is a VALT id as a whole; :class:`InvalidVideoError` otherwise."""
    if _ID.fullmatch(text) is None:
        raise InvalidVideoError
    return text


@dataclass(frozen=True, slots=True)
class Video:
    """One file of one recording, by VALT's ids. *parse* is the only way in from outside."""

    recording: str
    video: str

    @classmethod
    def parse(cls, recording: str, video: str) -> "Video":
        return cls(parse_id(recording), parse_id(video))


@dataclass(slots=True)
class Credentials:
    """What a request offers as proof. Header names are lower case; each stands once (web refuses doubles)."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ticket: Secret | None = None
    session: Secret | None = None
    access_token: Secret | None = None
    video_token_only: bool = False
    """Whether an access token must be a proof for one video, for an address that people open ends in histories."""
    peer: str | None = None
    """Address of the socket's own peer, never a forwarded one; None on a unix socket."""
    consume_ticket: bool = True
    """False for HEAD: the ticket is verified and stays valid."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The person, as vouched for. Times are Unix seconds."""

    subject: str
    issuer: str
    provider: str
    """The ``name`` of the ``[[identity]]`` that vouched, also for a session that came of it."""
    kind: IdentityKind
    """The kind of credential that this request presented."""
    groups: frozenset[str] = frozenset()
    issued_at: float | None = None
    """When the credential was issued (a token's iat, a session's start). A revocation voids what was issued before."""
    expires_at: float | None = None
    recording: str | None = None
    """If set, the proof is good for this recording alone; likewise *video*."""
    video: str | None = None
    scopes: tuple[tuple[str, str | None], ...] = ()
    """Further recordings that a session's tickets allow, each with one video or None for all of them."""
    session: str | None = None
    """Id of the session, where there is one."""
    used_at: float | None = None
    """When the session was last known to be in use."""
    revocation_keys: tuple[str, ...] = ()
    """What its provider's sign-out would call it: names, besides the subject, that a revocation may hold."""

    def covers(self, recording: str, video: str | None = None) -> bool:
        """Whether the proof is good for *recording*, and for *video* where one is named."""
        if self.recording is None and self.video is None:
            return True
        return any(
            mine in (None, recording) and (video is None or one in (None, video))
            for mine, one in ((self.recording, self.video), *self.scopes)
        )


@dataclass(frozen=True, slots=True)
class Account:
    """A VALT user as whom we ask."""

    name: str
    username: str
    password: Secret


@dataclass(slots=True)
class Grant:
    """The decision: this identity may see this recording, or one video of it, through a VALT account."""

    identity: Identity
    recording: str
    video: str | None
    """None for the recording as a whole."""
    account: str
    """The VALT account that the gateway acts as."""
    delivery: Delivery
    rule: str
    download: bool = True
    groups: frozenset[str] = frozenset()
    """The identity's groups that the rule names."""

    @property
    def target(self) -> Video:
        """The video that the grant is for. Raises ValueError for a grant on a whole recording."""
        if self.video is None:
            raise ValueError("a grant on a whole recording has no link")
        return Video(self.recording, self.video)


@dataclass(frozen=True, slots=True)
class AccessToken:
    """VALT's API token for an account. *obtained_at* is monotonic seconds."""

    account: str
    value: Secret
    obtained_at: float


@dataclass(frozen=True, slots=True)
class Link:
    """VALT's time-limited download URL, byte for byte as VALT gave it. *expires_at* is Unix seconds,
    None where its token tells none."""

    url: Secret
    expires_at: float | None
    filename: str | None
    fetched_at: float = 0.0
    """Monotonic seconds."""


@dataclass(frozen=True, slots=True)
class VideoDetails:
    """One entry of a recording's videos. Whether its file is there yet only its link tells."""

    video: str
    name: str


@dataclass(frozen=True, slots=True)
class Marker:
    """A moment of a recording that somebody noted. *time* is seconds from its start, *color* ``#rrggbb``."""

    time: float
    event: str
    color: str | None = None


@dataclass(frozen=True, slots=True)
class RecordingDetails:
    """What VALT knows of a recording (valt-api.md, 3.2). Times are Unix seconds, durations seconds."""

    recording: str
    name: str | None = None
    room: str | None = None
    author: str | None = None
    author_id: int | None = None
    created: float | None = None
    duration: float | None = None
    template: Mapping[str, str] = field(default_factory=dict)
    shared_users: frozenset[int] = frozenset()
    shared_groups: frozenset[int] = frozenset()
    deleted_at: float | None = None
    """``retention.until``: when VALT deletes it."""
    videos: tuple[VideoDetails, ...] = ()
    markers: tuple[Marker, ...] = ()
    room_id: int | None = None
    cameras: Mapping[str, str] = field(default_factory=dict)
    """Names by id."""

    def is_over(self, now: float) -> bool:
        """Whether its retention has ended, whether VALT has deleted it yet or not."""
        return self.deleted_at is not None and self.deleted_at <= now
