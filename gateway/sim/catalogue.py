"""The recordings of the simulated VALT."""

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from gateway.sim.comments import interview_comments

_MEDIA = files("gateway.sim").joinpath("media")
_INVERTED = bytes(255 - byte for byte in range(256))


class ComputedBytes(ABC):
    """The bytes of a film or of a part of it that are computed when they are sent."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, part: slice, /) -> "ComputedBytes":
        """Returns that part, which is not computed yet."""

    @abstractmethod
    def tobytes(self) -> bytes:
        """Returns the bytes themselves."""


Content = ComputedBytes | memoryview


@dataclass
class Film:
    """One video file. *modified* is Unix seconds. A film that is not *ready* has no link yet."""

    video: str
    camera: str
    content: bytes
    modified: float = 1_746_544_800.0
    ready: bool = True
    _tagged: tuple[bytes, str] = field(default=(b"", '"empty"'), init=False, repr=False, compare=False)

    @property
    def etag(self) -> str:
        """A strong validator. Computed once per *content*, which may be large."""
        if self._tagged[0] is not self.content:
            self._tagged = (self.content, f'"{hashlib.sha256(self.content).hexdigest()[:24]}"')
        return self._tagged[1]

    def view(self) -> Content:
        """Returns what the media server sends, without a copy."""
        return memoryview(self.content)

    def change(self) -> None:
        """Replace the content by another of the same length."""
        self.content = self.content.translate(_INVERTED)
        self.modified += 60


@dataclass
class Recording:
    """A record of VALT. *recording* is a UUID for VALT 6, a decimal number for VALT 5. *duration* is seconds."""

    recording: str
    name: str
    room: tuple[int, str] = (37, "Room 1")
    author: tuple[int, str] = (7, "jsmith")
    created: float = 1_746_544_680.0
    duration: float = 24.0
    template: dict[str, str] = field(default_factory=dict)
    shared_users: tuple[int, ...] = ()
    shared_groups: tuple[int, ...] = ()
    deleted_at: float | None = None
    markers: tuple[tuple[float, str, str], ...] = ()
    """Time in seconds, event and colour of each."""
    comments: list[Any] = field(default_factory=list)
    """As VALT's API lists them; sim.comments makes them."""
    films: list[Film] = field(default_factory=list)

    def film(self, video: str) -> Film | None:
        return next((film for film in self.films if film.video == video), None)


SESSION = "6ecfe37c-a2e9-4f2d-b56e-847a4e730ed0"
CAMERA_A = "d6799d1c-8e0f-4dc6-9483-8f3545fc5ce5"
CAMERA_B = "0b5f7c3e-53a4-4b86-9d0f-2f9f4f3e6a11"
INTERVIEW = "b2d1a6de-7f0c-4a53-8a64-94a1f5d1c9e2"
INTERVIEW_FILM = "3f0a4b0c-1f53-4f62-9a43-5a8a8a0a7c10"
LATE_MOOV = "c77e2f4b-9c1a-4d7e-8f3b-1a2b3c4d5e6f"
LATE_MOOV_FILM = "5d4c3b2a-6f5e-4a3b-9c8d-7e6f5a4b3c2d"
ACCENTS = "614"
ACCENTS_FILM = "9101"


def demo_recordings() -> list[Recording]:
    """Returns a recording with two cameras, an interview, a file with its index (moov) at the end, and a recording with
    accents and a plus sign in its name."""
    return [
        Recording(
            SESSION,
            "Session 1451",
            template={"Course": "PSY 512"},
            shared_groups=(4,),
            markers=((3.0, "Greeting", "green"), (11.0, "Task begins", "red"), (19.0, "Feedback", "blue")),
            films=[Film(CAMERA_A, "Ceiling", _media("camera-a")), Film(CAMERA_B, "Door", _media("camera-b"))],
        ),
        Recording(
            INTERVIEW,
            "Interview 12",
            room=(38, "Interview room"),
            author=(8, "mrossi"),
            duration=16.0,
            comments=interview_comments(),
            films=[Film(INTERVIEW_FILM, "Table", _media("interview"))],
        ),
        Recording(LATE_MOOV, "Late moov", duration=12.0, films=[Film(LATE_MOOV_FILM, "Ceiling", _media("moov-last"))]),
        Recording(
            ACCENTS,
            "Séance à Besançon + suite",
            room=(39, "Salle 2"),
            duration=8.0,
            films=[Film(ACCENTS_FILM, "Caméra 1", _media("accents"))],
        ),
    ]


def _media(name: str) -> bytes:
    return _MEDIA.joinpath(f"{name}.mp4").read_bytes()
