"""TLS on both sides: VALT with a private certificate authority, and the gateway with its own certificate."""

import asyncio
import socket
import ssl
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
import trustme

from gateway.sim.catalogue import CAMERA_A, SESSION
from gateway.sim.valt import ValtSimulator
from tests.support.client import connect, request
from tests.support.gateway_fixture import VIDEO_PATH, GatewayStack, running_stack, settings_of
from tests.support.tls import CERTIFIED, client_context, write_certificate

APPLICATION_DATA = 23
"""The type of a TLS record (RFC 8446, section 5.1). An alert, as close_notify is one, has another."""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_context(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


def record_types(received: bytes) -> Iterator[int]:
    """Yields the type of each TLS record in *received*."""
    while received:
        yield received[0]
        received = received[5 + int.from_bytes(received[3:5]) :]


def film(stack: GatewayStack) -> bytes:
    entry = stack.valt.recording(SESSION).film(CAMERA_A)
    assert entry is not None
    return entry.content


async def test_valts_private_authority_is_trusted_by_ca_file(tmp_path: Path, authority: trustme.CA) -> None:
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
    valt = ValtSimulator(ssl_context=server_context(authority))
    async with running_stack(tmp_path, valt=valt, valt_more='ca_file = "ca.pem"\n') as stack:
        for range_header, status in ((None, 200), ("bytes=1000-200000", 206)):
            headers = stack.bearer() | ({} if range_header is None else {"Range": range_header})
            async with stack.client.get(stack.url + VIDEO_PATH, headers=headers) as answer:
                assert answer.status == status
                body = await answer.read()
            assert body == (film(stack) if range_header is None else film(stack)[1000:200001])
        assert stack.valt.calls["media_connection"] == 1
        assert (await stack.metrics())['valt_gateway_relay_total{way="fast"}'] == 2


@pytest.mark.parametrize("name", ["127.0.0.1", "elsewhere.test"])
async def test_a_certificate_that_is_untrusted_or_not_valts_is_refused(
    tmp_path: Path, authority: trustme.CA, name: str
) -> None:
    more = ""
    if name == "elsewhere.test":
        (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
        more = 'ca_file = "ca.pem"\n'
    valt = ValtSimulator(ssl_context=server_context(authority, name))
    async with running_stack(tmp_path, valt=valt, valt_more=more) as stack:
        answer = await stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer())
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (503, "valt_unavailable")


@pytest.mark.promise("streams-1")
async def test_a_body_that_breaks_off_over_tls_is_resumed(tmp_path: Path, authority: trustme.CA) -> None:
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
    valt = ValtSimulator(ssl_context=server_context(authority))
    async with running_stack(tmp_path, valt=valt, valt_more='ca_file = "ca.pem"\n') as stack:
        stack.valt.knobs.reset_after = [100_000, 0, 70_000]
        async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer()) as answer:
            assert await answer.read() == film(stack)


@pytest.mark.promise("streams-22")
async def test_the_gateway_serves_https_and_reloads_its_certificate(tmp_path: Path, authority: trustme.CA) -> None:
    write_certificate(tmp_path, authority)
    async with running_stack(tmp_path, server=CERTIFIED) as stack:
        assert stack.url.startswith("https://")
        stack.valt.knobs.reset_after = [100_000]
        async with stack.client.get(
            stack.url + VIDEO_PATH, headers=stack.bearer(), ssl=client_context(authority)
        ) as answer:
            assert await answer.read() == film(stack)
        assert (await stack.metrics())['valt_gateway_relay_total{way="plain"}'] == 1
        other = trustme.CA()
        write_certificate(tmp_path, other)
        assert await stack.gateway.reload(settings_of(stack.config))
        async with (
            aiohttp.ClientSession() as fresh,
            fresh.get(f"{stack.url}/robots.txt", ssl=client_context(other)) as answer,
        ):
            assert answer.status == 200


async def test_a_key_of_another_certificate_is_not_loaded(tmp_path: Path, authority: trustme.CA) -> None:
    write_certificate(tmp_path, authority)
    async with running_stack(tmp_path, server=CERTIFIED) as stack:
        (tmp_path / "key.pem").write_bytes(authority.issue_cert("127.0.0.1").private_key_pem.bytes())
        assert not await stack.gateway.reload(settings_of(stack.config))
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=client_context(authority))) as client,
            client.get(f"{stack.url}/robots.txt") as answer,
        ):
            assert answer.status == 200


