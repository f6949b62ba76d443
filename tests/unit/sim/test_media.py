"""The videos in the package can be played by browsers, are small, and have the catalogue's durations."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.sim.catalogue import ACCENTS, INTERVIEW, LATE_MOOV, SESSION, Film, Recording, demo_recordings
from tests.support.programs import run

FILMS = [(recording, film) for recording in demo_recordings() for film in recording.films]
each_film = pytest.mark.parametrize(("recording", "film"), FILMS, ids=lambda one: getattr(one, "camera", ""))


def boxes(content: bytes) -> list[str]:
    """Returns the names of an MP4's top-level boxes, in order (ISO/IEC 14496-12, section 4.2)."""
    names, at = [], 0
    while at < len(content):
        names.append(content[at + 4 : at + 8].decode())
        at += int.from_bytes(content[at : at + 4], "big")
    return names


async def probed(tmp_path: Path, content: bytes) -> Any:
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    done = await run("ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", str(path))
    assert (done.code, done.err) == (0, b"")
    return json.loads(done.out)


@each_film
async def test_each_video_is_h264_with_the_stated_duration(tmp_path: Path, recording: Recording, film: Film) -> None:
    probe = await probed(tmp_path, film.content)
    picture, sound = sorted(probe["streams"], key=lambda stream: stream["codec_type"], reverse=True)
    assert (picture["codec_name"], picture["pix_fmt"], picture["profile"]) == ("h264", "yuv420p", "Main")
    assert sound["codec_name"] == "aac"
    assert float(probe["format"]["duration"]) == pytest.approx(recording.duration, abs=0.1)


@each_film
async def test_each_video_decodes_without_an_error(tmp_path: Path, recording: Recording, film: Film) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(film.content)
    done = await run("ffmpeg", "-v", "error", "-i", str(path), "-f", "null", "-")
    assert (done.code, done.err) == (0, b""), recording.name


@each_film
def test_the_index_comes_first_except_in_one_video(recording: Recording, film: Film) -> None:
    order = [name for name in boxes(film.content) if name in ("moov", "mdat")]
    assert order == (["mdat", "moov"] if recording.recording == LATE_MOOV else ["moov", "mdat"])


def test_the_catalogue_has_two_cameras_and_a_name_with_accents() -> None:
    films = {one.recording: one for one in demo_recordings()}
    assert list(films) == [SESSION, INTERVIEW, LATE_MOOV, ACCENTS]
    assert len(films[SESSION].films) == 2
    assert "é" in films[ACCENTS].name
    assert "+" in films[ACCENTS].name


def test_the_videos_differ_and_are_small() -> None:
    assert len({film.etag for _, film in FILMS}) == len(FILMS)
    assert sum(len(film.content) for _, film in FILMS) < 1_500_000


def test_each_catalogue_is_a_new_one() -> None:
    one = demo_recordings()
    one[0].films[0].change()
    assert one[0].films[0].etag != demo_recordings()[0].films[0].etag
