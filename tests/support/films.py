"""Three films of one recording, longer than two minutes each and larger than a browser's media buffer."""

import functools
import subprocess
import tempfile
from pathlib import Path

from gateway.sim.catalogue import Film, Recording
from tests.support.programs import program

THREE_CAMERAS = "0d1e2f3a-4b5c-4d6e-8f70-8192a3b4c5d6"
LENGTHS = {"Ceiling": 150, "Door": 142, "Table": 134}


def three_cameras() -> Recording:
    """Returns a recording of three films in H.264 and AAC at 1 Mbit/s; the shortest has its ``moov`` at the end."""
    films = [
        Film(f"{number:08d}-0000-4000-8000-000000000000", camera, content)
        for number, (camera, content) in enumerate(zip(LENGTHS, _contents(), strict=True), 1)
    ]
    return Recording(THREE_CAMERAS, "Session 2210", duration=150.0, films=films)


@functools.cache
def _contents() -> tuple[bytes, ...]:
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder, "whole.mp4")
        _ffmpeg(
            *("-f", "lavfi", "-i", f"testsrc2=size=256x144:rate=25:duration={max(LENGTHS.values())}"),
            *("-f", "lavfi", "-i", f"sine=frequency=330:duration={max(LENGTHS.values())}"),
            *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "50"),
            # A constant rate: a browser would fetch the small film of a test pattern in one request.
            *("-b:v", "1M", "-minrate", "1M", "-maxrate", "1M", "-bufsize", "1M"),
            *("-x264-params", "nal-hrd=cbr:force-cfr=1", "-c:a", "aac", "-b:a", "24k", "-ac", "1"),
            str(whole),
        )
        contents = []
        for camera, length in LENGTHS.items():
            moov = () if camera == "Table" else ("-movflags", "+faststart")
            cut = Path(folder, f"{camera}.mp4")
            _ffmpeg("-i", str(whole), "-t", str(length), "-c", "copy", *moov, str(cut))
            contents.append(cut.read_bytes())
        return tuple(contents)


def _ffmpeg(*arguments: str) -> None:
    subprocess.run([program("ffmpeg"), "-nostdin", "-y", "-loglevel", "error", *arguments], check=True)
