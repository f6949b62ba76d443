"""What several commands share: groups that suggest command names, ``--config``, and types of arguments."""

import difflib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click
from pydantic_core import PydanticCustomError

from gateway.errors import InvalidVideoError
from gateway.model import parse_id
from gateway.network import parse_address
from gateway.settings.values import seconds

DEFAULT_CONFIG = Path("/etc/valt-gateway/gateway.toml")

F = TypeVar("F", bound=Callable[..., Any])


class SuggestingGroup(click.Group):
    """A group whose error for an unknown command names the most similar one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            nearest = suggestion(args[0], self.list_commands(ctx))
            if not nearest:
                raise
            raise click.UsageError(f"No such command {args[0]!r}.{nearest}", ctx) from None


def suggestion(word: str, candidates: Iterable[str]) -> str:
    """Returns " Did you mean …?" with the most similar one of *candidates*; empty if none is similar."""
    nearest = difflib.get_close_matches(word, list(candidates), n=1, cutoff=0.5)
    return f" Did you mean {nearest[0]}?" if nearest else ""


def _config_or_default(ctx: click.Context, parameter: click.Parameter, value: Path | None) -> Path:
    if value is not None:
        return value
    if DEFAULT_CONFIG.is_file():
        return DEFAULT_CONFIG
    raise click.MissingParameter(ctx=ctx, param=parameter)


def config_option(function: F) -> F:
    """Add ``--config``. Without it VALT_GATEWAY_CONFIG names the file, else DEFAULT_CONFIG is used if it exists."""
    return click.option(
        "--config",
        "config",
        callback=_config_or_default,
        envvar="VALT_GATEWAY_CONFIG",
        show_envvar=True,
        show_default=str(DEFAULT_CONFIG),
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="The TOML file.",
    )(function)


def identifier(text: str) -> str:
    """Returns *text* if it is a VALT id; raises click.BadParameter if not."""
    try:
        return parse_id(text)
    except InvalidVideoError:
        raise click.BadParameter("an id is 1 to 64 letters, digits and hyphens") from None


def address(text: str) -> str:
    """Returns *text* if it is an IP address; raises click.BadParameter if not."""
    if parse_address(text) is None:
        raise click.BadParameter("write it as 10.0.0.7 or fd00::7")
    return text


def duration(text: str) -> float:
    """Returns the seconds of a duration such as "30s"; raises click.BadParameter if *text* is not one."""
    try:
        return seconds(text)
    except PydanticCustomError as error:
        raise click.BadParameter(f"{text} {error.message()}: write it as 30s, 5m, 8h or 90d") from None
