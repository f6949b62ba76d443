"""What a provider answers, read within bounds: it is a stranger's server as far as sizes go."""

import json
from typing import Any

import aiohttp

_MAX_BODY = 256 * 1024


async def read_json(answer: aiohttp.ClientResponse) -> Any:
    """The JSON of *answer*. ValueError where it is none, or larger than any of a provider's answers should be."""
    body = b""
    while piece := await answer.content.read(_MAX_BODY + 1 - len(body)):
        body += piece
    if len(body) > _MAX_BODY:
        raise ValueError("the provider's answer is too large")
    return json.loads(body)
