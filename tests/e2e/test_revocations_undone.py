"""A revocation that is undone while a gateway runs: what was issued before counts again, and can be revoked again."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from tests.support.gateway_fixture import NAVIGATION
from tests.support.programs import run
from tests.support.served import ServedGateway, serving
from tests.support.worker_requests import WORKERS, statuses

pytestmark = pytest.mark.timeout(300)


async def revoke(gateway: ServedGateway, *arguments: str) -> bytes:
    ran = await run(sys.executable, "-m", "gateway", "revoke", "--config", str(gateway.config), *arguments)
    assert ran.code == 0, ran.err
    return ran.out


@pytest.mark.promise("operation-undo")
@pytest.mark.parametrize("workers", [1, 2])
async def test_a_session_counts_again_after_undo_and_not_after_another_revoke(tmp_path: Path, workers: int) -> None:
    async with serving(tmp_path, server=WORKERS if workers == 2 else "") as gateway:
        gateway.valt.add_video("one", "film", bytes(1000))
        first = gateway.url + gateway.path("one", "film")
        async with gateway.client.get(first, headers=NAVIGATION, allow_redirects=False) as answer:
            cookie = answer.headers["Set-Cookie"].partition(";")[0]
        url = f"{gateway.url}/recordings/one/videos/film"

        async def until_all_are(status: int) -> None:
            while set(await statuses(url, 4, Cookie=cookie)) != {status}:
                await asyncio.sleep(0.1)

        await until_all_are(200)
        await revoke(gateway, "--subject", "anna")
        await until_all_are(401)
        assert (await revoke(gateway, "--list")).startswith(b"anna\t")
        await revoke(gateway, "--undo", "--subject", "anna")
        assert await revoke(gateway, "--list") == b""
        await until_all_are(200)
        await revoke(gateway, "--subject", "anna")
        await until_all_are(401)
    lines = [json.loads(line) for path in tmp_path.glob("audit*.jsonl") for line in path.read_text().splitlines()]
    admin = [line["action"] for line in lines if line["event"] == "admin" and line.get("subject") == "anna"]
    assert admin == ["revoke", "undo", "revoke"]
