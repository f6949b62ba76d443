"""A whole gateway over real sockets, with a simulated VALT and an OpenID provider."""

import asyncio
import io
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from yarl import URL

from gateway.identity.ticket import mint_ticket
from gateway.ports import Clock
from gateway.server import Gateway
from gateway.settings.loading import load
from gateway.settings.model import Settings
from gateway.sim.catalogue import CAMERA_A, SESSION
from gateway.sim.demo_configuration import make_portal_key
from gateway.sim.valt import USERS, ValtSimulator
from tests.support.cookie_jar import CookieJar
from tests.support.provider import Provider
from tests.support.state import create_state

PORTAL = "https://portal.example.edu"
PUBLIC = "http://localhost:8080"
VIDEO_PATH = f"/recordings/{SESSION}/videos/{CAMERA_A}"
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html"}

TOML = """\
[server]
listen = "{listen}"
public_url = "{public}"
{server}
[admin]
listen = "127.0.0.1:0"

[valt]
base_url = "{valt}"
{valt_more}
[valt.accounts.reviewer]
username = "svc-reviewer"
password_file = "valt-reviewer"

[valt.accounts.trainee]
username = "svc-trainee"
password_file = "valt-trainee"

[[identity]]
type = "jwt"
name = "campus"
issuer = "{issuer}"
audience = "valt-gateway"

[[identity]]
type = "header"
name = "front"
from = ["127.0.0.1/32"]
secret_header = "X-Front-Secret"
secret_file = "front-secret"

[[identity]]
type = "ticket"
name = "portal"
issuer = "{portal}"
public_key_file = "portal.pub"

[session]
secret_file = "session"

{grants}

[audit]
file = "audit.jsonl"
{audit_more}
[log]
level = "debug"
{more}
"""

GRANTS = """\
[[grants]]
name = "supervisors"
groups = ["supervisors"]
recordings = ["*"]
account = "reviewer"

[[grants]]
name = "redirected"
groups = ["redirected"]
recordings = ["*"]
account = "reviewer"
delivery = "redirect"

[[grants]]
name = "students"
groups = ["students"]
recordings = ["6ecfe37c-*"]
account = "trainee"
download = false
"""

OIDC = """
[[identity]]
type = "oidc"
name = "campus-login"
issuer = "{issuer}"
client_id = "gateway-client"
client_auth = "none"
"""
"""Sign-in by the provider of a stack."""


