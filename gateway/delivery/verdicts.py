"""The types that *resume.evaluate* works on: a request to the media server, the body that a response has, and the
verdicts. Values without behaviour beyond their own fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.delivery.http_fields import RangeSpec

MAX_SKIP = 64 * 1024 * 1024
"""How many bytes at most are discarded to reach a position again with a server that ignores Range."""


@dataclass(frozen=True, slots=True)
class Representation:
    """Bytes *first* up to but not including *end* of one file. *end* and *total* are None if the length is unknown."""

    first: int
    end: int | None
    total: int | None
    etag: str | None = None
    last_modified: str | None = None
    media_type: str | None = None
    """Type and subtype in lower case."""
    ranges: bool = False
    """Whether the server has shown or claimed that it answers range requests."""

    @property
    def strong_etag(self) -> str | None:
        """The ETag, if it identifies the file byte for byte (RFC 9110, section 8.8.1)."""
        return self.etag if self.etag and not self.etag.startswith("W/") else None

    @property
    def is_identified(self) -> bool:
        """Whether a later response can prove to be of the same file."""
        return self.strong_etag is not None or (self.total is not None and self.last_modified is not None)

    @property
    def can_continue(self) -> bool:
        """Whether the rest can be requested again after the connection is closed, as far as is known."""
        return self.is_identified and (self.ranges or (self.end is not None and self.end <= MAX_SKIP))


@dataclass(frozen=True, slots=True)
class MediaRequest:
    """A GET to the media server, and what it is for. *method* is the client's, GET or HEAD.

    With *continues*, the request is for the rest of that body, from byte *position* of the file.
    """

    headers: Mapping[str, str]
    ranges: tuple[RangeSpec, ...] | None = None
    """The Range in *headers*."""
    method: str = "GET"
    continues: Representation | None = None
    position: int = 0


@dataclass(frozen=True, slots=True)
class Usable:
    """The response may be passed on with *status*, after *skip* bytes of its body that the client already has.

    *body* is None if there is no body, or if it is several parts, which cannot be continued.
    """

    status: int
    body: Representation | None = None
    skip: int = 0


@dataclass(frozen=True, slots=True)
class Complete:
    """There is nothing after the position: the body has been delivered."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """The response contradicts itself or the request, or is of another file. *reason* holds no value of a field."""

    reason: str


@dataclass(frozen=True, slots=True)
class StaleLink:
    """401 or 403: another link is needed."""


@dataclass(frozen=True, slots=True)
class NotFound:
    """404 or 410: the file is gone, or was never there."""

    status: int


@dataclass(frozen=True, slots=True)
class TryAgain:
    """The server cannot respond now."""

    status: int


Verdict = Usable | Complete | Unusable | StaleLink | NotFound | TryAgain
