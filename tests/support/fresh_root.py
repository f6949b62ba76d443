"""A machine of its own for the steps of the guides: a mount namespace whose root has the system's programs, read-only,
what the wheel of this clone requires, and nothing else of this clone or its environment.

How it works: a process holds the namespace until its standard input is closed; commands join it by nsenter. All of
the machine but what is bound read-only is a tmpfs, so that nothing is left when the process has ended. systemd is no
part of it: `UnitProcess` does what the unit asks systemd for.
"""

import asyncio
import importlib.metadata
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import release
from tests.support.measures import ROOT
from tests.support.programs import Ran, program, run
from tests.support.systemd import Notifications

OFFLINE = "PIP_DISABLE_PIP_VERSION_CHECK=1"
PATH = f"/opt/stand-in:/opt/valt-gateway/bin:{sys.base_prefix}/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
IS_ROOT = os.geteuid() == 0
SERVICE_USER = 61234 if IS_ROOT else 0
"""The number that systemd invents (it uses 61184 to 65519). A user without rights has but one number in a namespace."""
UNSHARE = ("--mount",) if IS_ROOT else ("--mount", "--user", "--map-root-user")
NSENTER = (
    ("--mount", "--root", "--wd") if IS_ROOT else ("--mount", "--root", "--wd", "--user", "--preserve-credentials")
)

_MAKE = """
set -eu
root=$1 python=$2 built=$3
mount -t tmpfs -o mode=755 tmpfs "$root"
cd "$root"
mkdir -p usr opt/stand-in etc/logrotate.d etc/systemd/system var/lib var/log run dev proc root tmp mnt
chmod 1777 tmp
read_only() { mkdir -p "$root$2"; mount --bind "$1" "$root$2"; mount -o remount,bind,ro "$root$2"; }
read_only /usr /usr
for name in bin sbin lib lib32 lib64; do
    if [ -L "/$name" ]; then cp -P "/$name" "$name"; elif [ -d "/$name" ]; then read_only "/$name" "/$name"; fi
done
case $python in /usr*) ;; *) read_only "$python" "$python" ;; esac
read_only "$built" /mnt
for name in alternatives ssl; do [ ! -d "/etc/$name" ] || read_only "/etc/$name" "/etc/$name"; done
for name in ld.so.cache nsswitch.conf; do [ ! -e "/etc/$name" ] || cp "/etc/$name" etc/; done
echo 'root:x:0:0:root:/root:/bin/sh' >etc/passwd
printf 'root:x:0:\\nadm:x:4:\\n' >etc/group
printf '127.0.0.1 localhost\\n::1 localhost\\n' >etc/hosts
mount -t tmpfs tmpfs usr/lib/tmpfiles.d
for name in null zero full random urandom; do : >"dev/$name"; mount --bind "/dev/$name" "dev/$name"; done
mount --rbind /proc proc
exec chroot . sh -c 'echo made; exec cat'
"""
_SANDBOX = """
set -eu
for name in {writable}; do mount --bind "$name" "$name"; done
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -o remount,bind,ro /
umask {umask}
cd /
exec env -i {environ} {identity} {command}
"""
"""What the unit has systemd do: StateDirectory=, LogsDirectory=, RuntimeDirectory=, PrivateTmp=, ProtectSystem=strict,
UMask=, and an environment and a user of its own."""


