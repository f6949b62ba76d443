"""The processes of a crowd: a gateway of two workers with room for so many streams, and what they use."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gateway.sim.demo_configuration import make_portal_key, write_demo_configuration
from tests.support.free_ports import free_port

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_LIMITS = """
[limits]
streams = {streams}
streams_per_person = 0
streams_per_address = 0

[[identity]]
type = "jwt"
name = "campus"
issuer = "{issuer}"
audience = "valt-gateway"
"""


@dataclass
class Processes:
    """A supervisor with its workers, and the process of VALT. *ports* are the public and the admin listener's."""

    gateway: subprocess.Popen[bytes]
    valt: subprocess.Popen[str]
    ports: tuple[int, int]
    token: str = field(repr=False)

    def members(self) -> list[int]:
        """Returns the process ids of the supervisor and its workers."""
        children = Path(f"/proc/{self.gateway.pid}/task/{self.gateway.pid}/children").read_text().split()
        return [self.gateway.pid, *map(int, children)]

    def memory(self) -> int:
        """Returns the bytes that are resident in all processes of the gateway; shared pages count in each."""
        return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE for pid in self.members())

    def descriptors(self) -> int:
        """Returns how many descriptors all processes of the gateway have open."""
        return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in self.members())

    def processor_seconds(self) -> dict[str, float]:
        """Returns the processor time of the gateway, of VALT and of this process so far."""
        return {
            "gateway": sum(map(_seconds, self.members())),
            "media server": _seconds(self.valt.pid),
            "viewers": _seconds(os.getpid()),
        }

    def metric(self, name: str) -> float:
        """Returns the sum of the samples of *name*."""
        lines = self._read("/metrics").splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.partition("{")[0].split(" ")[0] == name)

    def is_ready(self) -> bool:
        try:
            return bool(self._read("/readyz"))
        except (OSError, urllib.error.URLError):
            return False

    def _read(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[1]}{path}", timeout=30) as answer:
            return str(answer.read().decode())


def _seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


@contextmanager
def processes(folder: Path, *, streams: int, seconds: float) -> Iterator[Processes]:
    """Runs them until the block ends. VALT fails for *seconds* once a line is written to it."""
    command = (sys.executable, "-m", "tests.soak.faulty_valt", str(seconds))
    with (
        free_port() as port,
        free_port() as admin_port,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as valt,
    ):
        assert valt.stdout is not None
        addresses = json.loads(valt.stdout.readline())
        make_portal_key(folder)
        public, portal = "http://localhost:8080", "http://127.0.0.1:8090"
        config = write_demo_configuration(
            folder, port=port, admin_port=admin_port, public_url=public, valt_url=addresses["valt"], portal_url=portal
        )
        text = config.read_text().replace("[admin]", "workers = 2\n\n[admin]", 1)
        text = text.replace("[valt]\n", '[valt]\nread_timeout = "2s"\n', 1)
        config.write_text(text + _LIMITS.format(streams=streams, issuer=addresses["issuer"]))
        with (folder / "stderr").open("wb") as log:
            serve = (sys.executable, "-m", "gateway", "serve", "--config", str(config))
            gateway = subprocess.Popen(serve, stderr=log)
        running = Processes(gateway, valt, (port, admin_port), addresses["token"])
        try:
            until = time.monotonic() + 90
            while not running.is_ready():
                assert gateway.poll() is None, (folder / "stderr").read_text()
                assert time.monotonic() < until, "the gateway does not become ready"
                time.sleep(0.2)
            yield running
        finally:
            gateway.terminate()
            time.sleep(0.5)
            gateway.terminate()
            gateway.wait(60)
            if valt.poll() is None:
                valt.terminate()
