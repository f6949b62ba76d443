"""``explain``: shows rule by rule why a person may or may not see a recording."""

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.configuration import read_or_exit
from gateway.cli.options import address, config_option, identifier
from gateway.cli.terminal import Cell, console_for, print_table, printable, styled
from gateway.settings.model import Settings

if TYPE_CHECKING:
    from gateway.model import Identity
    from gateway.policy import Rules, Verdict

    _Explained = tuple[Identity, dict[str, Any]]

_EXIT_STATUS = {"not allowed": 1, "unknown": 3, "allowed": 0}
"""By the decision, the strictest first."""
_DECISION_STYLES = {"allowed": "bold green", "not allowed": "bold red", "unknown": "bold yellow"}
_MARKS = {True: ("yes", "bold green"), False: ("no", "red"), None: ("?", "bold yellow")}


@click.command()
@config_option
@click.option("--subject", required=True, help="The person or service key, or PROVIDER#SUBJECT of one provider alone.")
@click.option(
    "--group",
    "groups",
    multiple=True,
    help="A group of the person; may be given several times. A service key has its own.",
)
@click.option("--address", "client", type=address, help="The client's address, for rules with networks.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--offline", is_flag=True, help="Do not ask VALT.")
@click.argument("recording", type=identifier)
@click.argument("video", type=identifier, required=False, expose_value=False)
def command(
    config: Path,
    subject: str,
    groups: tuple[str, ...],
    client: str | None,
    as_json: bool,
    offline: bool,
    recording: str,
) -> None:
    """Show why SUBJECT may or may not see RECORDING.

    Exit status: 0 if they may, 1 if not, 3 if it could not be determined because VALT was not asked or did not answer,
    or because a rule compares the client's address and --address is not given.

    SUBJECT without a provider is decided as each provider would state it, and as the service key of that name. Where
    these decisions differ, each is shown, and the exit status is that of the strictest: 1, else 3.

    A rule is about a whole recording, so the answer is the same for each VIDEO of it.
    """
    settings = read_or_exit(config, needed_secrets=() if offline else ("valt",))
    explanations = asyncio.run(_explain(settings, subject, groups, recording, client, offline=offline))
    alike = _group(explanations)
    strictest = min((group[0] for group in alike), key=lambda one: list(_EXIT_STATUS).index(_decision(one[1])))[1]
    if as_json:
        by_provider = [{"provider": identity.provider, **explanation} for identity, explanation in explanations]
        click.echo(json.dumps(strictest if len(alike) == 1 else {**strictest, "providers": by_provider}))
    else:
        for group in alike:
            names = ", ".join(f"{identity.provider}#{identity.subject}" for identity, _ in group)
            _print_explanation(group[0][1], "" if len(alike) == 1 else f"{names}: ")
    sys.exit(_EXIT_STATUS[_decision(strictest)])


def _group(explanations: "list[_Explained]") -> "list[list[_Explained]]":
    """Returns *explanations* in groups of the same decision by the same rule."""
    alike: dict[tuple[str, str | None], list[_Explained]] = {}
    for explained in explanations:
        alike.setdefault((_decision(explained[1]), explained[1]["rule"]), []).append(explained)
    return list(alike.values())


def _decision(explanation: dict[str, Any]) -> str:
    """Returns the decision. It is unknown if the rule that would decide, the last one, could not be evaluated."""
    if explanation["allowed"]:
        return "allowed"
    return "unknown" if explanation["rules"] and explanation["rules"][-1]["fits"] is None else "not allowed"


