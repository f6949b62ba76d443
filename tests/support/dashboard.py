"""Builds deploy/grafana/valt-gateway.json by Grafana's own SDK. ``python -m tests.support.dashboard`` writes it."""

from pathlib import Path

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import BigValueColorMode, LegendDisplayMode, LegendPlacement, StackingMode
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
)

from tests.support.dashboard_panels import ROWS, Panel

TARGET = Path(__file__).parents[2] / "deploy" / "grafana" / "valt-gateway.json"
_SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
_WIDTH, _HEIGHT = {"stat": 4, "timeseries": 8}, {"stat": 4, "timeseries": 8}


def build() -> str:
    """Returns the dashboard as JSON."""
    instance = (
        dashboard.QueryVariable("instance")
        .label("Instance")
        .query("label_values(valt_gateway_build_info, instance)")
        .datasource(_SOURCE)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value(".*")
    )
    built = (
        dashboard.Dashboard("valt-gateway")
        .uid("valt-gateway")
        .description("Requests, streams, VALT, audit and processes of valt-gateway. Alerts: deploy/alerts.yml.")
        .tags(["valt-gateway"])
        .time("now-6h", "now")
        .refresh("30s")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(instance)
    )
    number = 0
    for title, panels in ROWS.items():
        number += 1
        built.with_row(dashboard.Row(title).id(number))
        for panel in panels:
            number += 1
            built.with_panel(_stat(panel, number) if panel.kind == "stat" else _timeseries(panel, number))
    return JSONEncoder(sort_keys=True, indent=2).encode(built.build()) + "\n"


def _targets(panel: Panel) -> list[Builder[Dataquery]]:
    queries = zip(panel.expressions("$instance", "$__rate_interval"), panel.queries, strict=True)
    return [
        prometheus.Dataquery().expr(query).legend_format(legend).ref_id(chr(ord("A") + position))
        for position, (query, (_, legend)) in enumerate(queries)
    ]


def _stat(panel: Panel, number: int) -> stat.Panel:
    steps = [Threshold(value=None if value == float("-inf") else value, color=color) for value, color in panel.steps]
    return (
        stat.Panel()
        .id(number)
        .title(panel.title)
        .description(panel.description)
        .datasource(_SOURCE)
        .unit(panel.unit)
        .span(_WIDTH[panel.kind])
        .height(_HEIGHT[panel.kind])
        .color_mode(BigValueColorMode.BACKGROUND)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
        .targets(_targets(panel))
    )


def _timeseries(panel: Panel, number: int) -> timeseries.Panel:
    mode = StackingMode.NORMAL if panel.is_stacked else StackingMode.NONE
    return (
        timeseries.Panel()
        .id(number)
        .title(panel.title)
        .description(panel.description)
        .datasource(_SOURCE)
        .unit(panel.unit)
        .span(_WIDTH[panel.kind])
        .height(_HEIGHT[panel.kind])
        .min(0)
        .fill_opacity(20 if panel.is_stacked else 0)
        .stacking(common.StackingConfig().mode(mode))
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .targets(_targets(panel))
    )


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(build(), encoding="utf-8")
