"""Forward authentication: a path is a recording's in every way in which a server may read it."""

import random
import re
import time
from collections.abc import Callable
from urllib.parse import unquote

import pytest

from gateway.errors import AccessDeniedError, GatewayError
from gateway.web.handlers.original_target import OriginalTarget, is_download, parse_target
from tests.support.generated import sequences

PIECES = [
    *("/", "//", "/./", "/../", "recordings", "R1", "R2", "videos", "V1", "captions.vtt", "x", ";", "#", "?download"),
    *("%2F", "%2e", "..", "%72ecordings", "R%31", "\\", "%5C", "https://h", "%3F", "%00", "%25", "?x=/recordings/R1"),
]
_TARGET = re.compile(r"/recordings/([0-9A-Za-z-]+)(?:/videos/([0-9A-Za-z-]+)|/(?:captions|chapters)\.vtt)?")


def merging_server(path: str) -> str:
    """Returns what a server that first leaves out empty segments makes of *path*, as nginx does."""
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            segments = segments[:-1]
        elif segment not in ("", "."):
            segments.append(segment)
    return "/" + "/".join(segments)


def literal_server(path: str) -> str:
    """Returns what a server that resolves dots among empty segments makes of *path* (RFC 3986, section 5.2.4)."""
    segments: list[str] = []
    for segment in path[1:].split("/"):
        if segment == "..":
            segments = segments[:-1]
        elif segment != ".":
            segments.append(segment)
    return "/" + "/".join(segments).rstrip("/")


@pytest.mark.promise("security-forward-auth")
@pytest.mark.parametrize("server", [merging_server, literal_server])
def test_no_spelling_of_a_recordings_path_passes_for_another_one(server: Callable[[str], str]) -> None:
    chosen, recordings = random.Random(7), 0
    for _ in range(40 * sequences(500)):
        pieces = ["/", "recordings", "/", "R1", *chosen.choice([[], ["/", "videos", "/", "V1"]])]
        for _ in range(chosen.randint(0, 4)):
            pieces.insert(chosen.randint(0, len(pieces)), chosen.choice(PIECES))
        path = "".join(pieces)
        read = _TARGET.fullmatch(server(unquote(path.partition("#")[0].partition("?")[0])))
        if not path.startswith("/") or read is None:
            continue
        recordings += 1
        try:
            target = parse_target(path)
        except GatewayError:
            continue
        assert (target.recording, target.video) == read.groups(), path
    assert recordings > 1000


@pytest.mark.promise("security-forward-auth")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://front.example/recordings/R1?download", OriginalTarget("R1", None, "download")),
        ("/recordings/\\/../R1", OriginalTarget("R1")),
        ("/recordings/%5C/../R1/videos/V1", OriginalTarget("R1", "V1")),
        ("/recordings/R2/https://x/../../../R1", OriginalTarget("R1")),
        ("/recordings//../R1", OriginalTarget("R1")),
        ("//front.example/recordings/R1/videos/V1", OriginalTarget("R1", "V1")),
        ("/%2f%2Ffront.example/recordings/R1", OriginalTarget("R1")),
        ("/\\front.example/recordings/R1", OriginalTarget("R1")),
        ("/x/recordings/R1", OriginalTarget()),
    ],
)
def test_a_path_is_that_of_the_recording_which_a_server_would_send(text: str, expected: OriginalTarget) -> None:
    assert parse_target(text) == expected


def test_a_path_that_two_servers_read_as_two_recordings_is_refused() -> None:
    with pytest.raises(AccessDeniedError):
        parse_target("/recordings/R1/videos/V1/x///../../..")


@pytest.mark.parametrize("segment", ["/.", "/", "/x/..", "\\", "%2F.", "%252F", "/;x", "%5C"])
def test_a_path_of_thousands_of_segments_is_refused_in_time(segment: str) -> None:
    path = "/recordings" + segment * (7000 // len(segment))
    begin = time.process_time()
    for _ in range(100):
        with pytest.raises(AccessDeniedError):
            parse_target(path)
    assert time.process_time() - begin < 2.0  # to resolve it in every way took 10 ms
    assert parse_target("/page" + segment * 40 + "/x").recording is None


@pytest.mark.promise("security-forward-auth")
@pytest.mark.parametrize("text", ["/page, /recordings/R1", "/recordings/R1, /page", "/page\t", "/page /recordings/R1"])
def test_two_paths_that_a_proxy_has_joined_are_refused(text: str) -> None:
    with pytest.raises(AccessDeniedError):
        parse_target(text)


@pytest.mark.promise("security-forward-auth")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        *(
            ("download", True),
            ("download=0", True),
            ("a=1&download", True),
            ("%64ownload", True),
            ("%2564ownload", True),
        ),
        *(
            ("a;download=1", True),
            ("a%26download", True),
            ("?download", True),
            ("DOWNLOAD", True),
            ("download%00", True),
        ),
        *(("+download", True), ("a%253Bdownload", True)),
        *(("", False), ("q=download", False), ("downloads", False), ("t=90&q=%3Ddownload", False)),
    ],
)
def test_a_query_is_a_download_in_every_way_in_which_a_server_may_read_it(query: str, expected: bool) -> None:
    assert is_download(query) is expected
