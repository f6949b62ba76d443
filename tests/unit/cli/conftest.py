"""A valid configuration, and a function that runs a command."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli.main import main
from tests.support.configuration import grant
from tests.unit.settings.configurations import GOOD, private

PASSWORD = "planted-password"

TOML = GOOD.replace("[[grants]]", grant("rooms", groups=["staff"], rooms=["Room 3*"]) + "[[grants]]")

Run = Callable[..., Result]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.toml"
    private(path, TOML)
    return path


@pytest.fixture
def run() -> Run:
    """Runs a command. Its standard output and standard error are captured separately."""

    def invoke(*arguments: str | Path, stdin: str | None = None) -> Result:
        return CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin)

    return invoke
