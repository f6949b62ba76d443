"""``explain``: rule by rule, why a person may or may not see a recording."""

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.arguments import identifier
from gateway.cli.configuration import config_option, read_or_exit
from gateway.settings.model import Settings

if TYPE_CHECKING:
    from gateway.policy import Verdict


@click.command()
@config_option
@click.option("--subject", required=True, help="The person.")
@click.option("--group", "groups", multiple=True, help="A group of theirs; may be given several times.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--offline", is_flag=True, help="Do not ask VALT.")
@click.argument("recording", type=identifier)
@click.argument("video", type=identifier, required=False, expose_value=False)
def command(config: Path, subject: str, groups: tuple[str, ...], as_json: bool, offline: bool, recording: str) -> None:
    """Say why SUBJECT may or may not see RECORDING; exit 0 if they may, 1 if not.

    A rule is about a whole recording, so the answer is the same for each VIDEO of it.
    """
    settings = read_or_exit(config)
    told = asyncio.run(_explain(settings, subject, groups, recording, offline=offline))
    if as_json:
        click.echo(json.dumps(told))
    else:
        for rule in told["rules"]:
            mark = {True: "yes", False: "no", None: "?"}[rule["fits"]]
            click.echo(f"{mark:>4}  {rule['name']}: {rule['why']}")
        click.echo("allowed" if told["allowed"] else "not allowed")
    sys.exit(0 if told["allowed"] else 1)


async def _explain(
    settings: Settings, subject: str, groups: tuple[str, ...], recording: str, *, offline: bool
) -> dict[str, Any]:
    from gateway.app import rules_of, valt_names_of
    from gateway.cli.examples import Silent
    from gateway.clock import SystemClock
    from gateway.errors import ValtUnavailableError
    from gateway.model import Identity, IdentityKind, RecordingDetails
    from gateway.policy import Rules
    from gateway.valt_backend import ValtBackend

    class Offline:
        async def get(self, account: str, recording: str) -> RecordingDetails:
            raise ValtUnavailableError(f"--offline: VALT was not asked as {account}")

    clock, observer = SystemClock(), Silent()
    valt = None if offline else ValtBackend(settings, clock, observer)
    known = Offline() if valt is None else valt.recordings
    policy = Rules(rules_of(settings.grants), known, valt_names_of(settings), clock, observer)
    identity = Identity(subject, "explain", "explain", IdentityKind.JWT, frozenset(groups))
    try:
        verdicts = await policy.explain(identity, recording)
    finally:
        if valt is not None:
            await valt.close()
    decided = next((verdict for verdict in verdicts if verdict.matches), None)
    return {
        "allowed": decided is not None and decided.error is None,
        "rule": None if decided is None else decided.rule.name,
        "rules": [{"name": v.rule.name, "fits": v.matches, "why": _why(v)} for v in verdicts],
    }


def _why(verdict: "Verdict") -> str:
    """With what was asked of VALT and what it said."""
    known = verdict.details
    if known is None:
        return verdict.reason
    said = {
        "name": known.name,
        "room": known.room,
        "author": known.author,
        "author's id": known.author_id,
        "created": None if known.created is None else datetime.fromtimestamp(known.created, UTC).isoformat(),
        "template": dict(known.template),
        "shared with users": sorted(known.shared_users),
        "shared with groups": sorted(known.shared_groups),
    }
    told = ", ".join(f"{what} {json.dumps(value, ensure_ascii=False)}" for what, value in said.items())
    return f"{verdict.reason}. VALT, asked as {verdict.rule.account}: {told}"
