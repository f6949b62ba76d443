"""What VALT knows of a recording: the results of valt.recordings and valt.client, and the input of policy."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class VideoDetails:
    """One entry of a recording's videos. Only its link shows whether the file is ready."""

    video: str
    name: str


@dataclass(frozen=True, slots=True)
class Marker:
    """A marked position in a recording. *time* is seconds from its start, *color* ``#rrggbb``."""

    time: float
    event: str
    color: str | None = None


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment on a recording (VALT 6), *seconds* from its start. *type* is ``simple``, ``duration`` or
    ``transcription``: a piece of the transcript."""

    seconds: float
    author: str | None
    """The name to display."""
    text: str
    type: str
    color: str | None = None
    end: float | None = None
    """Where the commented period ends, in seconds; after *seconds*."""
    number: int | None = None
    """VALT's id."""
    username: str | None = None
    author_id: int | None = None
    created: str | None = None
    """When it was written, as VALT writes it."""
    replies: "tuple[Comment, ...]" = ()

    def with_replies(self, replies: "tuple[Comment, ...]") -> "Comment":
        """Returns the comment with *replies*."""
        return replace(self, replies=replies) if replies else self


@dataclass(frozen=True, slots=True)
class Comments:
    """The comments on a recording. *complete* is False if VALT has others that could not be read."""

    entries: tuple[Comment, ...] = ()
    complete: bool = True

    def in_order(self) -> list[Comment]:
        """Returns the comments and all replies by time; replies after their comment."""
        return sorted(_with_replies(self.entries), key=lambda comment: comment.seconds)


def _with_replies(entries: Iterable[Comment]) -> Iterator[Comment]:
    for comment in entries:
        yield comment
        yield from _with_replies(comment.replies)


@dataclass(frozen=True, slots=True)
class Room:
    """A room, and what is being recorded in it: the id of the recording and the seconds since its start."""

    name: str
    recording: str | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class RecordingDetails:
    """VALT's details of a recording (VALT API, 3.2). Times are Unix seconds, durations seconds."""

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
    """``retention.until``: when VALT deletes the recording."""
    videos: tuple[VideoDetails, ...] = ()
    markers: tuple[Marker, ...] = ()
    comments: tuple[Comment, ...] = ()
    """Empty if VALT's details do not contain them."""
    room_id: int | None = None
    cameras: Mapping[str, str] = field(default_factory=dict)
    """Camera names by id."""
    unstated: frozenset[str] = frozenset()
    """The members that a rule may need and VALT does not state, or not in a readable form: of ``name``, ``room``,
    ``author``, ``created``, ``template`` and ``sharing``. That a recording has none is stated."""

    def is_over(self, now: float) -> bool:
        """Whether its retention has ended at *now*, Unix seconds, even if VALT has not deleted it yet."""
        return self.deleted_at is not None and self.deleted_at <= now
