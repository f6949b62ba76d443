"""The types that the packages exchange. This module imports no framework.

Types that outlive a request are frozen. Types of one request are not: a frozen instance takes longer to create.
"""

import functools
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.errors import InvalidVideoError

_ID = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)
"""ASCII only, so that nothing decoded from a path can change the meaning of the VALT URL that is built from it."""
_OTHER_SPELLING = re.compile(
    r"0[0-9]+|(?=[0-9a-f-]*[A-F])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", re.ASCII
)
"""A number with a leading zero, or a UUID with an upper-case digit. VALT may accept it as another spelling of an id, so
that a rule for that id would not match."""


@functools.lru_cache(maxsize=4096)
def fold_name(name: str) -> str:
    """Returns the one spelling of all that differ from *name* only in letter case, in compatible characters (Unicode
    NFKC) or in surrounding spaces."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).strip()


class IdentityKind(StrEnum):
    """The kind of credential that proved an identity on this request."""

    JWT = "jwt"
    HEADER = "header"
    TICKET = "ticket"
    OIDC = "oidc"
    NEGOTIATE = "negotiate"
    SESSION = "session"
    SERVICE_KEY = "service_key"
    ACCESS_TOKEN = "access_token"  # noqa: S105
    """A token of this gateway's own, for the address of one video and no recording as a whole."""


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
    """A text that must not be logged or printed: it prints as ``***``. Only *reveal* returns it, so that a search for
    that name lists every place where a secret leaves."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Returns the secret text."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> str:
        raise TypeError("a Secret cannot be pickled")


def parse_id(text: str) -> str:
    """Returns *text* if it is a VALT id in its only accepted spelling. Raises InvalidVideoError if it is not."""
    if _ID.fullmatch(text) is None or _OTHER_SPELLING.fullmatch(text) is not None:
        raise InvalidVideoError
    return text


@dataclass(frozen=True, slots=True)
class Video:
    """One file of one recording, by VALT's ids. Ids from outside must go through *parse*."""

    recording: str
    video: str

    @classmethod
    @functools.lru_cache(maxsize=4096)  # six times as fast as to match four patterns and to build a frozen instance
    def parse(cls, recording: str, video: str) -> "Video":
        """Returns the video with these ids. Raises InvalidVideoError if one has not the form of an id."""
        return cls(parse_id(recording), parse_id(video))


@dataclass(slots=True)
class Credentials:
    """What a request presents. Header names are lower case and unique: requests with duplicates are refused."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ticket: Secret | None = None
    sessions: Mapping[str, Secret] = field(default_factory=dict)
    """The session cookies, by name."""
    cookies: Sequence[str] = field(default=(), repr=False)
    """The ``Cookie`` headers as they arrived."""
    access_token: Secret | None = None
    video_token_only: bool = False
    """Whether an access token must be limited to one video: addresses that browsers open are stored in histories."""
    peer: str | None = None
    """Address of the socket's own peer, never a forwarded one; None on a unix socket."""
    consume_ticket: bool = True
    """False for HEAD: the ticket is verified, refused if it was used, and stays valid."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The person or service, as authenticated. Times are Unix seconds."""

    subject: str
    issuer: str
    provider: str
    """The ``name`` of the ``[[identity]]`` table that authenticated, also of a session that was made from it."""
    kind: IdentityKind
    """The kind of credential that this request presented."""
    groups: frozenset[str] = frozenset()
    issued_at: float | None = None
    """When the credential was issued (a token's iat, a session's start). A revocation voids what was issued before."""
    leeway: float = 0.0
    """Seconds by which the clock that *issued_at* was read from may be ahead of this server's; of a session, for how
    long the proof that began it may have existed by then: a revocation of the proof reaches the session too."""
    expires_at: float | None = None
    ends_at: float | None = None
    """When the session or service key ends that the identity comes from. Unlike *expires_at* it ends running streams
    too: nobody would be admitted again with the same proof."""
    recording: str | None = None
    """If set, the identity is limited to this recording, and to *video* if that is set."""
    video: str | None = None
    """If set without *recording*, it limits to this video in whichever recording, and allows no whole recording."""
    session: str | None = None
    """The session's id, if the identity comes from a session or a token made in one."""
    used_at: float | None = None
    """When the session was last used, as far as its cookie tells."""
    revocation_keys: tuple[str, ...] = ()
    """Further names, besides the subject, that a revocation may use: the provider's ids of its session."""
    sealed_by: str | None = None
    """Id of the secret that sealed the session's cookie or the access token."""
    selection: str | None = None
    """Digest of the `GroupSelection` by which *groups* were stored; None if they are all groups of the person."""
    cross_site: bool | None = None
    """Whether the session's cookie was set for pages of other sites too; None without a session."""
    service_key: str | None = None
    """SHA-256 of the service key that the identity comes from, in hex."""
    response_token: str = field(default="", repr=False, compare=False)
    """What the response to this request proves to the client: the gateway's part of Kerberos' mutual authentication."""

    @property
    def is_narrowed(self) -> bool:
        """Whether the identity is limited to one recording or one video."""
        return self.recording is not None or self.video is not None

    @property
    def person(self) -> tuple[str, str]:
        """Issuer and subject: names of different issuers may be different people's."""
        return self.issuer, self.subject

    def covers(self, recording: str, video: str | None = None) -> bool:
        """Whether the identity's limits allow *recording*, and *video* if given. Says nothing about the rules."""
        if self.recording is None and self.video is None:
            return True
        if video is None:
            return self.recording == recording and self.kind is not IdentityKind.ACCESS_TOKEN
        return self.recording in (None, recording) and self.video in (None, video)


@dataclass(frozen=True, slots=True)
class Account:
    """A VALT user that the gateway acts as."""

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
    client: str | None = None
    """The client's address, by which the rule was chosen; None on a unix socket."""
    decided_at: float = 0.0
    """Unix seconds of the decision."""
    until: float | None = None
    """When what VALT says of the recording no longer fits the rule, Unix seconds; None if that does not matter."""
    attachment: bool = False
    """Whether the client asked for a download, which a later rule may no longer allow."""
    deleted_at: float | None = None
    """When the retention of a recording ends of which the response has details, Unix seconds; else None."""

    @property
    def target(self) -> Video:
        """The video that the grant allows. Raises ValueError for a grant on a whole recording."""
        if self.video is None:
            raise ValueError("a grant on a whole recording has no link")
        return Video(self.recording, self.video)


@dataclass(frozen=True, slots=True)
class Link:
    """VALT's time-limited download URL, byte for byte as VALT sent it. *expires_at* is Unix seconds, None if the URL's
    token has no ``exp``."""

    url: Secret
    expires_at: float | None
    filename: str | None
    fetched_at: float = field(default=0.0, compare=False)
    """Monotonic seconds. The same URL is the same link, whenever it was read from another replica."""
