"""A configuration that is good, and somebody who types commands."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main

PASSWORD = "planted-password"

TOML = f"""\
[server]
public_url = "https://recordings.example.edu"

[valt]
base_url = "https://valt.example.edu"

[valt.accounts.reviewer]
username = "svc-reviewer"
password = "{PASSWORD}"

[[identity]]
type = "jwt"
name = "campus"
issuer = "https://sso.example.edu"
audience = "valt-gateway"

[[grants]]
name = "rooms"
groups = ["staff"]
recordings = ["*"]
rooms = ["Room 3*"]
account = "reviewer"

[[grants]]
name = "supervisors"
groups = ["supervisors"]
recordings = ["*"]
account = "reviewer"
"""

Type = Callable[..., Result]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text(TOML)
    return path


@pytest.fixture
def run() -> Type:
    """Type a command; its standard output and standard error are kept apart."""

    def typed(*arguments: str | Path, stdin: str | None = None) -> Result:
        return CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin)

    return typed
