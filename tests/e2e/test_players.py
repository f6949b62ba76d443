"""Real players and download tools, through the proxy."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from gateway.sim.catalogue import CAMERA_A, LATE_MOOV, LATE_MOOV_FILM, SESSION
from tests.support.front import nginx
from tests.support.gateway_fixture import VIDEO_PATH, GatewayStack
from tests.support.programs import program, run

LATE = f"/recordings/{LATE_MOOV}/videos/{LATE_MOOV_FILM}"


def films(stack: GatewayStack) -> dict[str, bytes]:
    paths = {VIDEO_PATH: (SESSION, CAMERA_A), LATE: (LATE_MOOV, LATE_MOOV_FILM)}
    contents = {}
    for path, (recording, video) in paths.items():
        film = stack.valt.recording(recording).film(video)
        assert film is not None
        contents[path] = film.content
    return contents


def header(stack: GatewayStack) -> str:
    return f"Authorization: {stack.bearer()['Authorization']}"


@pytest.mark.parametrize("path", [VIDEO_PATH, LATE])
async def test_ffprobe_and_ffmpeg_read_a_whole_film_wherever_its_index_is(stack: GatewayStack, path: str) -> None:
    probe = await run(
        "ffprobe", "-v", "error", "-headers", header(stack) + "\r\n", "-show_format", "-of", "json", stack.url + path
    )
    assert probe.code == 0, probe.err
    assert int(json.loads(probe.out)["format"]["size"]) == len(films(stack)[path])
    decoded = await run(
        "ffmpeg", "-v", "error", "-headers", header(stack) + "\r\n", "-i", stack.url + path, "-f", "null", "-"
    )
    assert (decoded.code, decoded.err) == (0, b"")


async def test_ffmpeg_seeks(stack: GatewayStack) -> None:
    decoded = await run(
        *("ffmpeg", "-v", "error", "-headers", header(stack) + "\r\n", "-ss", "12", "-i", stack.url + VIDEO_PATH),
        *("-frames:v", "5", "-f", "null", "-"),
    )
    assert (decoded.code, decoded.err) == (0, b"")


async def test_curl_gets_every_byte_and_resumes_a_broken_download(stack: GatewayStack, tmp_path: Path) -> None:
    whole = films(stack)[VIDEO_PATH]
    target = tmp_path / "film.mp4"
    target.write_bytes(whole[:100_000])
    done = await run("curl", "-sSf", "-C", "-", "-H", header(stack), "-o", str(target), stack.url + VIDEO_PATH)
    assert done.code == 0, done.err
    assert hashlib.sha256(target.read_bytes()).digest() == hashlib.sha256(whole).digest()


async def test_wget_resumes_a_broken_download(stack: GatewayStack, tmp_path: Path) -> None:
    whole = films(stack)[VIDEO_PATH]
    target = tmp_path / "film.mp4"
    target.write_bytes(whole[:100_000])
    done = await run("wget", "-q", "-c", f"--header={header(stack)}", "-O", str(target), stack.url + VIDEO_PATH)
    assert done.code == 0, done.err
    assert target.read_bytes() == whole


async def test_mpv_plays_seeks_and_finishes(stack: GatewayStack) -> None:
    played = await run(
        *("mpv", "--no-config", "--vo=null", "--ao=null", "--no-terminal", "--start=20", "--untimed", "--no-ytdl"),
        *(f"--http-header-fields={header(stack)}", stack.url + VIDEO_PATH),
    )
    assert played.code == 0, played.out + played.err


async def test_vlc_plays_seeks_and_finishes_as_an_ordinary_user(stack: GatewayStack, tmp_path: Path) -> None:
    """VLC sends no credentials of its own, so it connects through a front proxy that adds them."""
    identity = "".join(f'proxy_set_header {name} "{value}"; ' for name, value in stack.front("anna").items())
    http = (
        f"server {{ listen 127.0.0.1:PORT; location / {{ {identity} proxy_pass {stack.url}; proxy_buffering off; }} }}"
    )
    async with nginx(tmp_path, http) as front:
        command = [
            *("cvlc", "--no-interact", "--vout", "dummy", "--aout", "dummy", "--start-time", "8", "--play-and-exit"),
            *("--rate", "4", front + LATE),
        ]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "nobody", "--", "env", "HOME=/tmp", program("cvlc"), *command[1:]]
        played = await run(*command)
    await stack.ended()
    closed = [line for line in stack.audit() if line["event"] == "close"]

    assert played.code == 0, played.err
    assert b"end of playlist" in played.err
    assert b"http error" not in played.err.lower()
    assert {line["status"] for line in closed} <= {200, 206, 416}  # VLC asks beyond the end to find it
    assert any(line["range"] not in (None, "bytes=0-") for line in closed)
