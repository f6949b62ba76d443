"""Plots every panel of the dashboard over a minute of a loaded gateway into dashboard/, for people to look at.

``make dashboard`` runs it, after it has built deploy/grafana/valt-gateway.json anew.
"""

import asyncio
import re
import sys
import tempfile
import time
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.support import dashboard
from tests.support.dashboard_load import loaded_gateways
from tests.support.dashboard_panels import ROWS, Panel
from tests.support.free_ports import free_port
from tests.support.prometheus import Prometheus

TARGET = Path("dashboard")
_COLUMNS = 3
_INTERVAL = "10s"


async def plot(panel: Panel, axes: Axes, prometheus: Prometheus, start: float, end: float) -> None:
    """Draws each series of *panel* between two times."""
    for query, (_, legend) in zip(panel.expressions(".*", _INTERVAL), panel.queries, strict=True):
        for labels, points in await prometheus.history(query, start, end):
            text = legend
            for name in re.findall(r"\{\{(\w+)\}\}", legend):
                text = text.replace(f"{{{{{name}}}}}", labels.get(name, ""))
            marker = "." if len(points) < end - start - _COLUMNS else ""
            axes.plot([at - start for at, _ in points], [value for _, value in points], marker=marker, label=text)
    axes.set_title(f"{panel.title} [{panel.unit}]", fontsize=9)
    axes.tick_params(labelsize=6)
    axes.set_ylim(bottom=0)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=5, loc="upper left")


async def plot_rows(prometheus: Prometheus, start: float, end: float) -> None:
    """Writes a picture for each row."""
    TARGET.mkdir(exist_ok=True)
    for row, panels in ROWS.items():
        lines = -(-len(panels) // _COLUMNS)
        figure = Figure(figsize=(15, 4 * lines), layout="constrained")
        places = figure.subplots(lines, _COLUMNS, squeeze=False).flat
        for axes in places[len(panels) :]:
            axes.set_visible(False)
        for axes, panel in zip(places, panels, strict=False):
            await plot(panel, axes, prometheus, start, end)
        figure.savefig(TARGET / f"{row.lower().replace(' ', '-').replace(',', '')}.png", dpi=90)
        print(row, flush=True)


async def main(seconds: float) -> None:
    """Writes the dashboard, and the pictures of so many *seconds*."""
    dashboard.TARGET.write_text(dashboard.build(), encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder, free_port() as port:
        async with loaded_gateways(Path(folder), port) as gateways:
            start = time.time()
            await asyncio.sleep(seconds)
            await plot_rows(gateways.prometheus, start, time.time())


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0))
