"""A whole site for the command ``doctor``: VALT over TLS, a provider, a front and a gateway. Each can be broken.

The clock of VALT and of the checks skips what is waited for, so that the end of a link is reached at once.
"""

import io
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import trustme
from aiohttp import web

from gateway.cli.examples import NullObserver
from gateway.clock import SystemClock
from gateway.doctor.check import Check, Result
from gateway.doctor.diagnosis import diagnose
from gateway.server import Gateway
from gateway.settings.loading import load
from gateway.sim.demo_configuration import make_portal_key
from gateway.sim.valt import USERS, ValtSimulator
from tests.support.free_ports import free_port
from tests.support.gateway_fixture import settings_of
from tests.support.provider import Provider

LINK_LIFE = 100.0
"""Seconds. Short enough for the doctor to wait for the end, long enough for a busy machine."""

CONFIGURATION = """\
[server]
listen = "127.0.0.1:0"
public_url = "https://localhost:{front}"
tls_cert_file = "cert.pem"
tls_key_file = "key.pem"

[admin]
listen = "{admin}"
token_file = "admin-token"

[valt]
base_url = "{valt}"
ca_file = "ca.pem"

[valt.accounts.reviewer]
username = "svc-reviewer"
password_file = "valt-reviewer"

[valt.accounts.trainee]
username = "svc-trainee"
password_file = "valt-trainee"

[limits]
streams = 50
connections = 200

[[identity]]
type = "header"
name = "front"
from = ["127.0.0.1/32"]
secret_header = "X-Front-Secret"
secret_file = "front-secret"

[[identity]]
type = "jwt"
name = "campus"
issuer = "{issuer}"
audience = "valt-gateway"

[[identity]]
type = "oidc"
name = "sign-in"
issuer = "{issuer}"
client_id = "valt-gateway"
client_secret_file = "client-secret"

[[identity]]
type = "ticket"
name = "portal"
issuer = "https://portal.example.edu"
public_key_file = "portal.pub"

[session]
secret_file = "session"

[state]
dir = "state"

[[grants]]
name = "supervisors"
groups = ["supervisors"]
recordings = ["*"]
account = "reviewer"

[audit]
file = "log/audit.jsonl"
"""

REDIRECT = ('account = "reviewer"\n', 'account = "reviewer"\ndelivery = "redirect"\n')
"""A change of the configuration: the rule gives links to clients."""


class SkippingClock(SystemClock):
    """The system's clock, of which a sleep skips the seconds instead of waiting for them."""

    def __init__(self) -> None:
        self._skipped = 0.0

    def now(self) -> float:
        return time.time() + self._skipped

    def monotonic(self) -> float:
        return time.monotonic() + self._skipped

    async def sleep(self, seconds: float) -> None:
        self._skipped += seconds


@dataclass
class Front:
    """A reverse proxy with a certificate. *drops* are the headers, in lower case, that it removes from requests; *adds*
    are those that it sets. *status* answers in place of the gateway."""

    drops: set[str] = field(default_factory=lambda: {"x-forwarded-user", "x-forwarded-groups", "x-front-secret"})
    adds: dict[str, str] = field(default_factory=dict)
    underscores: bool = False
    """Whether an underscore in a header's name counts as a hyphen, as in a CGI environment."""
    status: int = 0
    location: str = ""
    backend: str = ""
    context: ssl.SSLContext | None = None
    session: aiohttp.ClientSession | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        assert self.session is not None
        if self.status:
            headers = {"Location": self.location} if self.location else None
            return web.Response(status=self.status, headers=headers, text="<html>front</html>")
        headers = {}
        for name, value in request.headers.items():
            if "_" in name and not self.underscores:
                continue
            if name.lower() not in self.drops and name.lower() != "host":
                headers[name.replace("_", "-")] = value
        url = f"{self.backend}{request.path_qs}"
        async with self.session.get(
            url, headers=headers | self.adds, ssl=self.context or True, allow_redirects=False
        ) as answer:
            passed_on = {"Content-Type": answer.headers.get("Content-Type", "text/plain")}
            return web.Response(status=answer.status, headers=passed_on, body=await answer.read())


