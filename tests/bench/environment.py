"""The environment of a bench: an origin with the film, a simulated VALT that links to it, and gateway processes."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from gateway.sim.catalogue import CAMERA_A, SESSION
from gateway.sim.valt import USERS, ValtSimulator
from tests.support.client import connect
from tests.support.programs import program, wait_until_listening
from tests.support.provider import Provider, signing_key

FILM = 256 * 1024 * 1024
"""Bytes of the film."""
PATH = f"/recordings/{SESSION}/videos/{CAMERA_A}"
_PEOPLE = 200

NGINX = """\
worker_processes 1; daemon off; master_process off; worker_rlimit_nofile 20000;
pid {folder}/{name}.pid; error_log {folder}/{name}.log crit;
events {{ worker_connections 8192; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; keepalive_timeout 600s;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    {http}
}}
"""

_ORIGIN = """\
    root {folder}; types {{ video/mp4 mp4; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        listen 127.0.0.1:{tls_port} ssl backlog=4096;
        ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.pem; ssl_protocols TLSv1.3;
        location / {{ try_files /film.mp4 =404; }}
        location = /auth {{ return 204; }}
    }}
"""

_GATEWAY = """\
[server]
listen = "127.0.0.1:0"
public_url = "http://localhost"
workers = {workers}
[admin]
listen = "127.0.0.1:0"
[limits]
streams_per_address = 0
[valt]
base_url = "{valt}"
ca_file = "ca.pem"
[valt.accounts.reviewer]
username = "svc-reviewer"
password_file = "password"
[[identity]]
type = "jwt"
name = "campus"
issuer = "{issuer}"
audience = "valt-gateway"
[[grants]]
name = "everybody"
groups = ["staff"]
recordings = ["*"]
account = "reviewer"
delivery = "{delivery}"
[audit]
file = "audit-{name}.jsonl"
{audit}
[log]
format = "json"
"""


@dataclass
class Subject:
    """A server to measure: its port, and the process whose processor time counts."""

    name: str
    port: int
    pid: int

    def cpu(self) -> float:
        """Returns the seconds of processor time so far, user and system, of the process and its children."""
        return sum(_nanoseconds(pid) for pid in _with_children(self.pid)) / 1e9

    def memory(self) -> int:
        """Returns the proportional set size (PSS) of the process and its children, in bytes."""
        return sum(_proportional_set_size(pid) for pid in _with_children(self.pid))


@dataclass
class GatewayStack:
    """*port* and *tls_port* are the origin's; *tokens* are signed with ES256, one for each person."""

    folder: Path
    port: int
    tls_port: int
    valt: ValtSimulator
    provider: Provider
    tokens: Sequence[str]

    def requests(self, path: str = PATH) -> bytes:
        """Returns request heads as browsers send them, each with the token of another person."""
        return b"".join(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nAccept: */*\r\n"
            f"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\n\r\n".encode()
            for token in self.tokens
        )

    @asynccontextmanager
    async def gateway(
        self,
        name: str,
        delivery: str,
        *,
        encrypted: bool = False,
        audit: str = "",
        workers: int = 1,
        command: Sequence[str] = ("-m", "gateway"),
    ) -> AsyncIterator[Subject]:
        """Runs ``valt-gateway serve``, where the group "staff" may see every recording.

        *audit* is added to the section of that name. With several *workers* the processor time is that of all and of
        their supervisor. *command* are the arguments that make Python run the gateway.
        """
        config = self.folder / f"{name}.toml"
        config.write_text(
            _GATEWAY.format(
                valt=self.valt.base_url,
                issuer=self.provider.issuer,
                delivery=delivery,
                name=name,
                audit=audit,
                workers=workers,
            )
        )
        origin = f"https://127.0.0.1:{self.tls_port}" if encrypted else f"http://127.0.0.1:{self.port}"
        log = self.folder / f"{name}.log"
        async with process(sys.executable, *command, "serve", "--config", str(config), log=log) as pid:
            address = (await _line_of(log, "valt-gateway is ready on ")).split()[0]
            port = int(address.rpartition(":")[2])
            self.valt.media_url = origin  # links name it; the first request caches the link for half an hour
            for _ in range(1 if workers == 1 else 20 * workers):  # each worker has a cache of its own
                await _check_response(port, self.requests().split(b"\r\n\r\n")[0] + b"\r\nRange: bytes=0-0\r\n\r\n")
            yield Subject("valt-gateway" if workers == 1 else f"{workers} workers", port, pid)

    async def start_seconds(self) -> float:
        """Returns the seconds from the start of the process to its first response."""
        started = time.monotonic()
        async with self.gateway("start", "redirect"):
            return time.monotonic() - started


@asynccontextmanager
async def running_stack(folder: Path) -> AsyncIterator[GatewayStack]:
    """Runs everything but the gateways, with its files in *folder*, which only this user may read."""
    with (folder / "film.mp4").open("wb") as film:
        for _ in range(FILM >> 20):
            film.write(os.urandom(1 << 20))
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    authority.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(
        str(folder / "server.pem")
    )
    (folder / "password").touch(mode=0o600)
    (folder / "password").write_text(USERS["svc-reviewer"])
    port, tls_port = free_port(), free_port()
    http = _ORIGIN.format(folder=folder, port=port, tls_port=tls_port)
    async with AsyncExitStack() as exits:
        await exits.enter_async_context(nginx(folder, "origin", http, port))
        valt = await exits.enter_async_context(ValtSimulator())
        provider = Provider(keys=[signing_key("ES256")])
        await exits.enter_async_context(provider.running())
        now = int(time.time())
        claims = {"iss": provider.issuer, "aud": "valt-gateway", "groups": ["staff"], "iat": now, "exp": now + 7200}
        tokens = [provider.sign({**claims, "sub": f"person-{number}"}) for number in range(_PEOPLE)]
        yield GatewayStack(folder, port, tls_port, valt, provider, tokens)


@asynccontextmanager
async def nginx(folder: Path, name: str, http: str, port: int) -> AsyncIterator[int]:
    """Runs nginx with *http* in its http block, and waits until *port* listens. Yields the process id."""
    config = folder / f"{name}.conf"
    config.write_text(NGINX.format(folder=folder, name=name, http=http))
    command = (program("nginx"), "-p", str(folder), "-c", str(config))
    async with process(*command, log=folder / f"{name}.err") as pid:
        await listening(port)
        yield pid


@asynccontextmanager
async def process(*command: str, log: Path) -> AsyncIterator[int]:
    """Runs *command* for the length of the block, with its output in *log*. Yields the process id."""
    with log.open("wb") as output:
        running = await asyncio.create_subprocess_exec(*command, stdout=output, stderr=output)
    try:
        yield running.pid
    finally:
        if running.returncode is None:
            running.terminate()
            try:
                await asyncio.wait_for(running.wait(), 5)
            except TimeoutError:
                running.kill()
        await running.wait()


async def listening(port: int) -> None:
    """Waits until *port* accepts connections. Raises TimeoutError after twenty seconds."""
    async with asyncio.timeout(20):
        await wait_until_listening(port)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def _line_of(log: Path, beginning: str) -> str:
    """Waits until *log* has a line with that *beginning*. Returns the rest of the line."""
    async with asyncio.timeout(20):
        while True:
            for line in log.read_text().splitlines():
                if line.startswith(beginning):
                    return line.removeprefix(beginning)
            await asyncio.sleep(0.01)


async def _check_response(port: int, request: bytes) -> None:
    async with connect(f"http://127.0.0.1:{port}") as connection:
        await connection.send(request)
        head = await connection.read_head()
    if head.status not in (206, 302, 303, 307):
        raise RuntimeError(f"unexpected response of the gateway: {head.raw_head[:200]!r}")


def _with_children(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in _with_children(int(child)))]


def _nanoseconds(pid: int) -> int:
    """Processor time of all threads, by the scheduler's own account: ``/proc/PID/stat`` counts in steps of 10 ms."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


def _proportional_set_size(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
