"""The command line as a shell sees it: exit codes, streams, colours, and what is loaded."""

import os
import subprocess
import sys
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


def gateway(*arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environ, timeout=60, check=False)


def test_a_good_configuration_exits_0_and_says_so_on_standard_error(config: Path) -> None:
    done = gateway("check-config", "--config", config)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("configuration is good: ")


def test_a_bad_configuration_exits_78_and_every_fault_has_a_line_of_its_own(config: Path) -> None:
    config.write_text(config.read_text() + BAD)
    done = gateway("check-config", "--config", config)
    assert (done.returncode, done.stdout) == (78, "")
    told = [line.split(" (line")[0] for line in done.stderr.splitlines()]
    assert sorted(told) == ["fault: grants.2.account", "fault: grants.2.delivery", "fault: sevrer"]
    assert PASSWORD not in done.stderr


def test_a_configuration_that_cannot_be_read_is_a_bad_one(tmp_path: Path) -> None:
    for command in (("check-config",), ("serve",), ("revoke", "--subject", "anna")):
        assert gateway(*command, "--config", tmp_path / "none.toml").returncode == 78


@pytest.mark.parametrize("arguments", [[], ["nosuch"], ["check-config"], ["explain", "--nosuch"], ["key", "nosuch"]])
def test_what_is_no_command_exits_2_and_shows_usage_on_standard_error(arguments: list[str]) -> None:
    done = gateway(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage:" in done.stderr


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_it_does_not_serve_by_a_parser_that_is_not_aiohttps_c_parser(config: Path, command: str) -> None:
    options = ("--config", config) if command == "serve" else ()
    done = gateway(command, *options, AIOHTTP_NO_EXTENSIONS="1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot start: aiohttp's C parser is not loaded: unset AIOHTTP_NO_EXTENSIONS" in done.stderr
    assert "Traceback" not in done.stderr


def test_version_is_data() -> None:
    done = gateway("version")
    assert (done.returncode, done.stdout, done.stderr) == (0, version("valt-gateway") + "\n", "")


def test_neither_help_nor_check_config_waits_for_the_server_to_load(config: Path) -> None:
    for arguments in (["--help"], ["check-config", "--config", str(config)]):
        program = (
            "import sys\n"
            "from gateway.cli import main\n"
            f"main({arguments!r}, standalone_mode=False)\n"
            "print(*{'aiohttp', 'jinja2', 'prometheus_client', 'orjson'} & set(sys.modules), file=sys.stderr)\n"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
        assert done.stderr.splitlines()[-1] == ""


@pytest.mark.parametrize(("no_color", "colored"), [("", True), ("1", False)])
def test_a_terminal_gets_colours_unless_no_color_is_set(tmp_path: Path, no_color: str, colored: bool) -> None:
    ours, theirs = os.openpty()
    try:
        subprocess.run(
            [sys.executable, "-m", "gateway", "check-config", "--config", tmp_path / "none.toml"],
            stderr=theirs,
            env=os.environ | {"NO_COLOR": no_color},
            timeout=60,
            check=False,
        )
        told = os.read(ours, 4096)
    finally:
        os.close(ours)
        os.close(theirs)
    assert b"fault" in told
    assert (b"\x1b[" in told) is colored
