"""``revoke``: revokes everything issued to a person until now. A running gateway applies it within two seconds."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click

from gateway.cli.configuration import read_or_exit
from gateway.cli.options import config_option
from gateway.errors import BusyError
from gateway.model import Secret, fold_name
from gateway.settings.model import StateSettings
from gateway.settings.outputs import AuditSettings
from gateway.settings.worker_shares import audit_files

_AUDIT_TAIL = 64 * 1024 * 1024
"""Bytes of the audit file that are searched for other spellings."""


@click.command()
@config_option
@click.option("--subject", required=True, help="The person, as the identity provider names them.")
def command(config: Path, subject: str) -> None:
    """Revoke the sessions, tickets and tokens issued to SUBJECT until now, and cut their streams."""
    from gateway.validity import void_seconds

    settings = read_or_exit(config, needed_secrets=("state.url",))
    lifetime = 0.0 if settings.session is None else settings.session.lifetime
    now = time.time()
    reason = _revoke(settings.state, subject, now, now + void_seconds(lifetime))
    if reason is not None:
        click.echo(reason, err=True)
        sys.exit(1)
    click.echo(f"revoked: {subject}", err=True)
    files = audit_files(settings)
    _record(settings.audit, files, subject, now)
    others = _other_spellings(files, subject)
    if others:
        names = ", ".join(others)
        click.echo(f"warning: revoked too, other spellings in the audit, perhaps of another person: {names}", err=True)


def _revoke(state: StateSettings, subject: str, at: float, until: float) -> str | None:
    """Writes the revocation into the state that running gateways read. Returns why it could not be written, or None."""
    if state.url is not None:
        try:
            asyncio.run(_revoke_in_redis(state.url, state.prefix, subject, at, until))
        except BusyError as error:
            return f"the state in state.url cannot be written: {error}"
        return None
    if state.dir is None:
        return "state.dir is not set: a running gateway cannot be notified. Set it and restart the gateway once."
    import sqlite3

    from gateway.store.sqlite import revoke_in_file

    try:
        revoke_in_file(state.dir / "state.sqlite3", subject, at, until)
    except (OSError, sqlite3.Error) as error:
        return f"the state in {state.dir} cannot be written: {error}"
    return None


async def _revoke_in_redis(url: Secret, prefix: str, subject: str, at: float, until: float) -> None:
    """Writes the revocation as a replica does (see ports.Store.revoke). Raises BusyError."""
    from gateway.clock import SystemClock
    from gateway.redis_url import parse_redis_url
    from gateway.store.redis import RedisStore

    store = RedisStore(parse_redis_url(url), prefix, SystemClock())
    try:
        await store.revoke(subject, at, until)
    finally:
        await store.close()


def _other_spellings(files: list[Path], subject: str) -> list[str]:
    """Returns the subjects in the ends of the audit's files that are other spellings of *subject* (`fold_name`),
    which a revocation reaches too."""
    spellings: set[str] = set()
    folded = fold_name(subject)
    for path in files:
        with suppress(OSError):
            spellings.update(name for name in _subjects_in(path) if name != subject and fold_name(name) == folded)
    return sorted(spellings)


def _subjects_in(path: Path) -> Iterator[str]:
    """Yields the subject of each line in the end of *path*, alone and as "PROVIDER#SUBJECT". Raises OSError."""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - _AUDIT_TAIL))
        for line in file:
            try:
                row = json.loads(line)
            except ValueError:
                continue
            name = row.get("subject") if isinstance(row, dict) else None
            if isinstance(name, str):
                yield from (name, f"{row.get('provider')}#{name}")


def _record(audit: AuditSettings, files: list[Path], subject: str, now: float) -> None:
    """Appends an ``admin`` line to the first of the audit's *files*; says so on standard error if it cannot."""
    from gateway.observe.audit_chain import read_chain_key
    from gateway.observe.audit_expire import append_admin

    if audit.file == "-":
        return
    try:
        key = None if audit.chain_key_file is None else read_chain_key(audit.chain_key_file)
        append_admin(files[0] if files else Path(audit.file), key, "revoke", now, {"subject": subject})
    except OSError as error:
        click.echo(f"the audit has no line about it: {error}", err=True)
