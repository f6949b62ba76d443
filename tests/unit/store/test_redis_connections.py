"""How RedisStore connects: passwords and ACLs, TLS with a private CA, Sentinels and their failover."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trustme

from gateway.errors import BusyError
from gateway.model import Secret
from gateway.redis_url import parse_redis_url
from gateway.shared_loads import SharedValue
from gateway.store.redis import RedisStore
from tests.support.clock import ManualClock
from tests.support.free_ports import free_port
from tests.support.measures import ROOT
from tests.support.programs import program, wait_until_listening
from tests.support.redis_server import RedisServer, redis_server

SECRET = Secret("a secret of more than thirty-two bytes, planted")


async def load_one() -> SharedValue:
    return SharedValue({"one": 1}, 1e10)


async def never() -> SharedValue:
    raise AssertionError("the value was not shared")


async def exchange_counts(store: RedisStore) -> None:
    """Returns after *store* has exchanged counts of both kinds with Redis."""
    requests, streams = asyncio.Event(), asyncio.Event()
    store.counts.on_requests = lambda _who, _seconds: requests.set()
    store.counts.on_streams = lambda _who, _count: streams.set()
    store.counts.add_request(("issuer", "anna"), 1.0)
    store.counts.set_streams(("issuer", "anna"), 1)
    async with asyncio.timeout(60):
        await requests.wait()
        await streams.wait()


async def works(url: str, clock: ManualClock, prefix: str = "test:") -> bool:
    """Whether a store at *url* starts, and stores something of each kind."""
    store = RedisStore(parse_redis_url(Secret(url)), prefix, clock, secret=SECRET, probe_interval=0.05)
    try:
        await store.start()
        await exchange_counts(store)
        await store.revoke("anna", clock.now(), clock.now() + 60)
        assert (await store.loads.load("link 1", load_one, lambda _value: True)).content == {"one": 1}
        assert (await store.loads.load("link 1", never, lambda _value: True)).content == {"one": 1}
        return await store.consume("portal 1", clock.now() + 60) and await store.is_consumed("portal 1")
    finally:
        await store.close()


def documented_acl() -> str:
    """Returns the rules of the user that docs/scale.md shows."""
    text = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    _, _, rest = text.partition("ACL SETUSER valt-gateway on '>PASSWORD' ")
    return " ".join(rest.partition("\n\n")[0].replace("\\", " ").split())


async def test_the_documented_acl_user_may_do_what_the_gateway_does(tmp_path: Path, clock: ManualClock) -> None:
    async with redis_server(tmp_path) as server, server.client() as client:
        rules = documented_acl()
        assert rules
        await client.execute_command("ACL", "SETUSER", "valt-gateway", "on", ">a-password", *rules.split())  # type: ignore[no-untyped-call]
        url = f"redis://valt-gateway:a-password@127.0.0.1:{server.port}?socket_timeout=60"
        assert await works(url, clock, "valt-gateway:")
        with pytest.raises(BusyError, match="ACL"):
            await works(url, clock, "other:")
        wrong = url.replace("a-password", "another")
        with pytest.raises(BusyError, match="refused the user name or password") as raised:
            await works(wrong, clock, "valt-gateway:")
        assert "another" not in str(raised.value)


async def test_a_server_with_a_password_alone(tmp_path: Path, clock: ManualClock) -> None:
    async with redis_server(tmp_path, "--requirepass", "a-password") as server:
        assert await works(f"redis://:a-password@127.0.0.1:{server.port}?socket_timeout=60", clock)
        with pytest.raises(BusyError):
            await works(server.url, clock)


async def test_tls_with_a_private_authority_is_verified(tmp_path: Path, clock: ManualClock) -> None:
    authority, other = trustme.CA(), trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    files = {name: tmp_path / f"{name}.pem" for name in ("ca", "other", "cert", "key")}
    authority.cert_pem.write_to_path(files["ca"])
    other.cert_pem.write_to_path(files["other"])
    certificate.cert_chain_pems[0].write_to_path(files["cert"])
    certificate.private_key_pem.write_to_path(files["key"])
    with free_port() as port:
        tls = ("--tls-cert-file", str(files["cert"]), "--tls-key-file", str(files["key"]))
        options = ("--tls-port", str(port), *tls, "--tls-auth-clients", "no", "--tls-ca-cert-file", str(files["ca"]))
        async with redis_server(tmp_path, *options):
            url = f"rediss://127.0.0.1:{port}?socket_timeout=60&ssl_ca_certs="
            assert await works(url + str(files["ca"]), clock)
            with pytest.raises(BusyError, match=r"(?i)certificate verify failed"):
                await works(url + str(files["other"]), clock)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(90):
        while not condition():
            await asyncio.sleep(0.05)


async def run_sentinel(stack: AsyncExitStack, folder: Path, master: RedisServer) -> int:
    """Starts a Sentinel that watches *master* as ``valt``. Returns its port."""
    port = stack.enter_context(free_port())
    config = folder / "sentinel.conf"
    config.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {folder}\n"
        f"sentinel monitor valt 127.0.0.1 {master.port} 1\n"
        "sentinel down-after-milliseconds valt 500\nsentinel failover-timeout valt 5000\n"
    )
    process = await asyncio.create_subprocess_exec(
        program("redis-sentinel"), str(config), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )

    async def stop() -> None:
        if process.returncode is None:
            process.kill()
        await process.wait()

    stack.push_async_callback(stop)
    await wait_until_listening(port, process)
    return port


async def test_sentinels_name_the_master_and_the_next_one(tmp_path: Path, clock: ManualClock) -> None:
    folders = [tmp_path / name for name in ("master", "replica", "sentinel")]
    for folder in folders:
        folder.mkdir()
    async with AsyncExitStack() as stack:
        master = await stack.enter_async_context(redis_server(folders[0]))
        follower = ("--replicaof", "127.0.0.1", str(master.port))
        await stack.enter_async_context(redis_server(folders[1], *follower))
        async with master.client() as client:
            async with asyncio.timeout(60):
                while (await client.info("replication")).get("slave0", {}).get("state") != "online":
                    await asyncio.sleep(0.05)
            sentinel = await run_sentinel(stack, folders[2], master)
            async with RedisServer(folders[2], sentinel).client() as ask, asyncio.timeout(60):
                while not await ask.sentinel_slaves("valt"):
                    await asyncio.sleep(0.1)
        url = parse_redis_url(Secret(f"redis+sentinel://127.0.0.1:{sentinel}/valt"))
        store = RedisStore(url, "t:", clock, probe_interval=0.1)
        await store.start()
        try:
            issued_at = clock.now()
            await store.revoke("anna", clock.now(), clock.now() + 3600)
            assert await store.consume("used", clock.now() + 60, since=issued_at)
            clock.pass_(30)
            await master.stop()
            await until(lambda: store.fault is not None)
            await until(lambda: store.fault is None)
            with pytest.raises(BusyError):  # the last writes may not have reached the new master
                await store.consume("used", clock.now() + 60, since=issued_at)
            assert store.revoked_at("anna") is not None
        finally:
            await store.close()
