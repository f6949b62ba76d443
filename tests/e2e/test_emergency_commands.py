"""The commands of docs/operations.md under the layout of the shipped unit.

The service has a user of its own (DynamicUser), which owns the directories of state and logs, one of them behind a
symbolic link (/var/lib/private); its credentials are there only while it starts (LoadCredential). Root runs the
commands. A test that is not run as root has one user for both.
"""

import asyncio
import json
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.sim.demo_configuration import make_portal_key, write_demo_configuration
from gateway.sim.valt import ValtSimulator
from tests.support.programs import Ran, program, run

pytestmark = pytest.mark.timeout(300)

GUIDE = (Path(__file__).parents[2] / "docs/operations.md").read_text()
COMMANDS = re.findall(r"^    valt-gateway (.+)$", GUIDE, re.MULTILINE)
OWNER = 65534 if os.geteuid() == 0 else os.geteuid()
STATUS = {"cut": 1, "audit verify --key": 1}
"""The exit status of the commands that find nothing to do here; the others end with 0."""


@dataclass(frozen=True, slots=True)
class Machine:
    folder: Path
    config: Path

    @property
    def owned(self) -> list[Path]:
        """The files in the service's directories."""
        return [path for name in ("private", "log") for path in (self.folder / name).rglob("*") if path.is_file()]

    def owners(self) -> set[int]:
        return {path.stat().st_uid for path in self.owned}

    async def command(self, line: str) -> Ran:
        """Runs *line* of the guide, with this machine's paths."""
        words = line.partition(" > ")[0].split()
        audit = sorted(map(str, (self.folder / "log").glob("audit*.jsonl*")))
        words = [path for word in words for path in (audit if word == "AUDIT" else [word])]
        words = [str(self.folder / "chain-key") if word == "/etc/valt-gateway/chain-key" else word for word in words]
        environ = os.environ | {"VALT_GATEWAY_CONFIG": str(self.config)}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", *words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environ,
        )
        out, err = await process.communicate()
        return Ran(process.returncode or 0, out, err)


def as_service(*command: str) -> tuple[str, ...]:
    """Returns *command*, run by the service's user, which may read Python's files wherever they are."""
    if os.geteuid() != 0:
        return command
    identity = (f"--reuid={OWNER}", f"--regid={OWNER}", "--clear-groups")
    capability = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    return (program("setpriv"), *identity, *capability, *command)


@pytest.fixture
def machine_folder() -> Iterator[Path]:
    """A folder that every user can reach, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@asynccontextmanager
async def service(folder: Path) -> AsyncIterator[tuple[Machine, asyncio.subprocess.Process]]:
    """Yields a machine on which the service runs, and its process. The credentials are gone since it is ready."""
    for name in ("private", "log", "credentials"):
        (folder / name).mkdir(mode=0o700)
    (folder / "lib").symlink_to("private")
    (folder / "chain-key").write_text("k" * 40)
    make_portal_key(folder)
    async with ValtSimulator() as valt:
        config = write_demo_configuration(
            folder,
            port=0,
            public_url="http://localhost:8080",
            valt_url=valt.base_url,
            portal_url="http://127.0.0.1:8090",
        )
        text = config.read_text().replace('dir = "state"', 'dir = "lib"').replace('"audit.jsonl"', '"log/audit.jsonl"')
        for name in ("valt-reviewer", "valt-trainee", "session", "portal.pub"):
            text = text.replace(f'_file = "{name}"', f'_file = "credentials/{name}"')
            (folder / name).rename(folder / "credentials" / name)
        text = text.replace('[admin]\nlisten = "127.0.0.1:0"', f'[admin]\nlisten = "unix:{folder}/admin.sock"')
        config.write_text(text)
        for path in (folder, *(folder / name for name in ("private", "log", "credentials")), config):
            os.chown(path, OWNER, -1)
        log = folder / "stderr"
        with log.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                *as_service(sys.executable, "-m", "gateway", "serve", "--config", str(config)),
                stderr=stderr,
                umask=0o077,
            )
        try:
            while "is ready on" not in log.read_text():
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(0.05)
            shutil.rmtree(folder / "credentials")
            yield Machine(folder, config), process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


@pytest.mark.promise("operation-emergencies", "operation-O3")
async def test_every_command_of_the_guide_works_with_and_without_the_service(machine_folder: Path) -> None:
    lines = [line for line in COMMANDS if not line.startswith("doctor")]
    assert {line.split()[0] for line in lines} == {"streams", "cut", "revoke", "check-config", "explain", "audit"}
    async with service(machine_folder) as (machine, process):
        assert machine.owners() == {OWNER}
        for line in lines:
            ran = await machine.command(line)
            expected = next((code for start, code in STATUS.items() if line.startswith(start)), 0)
            assert (line, ran.code) == (line, expected), ran.err.decode()
            assert b"cannot be read" not in ran.err, line
            assert machine.owners() == {OWNER}, line
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
        for line in [line for line in lines if not line.startswith("audit")]:
            ran = await machine.command(line)
            if line.split()[0] in ("streams", "cut"):
                assert (ran.code, b"cannot be reached" in ran.err) == (1, True), line
            else:
                expected = next((code for start, code in STATUS.items() if line.startswith(start)), 0)
                assert (line, ran.code) == (line, expected), ran.err.decode()
            assert machine.owners() == {OWNER}, line
        rows = [json.loads(row) for path in (machine_folder / "log").iterdir() for row in path.read_text().splitlines()]
        assert [row["action"] for row in rows if row["event"] == "admin" and "subject" in row] == ["revoke", "undo"] * 2


@pytest.mark.promise("operation-emergencies", "operation-O3")
async def test_a_state_that_root_creates_is_the_services(machine_folder: Path) -> None:
    async with service(machine_folder) as (machine, process):
        process.send_signal(signal.SIGTERM)
        await process.wait()
        for path in machine.owned:
            path.unlink()
        ran = await machine.command("revoke --subject anna")
        assert ran.code == 0, ran.err
        assert (machine_folder / "private/state.sqlite3").exists()
        assert machine.owners() == {OWNER}
        listed = await run(
            *as_service(sys.executable, "-m", "gateway", "revoke", "--config", str(machine.config), "--list")
        )
        assert listed.out.startswith(b"anna\t"), listed.err