def write_wheel(folder: Path) -> None:
    """Writes into *folder*/built the wheel of this clone (dist), what it and its extras require (packages), and pip."""
    built = folder / "built"
    options = ("--wheel", "--no-isolation", "--outdir", str(built / "dist"))
    done = subprocess.run(
        [sys.executable, "-m", "build", *options], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (built / "dist").glob("*.whl")
    for distribution in release.requirements(wheel).values():
        copy_package(distribution, built / "packages")
    copy_package(importlib.metadata.distribution("pip"), built / "pip")


def copy_package(distribution: importlib.metadata.Distribution, folder: Path) -> None:
    """Copies the files of a package, without its programs, into *folder*, with the times by which Python recognises
    what is compiled already."""
    for file in distribution.files or []:
        if ".." not in file.parts and Path(str(file.locate())).exists():
            target = folder / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(str(file.locate()), target)


@dataclass(frozen=True, slots=True)
class FreshRoot:
    """*holder* is the process of the namespace."""

    holder: asyncio.subprocess.Process

    @property
    def path(self) -> Path:
        """The machine's root, as a process outside sees it."""
        return Path(f"/proc/{self.holder.pid}/root")

    def joined(self, *command: str) -> tuple[str, ...]:
        """Returns *command*, to be run on the machine by its root."""
        environ = ("env", "-i", f"PATH={PATH}", "HOME=/root", "LC_ALL=C.UTF-8", OFFLINE)
        return (program("nsenter"), f"--target={self.holder.pid}", *NSENTER, *environ, *command)

    async def sh(self, line: str, *, stdin: str = "") -> Ran:
        """Runs *line* as root types it into a shell in its home directory."""
        return await run(*self.joined("sh", "-c", f"cd /root; {line}"), stdin=stdin.encode(), seconds=120.0)

    async def output(self, line: str, *, stdin: str = "") -> str:
        """Returns what *line* prints. Raises AssertionError if its exit status is not 0."""
        ran = await self.sh(line, stdin=stdin)
        assert ran.code == 0, f"{line}: {ran.code}: {ran.err.decode()}"
        return ran.out.decode()


@asynccontextmanager
async def fresh_root(folder: Path) -> AsyncIterator[FreshRoot]:
    """Yields a machine. *folder* is what `write_wheel` wrote into. Skips the test, with the kernel's words, if it
    refuses mount namespaces or mounts: a right of this machine's user, which no package brings."""
    (folder / "root").mkdir(exist_ok=True)
    arguments = (folder / "root", sys.base_prefix, folder / "built")
    holder = await asyncio.create_subprocess_exec(
        *(program("unshare"), *UNSHARE, "sh", "-c", _MAKE, "sh", *map(str, arguments)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        assert holder.stderr is not None
        if await holder.stdout.readline() != b"made\n":
            reason = (await holder.stderr.read()).decode().strip()
            if "ermission denied" in reason or "not permitted" in reason:
                pytest.skip(f"THE GUIDES WERE NOT TRIED: the kernel refuses namespaces or mounts here: {reason}")
            raise AssertionError(reason)
        yield FreshRoot(holder)
    finally:
        if holder.returncode is None:
            holder.kill()
        await holder.communicate()


@dataclass(slots=True)
class UnitProcess:
    """The service of *unit*, the path of a unit file on the machine, started and stopped as systemd does it."""

    root: FreshRoot
    unit: str
    process: asyncio.subprocess.Process | None = None
    notifications: Notifications | None = None

    async def settings(self) -> dict[str, list[str]]:
        """Returns the values of each key of the unit."""
        values: dict[str, list[str]] = {}
        for line in (await self.root.output(f"cat {self.unit}")).splitlines():
            name, equals, value = line.partition("=")
            if equals and not line.startswith(("#", "[")):
                values.setdefault(name, []).append(value)
        return values

    def identity(self) -> str:
        """Returns the command that runs another one as the service's user, without capabilities."""
        if not IS_ROOT:
            return "setpriv --no-new-privs"
        return (
            f"setpriv --reuid={SERVICE_USER} --regid={SERVICE_USER} --clear-groups --no-new-privs --bounding-set=-all"
        )

    async def sandbox(self, command: str) -> tuple[str, ...]:
        """Returns *command* in the service's view of the machine: DynamicUser=, ProtectSystem=strict."""
        unit = await self.settings()
        assert (unit["DynamicUser"], unit["ProtectSystem"]) == (["yes"], ["strict"])
        name = Path(self.unit).name
        directories = {
            "STATE_DIRECTORY": f"/var/lib/{unit['StateDirectory'][0]}",
            "LOGS_DIRECTORY": f"/var/log/{unit['LogsDirectory'][0]}",
            "RUNTIME_DIRECTORY": f"/run/{unit['RuntimeDirectory'][0]}",
        }
        for key, mode in (("State", "StateDirectory"), ("Logs", "LogsDirectory"), ("Runtime", "RuntimeDirectory")):
            place = shlex.quote(directories[f"{key.upper()}_DIRECTORY"])
            owner = f"{SERVICE_USER}:{SERVICE_USER}"
            await self.root.output(f"mkdir -p {place}; chmod {unit[f'{mode}Mode'][0]} {place}; chown {owner} {place}")
        environ = {
            "PATH": PATH,
            "NOTIFY_SOCKET": "/run/notify",
            "CREDENTIALS_DIRECTORY": f"/run/credentials/{name}",
            **directories,
        }
        script = _SANDBOX.format(
            writable=" ".join(directories.values()),
            umask=unit["UMask"][0],
            environ=" ".join(f"{key}={value}" for key, value in environ.items()),
            identity=self.identity(),
            command=command,
        )
        return self.root.joined("unshare", "--mount", "sh", "-c", script)

    async def run_as_service(self, command: str) -> Ran:
        """Runs *command* beside the service, as its user and in its view of the machine."""
        return await run(*await self.sandbox(command), seconds=120.0)

    async def load_credentials(self) -> None:
        """LoadCredential=: copies what root alone may read to where the service's user may."""
        place = f"/run/credentials/{Path(self.unit).name}"
        lines = [f"mkdir -p {place}; mount -t tmpfs -o mode=700 tmpfs {place}"]
        for entry in (await self.settings())["LoadCredential"]:
            name, _, source = entry.partition(":")
            lines.append(f"cp {source} {place}/{name}; chmod 400 {place}/{name}")
        lines.append(f"chown -R {SERVICE_USER}:{SERVICE_USER} {place}; chmod 500 {place}")
        await self.root.output("set -e; " + "; ".join(lines))

    async def start(self) -> int | None:
        """Returns None when the service is ready, or its exit status if it has ended before."""
        await self.load_credentials()
        (self.root.path / "run/notify").unlink(missing_ok=True)
        self.notifications = Notifications(self.root.path / "run/notify")
        self.notifications.path.chmod(0o666)
        command = await self.sandbox((await self.settings())["ExecStart"][0])
        with (self.root.path / "root/journal").open("ab") as journal:
            self.process = await asyncio.create_subprocess_exec(*command, stderr=journal)
        ended = asyncio.create_task(self.process.wait())
        ready = asyncio.create_task(self.notifications.next_with("READY"))
        done, pending = await asyncio.wait((ended, ready), return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        if ready in done:
            await ready
            return None
        await self.remove_credentials()
        return ended.result()

    async def reload(self) -> None:
        """``systemctl reload`` of a unit of Type=notify-reload: returns after the reload."""
        assert self.process is not None
        assert self.notifications is not None
        self.process.send_signal(signal.SIGHUP)
        await self.wait_for_reload()

    async def wait_for_reload(self) -> None:
        """Waits for the end of a reload that has been requested."""
        assert self.notifications is not None
        await self.notifications.next_with("RELOADING")
        await self.notifications.next_with("READY")

    async def stop(self) -> int:
        """Returns the exit status of the service after SIGTERM. Its credentials are gone then."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.terminate()
        status = await self.process.wait()
        await self.remove_credentials()
        return status

    async def remove_credentials(self) -> None:
        assert self.notifications is not None
        self.notifications.close()
        await self.root.output(f"umount /run/credentials/{Path(self.unit).name}; rm -rf /run/valt-gateway")

    async def close(self) -> None:
        """Ends the service at once if it still runs."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        if self.notifications is not None:
            self.notifications.close()