@dataclass
class Lab:
    """*config* is the file that the doctor reads; the gateway has read it before. *secrets* must appear nowhere."""

    folder: Path
    config: Path
    authority: trustme.CA
    clock: SkippingClock
    valt: ValtSimulator
    provider: Provider
    front: Front
    gateway: Gateway
    recording: str | None = None
    video: str | None = None
    texts: list[str] = field(default_factory=list)
    """The contents of the files of secrets."""

    @property
    def secrets(self) -> list[str]:
        return [*self.texts, *self.valt.secrets]

    def edit(self, *changes: tuple[str, str]) -> None:
        """Changes the configuration that the doctor reads. Raises AssertionError if a text is not in it."""
        text = self.config.read_text()
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new, 1)
        self.config.write_text(text)

    def write_certificate(self, *, days: float, name: str = "cert") -> None:
        """Writes the gateway's own certificate, valid for so many more *days*."""
        write_certificate(self.folder, self.authority, days, name)

    async def examine(self) -> list[Check]:
        """Returns the doctor's checks."""
        loaded = load(self.config, {})
        return await diagnose(loaded, self.clock, NullObserver(), self.recording, self.video, show=lambda _text: None)


def not_good(checks: Iterable[Check]) -> list[Check]:
    """Returns those of *checks* that are doubtful or broken."""
    return [check for check in checks if check.result is not Result.GOOD]


def write_certificate(folder: Path, authority: trustme.CA, days: float, name: str) -> None:
    """Writes certificate and key, valid for so many more *days*."""
    end = datetime.now(UTC) + timedelta(days=days)
    begin = end - timedelta(days=90)
    issued = authority.issue_cert("localhost", "127.0.0.1", not_before=begin, not_after=end)
    (folder / f"{name}.pem").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key = folder / ("key.pem" if name == "cert" else f"{name}-key.pem")
    key.touch(mode=0o600)
    key.write_bytes(issued.private_key_pem.bytes())


def server_context(folder: Path, name: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}-key.pem")
    return context


@asynccontextmanager
async def running_lab(folder: Path, *, days: Mapping[str, float] | None = None, admin: str = "") -> AsyncIterator[Lab]:
    """Runs the site. *days* are how long certificates are valid, by ``valt`` and ``front``: 90 without. *admin* is the
    admin listener's address. The caller replaces the system's store of authorities by ``folder/ca.pem``."""
    days = days or {}
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    write_certificate(folder, authority, 90, "cert")
    for name in ("valt", "front"):
        write_certificate(folder, authority, days.get(name, 90), name)
    (folder / "log").mkdir()
    clock = SkippingClock()
    async with AsyncExitStack() as running:
        valt = ValtSimulator(clock=clock, ssl_context=server_context(folder, "valt"))
        valt.knobs.link_life = LINK_LIFE
        await running.enter_async_context(valt)
        provider = await running.enter_async_context(Provider().running())
        ports = [running.enter_context(free_port()) for _ in range(2)]
        texts = write_secrets(folder)
        make_portal_key(folder)
        config = folder / "gateway.toml"
        config.touch(mode=0o600)
        config.write_text(
            CONFIGURATION.format(
                front=ports[0], admin=admin or f"127.0.0.1:{ports[1]}", valt=valt.base_url, issuer=provider.issuer
            )
        )
        gateway = Gateway(settings_of(config), log=io.StringIO(), film_indexes=False)
        await gateway.start()
        running.push_async_callback(gateway.stop)
        front = Front(backend=gateway.addresses[0], context=ssl.create_default_context(cafile=folder / "ca.pem"))
        front.adds["X-Front-Secret"] = (folder / "front-secret").read_text()
        front.session = await running.enter_async_context(aiohttp.ClientSession())
        await serve(running, front, ports[0], server_context(folder, "front"))
        yield Lab(folder, config, authority, clock, valt, provider, front, gateway, texts=texts)


async def serve(running: AsyncExitStack, front: Front, port: int, context: ssl.SSLContext) -> None:
    """Serves *front* on *port* until *running* ends."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", front.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    running.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "localhost", port, ssl_context=context).start()


_RANDOM = ("session", "state-secret", "front-secret", "admin-token", "client-secret")


def write_secrets(folder: Path) -> list[str]:
    """Writes the files of secrets that the configuration names. Returns their contents."""
    contents = {
        "valt-reviewer": USERS["svc-reviewer"],
        "valt-trainee": USERS["svc-trainee"],
        **{name: secrets.token_urlsafe(48) for name in _RANDOM},
    }
    for name, text in contents.items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(text)
    return list(contents.values())