@pytest.mark.promise("streams-22")
async def test_no_handshake_fails_while_certificates_are_reloaded(tmp_path: Path, authority: trustme.CA) -> None:
    write_certificate(tmp_path, authority)
    tls = client_context(authority)
    async with running_stack(tmp_path, server=CERTIFIED) as stack:
        answered = asyncio.Event()

        async def connect_again_and_again() -> None:
            while True:
                async with connect(stack.url, tls=tls) as connection:
                    await connection.send(request("GET", "/robots.txt"))
                    assert (await connection.read_response()).status == 200
                    answered.set()

        clients = [asyncio.create_task(connect_again_and_again()) for _ in range(8)]
        for _ in range(10):
            answered.clear()
            write_certificate(tmp_path, authority)
            assert await stack.gateway.reload(settings_of(stack.config))
            await answered.wait()
        assert not any(client.done() for client in clients)
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)


@pytest.mark.promise("streams-16")
async def test_a_client_that_leaves_a_tls_stream_frees_the_upstream(tmp_path: Path, authority: trustme.CA) -> None:
    write_certificate(tmp_path, authority)
    async with running_stack(tmp_path, server=CERTIFIED) as stack:
        stack.valt.add_video("big", "film", bytes(64 * 1024 * 1024))
        async with stack.client.get(
            f"{stack.url}/recordings/big/videos/film", headers=stack.bearer(), ssl=client_context(authority)
        ) as answer:
            await answer.content.readexactly(1000)
            answer.close()
        await stack.valt.wait_for(lambda: stack.valt.open_media == 0)
        await stack.ended()
        assert stack.audit()[-1]["outcome"] == "left"


async def test_an_incomplete_film_never_ends_with_the_end_of_tls(tmp_path: Path, authority: trustme.CA) -> None:
    """In HTTP/1.0 without a stated length, close_notify says that the film is whole. The client sends its own first."""
    write_certificate(tmp_path, authority)
    context = client_context(authority)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # later versions encrypt the type of a record
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    loop = asyncio.get_running_loop()
    async with running_stack(tmp_path, server=CERTIFIED) as stack, asyncio.timeout(10):
        stack.valt.knobs.chunked, stack.valt.knobs.stall_after = True, [100_000] * 2  # it is requested twice
        address = urlsplit(stack.url)
        with socket.socket() as connection:
            connection.setblocking(False)
            await loop.sock_connect(connection, (address.hostname, address.port))

            async def until_done(step: Callable[[], object]) -> None:
                while True:
                    try:
                        step()
                    except ssl.SSLWantReadError:
                        await loop.sock_sendall(connection, outgoing.read())
                        incoming.write(await loop.sock_recv(connection, 65_536))
                    else:
                        return

            await until_done(client.do_handshake)
            client.write(request("GET", VIDEO_PATH, stack.bearer(), version="1.0"))
            await until_done(client.read)
            received = incoming.read()
            with suppress(ssl.SSLWantReadError):
                client.unwrap()
            await loop.sock_sendall(connection, outgoing.read())
            with suppress(ConnectionResetError):
                while piece := await loop.sock_recv(connection, 65_536):
                    received += piece
        await stack.ended()
        assert stack.audit()[-1]["outcome"] == "left"
    assert set(record_types(received)) <= {APPLICATION_DATA}


@pytest.mark.promise("streams-2")
@pytest.mark.parametrize("encrypted", [False, True])
async def test_a_stalled_body_to_a_tls_viewer_continues(tmp_path: Path, authority: trustme.CA, encrypted: bool) -> None:
    write_certificate(tmp_path, authority)
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
    async with running_stack(
        tmp_path,
        valt=ValtSimulator(ssl_context=server_context(authority) if encrypted else None),
        valt_more='ca_file = "ca.pem"\nread_timeout = "200ms"\n',
        server=CERTIFIED,
    ) as stack:
        stack.valt.knobs.stall_after = [100_000, 0, 70_000]
        async with stack.client.get(
            stack.url + VIDEO_PATH, headers=stack.bearer(), ssl=client_context(authority)
        ) as answer:
            assert await answer.read() == film(stack)
        metrics = await stack.metrics()
        assert metrics['valt_gateway_stream_resumes_total{outcome="ok",reason="stalled"}'] >= 1


async def test_an_idle_tls_connection_takes_little_memory(tmp_path: Path, authority: trustme.CA) -> None:
    """The client's end is in the same process; asyncio alone would take 256 KiB for each end."""
    write_certificate(tmp_path, authority)
    context = client_context(authority)
    async with running_stack(tmp_path, server=CERTIFIED) as stack, AsyncExitStack() as connections:
        await connections.enter_async_context(connect(stack.url, tls=context))
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(10):
                await connections.enter_async_context(connect(stack.url, tls=context))
            assert (tracemalloc.get_traced_memory()[0] - before) / 10 < 300 * 1024
        finally:
            tracemalloc.stop()