def _print_explanation(explanation: dict[str, Any], who: str) -> None:
    """Print a table if standard output is a terminal, else a line per rule; then the decision, after *who*."""
    decision = _decision(explanation)
    console = console_for(sys.stdout)
    if console is None:
        for rule in explanation["rules"]:
            click.echo(printable(f"{_MARKS[rule['fits']][0]:>4}  {rule['name']}: {rule['why']}"))
        click.echo(printable(f"{who}{decision}"))
        return
    rows: list[list[Cell]] = [[rule["name"], _MARKS[rule["fits"]], rule["why"]] for rule in explanation["rules"]]
    print_table(console, ("rule", "matches", "why"), rows)
    console.print(styled(f"{who}{decision}", _DECISION_STYLES[decision]))


async def _explain(
    settings: Settings, subject: str, groups: tuple[str, ...], recording: str, client: str | None, *, offline: bool
) -> "list[_Explained]":
    """Returns an explanation for *subject* as each provider would state it."""
    from gateway.cli.examples import NullObserver, stated_identities
    from gateway.clock import SystemClock
    from gateway.errors import ValtUnavailableError
    from gateway.policy import Rules
    from gateway.recording_details import RecordingDetails
    from gateway.rule_factory import rules_of, valt_names_of
    from gateway.valt_backend import ValtBackend

    reason = "--offline"

    class Offline:
        async def get(self, account: str, recording: str) -> RecordingDetails:
            raise ValtUnavailableError(f"{reason}: VALT was not asked as {account}")

    clock, observer = SystemClock(), NullObserver()
    valt = None
    if not offline:
        try:
            valt = ValtBackend(settings, clock, observer)
        except OSError as error:
            reason = f"valt.ca_file cannot be used ({error.strerror or type(error).__name__})"
    recordings = Offline() if valt is None else valt.recordings
    policy = Rules(rules_of(settings), recordings, valt_names_of(settings), clock, observer)
    identities = stated_identities(settings, subject, groups)
    try:
        # One after another: all at once they may be more than limits.waiting_for_valt.
        verdicts = [await _evaluate(policy, one, recording, client) for one in identities]
    finally:
        if valt is not None:
            await valt.close()
    return [(one, _explanation(results)) for one, results in zip(identities, verdicts, strict=True)]


def _explanation(verdicts: "list[Verdict]") -> dict[str, Any]:
    decided = next((verdict for verdict in verdicts if verdict.matches), None)
    return {
        "allowed": decided is not None and decided.error is None and decided.rule.allow,
        "rule": None if decided is None else decided.rule.name,
        "rules": [{"name": v.rule.name, "fits": v.matches, "why": _reason(v)} for v in verdicts],
    }


async def _evaluate(policy: "Rules", identity: "Identity", recording: str, client: str | None) -> list["Verdict"]:
    """Returns the verdicts up to the one that decides. Without *client* that is a rule with networks if it matches
    otherwise: the client's address, which is not known, would decide."""
    from dataclasses import replace

    from gateway.policy import Verdict

    verdicts = []
    for rule in policy.rules:
        verdict = await policy.evaluate(rule, identity, recording, client)
        if client is None and rule.networks is not None and verdict.matches is False:
            anywhere = await policy.evaluate(replace(rule, networks=None), identity, recording, client)
            if anywhere.matches is not False:
                verdict = Verdict(rule, None, "the client's address decides, which is not known: use --address")
        verdicts.append(verdict)
        if verdict.matches is not False:
            break
    return verdicts


def _reason(verdict: "Verdict") -> str:
    """Returns the verdict's reason, with the recording's details if VALT was asked."""
    details = verdict.details
    if details is None:
        return verdict.reason
    created = None if details.created is None else datetime.fromtimestamp(details.created, UTC).isoformat()
    facts = {
        "name": details.name,
        "room": details.room,
        "author": details.author,
        "author's id": details.author_id,
        "created": created,
        "template": dict(details.template),
        "shared with users": sorted(details.shared_users),
        "shared with groups": sorted(details.shared_groups),
    }
    listed = ", ".join(f"{name} {json.dumps(value, ensure_ascii=False)}" for name, value in facts.items())
    return f"{verdict.reason}. VALT, asked as {verdict.rule.account}: {listed}"
