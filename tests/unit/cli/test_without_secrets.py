"""The commands for emergencies read no file that they do not need, so that they work wherever the service runs."""

import json
import os
from pathlib import Path

import pytest

from gateway.store.sqlite_file import connect
from tests.unit.cli.conftest import Run
from tests.unit.settings.configurations import GOOD, private

MISSING = "/nowhere/credentials"
SECRETS = f"""
[session]
secret_file = "{MISSING}/session"

[admin]
token_env = "NOT_SET"

[state]
dir = "state"

[audit]
file = "audit.jsonl"
chain_key_file = "{MISSING}/chain"

[branding]
logo_file = "{MISSING}/logo.svg"

[[identity]]
type = "oidc"
name = "login"
issuer = "https://login.example.edu"
client_id = "valt-gateway"
client_secret_file = "{MISSING}/oidc"
ca_file = "{MISSING}/login-ca.pem"

[[identity]]
type = "ticket"
name = "portal"
issuer = "https://portal.example.edu"
public_key_file = "{MISSING}/portal.pub"

[[identity]]
type = "ticket"
name = "old-portal"
issuer = "https://old-portal.example.edu"
public_key_files = ["{MISSING}/one.pub", "{MISSING}/two.pub"]

[[examples]]
subject = "nobody"
recording = "1"
allowed = true
"""
PASSWORD_FILE = GOOD.replace('password = "planted-password"', f'password_file = "{MISSING}/valt"')
VALT_CA = "[valt]\n", f'[valt]\nca_file = "{MISSING}/valt-ca.pem"\n'


@pytest.fixture
def without_secrets(tmp_path: Path) -> Path:
    """A configuration of which no other file can be read, and an example that the rules decide otherwise."""
    path = tmp_path / "gateway.toml"
    private(path, PASSWORD_FILE.replace(*VALT_CA) + SECRETS)
    (tmp_path / "state").mkdir()
    return path


@pytest.mark.promise("operation-O3")
def test_revoke_needs_no_secret(run: Run, without_secrets: Path) -> None:
    (without_secrets.parent / "audit.jsonl").touch()
    revoked = run("revoke", "--config", without_secrets, "--subject", "anna")
    assert revoked.exit_code == 0, revoked.stderr
    assert "revoked: anna" in revoked.stderr
    assert "the audit has no line about it" in revoked.stderr
    with connect(without_secrets.parent / "state" / "state.sqlite3", 0.0) as connection:
        entries = connection.execute("select kind, key from entries where kind != 'created'").fetchall()
        assert entries == [("revoked", "anna")]


@pytest.mark.promise("operation-O3")
def test_explain_offline_needs_no_secret(run: Run, without_secrets: Path) -> None:
    options = ("--offline", "--json", "--subject", "ben", "--group", "supervisors")
    explained = run("explain", "--config", without_secrets, *options, "1")
    assert explained.exit_code == 0, explained.stderr
    assert json.loads(explained.stdout)["rule"] == "supervisors"


@pytest.mark.promise("operation-O3")
def test_explain_needs_only_the_passwords_of_valt(run: Run, without_secrets: Path) -> None:
    command = ("explain", "--config", without_secrets, "--subject", "ben", "--group", "supervisors", "1")
    refused = run(*command)
    assert refused.exit_code == 78
    assert [line.partition(" ")[2] for line in refused.stderr.splitlines() if line.startswith("fault")] == [
        "valt.accounts.reviewer.password_file (line 10): names a file that cannot be read: No such file or directory. "
        "Create it, readable for the gateway."
    ]
    text = without_secrets.read_text().replace(f'password_file = "{MISSING}/valt"', 'password = "planted"')
    without_secrets.write_text(text)
    assert run(*command).exit_code == 0
    without_secrets.write_text(text.replace('groups = ["supervisors"]', 'groups = ["supervisors"]\nrooms = ["R*"]'))
    unknown = run(*command)
    assert (unknown.exit_code, "valt.ca_file cannot be used" in unknown.stdout) == (3, True)


@pytest.mark.promise("operation-O3")
def test_check_config_without_secrets_reports_every_other_fault(run: Run, without_secrets: Path) -> None:
    checked = run("check-config", "--without-secrets", "--config", without_secrets)
    faults = [line for line in checked.stderr.splitlines() if line.startswith("fault")]
    assert checked.exit_code == 78
    assert [line.split()[1] for line in faults] == ["examples.0"]
    text = without_secrets.read_text()
    without_secrets.write_text(text.replace("allowed = true", "allowed = false"))
    assert run("check-config", "--without-secrets", "--config", without_secrets).exit_code == 0
    assert run("check-config", "--config", without_secrets).exit_code == 78


@pytest.mark.promise("operation-O3")
def test_state_that_root_creates_belongs_to_the_service(run: Run, without_secrets: Path) -> None:
    folder = without_secrets.parent / "state"
    owner = 65534 if os.geteuid() == 0 else os.geteuid()
    os.chown(folder, owner, -1)
    assert run("revoke", "--config", without_secrets, "--subject", "anna").exit_code == 0
    assert {path.stat().st_uid for path in folder.iterdir()} == {owner}
