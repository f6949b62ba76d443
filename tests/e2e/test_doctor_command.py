"""The command ``doctor`` as a process: exit status, output, a terminal, and disks that cannot be written."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.doctor_lab import REDIRECT, Lab, running_lab
from tests.support.programs import Ran, program, run

NAMESPACES = ["-m"] if os.geteuid() == 0 else ["-m", "-U", "-r"]
"""A mount namespace, and for a user without rights a user namespace."""
FULL = 'mount -t tmpfs -o size=64k none "$1/DIR"; head -c 60000 /dev/zero > "$1/DIR/x"'
READ_ONLY = 'mount --bind "$1/DIR" "$1/DIR"; mount -o remount,bind,ro "$1/DIR"'


@pytest.fixture
async def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lab]:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with running_lab(tmp_path) as built:
        yield built


async def doctor(lab: Lab, *options: str, before: tuple[str, ...] = ()) -> Ran:
    """Runs the command, after the command *before*."""
    command = (*before, sys.executable, "-m", "gateway", "doctor", "--config", str(lab.config), *options)
    return await run(*command, seconds=120.0)


@pytest.mark.promise("operation-doctor")
@pytest.mark.parametrize(
    ("mounts", "check", "detail"),
    [
        pytest.param(FULL.replace("DIR", "log"), "audit", "No space left", id="a full disk of the audit"),
        pytest.param(READ_ONLY.replace("DIR", "log"), "audit", "read-only file system", id="a read-only audit"),
        pytest.param(FULL.replace("DIR", "state"), "state", "No space left", id="a full disk of the state"),
        pytest.param(READ_ONLY.replace("DIR", "state"), "state", "read-only file system", id="a read-only state"),
    ],
)
async def test_a_disk_that_cannot_be_written_is_named(lab: Lab, mounts: str, check: str, detail: str) -> None:
    """With real mounts, in a mount namespace of its own."""
    probe = await run(program("unshare"), *NAMESPACES, "mount", "-t", "tmpfs", "none", str(lab.folder / "log"))
    if probe.code != 0:  # a right of this user, which no package brings
        pytest.skip(f"mounts are not allowed here: {probe.err.decode().strip()}")
    lab.valt.knobs.link_life = 1800.0
    before = (program("unshare"), *NAMESPACES, "sh", "-c", f'{mounts}; shift; exec "$@"', "sh", str(lab.folder))
    ran = await doctor(lab, "--json", before=before)
    assert ran.code == 1, ran.err.decode()
    checks = {one["name"]: one for one in json.loads(ran.out)["checks"]}
    assert checks[check]["result"] == "broken"
    assert detail in checks[check]["detail"]
    assert {name for name, one in checks.items() if one["result"] == "broken"} == {check}


@pytest.mark.promise("operation-doctor")
async def test_the_command_exits_0_after_it_has_waited_for_the_end_of_a_link(lab: Lab) -> None:
    lab.valt.knobs.link_life = 15.0
    ran = await doctor(lab, "--json")
    answer = json.loads(ran.out)
    assert [one for one in answer["checks"] if one["result"] != "good"] == []
    assert (ran.code, answer["result"], ran.err) == (0, "good", b"")
    assert {tuple(one) for one in answer["checks"]} == {("name", "result", "detail", "remedy")}
    assert [secret for secret in lab.secrets if secret.encode() in ran.out] == []


@pytest.mark.promise("operation-doctor")
async def test_the_command_exits_2_if_something_is_doubtful_and_1_if_it_is_broken(lab: Lab) -> None:
    lab.valt.knobs.link_life = 1800.0
    ran = await doctor(lab)
    assert ran.code == 2, ran.err.decode()
    lines = ran.out.decode().splitlines()
    assert lines[0] == "good      config: there is no fault and no warning"
    assert lines[-1] == "doubtful"
    assert lines[-2].startswith("          remedy: nothing, as long as no rule redirects")
    lab.edit(REDIRECT)
    ran = await doctor(lab)
    assert (ran.code, ran.out.decode().splitlines()[-1]) == (1, "broken")
    assert [secret for secret in lab.secrets if secret.encode() in ran.out + ran.err] == []


async def test_a_terminal_gets_a_table_and_the_progress(lab: Lab) -> None:
    lab.valt.knobs.link_life = 1800.0
    ours, theirs = os.openpty()
    command = (sys.executable, "-m", "gateway", "doctor", "--config", str(lab.config))
    environ = os.environ | {"TERM": "xterm", "COLUMNS": "160"}
    process = await asyncio.create_subprocess_exec(*command, stdout=theirs, stderr=theirs, env=environ)
    os.close(theirs)
    written = await asyncio.to_thread(read_all, ours)
    assert await process.wait() == 2
    assert "check " in written
    assert "remedy" in written
    assert "\x1b[1;32mgood" in written
    assert "\x1b[1;33mdoubtful" in written
    assert "valt_login:reviewer" in written


def read_all(terminal: int) -> str:
    """Returns what is written to a terminal until its other end is closed."""
    data = b""
    try:
        while piece := os.read(terminal, 65536):
            data += piece
    except OSError:  # Linux reports the end so
        pass
    finally:
        os.close(terminal)
    return data.decode(errors="replace")


async def test_a_video_without_its_recording_is_a_usage_error(lab: Lab) -> None:
    ran = await doctor(lab, "--video", "4711")
    assert ran.code == 2
    assert b"--video needs --recording" in ran.err
