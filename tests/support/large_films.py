"""Films of gigabytes that are on no disk and in no memory: each word of eight bytes is its own number."""

from array import array
from dataclasses import dataclass

from gateway.sim.catalogue import ComputedBytes, Film, Recording
from gateway.sim.valt import ValtSimulator

_WORD = 8


def numbered(first: int, end: int) -> bytes:
    """Returns the bytes of such a film from *first* to *end*, which is excluded. No other place has the same words."""
    words = array("Q", range(first // _WORD, -(-end // _WORD))).tobytes()
    return words[first % _WORD : first % _WORD + end - first]


@dataclass(frozen=True)
class NumberedBytes(ComputedBytes):
    """A part of such a film."""

    first: int
    end: int

    def __len__(self) -> int:
        return self.end - self.first

    def __getitem__(self, part: slice, /) -> "NumberedBytes":
        first, end, _ = part.indices(len(self))
        return NumberedBytes(self.first + first, self.first + max(first, end))

    def tobytes(self) -> bytes:
        return numbered(self.first, self.end)


@dataclass
class NumberedFilm(Film):
    """A film of *size* bytes; *content* is not used."""

    content: bytes = b""
    size: int = 0

    @property
    def etag(self) -> str:
        return f'"numbered-{self.size}"'

    def view(self) -> NumberedBytes:
        return NumberedBytes(0, self.size)


def add_numbered_film(valt: ValtSimulator, recording: str, video: str, size: int) -> None:
    """Adds a recording with one film of *size* bytes."""
    film = NumberedFilm(video, "Camera 1", size=size)
    valt.recordings.append(Recording(recording, "Large", films=[film]))
