"""The files beside the unit: users, directories and rotation, each read by the program that it is for."""

import asyncio
import re
import stat
import sys
from pathlib import Path

import pytest

from gateway.observe.audit_verify import verify
from gateway.sim.demo_configuration import make_portal_key, write_demo_configuration
from tests.support.fronts import DEPLOY
from tests.support.programs import program, run

LOGS = "/var/log/valt-gateway"


def directives(name: str) -> list[str]:
    lines = (DEPLOY / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


async def test_sysusers_creates_the_user_of_the_unit(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    done = await run("systemd-sysusers", f"--root={tmp_path}", str(DEPLOY / "valt-gateway.sysusers"))
    assert done.code == 0, done.err.decode()
    (user,) = [line.split(":") for line in (tmp_path / "etc/passwd").read_text().splitlines()]
    # systemd uses a user of the unit's name instead of inventing one.
    assert (user[0], user[5]) == ("valt-gateway", "/var/lib/valt-gateway")
    assert user[6].endswith("nologin")


async def test_tmpfiles_creates_the_directories_of_the_configuration(tmp_path: Path) -> None:
    # The modes are what is tried; only root may give files to root.
    own = "\n".join(directives("valt-gateway.tmpfiles")).replace(" root root ", " - - ")
    (tmp_path / "own.conf").write_text(own)
    secret = tmp_path / "root/etc/valt-gateway/secrets/session"
    secret.parent.mkdir(parents=True)
    secret.write_text("planted")
    secret.chmod(0o644)
    done = await run("systemd-tmpfiles", f"--root={tmp_path / 'root'}", "--create", str(tmp_path / "own.conf"))
    assert done.code == 0, done.err.decode()
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (secret.parents[1], secret.parent, secret)]
    assert modes == [0o755, 0o700, 0o600]
    unit = (DEPLOY / "valt-gateway.service").read_text()
    loaded = re.findall(r"^LoadCredential=\w[\w-]*:(.+)/", unit, re.MULTILINE)
    assert set(loaded) == {"/etc/valt-gateway/secrets"}


def audit_of(folder: Path) -> Path:
    """Writes a configuration whose audit is in *folder*. Returns the configuration."""
    make_portal_key(folder)
    config = write_demo_configuration(
        folder,
        port=0,
        public_url="http://localhost:8080",
        valt_url="http://127.0.0.1:9",
        portal_url="http://127.0.0.1:8090",
    )
    text = re.sub(r"(\[audit\]\nfile = ).*", r'\1"logs/audit.jsonl"', config.read_text())
    assert '"logs/audit.jsonl"' in text
    config.write_text(text)
    return config


@pytest.mark.promise("evidence-4")
async def test_the_shipped_rotation_loses_no_line_of_the_audit(tmp_path: Path) -> None:
    logs, tools = tmp_path / "logs", tmp_path / "bin"
    logs.mkdir(mode=0o700)
    tools.mkdir()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "serve", "--config", str(audit_of(tmp_path))),
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(60):
            while b"is ready on" not in (line := await process.stderr.readline()):
                assert line, "it ended before it was ready"
        systemctl = tools / "systemctl"
        systemctl.write_text(
            f'#!/bin/sh\necho "$@" >>{tmp_path}/calls\n[ "$1" = is-active ] || kill -HUP {process.pid}\n'
        )
        systemctl.chmod(0o755)
        rotation = tmp_path / "rotation"
        rotation.write_text((DEPLOY / "valt-gateway.logrotate").read_text().replace(LOGS, str(logs)))
        rotation.chmod(0o644)
        rotate = await asyncio.create_subprocess_exec(
            *(program("logrotate"), "--force", "--state", str(tmp_path / "rotated"), str(rotation)),
            env={"PATH": f"{tools}:/usr/sbin:/usr/bin:/sbin:/bin"},
        )
        assert await rotate.wait() == 0
        assert (tmp_path / "calls").read_text().splitlines() == [
            "is-active --quiet valt-gateway",
            "reload valt-gateway",
        ]
        async with asyncio.timeout(60):
            while b'"event":"chain"' not in (logs / "audit.jsonl").read_bytes():
                await asyncio.sleep(0.02)
    finally:
        process.terminate()
        await process.communicate()
    assert process.returncode == 0
    files = sorted(logs.iterdir())
    assert len(files) == 2
    assert stat.S_IMODE((logs / "audit.jsonl").stat().st_mode) == 0o600
    assert verify(files, None).faults == []
