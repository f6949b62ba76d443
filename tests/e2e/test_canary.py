"""Plants secrets, runs requests of every kind, and searches every byte that a client or a log received for them."""

import contextlib
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from gateway.request_record import RequestRecord
from gateway.sim.catalogue import SESSION
from gateway.sim.valt import USERS
from tests.support.collector import collecting
from tests.support.gateway_fixture import NAVIGATION, VIDEO_PATH, GatewayStack, running_stack

SERVICE_KEY = "vgk_planted-service-key-of-some-length"
CLIENT_SECRET = "planted-client-secret-of-some-length"
MORE = f"""
[[service_keys]]
name = "archive"
secret_sha256 = "{hashlib.sha256(SERVICE_KEY.encode()).hexdigest()}"
groups = ["supervisors"]

[[identity]]
type = "oidc"
name = "campus-login"
issuer = "http://127.0.0.1:9"
client_id = "valt-gateway"
client_secret_file = "client-secret"
"""

_HIDDEN = ("Set-Cookie", "Location")
"""Headers that have to contain a secret: the session's cookie, and VALT's URL in a redirect."""


@dataclass
class Sinks:
    """The text that was received, by the place where it was."""

    received: dict[str, str] = field(default_factory=dict)

    def take(self, where: str, text: str) -> None:
        self.received[where] = self.received.get(where, "") + text

    def search(self, secrets: dict[str, str]) -> list[str]:
        """Returns a text for each secret that one of the places contains."""
        return [
            f"{name} in {where}" for where, text in self.received.items() for name, s in pieces(secrets) if s in text
        ]


