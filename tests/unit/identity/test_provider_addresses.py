"""Providers inside an intranet: a private CA, an outbound proxy, a discovery document elsewhere, any issuer."""

import asyncio
import base64
import contextlib
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.errors import IdentityProviderError
from gateway.identity.discovery import Endpoints, fetch_json, fetch_metadata, open_session
from tests.support.provider import Provider

ADFS = "http://fs.example.edu/adfs/services/trust"


@pytest.mark.promise("identity-I17")
async def test_a_private_ca_is_trusted_and_another_is_named_in_the_reason(tmp_path: Path) -> None:
    ca, server_context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(server_context)
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    provider = Provider()
    server = TestServer(provider.application(), scheme="https")
    await server.start_server(ssl=server_context)
    provider.issuer = str(server.make_url("")).rstrip("/")
    try:
        async with open_session(tmp_path / "ca.pem", "") as session:
            assert (await fetch_metadata(session, provider.issuer)).required_url("jwks_uri")
        async with open_session(None, "") as session:
            with pytest.raises(IdentityProviderError, match="certificate verify failed"):
                await fetch_metadata(session, provider.issuer)
    finally:
        await server.close()


@pytest.mark.promise("identity-I17")
async def test_requests_go_through_the_outbound_proxy(provider: Provider) -> None:
    targets: list[str] = []

    async def forward(request: web.BaseRequest) -> web.StreamResponse:
        targets.append(str(request.raw_path))
        async with aiohttp.ClientSession() as direct, direct.get(str(request.url)) as response:
            return web.Response(body=await response.read(), content_type="application/json")

    runner = web.ServerRunner(web.Server(forward))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    async with open_session(None, f"http://{host}:{port}") as session:
        metadata = await fetch_metadata(session, provider.issuer)
    await runner.cleanup()
    assert metadata.required_url("token_endpoint") == f"{provider.issuer}/token"
    assert targets == [f"{provider.issuer}/.well-known/openid-configuration"]


