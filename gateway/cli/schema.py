"""``schema``: the JSON Schema of the configuration file, for editors."""

import json

import click


@click.command()
def command() -> None:
    """Print the JSON Schema of the configuration file."""
    from gateway.settings.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
