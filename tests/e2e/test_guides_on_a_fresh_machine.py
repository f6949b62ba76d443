"""Every step of docs/operations.md and docs/upgrade.md on a machine of its own, under the shipped unit.

The commands are those of the guides, letter by letter, typed by root. What needs systemd as the first process, a
package index or another machine is in `REPLACED`, with what is done instead.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from gateway.sim.catalogue import CAMERA_A, SESSION
from gateway.sim.valt import USERS, ValtSimulator
from tests.support.free_ports import free_port
from tests.support.fresh_root import SERVICE_USER, FreshRoot, UnitProcess, fresh_root, write_wheel
from tests.support.gateway_fixture import NAVIGATION
from tests.support.measures import ROOT
from tests.support.programs import Ran

pytestmark = pytest.mark.timeout(900)

GUIDES = "".join((ROOT / f"docs/{name}.md").read_text() for name in ("operations", "upgrade"))
PROGRAMS = "valt-gateway|/opt/valt-gateway-new|python3? |pip |systemctl |sqlite3 |zgrep |helm "
STEPS = [
    *re.findall(rf"^    ((?:{PROGRAMS}).*)$", GUIDES, re.MULTILINE),
    *re.findall(r"`((?:valt-gateway|pip|systemctl|sqlite3|zgrep|helm|python3?) [^`]+)`", GUIDES),
]
"""Each command of the guides, in blocks and in sentences."""

REPLACED = {
    "systemctl restart valt-gateway": "no systemd here: UnitProcess stops and starts the service as the unit says",
    "systemctl reload": "no systemd here: SIGHUP, and the notifications that systemctl waits for",
    "systemctl reload valt-gateway": "as above",
    "systemctl restart": "as above",
    "systemctl start": "as above",
    "pip install": "no package index here: pip installs the wheel of this clone, and what it requires is copied",
    'pip install "valt-gateway[otel]"': "as above: the machine has all extras",
    "/opt/valt-gateway-new/bin/pip install --require-hashes --requirement locks/core.txt": "as above, without extras",
    "helm upgrade": "no Kubernetes here: test_helm_chart.py renders and validates the chart",
    "python -m tests.bench --only audit": "a measurement of a clone, no step of an operator",
    "valt-gateway audit report": "no command line: the name of one that is run",
    "valt-gateway revoke": "no command line: the name of one that is run",
}

NOTHING_TO_DO = {
    "valt-gateway cut 6e0c2a5f41b79d83c0aa": 1,
    "valt-gateway audit verify --key /etc/valt-gateway/chain-key AUDIT": 1,
}
"""The exit status of commands that find nothing: no such stream; this chain has no key."""

DOUBTFUL = 2
"""The exit status of `doctor` where links are valid for half an hour: it does not wait for their end."""
UNIT = "/etc/systemd/system/valt-gateway.service"
LARGE = 64 * 1024 * 1024
SYSTEMCTL = """\
#!/bin/sh
echo "$@" >>/root/systemctl
[ "$1" = is-active ] || kill -HUP "$(cat /run/service.pid)"
"""
"""What logrotate calls."""
CHANGES = """
set -eu
cd /etc/valt-gateway
sed -i 's|/run/secrets/|/run/credentials/valt-gateway.service/|
s|https://valt.example.edu|{valt}|
s|public_url = .*|public_url = "http://127.0.0.1:{port}"\\nlisten = "127.0.0.1:{port}"|
s|"https://recordings.example.edu/|"http://127.0.0.1:{port}/|' gateway.toml
cat >>gateway.toml
"""
MORE = """
[admin]
listen = "unix:/run/valt-gateway/admin.sock"

[audit]
file = "/var/log/valt-gateway/audit.jsonl"

[limits]
streams = 100
connections = 400
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("machine")
    write_wheel(folder)
    return folder


