"""``streams`` and ``cut``: who watches now, and how an operator ends it, alone and with workers."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.programs import Ran, run
from tests.support.served import ServedGateway, serving
from tests.support.worker_requests import WORKERS

pytestmark = pytest.mark.timeout(300)

TOKEN = "correct-horse-battery-staple"
LISTEN = 'listen = "127.0.0.1:0"'
SIZE = 64 * 1024 * 1024


async def command(gateway: ServedGateway, *arguments: str) -> Ran:
    config = ("--config", str(gateway.config), "--admin", gateway.admin)
    return await run(sys.executable, "-m", "gateway", arguments[0], *config, *arguments[1:])


async def listed(gateway: ServedGateway) -> list[dict[str, Any]]:
    printed = await command(gateway, "streams", "--json")
    assert printed.code == 0, printed.err
    answer: dict[str, Any] = json.loads(printed.out)
    assert answer["total"] == len(answer["streams"])
    streams: list[dict[str, Any]] = answer["streams"]
    return streams


def admin_lines(folder: Path, action: str) -> list[dict[str, Any]]:
    """Returns the ``admin`` lines of all workers' audit files for *action*, by their times."""
    rows = [json.loads(line) for path in folder.glob("audit*.jsonl") for line in path.read_text().splitlines()]
    rows.sort(key=lambda row: str(row["time"]))
    return [row for row in rows if row["event"] == "admin" and row["action"] == action]


async def playing(gateway: ServedGateway, recording: str) -> aiohttp.ClientResponse:
    gateway.valt.add_video(recording, "film", bytes(SIZE))
    stream = await gateway.client.get(gateway.url + gateway.path(recording, "film"))
    assert stream.status == 200
    await stream.content.readexactly(1000)
    return stream


async def ends(stream: aiohttp.ClientResponse) -> None:
    """Returns when *stream* has ended before its last byte."""
    with pytest.raises(aiohttp.ClientError):
        await stream.read()


@pytest.mark.promise("operation-streams")
@pytest.mark.parametrize("workers", [1, 2])
async def test_an_operator_sees_who_watches_and_cuts_one_stream(tmp_path: Path, workers: int) -> None:
    (tmp_path / "admin-token").write_text(TOKEN)
    async with serving(
        tmp_path, server=WORKERS if workers == 2 else "", admin=f'{LISTEN}\ntoken_file = "admin-token"'
    ) as gateway:
        streams = {name: await playing(gateway, name) for name in ("one", "two", "three", "four")}
        printed = {stream["recording"]: stream for stream in await listed(gateway)}
        assert set(printed) == set(streams)
        first = printed["one"]
        assert (first["subject"], first["video"], first["rule"]) == ("anna", "film", "supervisors")
        assert first["seconds"] >= 0
        cut = await command(gateway, "cut", first["request_id"])
        assert (cut.code, cut.out) == (0, b""), cut.err
        await ends(streams["one"])
        while len(rest := await listed(gateway)) > 3:
            await asyncio.sleep(0.1)
        assert {stream["recording"] for stream in rest} == {"two", "three", "four"}
        again = await command(gateway, "cut", first["request_id"])
        assert (again.code, b"no stream has this request id" in again.err) == (1, True)
        plain = await command(gateway, "streams")
        assert plain.out.count(b"\n") == 3
        assert b"\tanna\ttwo/film\t" in plain.out
        assert b"3 stream(s)" in plain.err
        gateway.process.terminate()
        for stream in streams.values():
            stream.close()
        assert await gateway.process.wait() == 0
    lines = admin_lines(tmp_path, "cut")
    assert [(line["outcome"], line["stream"]) for line in lines] == [
        ("ok", first["request_id"]),
        ("not_found", first["request_id"]),
    ]
    assert (lines[0]["subject"], lines[0]["recording"], lines[0]["video"]) == ("anna", "one", "film")


@pytest.mark.promise("operation-streams")
async def test_over_a_unix_socket_no_token_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    async with serving(tmp_path, admin=f'listen = "unix:{path}"') as gateway:
        assert gateway.admin == f"unix:{path}"
        stream = await playing(gateway, "one")
        # admin.listen says where the listener is, so that --admin may be left out
        entry = (sys.executable, "-m", "gateway")
        printed = await run(*entry, "streams", "--config", str(gateway.config), "--json")
        request_id = json.loads(printed.out)["streams"][0]["request_id"]
        cut = await run(*entry, "cut", "--config", str(gateway.config), request_id)
        assert cut.code == 0, cut.err
        await ends(stream)
    assert [(line["outcome"], line["peer"]) for line in admin_lines(tmp_path, "cut")] == [("ok", None)]


@pytest.mark.promise("operation-streams")
@pytest.mark.parametrize("workers", [1, 2])
async def test_who_may_not_cut_is_refused_and_audited_until_a_reload_says_otherwise(
    tmp_path: Path, workers: int
) -> None:
    async with serving(tmp_path, server=WORKERS if workers == 2 else "") as gateway:
        stream = await playing(gateway, "one")
        request_id = (await listed(gateway))[0]["request_id"]
        refused = await command(gateway, "cut", request_id)
        assert (refused.code, b"set admin.token" in refused.err) == (1, True)
        await stream.content.readexactly(1000)
        old = gateway.config.read_text()
        (tmp_path / "admin-token").write_text(TOKEN)
        gateway.config.write_text(old.replace("[admin]\n", '[admin]\ntoken_file = "admin-token"\n'))
        await gateway.reload()
        cut = await command(gateway, "cut", request_id)
        assert cut.code == 0, cut.err
        await ends(stream)
        gateway.config.write_text(old)
        unauthorized = await command(gateway, "streams")
        assert (unauthorized.code, b"admin.token is another one" in unauthorized.err) == (1, True)
        (tmp_path / "admin-token").write_text("a second token")
        gateway.config.write_text(old.replace("[admin]\n", '[admin]\ntoken_file = "admin-token"\n'))
        assert (await command(gateway, "streams")).code == 1
        await gateway.reload()
        assert await listed(gateway) == []
    assert [line["outcome"] for line in admin_lines(tmp_path, "cut")] == ["refused", "ok"]
