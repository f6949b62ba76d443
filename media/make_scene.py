#!/usr/bin/env python3
"""Makes the demo's recording: a drawn interview, spoken by a synthetic voice, seen by three cameras.

Needs Debian's espeak-ng, ffmpeg and python3-cairo. Reads scene.toml beside it. Writes scene-*.mp4 and scene.json, which
has the times in seconds at which each sentence is spoken, into gateway/sim/media.
"""

import array
import json
import math
import subprocess
import sys
import tempfile
import tomllib
import wave
from dataclasses import dataclass
from pathlib import Path

import cairo
from scene_drawing import CAMERAS, HEIGHT, WIDTH, Draw

SCENE = Path(__file__).parent / "scene.toml"
TARGET = Path(__file__).parents[1] / "gateway" / "sim" / "media"
RATE = 12  # pictures a second
PAUSE, LEAD, TAIL = 0.7, 1.2, 2.0  # seconds between two sentences, before the first and after the last
VOICES = {"interviewer": ("en-gb+f4", "150"), "client": ("en-gb+m3", "155")}


@dataclass
class Sentence:
    speaker: str
    text: str
    start: float
    samples: "array.array[int]"


def speak(sentences: list[tuple[str, str]], folder: Path) -> tuple[list[Sentence], int]:
    """Returns the sentences with their times, and the number of samples a second."""
    spoken: list[Sentence] = []
    at, rate = LEAD, 22050
    for number, (speaker, text) in enumerate(sentences):
        path = folder / f"{number}.wav"
        voice, speed = VOICES[speaker]
        subprocess.run(["espeak-ng", "-v", voice, "-s", speed, "-w", str(path), text], check=True)
        with wave.open(str(path)) as file:
            rate = file.getframerate()
            samples = array.array("h", file.readframes(file.getnframes()))
        spoken.append(Sentence(speaker, text, at, samples))
        at += len(samples) / rate + PAUSE
    return spoken, rate


def mix(spoken: list[Sentence], rate: int, length: int, path: Path) -> None:
    whole = array.array("h", bytes(2 * int(length * rate)))
    for sentence in spoken:
        begin = int(sentence.start * rate)
        whole[begin : begin + len(sentence.samples)] = sentence.samples
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, len(whole), "NONE", ""))
        file.writeframes(whole.tobytes())


def loudness(spoken: list[Sentence], rate: int, at: float) -> tuple[str, float]:
    """Returns who speaks at the time *at*, and how far the mouth is open, 0 to 1."""
    for sentence in spoken:
        index = int((at - sentence.start) * rate)
        if 0 <= index < len(sentence.samples):
            part = sentence.samples[index : index + rate // RATE]
            return sentence.speaker, min(1.0, math.sqrt(sum(value * value for value in part) / len(part)) / 6000)
    return "", 0.0


def film(target: Path, draw: Draw, audio: Path | None, spoken: list[Sentence], rate: int, length: int) -> None:
    surface = cairo.ImageSurface(cairo.FORMAT_RGB24, WIDTH, HEIGHT)
    context = cairo.Context(surface)
    source = ["-f", "rawvideo", "-pix_fmt", "bgr0", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(RATE), "-i", "-"]
    tracks = ["-i", str(audio), "-c:a", "aac", "-b:a", "40k", "-ac", "1"] if audio else []
    options = ["-c:v", "libx264", "-profile:v", "main", "-pix_fmt", "yuv420p", "-preset", "veryslow"]
    options += ["-crf", "27", "-g", "48"]
    exact = ["-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact", "-movflags", "+faststart"]
    command = ["ffmpeg", "-y", "-loglevel", "error", *source, *tracks, *options, *exact, str(target)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as ffmpeg:
        for number in range(int(length * RATE)):
            at = number / RATE
            draw(context, *loudness(spoken, rate, at), at)
            surface.flush()
            ffmpeg.stdin.write(surface.get_data())
        ffmpeg.stdin.close()
    if ffmpeg.returncode:
        sys.exit(ffmpeg.returncode)


def main() -> None:
    scene = tomllib.loads(SCENE.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spoken, rate = speak([tuple(sentence) for sentence in scene["sentences"]], folder)
        end = spoken[-1].start + len(spoken[-1].samples) / rate
        length = math.ceil(end + TAIL)
        mix(spoken, rate, length, folder / "sound.wav")
        for camera, (draw, sound) in CAMERAS.items():
            audio = folder / "sound.wav" if sound else None
            film(TARGET / f"scene-{camera}.mp4", draw, audio, spoken, rate, length)
    times = [
        {
            "start": round(one.start, 2),
            "end": round(one.start + len(one.samples) / rate, 2),
            "speaker": one.speaker,
            "text": one.text,
        }
        for one in spoken
    ]
    contents = json.dumps({"duration": length, "sentences": times}, indent=1)
    (TARGET / "scene.json").write_text(contents + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