@dataclass(slots=True)
class Site:
    """A machine with the service, and a viewer beside it. *steps* are the commands of the guides that were run."""

    root: FreshRoot
    service: UnitProcess
    valt: ValtSimulator
    url: str
    client: aiohttp.ClientSession
    steps: set[str] = field(default_factory=set)

    async def step(self, line: str, status: int = 0) -> Ran:
        """Runs *line* of the guides, for AUDIT what the guide says. Raises AssertionError if it ends otherwise."""
        assert line in STEPS, line
        self.steps.add(line)
        ran = await self.root.sh(line.replace(" AUDIT", " /var/log/valt-gateway/audit*.jsonl*"))
        assert (line, ran.code) == (line, status), (ran.err + ran.out).decode()
        assert b"Traceback" not in ran.err
        assert await self.foreign_files() == "", line
        return ran

    async def steps_of(self, *starts: str) -> None:
        """Runs each command of the guides that begins with one of *starts*."""
        for line in dict.fromkeys(STEPS):
            if line.startswith(starts) and line not in REPLACED:
                await self.step(line, NOTHING_TO_DO.get(line, 0))

    async def foreign_files(self) -> str:
        """Returns the files in the service's directories that are not the service's."""
        return await self.root.output(f"find /var/lib/valt-gateway /var/log/valt-gateway ! -uid {SERVICE_USER}")

    async def ticket(self, subject: str) -> str:
        options = f"--issuer https://portal.example.edu --audience {self.url} --key portal.key --subject {subject}"
        return (await self.root.output(f"valt-gateway ticket mint {options}")).strip()

    async def session(self, subject: str) -> str:
        """Follows the portal's link as a browser does. Returns the Cookie header of the session."""
        url = f"{self.url}/recordings/{SESSION}/videos/{CAMERA_A}?ticket="
        async with asyncio.timeout(60):
            while True:  # a start that creates the state's file refuses tickets in its first seconds
                ticket = await self.ticket(subject)
                async with self.client.get(url + ticket, headers=NAVIGATION, allow_redirects=False) as answer:
                    if answer.status == 303:
                        return answer.headers["Set-Cookie"].partition(";")[0]
                await asyncio.sleep(0.5)

    async def watch(self, session: str, recording: str = SESSION, video: str = CAMERA_A) -> aiohttp.ClientResponse:
        url = f"{self.url}/recordings/{recording}/videos/{video}"
        return await self.client.get(url, headers={"Cookie": session})

    async def session_is(self, status: int, session: str) -> None:
        """Waits until a request with *session* has *status*."""
        async with asyncio.timeout(120):
            while True:
                async with await self.watch(session) as answer:
                    if answer.status == status:
                        return
                await asyncio.sleep(0.5)

    async def restart(self) -> None:
        """What `systemctl restart` does."""
        assert await self.service.stop() == 0
        await self.start()

    async def start(self) -> None:
        assert await self.service.start() is None, await self.root.output("cat journal")
        assert self.service.process is not None
        await self.root.output("cat >/run/service.pid", stdin=str(self.service.process.pid))

    async def audit_lines(self) -> list[dict[str, str]]:
        text = await self.root.output("zcat -f /var/log/valt-gateway/audit*.jsonl*")
        return [json.loads(line) for line in text.splitlines()]


async def install(root: FreshRoot) -> None:
    """Installs the package, and the unit and the files beside it as each of them says."""
    await root.output(
        "set -eu; python3 -m venv --without-pip /opt/valt-gateway\n"
        "cp -a /mnt/packages/. /opt/valt-gateway/lib/python3*/site-packages/"
    )
    await pip_install(root)


async def pip_install(root: FreshRoot) -> None:
    """Installs the wheel as pip does from an index, but for what it requires, which `install` has copied."""
    options = "--quiet --no-index --no-deps --force-reinstall --root-user-action=ignore"
    await root.output(
        f"PYTHONPATH=/mnt/pip python3 -m pip --python /opt/valt-gateway/bin/python install {options} /mnt/dist/*.whl"
    )


