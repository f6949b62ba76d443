"""The command ``valt-gateway``: its list of commands, and the commands that need no configuration.

How it works: a command's module is imported only when the command is run, so that --help does not wait for the server's
libraries.
"""

import gateway.early_signals  # noqa: F401  before any other import: see there

# isort: split
import hashlib
import importlib
import json
import secrets

import click

from gateway.build_info import build_info
from gateway.cli.options import SuggestingGroup

_COMMANDS = {
    "serve": "Run the gateway.",
    "check-config": "Report every fault of a configuration.",
    "schema": "Print the JSON Schema of the configuration file.",
    "doctor": "Try everything that the gateway needs, from here, and name remedies.",
    "explain": "Show rule by rule why a person may or may not see a recording.",
    "revoke": "Revoke everything issued to a person and cut their streams.",
    "streams": "Show who watches now.",
    "cut": "Cut one stream.",
    "audit": "Verify the audit and answer questions from it.",
    "ticket": "Mint and verify portal tickets.",
    "key": "Mint service keys.",
    "init": "Write the configuration to begin with.",
    "demo": "Run a gateway with a VALT simulator and a small portal.",
    "version": "Print the version and the commit.",
}
_HIDDEN = "worker"
"""The command that ``serve`` starts worker processes with."""


class _Commands(SuggestingGroup):
    """Knows the names and the help of all commands; imports the module of a command that is run."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        here = super().get_command(ctx, name)
        if here is not None or name not in (*_COMMANDS, _HIDDEN):
            return here
        command = importlib.import_module(f"gateway.cli.{name.replace('-', '_')}").command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


def _print_version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(build_info().version)
        ctx.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version and exit.",
)
def main() -> None:
    """valt-gateway decides who may see which VALT recording, and delivers it.

    Data goes to standard output, messages and logs to standard error. NO_COLOR is honoured.
    Exit status: 0 good, 1 failed, 2 usage, 78 bad configuration.
    """


@main.command()
def version() -> None:
    """Print the version, the commit that it was built from, and the date of that commit."""
    click.echo(build_info())


@main.command()
def schema() -> None:
    """Print the JSON Schema of the configuration file."""
    from gateway.settings.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))


@main.group(cls=SuggestingGroup)
def key() -> None:
    """Mint service keys."""


@key.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def mint(as_json: bool) -> None:
    """Generate a service key. It is shown once; put secret_sha256 into [[service_keys]]."""
    secret = f"vgk_{secrets.token_urlsafe(32)}"
    digest = hashlib.sha256(secret.encode()).hexdigest()
    if as_json:
        click.echo(json.dumps({"secret": secret, "secret_sha256": digest}))
    else:
        click.echo(secret)
        click.echo(f'Store it: it is not shown again. For the configuration: secret_sha256 = "{digest}"', err=True)
