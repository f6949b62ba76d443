"""The command line as a process: exit status, streams, colours, and what is imported."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.unit.cli.conftest import PASSWORD

BAD = """
[sevrer]
listen = "127.0.0.1:0"

[[grants]]
name = "others"
groups = ["others"]
recordings = ["*"]
account = "ghost"
delivery = "pigeon"
"""


def valt_gateway(*arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environ, timeout=60, check=False)


def test_a_valid_configuration_exits_0_and_prints_only_to_standard_error(config: Path) -> None:
    done = valt_gateway("check-config", "--config", config)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("the configuration is valid: ")


def test_a_bad_configuration_exits_78_and_prints_a_line_for_each_fault(config: Path) -> None:
    config.write_text(config.read_text() + BAD)
    done = valt_gateway("check-config", "--config", config)
    assert (done.returncode, done.stdout) == (78, "")
    keys = [line.split(" (line")[0] for line in done.stderr.splitlines()]
    assert sorted(keys) == ["fault: grants.2.account", "fault: grants.2.delivery", "fault: sevrer"]
    assert PASSWORD not in done.stderr


def test_an_unreadable_configuration_exits_78(tmp_path: Path) -> None:
    for command in (("check-config",), ("serve",), ("revoke", "--subject", "anna")):
        assert valt_gateway(*command, "--config", tmp_path / "none.toml").returncode == 78


@pytest.mark.parametrize("arguments", [[], ["nosuch"], ["check-config"], ["explain", "--nosuch"], ["key", "nosuch"]])
def test_an_error_of_usage_exits_2_and_prints_usage_to_standard_error(arguments: list[str]) -> None:
    done = valt_gateway(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage:" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "nearest"),
    [(["chek-config"], "check-config"), (["key", "mnt"], "mint"), (["explain", "--ofline"], "--offline")],
)
def test_a_mistyped_command_or_option_names_the_nearest_one(arguments: list[str], nearest: str) -> None:
    done = valt_gateway(*arguments)
    assert done.returncode == 2
    assert f"Did you mean {nearest}?" in done.stderr.replace("'", "")


def test_the_configuration_may_be_named_by_the_environment(config: Path) -> None:
    done = valt_gateway("check-config", VALT_GATEWAY_CONFIG=str(config))
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.promise("operation-O7")
@pytest.mark.parametrize("command", ["check-config", "serve"])
@pytest.mark.parametrize(
    ("table", "key"),
    [
        ('[state]\ndir = "a-file/state"\n', "state.dir"),
        ('[state]\ndir = "corrupt"\n', "state.dir"),
        ('[state]\ndir = "later"\n', "state.dir"),
        ('[audit]\nfile = "missing/audit.jsonl"\n', "audit.file"),
    ],
    ids=[
        "a state directory that cannot be created",
        "a corrupt state file",
        "a state file of a later version",
        "a missing audit directory",
    ],
)
def test_an_unusable_file_exits_78_and_is_named(config: Path, command: str, table: str, key: str) -> None:
    (config.parent / "a-file").write_text("")
    (config.parent / "corrupt").mkdir()
    (config.parent / "corrupt/state.sqlite3").write_text("not a database" * 100)
    (config.parent / "later").mkdir()
    with closing(sqlite3.connect(config.parent / "later/state.sqlite3")) as connection:
        connection.execute("pragma user_version = 1000")
    config.write_text(f"{config.read_text()}\n{table}")
    done = valt_gateway(command, "--config", config)
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith(f"fault: {key} (line ")
    assert str(config.parent) in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.promise("operation-O7")
def test_a_state_directory_that_fails_at_the_start_exits_78_and_is_named(config: Path) -> None:
    # Root may write everywhere, so that the check before the start finds no fault.
    config.write_text(f'{config.read_text()}\n[state]\ndir = "/proc/valt-gateway"\n')
    done = valt_gateway("serve", "--config", config)
    assert done.returncode == 78
    assert "/proc/valt-gateway" in done.stderr
    assert "Traceback" not in done.stderr


def test_revoke_and_explain_do_not_need_the_certificate(config: Path) -> None:
    tls = '[server]\ntls_cert_file = "missing.pem"\ntls_key_file = "missing.key"\n'
    (config.parent / "state").mkdir()
    config.write_text(config.read_text().replace("[server]\n", tls) + '\n[state]\ndir = "state"\n')
    assert valt_gateway("revoke", "--config", config, "--subject", "anna").returncode == 0
    assert valt_gateway("explain", "--config", config, "--subject", "anna", "--offline", "614").returncode == 1
    assert valt_gateway("check-config", "--config", config).returncode == 78


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_the_gateway_does_not_start_without_the_c_parser(config: Path, command: str) -> None:
    options = ("--config", config) if command == "serve" else ()
    done = valt_gateway(command, *options, AIOHTTP_NO_EXTENSIONS="1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot start: aiohttp's C parser is not loaded: unset AIOHTTP_NO_EXTENSIONS" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("argument", ["version", "--version"])
def test_the_version_is_printed_to_standard_output(argument: str) -> None:
    done = valt_gateway(argument)
    assert (done.returncode, done.stdout, done.stderr) == (0, version("valt-gateway") + "\n", "")


def test_help_and_check_config_do_not_import_the_server(config: Path) -> None:
    for arguments in (["--help"], ["check-config", "--config", str(config)]):
        program = (
            "import sys\n"
            "from gateway.cli.main import main\n"
            f"main({arguments!r}, standalone_mode=False)\n"
            "heavy = {'aiohttp', 'jinja2', 'prometheus_client', 'orjson', 'rich'}\n"
            "print(*heavy & set(sys.modules), file=sys.stderr)\n"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
        assert done.stderr.splitlines()[-1] == ""


def test_a_gateway_without_a_shared_state_does_not_import_redis() -> None:
    program = "import sys, gateway.server; print('redis' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\n"


def on_a_terminal(*arguments: str | Path, **environ: str) -> bytes:
    """Returns what the command writes to a terminal of 200 columns."""
    ours, theirs = os.openpty()
    try:
        command = [sys.executable, "-m", "gateway", *map(str, arguments)]
        environment = os.environ | {"COLUMNS": "200", "TERM": "xterm-256color"} | environ
        subprocess.run(command, stdout=theirs, stderr=theirs, env=environment, timeout=60, check=False)
        return os.read(ours, 65536)
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize(("no_color", "colored"), [("", True), ("1", False)])
def test_a_terminal_gets_colours_unless_no_color_is_set(tmp_path: Path, no_color: str, colored: bool) -> None:
    written = on_a_terminal("check-config", "--config", tmp_path / "none.toml", NO_COLOR=no_color)
    assert b"fault" in written
    assert (b"\x1b[" in written) is colored


def test_check_config_prints_a_table_on_a_terminal(config: Path) -> None:
    config.write_text(config.read_text() + BAD)
    lines = on_a_terminal("check-config", "--config", config, NO_COLOR="1").decode().splitlines()
    rows = [line for line in lines if line.startswith("fault")]
    assert [heading in lines[0] for heading in ("key", "line", "problem", "remedy")] == [True] * 4
    assert len(rows) == 3
    assert "grants.2.account" in rows[1]
    assert "names no account of [valt.accounts]." in rows[1]


def test_explain_prints_a_table_on_a_terminal(config: Path) -> None:
    written = on_a_terminal("explain", "--config", config, "--subject", "a", "--offline", "614", NO_COLOR="1").decode()
    lines = [line.strip() for line in written.splitlines() if line.strip()]
    assert lines[0].split() == ["rule", "matches", "why"]
    assert lines[2].split()[:2] == ["rooms", "no"]
    assert lines[-1] == "not allowed"
