"""The environment of a bench: an origin with the film, a simulated VALT that links to it, and gateway processes."""

import asyncio
import os
import ssl
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from gateway.sim.catalogue import CAMERA_A, SESSION
from gateway.sim.valt import USERS, ValtSimulator
from tests.bench.subject import Subject, free_port, listening, process
from tests.support.client import connect
from tests.support.programs import program
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
{tls}
[admin]
listen = "127.0.0.1:0"
[limits]
streams = 8000
streams_per_address = 0
connections = 20000
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
{more}
"""
_TLS = 'tls_cert_file = "server.pem"\ntls_key_file = "server.pem"'


@dataclass
class GatewayStack:
    """*port* and *tls_port* are the origin's; *tokens* are signed with ES256, one for each person. *python* is the
    interpreter that runs gateways and bare aiohttp."""

    folder: Path
    port: int
    tls_port: int
    valt: ValtSimulator
    provider: Provider
    tokens: Sequence[str]
    python: str = sys.executable

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
        tls: bool = False,
        audit: str = "",
        more: str = "",
        workers: int = 1,
        command: Sequence[str] = ("-m", "gateway"),
        python: str = "",
    ) -> AsyncIterator[Subject]:
        """Runs ``valt-gateway serve``, where the group "staff" may see every recording.

        *encrypted* is TLS to the media server, *tls* to the viewer. *audit* is added to the section of that name,
        *more* are further sections. With several *workers* the processor time is that of all and of their supervisor.
        *command* are the arguments that make *python*, which is the stack's unless given, run the gateway.
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
                tls=_TLS if tls else "",
                more=more,
            )
        )
        origin = f"https://127.0.0.1:{self.tls_port}" if encrypted else f"http://127.0.0.1:{self.port}"
        log = self.folder / f"{name}.log"
        async with process(python or self.python, *command, "serve", "--config", str(config), log=log) as pid:
            address = (await _line_of(log, "valt-gateway is ready on ")).split()[0]
            port = int(address.rpartition(":")[2])
            self.valt.media_url = origin  # links name it; the first request caches the link for half an hour
            for _ in range(1 if workers == 1 else 20 * workers):  # each worker has a cache of its own
                first = self.requests().split(b"\r\n\r\n")[0] + b"\r\nRange: bytes=0-0\r\n\r\n"
                await _check_response(port, first, _trusting(self.folder) if tls else None)
            yield Subject("valt-gateway" if workers == 1 else f"{workers} workers", port, pid)

    async def start_seconds(self) -> float:
        """Returns the seconds from the start of the process to its first response."""
        started = time.monotonic()
        async with self.gateway("start", "redirect"):
            return time.monotonic() - started


@asynccontextmanager
async def running_stack(folder: Path, python: str = sys.executable) -> AsyncIterator[GatewayStack]:
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
        yield GatewayStack(folder, port, tls_port, valt, provider, tokens, python)


@asynccontextmanager
async def nginx(folder: Path, name: str, http: str, port: int) -> AsyncIterator[int]:
    """Runs nginx with *http* in its http block, and waits until *port* listens. Yields the process id."""
    config = folder / f"{name}.conf"
    config.write_text(NGINX.format(folder=folder, name=name, http=http))
    command = (program("nginx"), "-p", str(folder), "-c", str(config))
    # Without it, malloc returns the buffers of each response to the system, or keeps them, by chance.
    async with process(*command, log=folder / f"{name}.err", MALLOC_TRIM_THRESHOLD_="1073741824") as pid:
        await listening(port)
        yield pid


async def _line_of(log: Path, beginning: str) -> str:
    """Waits until *log* has a line with that *beginning*. Returns the rest of the line. Raises RuntimeError with the
    log's end after twenty seconds."""
    try:
        async with asyncio.timeout(20):
            while True:
                for line in log.read_text().splitlines():
                    if line.startswith(beginning):
                        return line.removeprefix(beginning)
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise RuntimeError(f"{log.name}: {log.read_text()[-2000:]}") from None


def _trusting(folder: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=folder / "ca.pem")


async def _check_response(port: int, request: bytes, tls: ssl.SSLContext | None) -> None:
    async with connect(f"http://localhost:{port}", tls=tls) as connection:
        await connection.send(request)
        head = await connection.read_head()
    if head.status not in (206, 302, 303, 307):
        raise RuntimeError(f"unexpected response of the gateway: {head.raw_head[:200]!r}")