def pieces(secrets: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yields each secret, and the signature of each signed token, with a name."""
    for name, secret in secrets.items():
        yield name, secret
        if secret.count(".") == 2:
            yield f"{name}'s signature", secret.rpartition(".")[2]


@contextlib.contextmanager
def broken(stack: GatewayStack, secret: str) -> Iterator[None]:
    """Makes the gateway fail with an internal error whose text contains *secret*."""

    async def opened(_record: RequestRecord) -> None:
        raise RuntimeError(secret)

    stack.gateway.audit.opened = opened  # type: ignore[assignment, method-assign]
    yield
    del stack.gateway.audit.opened


async def send_all_requests(stack: GatewayStack, sinks: Sinks) -> dict[str, str]:
    """Sends requests of every kind: granted, refused and failing, of pages and of scripts. Returns the secrets used."""
    secrets = {
        "VALT password": USERS["svc-reviewer"],
        "front proxy's secret": stack.front_secret,
        "session secret": (stack.folder / "session").read_text(),
    }

    async def send(name: str, path: str, headers: dict[str, str] | None = None, method: str = "GET") -> str:
        cookie = ""
        with contextlib.suppress(aiohttp.ClientError):
            async with stack.client.request(
                method, stack.url + path, headers=headers, allow_redirects=False
            ) as response:
                sinks.take(name, "".join(f"{k}: {v}\n" for k, v in response.headers.items() if k not in _HIDDEN))
                cookie = response.headers.get("Set-Cookie", "").partition(";")[0]
                if "access_token=" in response.headers.get("Location", ""):
                    secrets["link"] = response.headers["Location"].partition("access_token=")[2]
                sinks.take(name, (await response.read()).decode("latin-1"))
        return cookie

    bearer = stack.bearer()
    secrets["bearer"] = bearer["Authorization"].removeprefix("Bearer ")
    for name, headers in (
        ("good", bearer),
        ("page", bearer | NAVIGATION),
        ("json", bearer | {"Accept": "application/json"}),
    ):
        await send(name, VIDEO_PATH, headers)
        await send(name, f"/recordings/{SESSION}", headers)
        await send(name, "/recordings?q=session", headers)
        await send(name, "/", headers)
        await send(name, "/oauth2/userinfo", headers)
    secrets["ticket"] = stack.ticket()
    exchanged = await send("exchange", f"{VIDEO_PATH}?ticket={secrets['ticket']}", NAVIGATION)
    secrets["cookie"] = exchanged.partition("=")[2]
    cookie = {"Cookie": f"valt_gateway_session={secrets['cookie']}"}
    await send("session", VIDEO_PATH, cookie)
    await send("spent ticket", f"{VIDEO_PATH}?ticket={secrets['ticket']}")
    await send("spent ticket's page", f"{VIDEO_PATH}?ticket={secrets['ticket']}", NAVIGATION)
    await send("redirect", VIDEO_PATH, stack.bearer("rita", "redirected"))
    await send("front", VIDEO_PATH, stack.front("anna"))
    await send("refused", VIDEO_PATH, stack.bearer("carla", "nobody"))
    await send("refused page", VIDEO_PATH, stack.bearer("carla", "nobody") | NAVIGATION)
    await send("malformed", VIDEO_PATH, bearer | {"Range": "bytes=x" * 500})
    await send("too large", VIDEO_PATH, {"Authorization": f"Bearer {secrets['bearer']}{'x' * 9000}"})
    await send("tampered", VIDEO_PATH, {"Authorization": f"Bearer {secrets['bearer']}x"})
    await send("method", VIDEO_PATH, bearer, "DELETE")
    secrets["service key"], secrets["client secret"] = SERVICE_KEY, CLIENT_SECRET
    for key in (SERVICE_KEY, SERVICE_KEY + "x"):
        await send("API", f"/api/v3/records/{SESSION}?access_token={key}")
        await send("API", f"/api/v3/records/{SESSION}", {"Authorization": f"Bearer {key}"})
        await send("API", f"/api/v3/nothing?access_token={key}")
    await send("sign-in", "/oauth2/start", NAVIGATION)
    await send("sign-in", "/oauth2/callback?state=x&code=y", NAVIGATION)
    with broken(stack, secrets["bearer"]):
        await send("fault", VIDEO_PATH, bearer)
        await send("fault", VIDEO_PATH, bearer | NAVIGATION)
    knobs = stack.valt.knobs
    for fault in ("refuse", "gone", "reset", "rubbish", "elsewhere", "down"):
        match fault:
            case "refuse":
                knobs.refuse_media = [403, 403]
            case "gone":
                knobs.refuse_media = [404]
            case "reset":
                knobs.reset_after = [1000] * 10
            case "rubbish":
                stack.valt.forget_tokens()
                knobs.rubbish = {"login", "download", "record", "search"}
            case "elsewhere":
                knobs.rubbish, knobs.link_host, knobs.refuse_media = set(), "evil.test:1", [403]
            case "down":
                await stack.valt.stop()
        await send(fault, VIDEO_PATH, bearer)
        await send(fault, f"/recordings/{SESSION}/videos/other", bearer | NAVIGATION)
        await send(fault, f"/recordings/{SESSION}", bearer | NAVIGATION)
        await send(fault, "/recordings", bearer | NAVIGATION)
    return secrets


@pytest.fixture
def sinks() -> Sinks:
    return Sinks()


@pytest.mark.promise("findings-16", "findings-E")
async def test_no_secret_is_in_a_response_log_audit_or_metric(tmp_path: Path, sinks: Sinks) -> None:
    (tmp_path / "client-secret").write_text(CLIENT_SECRET)
    async with collecting() as collector, running_stack(tmp_path, more=MORE + collector.settings()) as stack:
        secrets = await send_all_requests(stack, sinks)
        await collector.wait_for(lambda: len(collector.spans) > 100)
        sinks.take("traces", collector.received.decode("latin-1"))
        async with stack.client.get(f"{stack.admin}/metrics", headers={"Accept-Encoding": "identity"}) as response:
            sinks.take("metrics", await response.text())
        async with stack.client.get(f"{stack.admin}/readyz?verbose") as response:
            sinks.take("readyz", await response.text())
    secrets |= {f"VALT's token {number}": token for number, token in enumerate(stack.valt.secrets)}
    sinks.take("log", stack.log.getvalue())
    sinks.take("audit", (tmp_path / "audit.jsonl").read_text())
    sinks.take("repr", repr(stack.gateway.settings) + repr(stack.gateway.__dict__))

    assert len(stack.valt.secrets) > 3
    assert secrets["link"].count(".") == 2
    assert len(secrets["cookie"]) > 100
    assert "internal error" in sinks.received["log"]
    assert '"code": "internal"' in sinks.received["fault"]
    assert sinks.search(secrets) == []
    assert not re.search(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", sinks.received["log"] + sinks.received["audit"])


@pytest.mark.parametrize("where", ["log", "audit", "metrics", "good"])
async def test_the_search_detects_a_planted_secret(sinks: Sinks, where: str) -> None:
    sinks.take(where, "all is well")
    assert sinks.search({"bearer": "eyJa.eyJb.c2lnbmF0dXJl"}) == []
    sinks.take(where, "…c2lnbmF0dXJl…")
    assert sinks.search({"bearer": "eyJa.eyJb.c2lnbmF0dXJl"}) == [f"bearer's signature in {where}"]
