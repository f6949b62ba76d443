"""``revoke``: revokes everything issued to a person until now, lists revocations and undoes one. A running gateway
applies them within two seconds."""

import json
import re
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.configuration import read_or_exit
from gateway.cli.options import config_option
from gateway.cli.state import State, UnusableStateError, open_state
from gateway.cli.terminal import Cell, console_for, print_table, printable
from gateway.model import fold_name
from gateway.settings.model import Settings
from gateway.settings.outputs import AuditSettings
from gateway.settings.worker_shares import audit_files

if TYPE_CHECKING:
    from gateway.store.revocations import StoredRevocations

_DIGEST = re.compile(r"[A-Za-z0-9_-]{16}")
"""What a sign-out at a provider revokes (`identity.logout`); the names of some people have the same form."""
_AUDIT_TAIL = 64 * 1024 * 1024
"""Bytes of the audit file that are searched for other spellings."""

_STDOUT = "it is the standard output of the gateway"


@click.command()
@config_option
@click.option("--subject", help="The person, as the identity provider names them; or PROVIDER#SUBJECT.")
@click.option("--list", "listing", is_flag=True, help="List the revocations that are in force.")
@click.option("--undo", is_flag=True, help="Undo the revocation of SUBJECT.")
def command(config: Path, subject: str | None, *, listing: bool, undo: bool) -> None:
    """Revoke the sessions, tickets and tokens issued to SUBJECT until now, and cut their streams.

    With --undo what is left of them counts again; streams that were cut do not come back.
    """
    if (subject is None) != listing or (listing and undo):
        raise click.UsageError("give --subject, with or without --undo, or --list alone")
    settings = read_or_exit(config, needed_secrets=("state.url",))
    try:
        state = open_state(settings.state)
        if subject is None:
            _print_revocations(state.read())
        elif undo:
            _undo(state, settings, subject)
        else:
            _revoke(state, settings, subject)
    except UnusableStateError as error:
        click.echo(str(error), err=True)
        sys.exit(1)


def _revoke(state: State, settings: Settings, subject: str) -> None:
    from gateway.validity import void_seconds

    now = time.time()
    state.revoke(subject, now, now + void_seconds(settings.longest_proof))
    click.echo(f"revoked: {subject}", err=True)
    _warn_if_unopened(state)
    files = audit_files(settings)
    _record(settings.audit, files, "revoke", subject, now)
    if not files:
        why = _STDOUT if settings.audit.file == "-" else f"{settings.audit.file} does not exist"
        click.echo(f"warning: the audit was not searched for other spellings: {why}", err=True)
    others = _other_spellings(files, subject)
    if others:
        names = ", ".join(others)
        click.echo(f"warning: revoked too, other spellings in the audit, perhaps of another person: {names}", err=True)


def _undo(state: State, settings: Settings, subject: str) -> None:
    now = time.time()
    if state.undo(subject, now) is None:
        click.echo(f"not revoked: {subject}", err=True)
        sys.exit(1)
    click.echo(f"undone: the revocation of {subject}", err=True)
    _warn_if_unopened(state)
    _record(settings.audit, audit_files(settings), "undo", subject, now)


def _warn_if_unopened(state: State) -> None:
    why = state.unopened()
    if why is not None:
        click.echo(f"warning: {why}", err=True)


def _print_revocations(stored: "StoredRevocations") -> None:
    """Print a table if standard output is a terminal, else a line per revocation with tabs between its fields."""
    in_force = stored.in_force(time.time())
    rows: list[list[Cell]] = [[one.name, _rfc3339(one.at), _rfc3339(one.until)] for one in in_force]
    console = console_for(sys.stdout)
    if console is not None:
        print_table(console, ("person", "revoked", "in force until"), rows)
    else:
        for row in rows:
            click.echo("\t".join(printable(str(cell)) for cell in row))
    digests = sum(_DIGEST.fullmatch(one.name) is not None for one in in_force)
    note = f"; {digests} with a name of 16 characters may be sign-outs at identity providers" if digests else ""
    click.echo(f"{len(in_force)} revocation(s){note}", err=True)


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")


def _other_spellings(files: list[Path], subject: str) -> list[str]:
    """Returns the subjects in the ends of the audit's files that are other spellings of *subject* (`fold_name`),
    which a revocation reaches too."""
    spellings: set[str] = set()
    folded = fold_name(subject)
    for path in files:
        try:
            spellings.update(name for name in _subjects_in(path) if name != subject and fold_name(name) == folded)
        except OSError as error:
            click.echo(f"warning: {path} was not searched for other spellings: {error.strerror}", err=True)
    return sorted(spellings)


def _subjects_in(path: Path) -> Iterator[str]:
    """Yields the subject of each line in the end of *path*, alone and as "PROVIDER#SUBJECT". Raises OSError."""
    from gateway.observe.audit_expire import require_regular

    require_regular(path)
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - _AUDIT_TAIL))
        for line in file:
            try:
                row = json.loads(line)
            except ValueError:
                continue  # the part of a line at which the tail begins, or a torn one, which `audit verify` names
            name = row.get("subject") if isinstance(row, dict) else None
            if isinstance(name, str):
                yield from (name, f"{row.get('provider')}#{name}")


def _record(audit: AuditSettings, files: list[Path], action: str, subject: str, now: float) -> None:
    """Appends an ``admin`` line to the first of the audit's *files*; says so on standard error if it cannot."""
    from gateway.observe.audit_chain import read_chain_key
    from gateway.observe.audit_expire import append_admin

    if audit.file == "-":
        click.echo(f"the audit has no line about it: {_STDOUT}", err=True)
        return
    try:
        key = None if audit.chain_key_file is None else read_chain_key(audit.chain_key_file)
        append_admin(files[0] if files else Path(audit.file), key, action, now, {"subject": subject})
    except OSError as error:
        click.echo(f"the audit has no line about it: {error}", err=True)