@asynccontextmanager
async def site(wheel: Path) -> AsyncIterator[Site]:
    """Yields a machine on which the package is installed and configured as the README says, not yet started."""
    async with (
        fresh_root(wheel) as root,
        ValtSimulator() as valt,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client,
    ):
        await install(root)
        # "init" writes the units and the configuration that fits; each file says where it belongs.
        await root.output("valt-gateway init gateway --to /etc/valt-gateway")
        await root.output("valt-gateway init portal-tickets --overwrite --to /etc/valt-gateway")
        await root.output(
            "set -eu; cd /etc/valt-gateway; cp valt-gateway.service valt-gateway.socket /etc/systemd/system/\n"
            "install -m 0644 valt-gateway.tmpfiles /usr/lib/tmpfiles.d/valt-gateway.conf && systemd-tmpfiles --create\n"
            "install -m 0644 valt-gateway.logrotate /etc/logrotate.d/valt-gateway\n"
            "openssl genpkey -algorithm ed25519 -out /root/portal.key\n"
            "openssl pkey -in /root/portal.key -pubout -out portal.pub\n"
            "openssl rand -hex 32 >secrets/session\n"
            "openssl rand -hex 32 >chain-key\n"
            "cat >secrets/valt-reviewer",
            stdin=USERS["svc-reviewer"],
        )
        await root.output("cat >/opt/stand-in/systemctl; chmod 755 /opt/stand-in/systemctl", stdin=SYSTEMCTL)
        with free_port() as port:
            await root.output(CHANGES.format(valt=valt.base_url, port=port), stdin=MORE)
            service = UnitProcess(root, UNIT)
            try:
                yield Site(root, service, valt, f"http://127.0.0.1:{port}", client)
            finally:
                await service.close()


async def ends(stream: aiohttp.ClientResponse) -> None:
    """Returns when *stream* has ended before its last byte."""
    with pytest.raises(aiohttp.ClientError):
        await stream.read()


@pytest.mark.promise("operation-fresh-machine", "operation-O3", "operation-doctor")
async def test_every_step_of_the_guides_works_on_a_fresh_machine(wheel: Path) -> None:
    async with site(wheel) as here:
        await without_credentials(here)
        await here.start()
        await who_watches(here)
        await revocations(here)
        await doctor(here)
        await new_password(here)
        await rotation(here)
        await backup_and_going_back(here)
        await upgrade(here)
        assert set(STEPS) - here.steps - REPLACED.keys() == set()
        assert REPLACED.keys() - set(STEPS) == set()
        assert await here.service.stop() == 0
        assert "Traceback" not in await here.root.output("cat journal")


async def without_credentials(here: Site) -> None:
    """Before the service has ever run: root may check the configuration, nobody may read the secrets."""
    await here.root.output("mkdir -p /var/lib/valt-gateway /var/log/valt-gateway")
    await here.root.output(f"chown {SERVICE_USER} /var/lib/valt-gateway /var/log/valt-gateway")
    await here.steps_of("valt-gateway check-config --without-secrets", "valt-gateway explain --offline")
    ran = await here.root.sh("valt-gateway check-config")
    assert (ran.code, b"reviewer.password_file (line" in ran.err) == (78, True)


async def who_watches(here: Site) -> None:
    anna = await here.session("anna")
    stream = await here.watch(anna)
    assert (stream.status, len(await stream.read())) == (200, int(stream.headers["Content-Length"]))
    here.valt.add_video("long", "film", bytes(LARGE))
    running = await here.watch(anna, "long", "film")
    await running.content.readexactly(1000)
    listed = await here.step("valt-gateway streams")
    assert b"anna" in listed.out
    await here.step("valt-gateway cut 6e0c2a5f41b79d83c0aa", status=1)
    streams = json.loads(await here.root.output("valt-gateway streams --json"))["streams"]
    (request_id,) = [stream["request_id"] for stream in streams if stream["recording"] == "long"]
    await here.root.output(f"valt-gateway cut {request_id}")
    await ends(running)


async def revocations(here: Site) -> None:
    anna = await here.session("anna")
    running = await here.watch(anna, "long", "film")
    await running.content.readexactly(1000)
    await here.step("valt-gateway revoke --subject anna")
    while json.loads(await here.root.output("valt-gateway streams --json"))["streams"]:
        await asyncio.sleep(0.2)
    await ends(running)
    listed = await here.step("valt-gateway revoke --list")
    assert listed.out.startswith(b"anna")
    await here.session_is(401, anna)  # within two seconds
    await here.step("valt-gateway revoke --undo --subject anna")
    await here.session_is(200, anna)


async def doctor(here: Site) -> None:
    """By root, and by the service's user in its own view of the machine."""
    line = "valt-gateway doctor --config /etc/valt-gateway/gateway.toml"
    ran = await here.step(line, DOUBTFUL)
    assert doubtful(ran) == ["link_outlives_exp"], ran.out.decode()
    ran = await here.service.run_as_service(f"/opt/valt-gateway/bin/{line}")
    assert (ran.code, doubtful(ran)) == (DOUBTFUL, ["link_outlives_exp"]), (ran.out + ran.err).decode()
    assert await here.foreign_files() == ""