class ConnectProxy:
    """An outbound proxy that opens tunnels for whoever authenticates, and records the heads of the requests."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.tasks: set[asyncio.Task[Any]] = set()

    async def close(self, server: asyncio.Server) -> None:
        """Closes *server* after the last tunnel, whose ends its clients have closed."""
        server.close()
        await asyncio.wait(self.tasks, timeout=30)
        await server.wait_closed()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks |= {task} if (task := asyncio.current_task()) is not None else set()
        with contextlib.closing(writer):
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            if b"\r\nProxy-Authorization: Basic " not in head:
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return
            port = int(head.split()[1].rpartition(b":")[2])
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            with contextlib.closing(server_writer):
                copies = [
                    asyncio.create_task(self._copy(reader, server_writer)),
                    asyncio.create_task(self._copy(server_reader, writer)),
                ]
                await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
                for copy in copies:
                    copy.cancel()
                await asyncio.gather(*copies, return_exceptions=True)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)


@pytest.mark.promise("identity-I16", "identity-I17")
async def test_an_https_provider_is_reached_through_a_tunnel_of_the_proxy(tmp_path: Path) -> None:
    ca, server_context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("localhost").configure_cert(server_context)
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    provider, tunnels = Provider(), ConnectProxy()
    server = TestServer(provider.application(), scheme="https")
    await server.start_server(ssl=server_context)
    provider.issuer = f"https://localhost:{server.port}"
    proxy = await asyncio.start_server(tunnels.handle, "127.0.0.1", 0)
    port = proxy.sockets[0].getsockname()[1]
    try:
        async with open_session(tmp_path / "ca.pem", f"http://gate%40way:s%3Ae@localhost:{port}") as session:
            assert (await fetch_metadata(session, provider.issuer)).required_url("jwks_uri")
        async with open_session(tmp_path / "ca.pem", f"http://localhost:{port}") as session:
            with pytest.raises(IdentityProviderError, match="the outbound proxy returned status 407"):
                await fetch_metadata(session, provider.issuer)
        async with open_session(None, f"http://gate%40way:s%3Ae@localhost:{port}") as session:
            with pytest.raises(IdentityProviderError, match="certificate verify failed") as refused:
                await fetch_metadata(session, provider.issuer)
    finally:
        await server.close()
        await tunnels.close(proxy)
    assert base64.b64encode(b"gate@way:s:e") in tunnels.heads[0]
    assert all(head.startswith(f"CONNECT {provider.issuer[8:]} ".encode()) for head in tunnels.heads)
    assert "s%3Ae" not in str(refused.value)


@pytest.mark.promise("identity-I13", "identity-I17")
async def test_an_issuer_that_is_no_url_is_discovered_elsewhere(
    provider: Provider, client: aiohttp.ClientSession
) -> None:
    url = f"{provider.issuer}/.well-known/openid-configuration"
    provider.discovery = {"issuer": "sso.example.edu"}
    assert (await fetch_metadata(client, "sso.example.edu", url)).required_url("jwks_uri")
    provider.discovery = {"issuer": "https://fs.example.edu/adfs", "access_token_issuer": ADFS}
    assert (await fetch_metadata(client, ADFS, url)).required_url("jwks_uri")
    with pytest.raises(IdentityProviderError):
        await fetch_metadata(client, "http://evil.test", url)


async def test_a_document_whose_address_has_a_query_is_fetched_with_it(
    provider: Provider, client: aiohttp.ClientSession
) -> None:
    provider.discovery = {"jwks_uri": f"{provider.issuer}/keys?appid=1"}
    url = f"{provider.issuer}/.well-known/openid-configuration?appid=1"
    metadata = await fetch_metadata(client, provider.issuer, url)
    assert await fetch_json(client, metadata.required_url("jwks_uri"))
    assert set(provider.request_counts) == {"/.well-known/openid-configuration?appid=1", "/keys?appid=1"}


@pytest.mark.promise("identity-I16")
async def test_the_reason_names_what_was_expected_and_what_was_received(
    provider: Provider, client: aiohttp.ClientSession
) -> None:
    named = "https://login.microsoftonline.com/{tenantid}/v2.0"
    provider.discovery = {"issuer": named}
    with pytest.raises(IdentityProviderError) as refused:
        await fetch_metadata(client, provider.issuer)
    assert repr(named) in str(refused.value)
    assert repr(provider.issuer) in str(refused.value)
    provider.discovery = {"jwks_uri": "ftp://user:secret@sso.example.edu/keys?key=secret"}
    with pytest.raises(IdentityProviderError, match=r"jwks_uri .*sso\.example\.edu/keys") as refused:
        (await fetch_metadata(client, provider.issuer)).url("jwks_uri")
    assert "secret" not in str(refused.value)


@pytest.mark.promise("identity-I16")
@pytest.mark.parametrize(
    "url",
    [
        *("https://[", "https://", "https:///keys", "https://sso.test:99999/", "https://sso.test:port/"),
        *("https://s\u2100/", "https://sso test/", "https://sso.test/\n", " https://sso.test/", "https:sso.test", ""),
        *(7, ["https://sso.test"]),
    ],
)
async def test_an_endpoint_that_is_no_url_is_named_and_is_no_error_of_the_gateways(
    provider: Provider, client: aiohttp.ClientSession, url: Any
) -> None:
    for name in ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "end_session_endpoint"):
        provider.discovery = {name: url}
        with pytest.raises(IdentityProviderError, match=f"^{name} in the discovery document is "):
            Endpoints.from_metadata(await fetch_metadata(client, provider.issuer))


@pytest.mark.promise("identity-I6")
async def test_every_request_to_a_provider_uses_a_new_connection() -> None:
    peers: list[object] = []

    async def record(request: web.BaseRequest) -> web.StreamResponse:
        peers.append(request.transport and request.transport.get_extra_info("peername"))
        return web.json_response({})

    runner = web.ServerRunner(web.Server(record))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    async with open_session(None, "") as session:
        for _ in range(3):
            await fetch_json(session, f"http://{host}:{port}/any")
    await runner.cleanup()
    assert len(set(peers)) == 3
