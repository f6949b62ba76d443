"""The systemd unit and the Containerfile: accepted, confined, and consistent with the project."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
UNIT = ROOT / "deploy/valt-gateway.service"
CONTAINERFILE = ROOT / "deploy/Containerfile"
PROGRAM = Path(sys.executable).with_name("valt-gateway")


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """Returns the unit with this machine's path of the program, whose existence systemd checks."""
    written = tmp_path / UNIT.name
    written.write_text(UNIT.read_text().replace("/opt/valt-gateway/bin/valt-gateway", str(PROGRAM)))
    return written


def analyze(*arguments: str) -> str:
    done = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_systemd_accepts_the_unit_without_a_message(unit: Path) -> None:
    assert analyze("verify", "--man=no", str(unit)) == ""


def test_systemd_accepts_the_socket_of_the_unit(unit: Path) -> None:
    sock = UNIT.with_suffix(".socket")
    (unit.parent / sock.name).write_text(sock.read_text())
    assert analyze("verify", "--man=no", str(unit.parent / sock.name)) == ""
    assert "FileDescriptorName=public" in sock.read_text()


def test_systemd_accepts_the_unit_with_its_drop_in_for_later_versions(unit: Path) -> None:
    drop_in = (UNIT.with_name(f"{UNIT.name}.d") / "notify-reload.conf").read_text()
    assert "Type=notify-reload" in drop_in
    # Versions before 253 do not know that type, nor ReloadSignal.
    accepted = drop_in.replace("Type=notify-reload", "Type=notify").replace("ReloadSignal=SIGHUP\n", "")
    folder = unit.with_name(f"{unit.name}.d")
    folder.mkdir()
    (folder / "notify-reload.conf").write_text(accepted)
    assert analyze("verify", "--man=no", str(unit)) == ""


def test_systemd_rates_the_unit_as_well_confined(unit: Path) -> None:
    analyze("security", "--offline=true", "--threshold=15", "--no-pager", str(unit))


def test_the_unit_runs_a_command_that_exists_and_waits_for_the_drain() -> None:
    settings = dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if re.match(r"[A-Z]\w+=", line))
    program, command, *_ = shlex.split(settings["ExecStart"])
    helped = subprocess.run([PROGRAM, command, "--help"], capture_output=True, text=True, check=True)
    assert Path(program).name == PROGRAM.name
    assert "--config" in helped.stdout
    assert settings["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert int(settings["TimeoutStopSec"]) > 60, "the default drain_timeout must fit"


def instructions() -> list[tuple[str, str]]:
    lines = CONTAINERFILE.read_text().replace("\\\n", " ").splitlines()
    pairs = (line.partition(" ") for line in lines if line and not line.startswith("#"))
    return [(name, rest) for name, _, rest in pairs]


def test_the_container_is_built_from_files_that_are_there() -> None:
    sources = [
        source
        for name, rest in instructions()
        if name == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    ]
    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_the_container_runs_a_python_that_the_project_supports() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    floor = tuple(map(int, wanted.removeprefix(">=").split(".")))
    images = [rest.split()[0] for name, rest in instructions() if name == "FROM"]
    assert len(set(images)) == 1
    version = re.fullmatch(r"python:(\d+)\.(\d+)-slim", images[0])
    assert version is not None
    assert (int(version[1]), int(version[2])) >= floor


def test_the_container_is_not_root_and_has_a_health_check() -> None:
    last = dict(instructions())
    assert last["USER"].split(":")[0] not in {"root", "0"}
    command = json.loads(last["HEALTHCHECK"].partition("CMD")[2])
    compile(command[-1], "HEALTHCHECK", "exec")
    assert "/healthz" in command[-1]
    assert json.loads(last["ENTRYPOINT"]) + json.loads(last["CMD"])[:1] == ["valt-gateway", "serve"]
