"""REDbot, which knows HTTP's rules by heart, finds nothing wrong with any kind of response."""

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.sim.catalogue import SESSION
from tests.support.gateway_fixture import GRANTS, NAVIGATION, VIDEO_PATH, GatewayStack, running_stack
from tests.support.measures import ROOT

JSON = {"Accept": "application/json"}
RESPONSES: list[tuple[str, str, str, Mapping[str, str], int]] = [
    ("a film", "supervisors", VIDEO_PATH, {}, 200),
    ("a redirect to VALT", "redirected", VIDEO_PATH, {}, 307),
    ("a range beyond the end", "supervisors", VIDEO_PATH, {"Range": "bytes=99999999-"}, 416),
    ("captions", "supervisors", f"/recordings/{SESSION}/captions.vtt", {}, 200),
    ("an error for programs", "", VIDEO_PATH, JSON, 401),
    ("an error for people", "", "/unknown", NAVIGATION, 404),
    ("a recording's page", "supervisors", f"/recordings/{SESSION}", NAVIGATION, 200),
    ("a recording as JSON", "supervisors", f"/recordings/{SESSION}", JSON, 200),
    ("the list's page", "supervisors", "/recordings", NAVIGATION, 200),
    ("the home page", "", "/", NAVIGATION, 200),
    ("the description", "", "/openapi.json", {}, 200),
    ("robots.txt", "", "/robots.txt", {}, 200),
]

ACCEPTED = {
    # The film's own directives are for caches that know one of them and not the other, and for proxies that transcode.
    "CC_CONFLICTING": "The no-store cache directive overrides other directives.",
    # The sniffer takes an MP4 of the brand isom for bytes of no type.
    "CONTENT_TYPE_MISMATCH": "The content doesn't match the declared Content-Type.",
    # The description is small, and changes with the version; a validator would save one answer in a long while.
    "FRESHNESS_NO_CACHE_NO_VALIDATOR": (
        "This response cannot be served from cache without validation, and doesn't have a validator."
    ),
}
"""The warnings that are accepted, each with its reason. Nothing that REDbot calls bad is."""


async def judge(url: str, headers: Mapping[str, str]) -> Any:
    """Returns what REDbot says of the response to a GET of *url*."""
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.redbot_notes", url),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await program.communicate(json.dumps(dict(headers)).encode())
    assert program.returncode == 0, error.decode()
    return json.loads(out)


def reasons(result: Any, status: int) -> list[str]:
    """Returns why the result is not acceptable: anything that was not fetched, and any note without a reason."""
    wrong = [] if result["complete"] and str(result["status"]) == str(status) else [f"status {result['status']}"]
    wrong += result["errors"]
    for note in result["notes"]:
        accepted = note["level"] == "warning" and ACCEPTED.get(note["name"]) == note["summary"]
        if note["level"] in ("bad", "warning") and not accepted:
            wrong.append(f"{note['part']}: {note['name']}: {note['summary']}")
    return wrong


async def judged(stack: GatewayStack, group: str, path: str, fields: Mapping[str, str], status: int) -> list[str]:
    credentials = stack.bearer(f"person-{group}", group) if group else {}
    return reasons(await judge(stack.url + path, {**credentials, **fields}), status)


@pytest.mark.timeout(300)
async def test_redbot_finds_nothing_wrong_with_any_kind_of_response(tmp_path: Path) -> None:
    results: dict[str, list[str]] = {}
    async with running_stack(tmp_path, grants=GRANTS) as stack:
        for name, group, path, fields, status in RESPONSES:
            results[name] = await judged(stack, group, path, fields, status)
    assert results == {name: [] for name, *_ in RESPONSES}


async def test_a_connection_that_fails_is_not_taken_for_a_response_without_faults() -> None:
    result = await judge("http://127.0.0.1:9/", {})
    assert len(reasons(result, 200)) >= 2