def audit_lines(path: Path) -> list[Mapping[str, Any]]:
    """Returns the lines of an audit file, except ``chain`` and ``admin`` lines, which concern no request."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line for line in lines if line["event"] not in ("chain", "admin")]


@dataclass
class GatewayStack:
    """A running gateway, what it depends on, and a client. *url* and *admin* are the URLs of its two listeners."""

    folder: Path
    config: Path
    gateway: Gateway
    valt: ValtSimulator
    provider: Provider
    client: aiohttp.ClientSession
    url: str
    admin: str
    portal_key: str = field(repr=False)
    front_secret: str = field(repr=False)
    log: io.StringIO = field(repr=False)

    def bearer(self, subject: str = "anna", *groups: str, **claims: Any) -> dict[str, str]:
        """Returns the Authorization header of a token for *subject*, who is in the group of supervisors by default."""
        now = int(self.gateway.clock.now())
        payload = {
            "iss": self.provider.issuer,
            "aud": "valt-gateway",
            "sub": subject,
            "groups": list(groups or ("supervisors",)),
            "iat": now,
            "exp": now + 3600,
            **claims,
        }
        return {"Authorization": f"Bearer {self.provider.sign(payload)}"}

    def front(self, subject: str, groups: str = "supervisors") -> dict[str, str]:
        """Returns the headers with which a proxy in front of the gateway names the user."""
        return {"X-Forwarded-User": subject, "X-Forwarded-Groups": groups, "X-Front-Secret": self.front_secret}

    def ticket(self, subject: str = "anna", *groups: str, **more: Any) -> str:
        """Returns a ticket of the portal, valid for a minute by default."""
        options: dict[str, Any] = {"issuer": PORTAL, "audience": PUBLIC, "now": self.gateway.clock.now(), "ttl": 60.0}
        return mint_ticket(self.portal_key, subject=subject, groups=groups or ("supervisors",), **options | more)

    def audit(self) -> list[Mapping[str, Any]]:
        """Returns the lines of the audit so far, without those that concern no request."""
        return audit_lines(self.folder / "audit.jsonl")

    async def sign_in(
        self, subject: str = "anna", *groups: str, jar: CookieJar | None = None, code: str = "the-code", **claims: Any
    ) -> dict[str, str]:
        """Signs in at the provider, which must be configured as ``oidc``. Returns the Cookie header of the session, or
        no header if the gateway refuses the *claims* of the ID token. *jar* holds the browser's session cookies."""
        jar = jar or CookieJar()
        async with self.client.get(f"{self.url}/oauth2/start", headers=NAVIGATION, allow_redirects=False) as answer:
            query = URL(answer.headers["Location"]).query
            attempt = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
        now = int(self.gateway.clock.now())
        self.provider.id_token = {
            "iss": self.provider.issuer,
            "aud": query["client_id"],
            "sub": subject,
            "groups": list(groups or ("supervisors",)),
            "nonce": query["nonce"],
            "iat": now,
            "exp": now + 300,
            **claims,
        }
        finished = f"{self.url}/oauth2/callback?code={code}&state={query['state']}"
        headers = {"Cookie": "; ".join(filter(None, [attempt["Cookie"], jar.header]))}
        async with self.client.get(finished, headers=headers, allow_redirects=False) as answer:
            received = answer.headers.getall("Set-Cookie", [])
            jar.store([header for header in received if header.startswith("valt_gateway_session")])
            cookies = [one.partition(";")[0] for one in received]
        session = next((one for one in cookies if one.startswith("valt_gateway_session=")), None)
        return {} if session is None else {"Cookie": session}

    async def metrics(self) -> dict[str, float]:
        """Returns every sample by its name and labels, as the exposition writes them."""
        async with self.client.get(f"{self.admin}/metrics", headers={"Accept-Encoding": "identity"}) as answer:
            lines = (await answer.text()).splitlines()
        pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}

    async def ended(self) -> None:
        """Waits until no stream is running."""
        while len(self.gateway.streams):
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running_stack(
    folder: Path,
    *,
    clock: Clock | None = None,
    valt: ValtSimulator | None = None,
    grants: str = GRANTS,
    server: str = "",
    valt_more: str = "",
    audit_more: str = "",
    more: str = "",
    public: str = PUBLIC,
    listen: str = "127.0.0.1:0",
    durable: bool = True,
    film_indexes: bool = False,
) -> AsyncIterator[GatewayStack]:
    """Runs a gateway. *durable*: with the state of an earlier start, without which tickets are refused in the first
    seconds.
    *film_indexes*: after a stream the media server is asked for the index of its film."""
    if durable and "[state]" not in more:
        more += '\n[state]\ndir = "state"\n'
    if 'dir = "state"' in more:
        await create_state(folder)
    async with valt or ValtSimulator(clock=clock) as running, Provider().running() as provider:
        portal_key = make_portal_key(folder)
        front_secret = secrets.token_urlsafe(24)
        for name, text in (
            ("valt-reviewer", USERS["svc-reviewer"]),
            ("valt-trainee", USERS["svc-trainee"]),
            ("session", secrets.token_urlsafe(48)),
            ("front-secret", front_secret),
        ):
            (folder / name).touch(mode=0o600)
            (folder / name).write_text(text)
        config = folder / "gateway.toml"
        text = TOML.format(
            listen=listen,
            public=public,
            server=server,
            valt=running.base_url,
            valt_more=valt_more,
            audit_more=audit_more,
            issuer=provider.issuer,
            portal=PORTAL,
            grants=grants,
            more=more.replace("{issuer}", provider.issuer),
        )
        config.write_text(text)
        log = io.StringIO()
        gateway = Gateway(settings_of(config), clock=clock, log=log, film_indexes=film_indexes)
        await gateway.start()
        url, admin = gateway.addresses
        async with aiohttp.ClientSession(auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()) as client:
            try:
                yield GatewayStack(
                    folder, config, gateway, running, provider, client, url, admin, portal_key, front_secret, log
                )
            finally:
                await gateway.stop()


def settings_of(config: Path) -> Settings:
    """Returns the settings of *config*. Raises AssertionError with the faults if it has any."""
    loaded = load(config, {})
    if loaded.settings is None:
        raise AssertionError("\n".join(map(str, loaded.faults)))
    return loaded.settings


def unsigned(claims: Mapping[str, Any]) -> str:
    """Returns a token signed with a new key that no provider publishes."""
    return jwt.encode(dict(claims), Ed25519PrivateKey.generate(), algorithm="EdDSA")
