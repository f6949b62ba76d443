"""What may stand on the command line: ids as VALT gives them, durations as the configuration writes them."""

import click
from pydantic_core import PydanticCustomError

from gateway.errors import InvalidVideoError
from gateway.model import parse_id
from gateway.settings.values import seconds


def identifier(text: str) -> str:
    """*text* if it is an id of VALT's; click.BadParameter otherwise."""
    try:
        return parse_id(text)
    except InvalidVideoError:
        raise click.BadParameter("an id is 1 to 64 letters, digits and hyphens") from None


def duration(text: str) -> float:
    """The seconds of "30s"; click.BadParameter."""
    try:
        return seconds(text)
    except PydanticCustomError as error:
        raise click.BadParameter(f"{text} {error.message()}: write it as 30s, 5m, 8h or 90d") from None
