"""The demo's interview: markers, comments and transcript fit the films, and all of it is small."""

import json
import subprocess
from importlib.resources import files

from gateway.sim.responses import details
from gateway.sim.scene import demo_scene
from tests.support.programs import program


def test_markers_comments_and_transcript_are_within_the_films() -> None:
    for recording in demo_scene():
        assert len(details(recording)["data"]["markers"]) == len(recording.markers)
        times = [time for time, _, _ in recording.markers]
        times += [float(one.get("endTime") or one["recordTime"]) for one in recording.comments]
        assert all(0 <= time < recording.duration for time in times)
    transcript = [one for one in demo_scene()[0].comments if one["type"] == "transcription"]
    ends = [one["endTime"] for one in transcript]
    assert all(end < one["startTime"] for end, one in zip(ends, transcript[1:], strict=False))


def test_the_films_last_as_long_as_stated_and_two_of_three_have_a_sound() -> None:
    tracks = []
    for film in demo_scene()[0].films:
        command = [program("ffprobe"), "-v", "error", "-show_streams", "-of", "json", "-"]
        answer = json.loads(subprocess.run(command, input=film.content, capture_output=True, check=True).stdout)
        tracks.append([stream["codec_type"] for stream in answer["streams"]])
        assert abs(float(answer["streams"][0]["duration"]) - demo_scene()[0].duration) < 0.2
    assert tracks == [["video", "audio"], ["video", "audio"], ["video"]]


def test_all_films_together_are_below_four_megabytes() -> None:
    folder = files("gateway.sim") / "media"
    assert sum(len(file.read_bytes()) for file in folder.iterdir() if file.name.endswith(".mp4")) < 4e6
