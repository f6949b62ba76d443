"""Two gateways of two workers each on one Redis, behind nginx and HAProxy, as docs/scale.md says."""

import asyncio
import os
import signal
import ssl
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import aiohttp

from gateway.identity.ticket import mint_ticket
from gateway.sim.demo_configuration import make_portal_key, write_demo_configuration
from gateway.sim.valt import ValtSimulator
from tests.support.free_ports import free_port
from tests.support.fronts import HOST, Front, running_front, write_config
from tests.support.measures import ROOT
from tests.support.provider import Provider
from tests.support.redis_server import RedisServer, redis_server

_PORTAL, _PUBLIC = "http://127.0.0.1:8090", f"https://{HOST}"
_MORE = """
[[identity]]
type = "jwt"
name = "campus"
issuer = "{issuer}"
audience = "valt-gateway"
"""
_STATE = """[state]
url = "redis://127.0.0.1:{port}?socket_timeout={socket_timeout}"
secret_file = "session"
"""
_NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/main.log crit;
events {{ worker_connections 1024; }}
http {{
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    include {folder}/valt-gateway.conf;
}}
"""
_RELOADED = "configuration reloaded"
_ONE_GATEWAY = "upstream valt_gateway {\n    server 127.0.0.1:8080;\n    keepalive 64;\n}"
"""What the documented upstream of nginx replaces."""


@dataclass
class Replica:
    """A gateway with two workers, which can be killed and started again at the same address."""

    config: Path
    port: int
    admin_port: int
    process: asyncio.subprocess.Process | None = None
    code: Path | None = None
    """The folder with the copy of the package that it runs, if it is another."""

    async def start(self) -> None:
        """Starts it, and waits until its workers accept requests."""
        command = (sys.executable, "-m", "gateway", "serve", "--config", str(self.config))
        with self.config.with_suffix(".log").open("ab") as log:
            environ = os.environ if self.code is None else os.environ | {"PYTHONPATH": str(self.code)}
            self.process = await asyncio.create_subprocess_exec(*command, stderr=log, env=environ, cwd=self.code)
        async with asyncio.timeout(90), aiohttp.ClientSession() as client:
            while not await self._is_ready(client):
                assert self.process.returncode is None, self.log
                await asyncio.sleep(0.1)

    @property
    def log(self) -> str:
        """What it has printed."""
        return self.config.with_suffix(".log").read_text()

    async def workers(self) -> list[int]:
        """Returns the process ids of its workers."""
        async with aiohttp.ClientSession() as client:
            url = f"http://127.0.0.1:{self.admin_port}/readyz?verbose"
            async with client.get(url) as answer:
                return [worker["pid"] for worker in (await answer.json())["workers"].values()]

    async def kill(self) -> None:
        """Kills all of its processes at the same moment."""
        assert self.process is not None
        for pid in (self.process.pid, *await self.workers()):
            os.kill(pid, signal.SIGKILL)
        await self.process.wait()

    async def restart(self) -> None:
        """Ends it with one SIGTERM, as a service manager does, and starts it again. Asserts that it ended well."""
        assert self.process is not None
        self.process.terminate()
        async with asyncio.timeout(120):
            assert await self.process.wait() == 0, self.log
        await self.start()

    async def reload(self) -> None:
        """Has its workers replaced by SIGHUP, and waits until the new ones accept requests."""
        assert self.process is not None
        count = self.log.count(_RELOADED)
        self.process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(120):
            while self.log.count(_RELOADED) == count:
                await asyncio.sleep(0.1)

    async def metrics(self) -> str:
        """Returns the metrics of all its workers."""
        async with (
            aiohttp.ClientSession() as client,
            client.get(f"http://127.0.0.1:{self.admin_port}/metrics") as answer,
        ):
            return await answer.text()

    async def stop(self) -> None:
        """Ends it at once, if it runs."""
        if self.process is not None and self.process.returncode is None:
            try:
                async with asyncio.timeout(30):
                    while self.process.returncode is None:
                        self.process.terminate()  # the second one that is received ends the drain
                        await asyncio.sleep(0.2)
            except TimeoutError:
                await self.kill()

    async def _is_ready(self, client: aiohttp.ClientSession) -> bool:
        try:
            async with client.get(f"http://127.0.0.1:{self.admin_port}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False


@dataclass
class Installation:
    """Everything that runs."""

    fronts: tuple[Front, Front]
    replicas: tuple[Replica, Replica]
    valt: ValtSimulator
    redis: RedisServer
    provider: Provider
    portal_key: str = field(repr=False)

    def bearer(self, subject: str) -> dict[str, str]:
        """Returns the header of a supervisor's token, valid for a day: longer than any soak."""
        now = int(time.time())
        claims = {"iss": self.provider.issuer, "aud": "valt-gateway", "sub": subject, "groups": ["supervisors"]}
        return {"Authorization": f"Bearer {self.provider.sign({**claims, 'iat': now, 'exp': now + 86_400})}"}

    def ticket(self) -> str:
        """Returns a ticket for a supervisor, valid for a minute."""
        claims = {"issuer": _PORTAL, "audience": _PUBLIC, "subject": "anna"}
        return mint_ticket(self.portal_key, now=time.time(), ttl=60, groups=["supervisors"], **claims)


