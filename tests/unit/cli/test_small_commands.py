"""``key``, ``schema``, ``--help``: no configuration needed."""

import hashlib
import json

import pytest
from click import Context

from gateway.cli import main
from tests.unit.cli.conftest import Type


@pytest.mark.promise("rules-15")
def test_a_minted_key_is_shown_once_with_the_hash_that_the_configuration_keeps(run: Type) -> None:
    minted = run("key", "mint")
    secret = minted.stdout.strip()
    assert minted.exit_code == 0
    assert secret.startswith("vgk_")
    assert hashlib.sha256(secret.encode()).hexdigest() in minted.stderr
    assert secret not in minted.stderr


def test_a_key_in_json_has_the_secret_and_its_hash_and_no_key_is_minted_twice(run: Type) -> None:
    first, second = (json.loads(run("key", "mint", "--json").stdout) for _ in range(2))
    assert first.keys() == {"secret", "secret_sha256"}
    assert first["secret_sha256"] == hashlib.sha256(first["secret"].encode()).hexdigest()
    assert first["secret"] != second["secret"]


def test_the_schema_is_data(run: Type) -> None:
    printed = run("schema")
    assert (printed.exit_code, printed.stderr) == (0, "")
    assert {"server", "valt", "identity", "grants"} <= json.loads(printed.stdout)["properties"].keys()


def test_help_names_every_command_and_every_command_has_help(run: Type) -> None:
    names = main.list_commands(Context(main))
    told = run("--help").stdout
    for name in names:
        helped = run(name, "-h")
        assert name in told
        assert helped.exit_code == 0
        assert "Usage:" in helped.stdout
