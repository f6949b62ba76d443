"""The plain model of a WebVTT parser: blocks between empty lines, each with a line of times and its text."""

import re

_TIMES = re.compile(r"(\d+):(\d\d):(\d\d)\.(\d{3}) --> (\d+):(\d\d):(\d\d)\.(\d{3})")


def parse(track: str) -> list[tuple[float, float, str]]:
    """Returns start, end and text of each cue. Raises ValueError for a file that has anything else."""
    lines = track.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if lines[0] != "WEBVTT":
        raise ValueError("no WebVTT file")
    blocks: list[list[str]] = [[]]
    for line in lines[1:]:
        if line:
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    cues = []
    for first, *rest in filter(None, blocks):
        times = _TIMES.fullmatch(first)
        if times is None or not rest or any("-->" in line for line in rest):
            raise ValueError(f"no cue: {first!r}")
        numbers = [int(digits) for digits in times.groups()]
        start, end = (
            hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
            for hours, minutes, seconds, milliseconds in (numbers[:4], numbers[4:])
        )
        cues.append((start, end, "\n".join(rest)))
    return cues
