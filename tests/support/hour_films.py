"""Films of an hour at 720p: a minute encoded, and repeated."""

import functools
import subprocess
import tempfile
from pathlib import Path

from gateway.sim.catalogue import Film, Recording
from tests.support.programs import program

HOUR = "0d1e2f3a-4b5c-4d6e-8f70-8192a3b4c5d7"
SOUND = ("-f", "lavfi", "-i", "sine=frequency=330:duration=60")
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "40", "-g", "50")
VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "200k", "-g", "50")
FIRST = ("-movflags", "+faststart")
KINDS: tuple[tuple[tuple[str, ...], int, tuple[str, ...]], ...] = (
    ((*SOUND, *H264, "-c:a", "aac", "-b:a", "24k", "-ac", "1"), 3600, FIRST),
    ((*H264, "-an"), 3540, FIRST),
    ((*SOUND, *VP9, "-c:a", "libopus", "-b:a", "24k", "-ac", "1"), 3600, FIRST),
    ((*SOUND, *H264, "-c:a", "aac", "-b:a", "24k", "-ac", "1"), 3300, ()),
)
"""ffmpeg's options for a minute, the film's length in seconds, and where ``moov`` is: mixed codecs and lengths, one
without sound."""


def hour(cameras: int) -> Recording:
    """Returns a recording with *cameras* films. Several cameras share a film's content."""
    contents = _contents()
    films = [
        Film(f"{number:08d}-0000-4000-8000-000000000001", f"Camera {number}", contents[(number - 1) % len(contents)])
        for number in range(1, cameras + 1)
    ]
    return Recording(HOUR, "Supervision of an hour", duration=3600.0, films=films)


@functools.cache
def _contents() -> tuple[bytes, ...]:
    with tempfile.TemporaryDirectory() as folder:
        return tuple(_film(Path(folder), *kind) for kind in KINDS)


def _film(folder: Path, options: tuple[str, ...], seconds: int, moov: tuple[str, ...]) -> bytes:
    minute, film = folder / "minute.mp4", folder / "film.mp4"
    picture = ("-f", "lavfi", "-i", "testsrc=size=1280x720:rate=12:duration=60")
    _ffmpeg(*picture, *options, "-pix_fmt", "yuv420p", str(minute))
    _ffmpeg("-stream_loop", "-1", "-i", str(minute), "-t", str(seconds), "-c", "copy", *moov, str(film))
    return film.read_bytes()


def _ffmpeg(*arguments: str) -> None:
    subprocess.run([program("ffmpeg"), "-nostdin", "-y", "-loglevel", "error", *arguments], check=True)
