"""Films of an hour at 720p: twenty seconds encoded, and repeated."""

import functools
import subprocess
import tempfile
from pathlib import Path

from gateway.sim.catalogue import Film, Recording
from tests.support.programs import program

HOUR = "0d1e2f3a-4b5c-4d6e-8f70-8192a3b4c5d7"
PICTURE = ("-f", "lavfi", "-i", "testsrc=size=1280x720:rate=12:duration=20")
SOUND = ("-f", "lavfi", "-i", "sine=frequency=330:duration=20")
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "40", "-g", "50", "-c:a", "aac", "-b:a", "24k", "-ac", "1")
VP9 = (
    *("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "200k", "-g", "50"),
    *("-c:a", "libopus", "-b:a", "24k", "-ac", "1"),
)
FIRST = ("-movflags", "+faststart")
KINDS: tuple[tuple[str, int, tuple[str, ...]], ...] = (
    ("h264", 3600, FIRST),
    ("h264", 3540, ("-an", *FIRST)),
    ("vp9", 3600, FIRST),
    ("h264", 3300, ()),
)
"""The encoding, the film's length in seconds, and ffmpeg's options: mixed codecs and lengths, one without sound, and
one whose ``moov`` is at the end."""


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
        parts = {"h264": Path(folder, "h264.mp4"), "vp9": Path(folder, "vp9.mp4")}
        pixels = ("-pix_fmt", "yuv420p")
        outputs = (*H264, *pixels, str(parts["h264"]), *VP9, *pixels, str(parts["vp9"]))
        _ffmpeg(*PICTURE, *SOUND, *outputs)  # at once: the pictures are computed for both
        return tuple(_film(parts[codec], seconds, options) for codec, seconds, options in KINDS)


def _film(part: Path, seconds: int, options: tuple[str, ...]) -> bytes:
    film = part.with_name("film.mp4")
    _ffmpeg("-stream_loop", "-1", "-i", str(part), "-t", str(seconds), "-c", "copy", *options, str(film))
    return film.read_bytes()


def _ffmpeg(*arguments: str) -> None:
    subprocess.run([program("ffmpeg"), "-nostdin", "-y", "-loglevel", "error", *arguments], check=True)
