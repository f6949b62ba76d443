"""A gateway that listens on IPv6 addresses: streams, rules by network, the audit, and the commands."""

import json
import sys
from pathlib import Path

import pytest

from tests.support.gateway_fixture import audit_lines
from tests.support.programs import run
from tests.support.served import serving
from tests.support.worker_requests import WORKERS, eventually

LOOPBACK = "0" * 31 + "1"
ADDRESSES = Path("/proc/net/if_inet6")

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not ADDRESSES.exists() or LOOPBACK not in ADDRESSES.read_text(), reason="this kernel has no address ::1"
    ),
]


@pytest.mark.promise("operation-ipv6")
@pytest.mark.parametrize("workers", [1, 2])
async def test_both_listeners_may_have_ipv6_addresses(tmp_path: Path, workers: int) -> None:
    server = WORKERS if workers == 2 else ""
    async with serving(tmp_path, server=server, admin='listen = "[::1]:0"', listen="[::1]:0") as gateway:
        assert gateway.url.startswith("http://[::1]:")
        assert gateway.admin.startswith("http://[::1]:")
        gateway.valt.add_video("one", "film", bytes(64 * 1024 * 1024))
        async with gateway.client.get(gateway.url + gateway.path("one", "film")) as stream:
            assert stream.status == 200
            await stream.content.readexactly(1000)
            command = (sys.executable, "-m", "gateway", "streams", "--config", str(gateway.config), "--json")
            printed = await run(*command, "--admin", gateway.admin)
            assert [one["peer"] for one in json.loads(printed.out)["streams"]] == ["::1"], printed.err
        await eventually(gateway, lambda metrics: metrics['valt_gateway_relay_total{way="fast"}'] == 1)
    lines = [line for path in tmp_path.glob("audit*.jsonl") for line in audit_lines(path)]
    assert {line["peer"] for line in lines} == {"::1"}
