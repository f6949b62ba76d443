"""``init``: writes the configuration to begin with, and the files of other programs that belong to it."""

import sys
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from gateway.cli.options import suggestion
from gateway.cli.situations import SITUATIONS, files_of
from gateway.cli.terminal import console_for, print_table


class _SituationName(click.ParamType[str]):
    name = "situation"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in SITUATIONS:
            self.fail(f"there is no situation {value!r}.{suggestion(value, SITUATIONS)}", param, ctx)
        return value

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(name) for name in SITUATIONS if name.startswith(incomplete)]


@click.command()
@click.argument("situation", required=False, type=_SituationName())
@click.option(
    "--to",
    "folder",
    default=".",
    show_default="the current directory",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where to write; created if it is missing.",
)
@click.option("--overwrite", is_flag=True, help="Replace files that differ.")
def command(situation: str | None, folder: Path, *, overwrite: bool) -> None:
    """Write the configuration to begin with in SITUATION, as gateway.toml, and the files of other programs that belong
    to it; without SITUATION, list the situations.

    The path of each file that is written goes to standard output. If a file exists and differs, nothing is written
    and the exit status is 1, unless --overwrite is given.
    """
    if situation is None:
        _list_situations()
        return
    contents = {folder / target: file.read_bytes() for target, file in files_of(SITUATIONS[situation])}
    try:
        differing = [path for path in contents if path.exists() and path.read_bytes() != contents[path]]
        if differing and not overwrite:
            for path in differing:
                click.echo(f"exists and differs: {path}", err=True)
            click.echo("nothing was written; --overwrite replaces them, --to writes elsewhere", err=True)
            sys.exit(1)
        for path, content in contents.items():
            replaced = path.exists()
            path.parent.mkdir(parents=True, exist_ok=True)
            # A new file never through a symbolic link that somebody has put there.
            with path.open("wb" if replaced else "xb") as file:
                file.write(content)
            click.echo(path)
            if replaced:
                click.echo(f"{'replaced' if path in differing else 'unchanged'}: {path}", err=True)
    except OSError as error:
        click.echo(f"{error.filename}: {error.strerror}", err=True)
        sys.exit(1)
    click.echo(f"next: adapt {folder / 'gateway.toml'}, then  {_check(folder)}", err=True)


def _check(folder: Path) -> str:
    return f"valt-gateway check-config --without-secrets --config {folder / 'gateway.toml'}"


def _list_situations() -> None:
    rows = [(name, situation.description) for name, situation in SITUATIONS.items()]
    console = console_for(sys.stdout)
    if console is not None:
        print_table(console, ("situation", "when"), rows)
        return
    width = max(len(name) for name in SITUATIONS)
    for name, description in rows:
        click.echo(f"{name:{width}}  {description}")
