"""The demo's recordings: a drawn interview that three cameras see, with its markers, comments and transcript.

media/make_scene.py makes the films. Every sentence is spoken by a synthetic voice; nobody real is in them.
"""

import json
from importlib.resources import files
from typing import Any

from gateway.sim.catalogue import Film, Recording
from gateway.sim.comments import comment

_MEDIA = files("gateway.sim") / "media"
_SPEAKERS = {"interviewer": (8, "mrossi", "Dr. Maria Rossi"), "client": (21, "client", "Client")}
_SUPERVISOR, _STUDENT = (9, "tchen", "Tao Chen"), (22, "blee", "Ben Lee")
_MARKERS = (
    (0, "Greeting", "green"),
    (2, "The difficulty", "blue"),
    (4, "Coping", "green"),
    (8, "Scale", "red"),
    (10, "Plan for the week", "blue"),
)
"""Number of the sentence with which it begins, event and colour."""

TRAINING = "0f6c2a4e-8d31-4b7a-9c55-3e1f7a2b9d10"
CONSULTATION = "7b1d9e52-4c06-4f8e-8a37-d2c5b6f0e921"


def demo_scene() -> list[Recording]:
    """Returns a training interview, and a consultation that students may not see."""
    scene = json.loads(_MEDIA.joinpath("scene.json").read_text(encoding="utf-8"))
    sentences = scene["sentences"]
    ceiling, interviewer, client = (
        _MEDIA.joinpath(f"scene-{camera}.mp4").read_bytes() for camera in ("ceiling", "interviewer", "client")
    )
    return [
        Recording(
            TRAINING,
            "Training interview 3: anxiety on the bus",
            room=(12, "Interview room 2"),
            author=(8, "mrossi"),
            created=1_781_173_080.0,
            duration=float(scene["duration"]),
            template={"Course": "PSY 512"},
            markers=tuple((sentences[number]["start"], event, color) for number, event, color in _MARKERS),
            comments=[*_comments(sentences), *_transcript(sentences)],
            films=[
                Film("5b0e7d1c-0001-4d2b-9a64-1c2d3e4f5a61", "Ceiling", ceiling),
                Film("5b0e7d1c-0002-4d2b-9a64-1c2d3e4f5a62", "Interviewer", interviewer),
                Film("5b0e7d1c-0003-4d2b-9a64-1c2d3e4f5a63", "Client", client),
            ],
        ),
        Recording(
            CONSULTATION,
            "Consultation, first appointment",
            room=(14, "Therapy room 1"),
            author=(9, "tchen"),
            created=1_781_086_500.0,
            duration=float(scene["duration"]),
            films=[Film("5b0e7d1c-0004-4d2b-9a64-1c2d3e4f5a64", "Table", ceiling)],
        ),
    ]


def _comments(sentences: list[dict[str, Any]]) -> list[dict[str, Any]]:
    answer = comment(3, "Yes, and she leaves the pause to him.", author=_STUDENT)
    return [
        comment(1, "A warm opening.", sentences[0]["start"], author=_SUPERVISOR, color="#2e8b57"),
        comment(2, "Open question, and only one.", sentences[4]["start"], author=_SUPERVISOR, replies=(answer,)),
        comment(
            4,
            "She repeats his words before she asks for the feeling.",
            sentences[6]["start"],
            sentences[6]["end"],
            kind="duration",
            author=_SUPERVISOR,
            color="#1f6feb",
        ),
        comment(5, "How would I have asked this?", sentences[8]["start"], author=_STUDENT),
    ]


def _transcript(sentences: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for number, one in enumerate(sentences):
        speaker, times = _SPEAKERS[one["speaker"]], (one["start"], one["end"])
        rows.append(comment(100 + number, one["text"], *times, kind="transcription", author=speaker))
    return rows
