"""``audit``: verifies files of the audit."""

import sys
from pathlib import Path

import click

from gateway.cli.options import SuggestingGroup

_FILES = click.argument(
    "files", metavar="FILE…", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
_KEY = click.option(
    "--key",
    "key_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The file that [audit] chain_key_file names.",
)


@click.group(cls=SuggestingGroup)
def command() -> None:
    """Verify the audit and answer questions from it."""


@command.command()
@_KEY
@_FILES
def verify(key_file: Path | None, files: tuple[Path, ...]) -> None:
    """Name each line that was changed, removed, added, moved or torn, and each missing file.

    FILEs are files of the audit in any order, rotated and compressed (.gz) ones and those of other workers too. Prints
    the last hash of each chain, to be compared with a copy that was kept elsewhere. Exit status 1: there are faults.
    """
    from gateway.observe.audit_chain import read_chain_key
    from gateway.observe.audit_verify import verify as verify_files

    try:
        result = verify_files(list(files), None if key_file is None else read_chain_key(key_file))
    except OSError as error:
        click.echo(f"cannot read: {error}", err=True)
        sys.exit(1)
    for file, line, reason in result.faults:
        click.echo(f"{file}:{line}: {reason}")
    for file, line, reason in result.notes:
        click.echo(f"note: {file}:{line}: {reason}", err=True)
    for head, file, line in result.heads.values():
        click.echo(f"head {head.chain} {head.seq} {head.digest} {file}:{line}")
    outcome = f"{len(result.faults)} faults" if result.faults else "no fault"
    click.echo(f"{result.lines} lines in {len(files)} files: {outcome}", err=True)
    sys.exit(1 if result.faults else 0)
