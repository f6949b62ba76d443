"""The command line, one file a command. Each is imported when it is called: --help does not wait for a server."""

import importlib

import click

_COMMANDS = {
    "serve": "Run the gateway.",
    "check-config": "Tell every fault of a configuration at once.",
    "schema": "Print the JSON Schema of the configuration file.",
    "explain": "Say rule by rule why a person may or may not see a recording.",
    "revoke": "Void what was issued to a person and cut their streams.",
    "ticket": "Mint and verify portal tickets.",
    "key": "Mint service keys.",
    "demo": "Run a gateway, a VALT simulator and a small portal, and watch.",
    "version": "Print the version.",
}


class _Commands(click.Group):
    """Knows the commands' names and help; imports a command when it is asked for."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        command = importlib.import_module(f"gateway.cli.{name.replace('-', '_')}").command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """valt-gateway: who may see which VALT recording, and its bytes.

    Data goes to standard output, talk and logs to standard error.
    Exit 0 good, 1 failed, 2 usage, 78 bad configuration.
    """