def doubtful(ran: Ran) -> list[str]:
    """Returns the doctor's checks that are not good."""
    return re.findall(r"^(?:doubtful|broken) +(\S+):", ran.out.decode(), re.MULTILINE)


async def new_password(here: Site) -> None:
    """systemd reads LoadCredential at the start: a reload alone keeps the old password."""
    here.valt.users["svc-reviewer"] = "the-new-password"
    await here.root.output("cat >/etc/valt-gateway/secrets/valt-reviewer", stdin="the-new-password")
    logins = here.valt.calls["login"]
    await here.service.reload()
    await here.restart()
    answer = await here.watch(await here.session("ben"), "long", "film")
    assert (answer.status, here.valt.calls["login"] > logins) == (200, True)
    answer.close()


async def rotation(here: Site) -> None:
    """logrotate by the shipped file, twice, so that one file is compressed; then the commands that read the audit."""
    ben = await here.session("ben")
    for _ in range(2):
        await here.root.output("logrotate --force --state /root/rotated /etc/logrotate.d/valt-gateway")
        await here.service.wait_for_reload()
        # A file is named by its day, and a second one of the same day is not rotated over it.
        await here.root.output(
            "cd /var/log/valt-gateway; for one in audit.jsonl-????????; do mv $one ${one%-*}-2026010$(ls | wc -l); done"
        )
        await here.session_is(200, ben)
    assert "is-active --quiet valt-gateway" in await here.root.output("cat systemctl")
    await here.steps_of("valt-gateway audit ")
    assert "anna" in await here.root.output("cat anna.csv")
    verified = await here.step("valt-gateway audit verify AUDIT")
    digest = verified.out.split()[3].decode()  # head CHAIN SEQ HASH
    counted = await here.root.output(f"zgrep -c {digest} /var/log/valt-gateway/audit*.jsonl*")
    here.steps.add("zgrep -c HASH AUDIT")
    assert ":1" in counted
    removed = await here.root.output(
        "valt-gateway audit expire --before 2100-01-01 /var/log/valt-gateway/audit*.jsonl*"
    )
    assert "audit.jsonl-2026" in removed
    assert await here.foreign_files() == ""
    assert [line["action"] for line in await here.audit_lines() if line["event"] == "admin"][-1:] == ["expire"]


async def backup_and_going_back(here: Site) -> None:
    """A backup while the gateway runs; a state of a later version, which is refused; the backup restored."""
    backup = next(line for line in STEPS if line.startswith("sqlite3 "))
    await here.root.output("valt-gateway revoke --subject before")
    await here.step(backup)
    await here.root.output("valt-gateway revoke --subject after")
    assert await here.service.stop() == 0
    await here.root.output("sqlite3 /var/lib/valt-gateway/state.sqlite3 'PRAGMA user_version = 2'")
    assert await here.service.start() == 78
    assert "a later version has written it (schema 2; this version knows 1)" in await here.root.output("cat journal")
    await here.root.output(
        "set -eu; cd /var/lib/valt-gateway; rm -f state.sqlite3-wal state.sqlite3-shm\n"
        "cat /root/state.backup >state.sqlite3"
    )
    await here.start()
    listed = await here.root.output("valt-gateway revoke --list")
    assert re.findall(r"^(\w+)\t", listed, re.MULTILINE) == ["before"]
    check = "valt-gateway check-config --config /etc/valt-gateway/gateway.toml"
    await here.step(check)
    assert (await here.service.run_as_service(f"/opt/valt-gateway/bin/{check}")).code == 0


async def upgrade(here: Site) -> None:
    """Beside the running service first, then in its place."""
    await here.step("python3 -m venv /opt/valt-gateway-new")
    await here.root.output("cp -a /mnt/packages/. /opt/valt-gateway-new/lib/python3*/site-packages/")
    await here.root.output("cp /mnt/dist/*.whl /root")
    await here.steps_of("/opt/valt-gateway-new/")
    await pip_install(here.root)
    await here.step("valt-gateway version")
    await here.restart()
    await here.session_is(200, await here.session("ben"))
