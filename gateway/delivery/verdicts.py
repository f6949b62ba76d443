"""The types that *resume.evaluate* works on: a request to the media server, the body that a response has, and the
verdicts. Nothing changes them after they have been created; those of every request are not frozen, because setting a
frozen field takes three times as long.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.delivery.http_fields import RangeSpec


@dataclass(slots=True)
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


@dataclass(slots=True)
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
    conditions: Mapping[str, str] | None = None
    """The client's conditions, also those that cannot be forwarded; If-Range is not one of them."""


@dataclass(slots=True)
class Usable:
    """The response may be passed on with *status*, after *skip* bytes of its body that the client already has.

    *body* is None if there is no body, or if it is several parts, which cannot be continued. *length*: how many bytes
    the response's body must have, None if that is unknown.
    """

    status: int
    body: Representation | None = None
    skip: int = 0
    length: int | None = None
    from_part: bool = False
    """Whether a HEAD's *status* 200 was made of a 206, which shows that the server answers ranges."""


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
