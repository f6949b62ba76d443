"""``explain``: rule by rule, why a person may or may not see a recording."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import click

from gateway.cli.arguments import identifier
from gateway.cli.configuration import config_option, read_or_exit
from gateway.settings.model import Settings


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
    from gateway.app import ValtRoom, people_of, rules_of
    from gateway.cli.examples import Silent
    from gateway.clock import SystemClock
    from gateway.errors import RecordingExpiredError, ValtUnavailableError
    from gateway.model import Identity, RecordingDetails
    from gateway.policy import Rules

    class Offline:
        async def get(self, account: str, recording: str) -> RecordingDetails:
            raise ValtUnavailableError(f"--offline: VALT was not asked as {account}")

    clock, listener = SystemClock(), Silent()
    valt = None if offline else ValtRoom(settings, clock, listener)
    known = Offline() if valt is None else valt.recordings
    policy = Rules(rules_of(settings.grants), known, people_of(settings), clock, listener)
    identity = Identity(subject, "explain", "explain", "explain", frozenset(groups))
    try:
        verdicts = await policy.explain(identity, recording)
    except RecordingExpiredError:
        click.echo("the recording's retention is over: whoever a rule fits is told that it is gone (410)", err=True)
        return {"allowed": False, "rule": None, "rules": []}
    finally:
        if valt is not None:
            await valt.close()
    decided = next((verdict.rule.name for verdict in verdicts if verdict.fits), None)
    return {
        "allowed": decided is not None,
        "rule": decided,
        "rules": [{"name": v.rule.name, "fits": v.fits, "why": v.why} for v in verdicts],
    }
