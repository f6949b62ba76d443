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
    from gateway.cli.terminal import printable, reading
    from gateway.observe.audit_chain import read_chain_key
    from gateway.observe.audit_verify import verify as verify_files

    try:
        with reading(files) as progress:
            result = verify_files(list(files), None if key_file is None else read_chain_key(key_file), progress)
    except OSError as error:
        click.echo(f"cannot read: {error}", err=True)
        sys.exit(1)
    for file, line, reason in result.faults:
        click.echo(printable(f"{file}:{line}: {reason}"))
    for file, line, reason in result.notes:
        click.echo(printable(f"note: {file}:{line}: {reason}"), err=True)
    for head, file, line in result.heads.values():
        click.echo(printable(f"head {head.chain} {head.seq} {head.digest} {file}:{line}"))
    outcome = f"{len(result.faults)} faults" if result.faults else "no fault"
    click.echo(f"{result.lines} lines in {len(files)} files: {outcome}", err=True)
    sys.exit(1 if result.faults else 0)


@command.command()
@click.option("--recording", help="Only this recording.")
@click.option("--subject", help="Only this person, as the identity provider names them.")
@click.option("--since", help="Only what began at or after this time, such as 2027-01-31 or 2027-01-31T08:00:00Z.")
@click.option("--until", help="Only what began before this time.")
@click.option("--format", "format_", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
@_FILES
def report(
    recording: str | None,
    subject: str | None,
    since: str | None,
    until: str | None,
    format_: str,
    files: tuple[Path, ...],
) -> None:
    """Print who saw which recording, when, from where, by which rule, what of it, and what was refused and why.

    A table has a line for each person and video; csv and json (one object a line) have one for each stream, refusal,
    call of the API, sign-in and sign-out. Times are in UTC; times that you give are in this machine's zone unless they
    name one. Exit status 1: a line is damaged.
    """
    from gateway.cli.audit_report import print_report
    from gateway.observe.audit_report import Selection

    selection = Selection(recording, subject, _utc(since, "--since"), _utc(until, "--until"))
    try:
        sys.exit(print_report(list(files), selection, format_))
    except BrokenPipeError:  # of whoever reads the report, as `head`: click ends in silence
        raise
    except OSError as error:
        click.echo(f"cannot read: {error}", err=True)
        sys.exit(1)


@command.command()
@click.option("--before", required=True, help="A date or a time: files that end before it are removed.")
@_KEY
@_FILES
def expire(before: str, key_file: Path | None, files: tuple[Path, ...]) -> None:
    """Remove the rotated FILEs of which every line is older, and record that in the newest FILE that is not rotated.

    With [audit] chain_key_file --key is needed, because the record is a line of the chain too.
    """
    import time

    from gateway.cli.audit_report import first_time
    from gateway.observe.audit_chain import read_chain_key
    from gateway.observe.audit_expire import append_admin, batches, expired_files, removal_details
    from gateway.observe.audit_verify import original_name

    moment = _utc(before, "--before") or ""
    newest = max((path for path in files if original_name(str(path)) == path.name), key=first_time, default=None)
    if newest is None:
        raise click.UsageError("name the file that the gateway writes as well: it is where the removal is recorded")
    try:
        expired = expired_files(sorted(files, key=first_time), moment)
        key = None if key_file is None else read_chain_key(key_file)
        for batch in batches(expired):
            append_admin(newest, key, "expire", time.time(), removal_details(batch, moment))
            for each in batch:
                each.path.unlink()
                click.echo(str(each.path))
    except OSError as error:
        click.echo(f"cannot expire: {error}", err=True)
        sys.exit(1)
    click.echo(f"removed {len(expired)} of {len(files)} files", err=True)


def _utc(text: str | None, option: str) -> str | None:
    from gateway.observe.audit_report import utc

    try:
        return None if text is None else utc(text)
    except ValueError:
        raise click.BadParameter("is no date or time such as 2027-01-31T08:00:00Z", param_hint=option) from None
