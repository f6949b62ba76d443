"""What VALT knows of a recording: the results of valt.recordings and valt.client, and the input of policy."""

from collections.abc import Mapping
from dataclasses import dataclass, field


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
    ``transcription``."""

    seconds: float
    author: str | None
    text: str
    type: str
    color: str | None = None


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
