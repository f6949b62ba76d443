"""The front proxies that deploy/ has files for, run as real programs with those files."""

import asyncio
import shutil
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.support.programs import wait_until_listening

DEPLOY = Path(__file__).parents[2] / "deploy"
HOST = "recordings.example.edu"


@dataclass(frozen=True, slots=True)
class Front:
    """A running front. *folder* holds its configuration and its logs; *tls* is the context of its clients."""

    port: int
    folder: Path
    tls: ssl.SSLContext

    def written(self) -> str:
        """Returns what the front has written to any of its files and to its standard outputs."""
        files = [path for path in self.folder.glob("*") if path.suffix in (".log", ".out")]
        return "".join(path.read_text(errors="replace") for path in files)

    async def wait_until_written(self, text: str) -> None:
        """Waits until the front has written *text*: it logs a request after it has answered. Raises TimeoutError."""
        async with asyncio.timeout(10):
            while text not in self.written():
                await asyncio.sleep(0.02)


def find_program(name: str) -> str:
    """Returns the path of *name*, also of a Python package's program. Raises AssertionError if it is missing."""
    places = f"{Path(sys.executable).parent}:/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin"
    path = shutil.which(name, path=places)
    assert path is not None, f"{name} is not installed: run tests/programs.sh and install the test extra"
    return path


def write_certificates(folder: Path) -> ssl.SSLContext:
    """Writes a certificate for HOST in each form that a front reads. Returns a client's context that trusts it."""
    authority = trustme.CA()
    certificate = authority.issue_cert(HOST)
    key, chain = certificate.private_key_pem.bytes(), b"".join(pem.bytes() for pem in certificate.cert_chain_pems)
    (folder / f"{HOST}.key").write_bytes(key)
    (folder / f"{HOST}.crt").write_bytes(chain)
    (folder / f"{HOST}.pem").write_bytes(chain + key)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def write_config(folder: Path, source: str, name: str, replacements: dict[str, str]) -> Path:
    """Writes the shipped file with this machine's addresses and files. Raises AssertionError if one is not in it."""
    text = (DEPLOY / source).read_text()
    for old, new in replacements.items():
        assert old in text, (source, old)
        text = text.replace(old, new)
    path = folder / name
    path.write_text(text)
    return path


@asynccontextmanager
async def running_front(
    folder: Path, port: int, configure: Callable[[Path, int], list[str]], *, encrypted: bool = True
) -> AsyncIterator[Front]:
    """Runs the command that *configure* returns for a folder and a port, and waits until it listens."""
    tls = write_certificates(folder)
    command = configure(folder, port)
    with (folder / "program.out").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            find_program(command[0]), *command[1:], cwd=folder, stdout=output, stderr=output
        )
    try:
        async with asyncio.timeout(20):
            await wait_until_listening(port, process)
            if encrypted:
                await _wait_until_configured(port, tls)
        yield Front(port, folder, tls)
    except AssertionError as error:
        error.add_note((folder / "program.out").read_text(errors="replace")[-2000:])
        raise
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _wait_until_configured(port: int, tls: ssl.SSLContext) -> None:
    """Waits until the front presents its certificate: Traefik listens before it has read its dynamic configuration."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=HOST)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
