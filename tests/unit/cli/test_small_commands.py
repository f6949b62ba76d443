"""``key``, ``schema``, ``--help``: commands that need no configuration."""

import hashlib
import json

import pytest
from click import Context

from gateway.cli.main import main
from tests.unit.cli.conftest import Run


@pytest.mark.promise("rules-15")
def test_a_minted_key_is_printed_once_with_its_hash(run: Run) -> None:
    minted = run("key", "mint")
    secret = minted.stdout.strip()
    assert minted.exit_code == 0
    assert secret.startswith("vgk_")
    assert hashlib.sha256(secret.encode()).hexdigest() in minted.stderr
    assert secret not in minted.stderr


def test_a_key_as_json_has_secret_and_hash_and_is_unique(run: Run) -> None:
    first, second = (json.loads(run("key", "mint", "--json").stdout) for _ in range(2))
    assert first.keys() == {"secret", "secret_sha256"}
    assert first["secret_sha256"] == hashlib.sha256(first["secret"].encode()).hexdigest()
    assert first["secret"] != second["secret"]


def test_the_schema_is_printed_to_standard_output(run: Run) -> None:
    printed = run("schema")
    assert (printed.exit_code, printed.stderr) == (0, "")
    assert {"server", "valt", "identity", "grants"} <= json.loads(printed.stdout)["properties"].keys()


def test_every_command_is_listed_and_has_help(run: Run) -> None:
    names = main.list_commands(Context(main))
    listed = run("--help").stdout
    for name in names:
        helped = run(name, "-h")
        assert name in listed
        assert helped.exit_code == 0
        assert "Usage:" in helped.stdout
