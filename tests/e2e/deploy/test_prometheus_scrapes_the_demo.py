"""Prometheus with deploy/prometheus.yml scrapes a running gateway and has every documented series."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import pytest_asyncio

from tests.support.programs import Demo, demo
from tests.support.prometheus import Prometheus, running_prometheus
from tests.unit.observe.test_metrics import PROMISED

# Prometheus takes five seconds until its first scrape, so that it is started once.
pytestmark = pytest.mark.asyncio(loop_scope="module")

PREFIX = "valt_gateway_"
# The demo fetches nobody's keys, and has neither a certificate nor a service key with a last day: no label, no series.
WITHOUT_SERIES = {
    "jwks_refreshes_total",
    "certificate_expiry_timestamp_seconds",
    "service_key_expiry_timestamp_seconds",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[Demo]:
    async with demo() as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def prometheus(running: Demo, port: int, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Prometheus]:
    async with running_prometheus(tmp_path_factory.mktemp("prometheus"), port, [running.metrics]) as started:
        yield started


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
