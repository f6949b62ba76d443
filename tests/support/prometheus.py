"""A running Prometheus with deploy/prometheus.yml, and its HTTP API."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from tests.support.programs import program

_DEPLOY = Path(__file__).parents[2] / "deploy"
_TARGET = "- 127.0.0.1:9464"


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running one, by its HTTP API."""

    url: str
    client: aiohttp.ClientSession
    process: asyncio.subprocess.Process

    async def ask(self, path: str, **query: str) -> Any:
        """Returns the data of a response of the API. Raises AssertionError if it is not a success."""
        async with self.client.get(f"{self.url}/api/v1/{path}", params=query) as answer:
            body = await answer.json()
        assert body["status"] == "success", body
        return body["data"]

    async def value(self, query: str) -> float:
        """Returns the one sample that *query* has, once it has one that is not zero."""
        async with asyncio.timeout(30):
            while True:
                result = (await self.ask("query", query=query))["result"]
                if result and (value := float(result[0]["value"][1])):
                    return value
                await asyncio.sleep(0.05)

    async def history(
        self, query: str, start: float, end: float
    ) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        """Returns the labels of each series of *query*, and its times and values, one a second, NaN left out."""
        data = await self.ask("query_range", query=query, start=str(start), end=str(end), step="1")
        series = []
        for one in data["result"]:
            points = [(float(time), float(text)) for time, text in one["values"] if text != "NaN"]
            if points:
                series.append((one["metric"], points))
        return series


@asynccontextmanager
async def running_prometheus(
    folder: Path, port: int, admins: Sequence[str], *, interval: str = "1s"
) -> AsyncIterator[Prometheus]:
    """Runs one that scrapes the admin listeners *admins*, URLs, each *interval* instead of every 15 s; the rest is
    what an operator installs. A scrape may take no longer than the interval."""
    text = (_DEPLOY / "prometheus.yml").read_text()
    targets = json.dumps([urlsplit(url).netloc for url in admins])
    for old, new in {f"\n          {_TARGET}": f" {targets}", "_interval: 15s": f"_interval: {interval}"}.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "prometheus.yml").write_text(text)
    shutil.copy(_DEPLOY / "alerts.yml", folder)
    process = await asyncio.create_subprocess_exec(
        program("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with aiohttp.ClientSession() as client:
            started = Prometheus(f"http://127.0.0.1:{port}", client, process)
            async with asyncio.timeout(60):
                while not await _is_ready(started):
                    assert process.returncode is None, "prometheus did not start"
                    await asyncio.sleep(0.05)
            yield started
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _is_ready(prometheus: Prometheus) -> bool:
    try:
        async with prometheus.client.get(f"{prometheus.url}/-/ready") as answer:
            return answer.status == 200
    except aiohttp.ClientConnectionError:
        return False
