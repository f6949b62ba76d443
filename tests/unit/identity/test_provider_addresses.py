"""Providers inside an intranet: a private CA, an outbound proxy, a discovery document elsewhere, any issuer."""

import ssl
from pathlib import Path

import aiohttp
import pytest
import trustme
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.errors import IdentityProviderError
from gateway.identity.discovery import fetch_json, fetch_metadata, open_session
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
