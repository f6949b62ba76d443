"""deploy/grafana/valt-gateway.json is what Grafana's SDK builds; every query has values in a loaded gateway."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import promql_parser
import pytest
import pytest_asyncio
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.support import dashboard, tables
from tests.support.dashboard_load import LoadedGateways, loaded_gateways
from tests.support.dashboard_panels import PANELS
from tests.support.free_ports import free_port

pytestmark = pytest.mark.timeout(540)
in_module_loop = pytest.mark.asyncio(loop_scope="module")

INTERVAL = "1m"
"""Of rates: long, for a machine on which a scrape may fail now and then."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def loaded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LoadedGateways]:
    with free_port() as port:
        async with loaded_gateways(tmp_path_factory.mktemp("dashboard"), port) as gateways:
            yield gateways


@pytest.mark.promise("operation-dashboard")
def test_the_dashboard_is_what_its_panels_say() -> None:
    text = dashboard.TARGET.read_text(encoding="utf-8")
    assert text == dashboard.build(), "run: .venv/bin/python -m tests.support.dashboard"
    register_default_plugins()
    read = Dashboard.from_json(json.loads(text))
    assert read.uid == "valt-gateway"
    assert [panel.title for panel in read.panels or [] if panel.type_val != "row"] == [one.title for one in PANELS]


def test_panels_have_their_own_titles_and_places_and_say_what_they_show() -> None:
    panels = json.loads(dashboard.TARGET.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        own = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not own & cells
        assert max(x for x, _ in own) < 24
        cells |= own
    assert [panel.title for panel in PANELS if not panel.description.endswith(".")] == []


@pytest.mark.promise("operation-dashboard")
def test_every_query_can_be_parsed_and_names_series_that_exist() -> None:
    exposed = set(re.findall(r"\w+", tables.exposition())) | {"up"}
    displayed: set[str] = set()
    for panel in PANELS:
        for query in panel.expressions(".*", "5m"):
            promql_parser.parse(query)
            series = set(re.findall(r"\b((?:valt_gateway|process|python_gc)_\w+|up)\b", query))
            assert series <= exposed, panel.title
            displayed |= series
    every = set(re.findall(r"^# TYPE (valt_gateway_\w+)", tables.exposition(), re.M))
    in_panels = {re.sub("_bucket$", "", name) for name in displayed}
    assert sorted(every - in_panels - {"valt_gateway_config_last_reload_timestamp_seconds"}) == []


@in_module_loop
@pytest.mark.promise("operation-dashboard")
async def test_every_query_has_values_in_a_loaded_gateway(loaded: LoadedGateways) -> None:
    started, waiting = time.time(), {panel.title: panel for panel in PANELS}
    async with asyncio.timeout(400):
        while waiting:
            await asyncio.sleep(1)
            for title, panel in tuple(waiting.items()):
                values = [
                    {value for _, points in series for _, value in points}
                    for query in panel.expressions(".*", INTERVAL)
                    for series in [await loaded.prometheus.history(query, started, time.time())]
                ]
                if all(values) and (panel.may_be_zero or any(one - {0.0} for one in values)):
                    del waiting[title]
            if time.time() - started > 360:
                raise AssertionError(f"no values: {sorted(waiting)}")


@in_module_loop
@pytest.mark.promise("operation-dashboard")
async def test_only_the_selected_instance_is_displayed(loaded: LoadedGateways, tmp_path: Path) -> None:
    instance = loaded.served.admin.removeprefix("http://")
    (connections,) = [panel for panel in PANELS if panel.title == "Connections"]
    (every,) = connections.expressions(".*", INTERVAL)
    (selected,) = connections.expressions(instance, INTERVAL)
    async with asyncio.timeout(200):
        while len((await loaded.prometheus.ask("query", query=every))["result"]) != 2:
            await asyncio.sleep(0.2)
    (only,) = (await loaded.prometheus.ask("query", query=selected))["result"]
    assert only["metric"]["instance"] == instance
