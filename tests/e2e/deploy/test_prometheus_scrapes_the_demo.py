"""Prometheus with deploy/prometheus.yml scrapes a running gateway and has every documented series."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio

from tests.support.programs import Demo, demo, program
from tests.unit.observe.test_metrics import PROMISED

# Prometheus takes five seconds until its first scrape, so that it is started once.
pytestmark = pytest.mark.asyncio(loop_scope="module")

DEPLOY = Path(__file__).parents[3] / "deploy"
PREFIX = "valt_gateway_"
# The demo fetches nobody's keys, and has neither a certificate nor a service key with a last day: no label, no series.
WITHOUT_SERIES = {
    "jwks_refreshes_total",
    "certificate_expiry_timestamp_seconds",
    "service_key_expiry_timestamp_seconds",
}


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running one, by its HTTP API."""

    url: str
    client: aiohttp.ClientSession
    process: asyncio.subprocess.Process

    async def ask(self, path: str, **query: str) -> Any:
        async with self.client.get(f"{self.url}/api/v1/{path}", params=query) as answer:
            body = await answer.json()
        assert body["status"] == "success", body
        return body["data"]

    async def value(self, query: str) -> float:
        """The one sample that *query* finds, once it finds one that is not zero."""
        async with asyncio.timeout(30):
            while True:
                result = (await self.ask("query", query=query))["result"]
                if result and (value := float(result[0]["value"][1])):
                    return value
                await asyncio.sleep(0.05)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[Demo]:
    async with demo() as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def prometheus(running: Demo, port: int, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Prometheus]:
    """Every second instead of every 15, and at the demo's address; the rest is what an operator installs."""
    folder = tmp_path_factory.mktemp("prometheus")
    text = (DEPLOY / "prometheus.yml").read_text()
    for old, new in {"127.0.0.1:9464": urlsplit(running.metrics).netloc, "_interval: 15s": "_interval: 1s"}.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "prometheus.yml").write_text(text)
    shutil.copy(DEPLOY / "alerts.yml", folder)
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
            async with asyncio.timeout(30):
                while not await is_ready(started):
                    assert process.returncode is None, "prometheus did not start"
                    await asyncio.sleep(0.05)
            yield started
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def is_ready(prometheus: Prometheus) -> bool:
    try:
        async with prometheus.client.get(f"{prometheus.url}/-/ready") as answer:
            return answer.status == 200
    except aiohttp.ClientConnectionError:
        return False


async def test_every_documented_series_has_its_kind_and_labels(prometheus: Prometheus) -> None:
    assert await prometheus.value('up{job="valt-gateway"}') == 1
    described = await prometheus.ask("targets/metadata", match_target='{job="valt-gateway"}')
    kinds = {one["metric"].removeprefix(PREFIX): one["type"] for one in described if one["metric"].startswith(PREFIX)}
    assert kinds == {name: kind for name, (kind, _) in PROMISED.items()}

    series = await prometheus.ask("series", **{"match[]": f'{{__name__=~"{PREFIX}.+"}}'})
    assert labels_of(series) == {name: labels for name, (_, labels) in PROMISED.items() if name not in WITHOUT_SERIES}


async def test_a_request_is_counted(running: Demo, prometheus: Prometheus) -> None:
    async with prometheus.client.get(f"{running.gateway}/robots.txt") as answer:
        assert answer.status == 200
    assert await prometheus.value(f'{PREFIX}requests_total{{route="/robots.txt",method="GET",status="200"}}') == 1


async def test_every_alert_is_evaluated_and_a_healthy_gateway_fires_none(prometheus: Prometheus) -> None:
    await prometheus.value('up{job="valt-gateway"}')
    async with asyncio.timeout(30):
        while any(rule["health"] == "unknown" for rule in await rules(prometheus)):
            await asyncio.sleep(0.05)
    all_rules = await rules(prometheus)
    assert len(all_rules) > 10
    assert [rule for rule in all_rules if rule["health"] != "ok"] == []
    assert [rule["name"] for rule in all_rules if rule["state"] == "firing"] == []


async def rules(prometheus: Prometheus) -> list[Mapping[str, Any]]:
    groups = (await prometheus.ask("rules"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def labels_of(series: list[Mapping[str, str]]) -> dict[str, set[str]]:
    """Each series by its promised name, and the labels that are the gateway's own."""
    labels_by_series: dict[str, set[str]] = {}
    for labels in series:
        name = labels["__name__"].removeprefix(PREFIX)
        if name not in PROMISED:
            name = name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum")
        labels_by_series.setdefault(name, set()).update(labels.keys() - {"__name__", "instance", "job", "le"})
    return labels_by_series
