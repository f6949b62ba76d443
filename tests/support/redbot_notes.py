"""``python -m tests.support.redbot_notes URL``: what REDbot says of a response, as JSON. The request's fields are a
JSON object on standard input.

A program of its own, because REDbot's command sends no fields, and its event loop is not asyncio's.
"""

import json
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from typing import Any

import thor
from redbot.resource import HttpResource  # type: ignore[import-untyped]


def main() -> None:
    parser = ConfigParser()
    parser.read_dict({"redbot": {"enable_local_access": "True"}})
    resource: Any = HttpResource(parser["redbot"])
    resource.set_request(sys.argv[1], headers=list(json.load(sys.stdin).items()))
    resource.on("check_done", thor.stop)
    resource.check()
    thor.run()
    parts = {"": resource, **resource.subreqs}
    notes = [
        {"part": name, "name": type(note).__name__, "level": note.level.value, "summary": str(note.summary)}
        for name, part in parts.items()
        for each in (*part.request.notes, *part.response.notes)
        for note in _with_children(each)
    ]
    errors = [f"{name}: {part.fetch_error}" for name, part in parts.items() if part.fetch_error is not None]
    result = {"status": resource.response.status_code, "complete": resource.response.complete}
    json.dump({**result, "errors": errors, "notes": notes}, sys.stdout)


def _with_children(note: Any) -> Iterator[Any]:
    yield note
    for child in note.subnotes:
        yield from _with_children(child)


if __name__ == "__main__":
    main()