@asynccontextmanager
async def installation(
    folder: Path, *, socket_timeout: float = 60.0, server: str = "", code: Path | None = None
) -> AsyncIterator[Installation]:
    """Runs the whole. The state counts as complete since long before, so that tickets are accepted at once.

    *server* are further lines of ``[server]``; *code* is the folder with another copy of the package.
    """
    async with AsyncExitStack() as stack:
        ports = [stack.enter_context(free_port()) for _ in range(6)]
        redis = await stack.enter_async_context(redis_server(folder))
        await redis.set_epoch(0.0)
        valt = await stack.enter_async_context(ValtSimulator())
        provider = await stack.enter_async_context(Provider().running())
        portal_key = make_portal_key(folder)
        config = write_demo_configuration(
            folder, port=0, public_url=_PUBLIC, valt_url=valt.base_url, portal_url=_PORTAL
        )
        text = config.read_text() + _MORE.format(issuer=provider.issuer)
        state = _STATE.format(port=redis.port, socket_timeout=socket_timeout)
        text = text.replace('[state]\ndir = "state"\n', state)
        lines = f'workers = 2\ntrusted_proxies = ["127.0.0.1/32"]\n{server}\n[admin]'
        text = text.replace("[admin]", lines, 1)
        replicas = []
        for name, port, admin_port in (("one", ports[0], ports[1]), ("two", ports[2], ports[3])):
            own = text.replace('"127.0.0.1:0"', f'"127.0.0.1:{port}"', 1)
            own = own.replace('"127.0.0.1:0"', f'"127.0.0.1:{admin_port}"', 1)
            path = folder / f"{name}.toml"
            path.write_text(own.replace('"audit.jsonl"', f'"{name}.jsonl"'))
            replicas.append(Replica(path, port, admin_port, code=code))
        one, two = replicas
        for replica in replicas:
            stack.push_async_callback(replica.stop)
        await asyncio.gather(one.start(), two.start())
        fronts = []
        for name, port, configure in (("nginx", ports[4], _nginx), ("haproxy", ports[5], _haproxy)):
            place = folder / name
            place.mkdir()
            running = running_front(place, port, partial(configure, one=one, two=two))
            fronts.append(await stack.enter_async_context(running))
        yield Installation((fronts[0], fronts[1]), (one, two), valt, redis, provider, portal_key)


def client_of(front: Front) -> aiohttp.ClientSession:
    """Returns a client that keeps its connection to *front*, and stores no cookies."""
    return aiohttp.ClientSession(
        f"https://127.0.0.1:{front.port}",
        connector=aiohttp.TCPConnector(ssl=_with_name(front.tls), limit=1),
        headers={"Host": HOST},
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=120),
    )


def _with_name(tls: ssl.SSLContext) -> ssl.SSLContext:
    """Returns *tls* for an address in the place of the name, which is the certificate's."""
    tls.check_hostname = False
    return tls


def documented(front: str) -> str:
    """Returns the lines that docs/scale.md has for *front*."""
    text = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    _, _, rest = text.partition(f"<!-- {front} -->\n")
    lines = rest.partition("<!--")[0].splitlines()
    return "\n".join(line.removeprefix("    ") for line in lines if line.startswith("    "))


def _nginx(folder: Path, port: int, one: Replica, two: Replica) -> list[str]:
    upstream, _, _ = documented("nginx").partition("\nproxy_next_upstream")
    write_config(
        folder,
        "nginx.conf",
        "valt-gateway.conf",
        {
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "/etc/nginx/tls/": f"{folder}/",
            "/var/log/nginx/": f"{folder}/",
            _ONE_GATEWAY: _with_ports(upstream, one, two),
            "proxy_next_upstream off;": "proxy_next_upstream error;",
        },
    )
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder))
    return ["nginx", "-p", str(folder), "-e", str(folder / "main.log"), "-c", str(folder / "nginx.conf")]


def _haproxy(folder: Path, port: int, one: Replica, two: Replica) -> list[str]:
    write_config(
        folder,
        "haproxy.cfg",
        "haproxy.cfg",
        {
            "log /dev/log local0 info": "log stdout format raw local0 info",
            "bind :443": f"bind 127.0.0.1:{port}",
            "/etc/haproxy/": f"{folder}/",
            "backend valt_gateway\n    server gateway 127.0.0.1:8080": _with_ports(documented("haproxy"), one, two),
        },
    )
    return ["haproxy", "-db", "-f", "haproxy.cfg"]


def _with_ports(text: str, one: Replica, two: Replica) -> str:
    """Returns *text* of the documentation with this machine's addresses."""
    for address, replica in (("10.0.0.11", one), ("10.0.0.12", two)):
        assert f"{address}:8080" in text
        lines = [
            line.replace(f"{address}:8080", f"127.0.0.1:{replica.port}").replace("9090", str(replica.admin_port))
            if address in line
            else line
            for line in text.splitlines()
        ]
        text = "\n".join(lines)
    return text
