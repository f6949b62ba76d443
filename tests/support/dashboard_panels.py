"""What deploy/grafana/valt-gateway.json shows: the rows and panels of dashboard_panels.toml."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. *unit* is Grafana's."""

    title: str
    description: str
    queries: tuple[tuple[str, str], ...]
    """Each with its legend."""
    kind: Literal["stat", "timeseries"] = "timeseries"
    unit: str = "short"
    is_stacked: bool = False
    may_be_zero: bool = False
    """Whether it shows only what happens seldom, so that it is zero for a gateway in order."""
    steps: tuple[tuple[float, str], ...] = ((float("-inf"), "blue"),)
    """From which value on a stat has which color."""

    def expressions(self, instances: str, interval: str) -> list[str]:
        """Returns the queries for *instances*, a regular expression, with rates over *interval*."""
        selection = f'{{job="valt-gateway", instance=~"{instances}"'
        return [query.replace("{S", selection).replace("[R]", f"[{interval}]") for query, _ in self.queries]


def _rows() -> dict[str, tuple[Panel, ...]]:
    data = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return {row["title"]: tuple(_panel(**panel) for panel in row["panels"]) for row in data["rows"]}


def _panel(queries: list[list[str]], **more: object) -> Panel:
    pairs = tuple((query, legend) for query, legend in queries)
    return Panel(queries=pairs, **more)  # type: ignore[arg-type]  # the file has the fields of Panel


ROWS = _rows()
PANELS = [panel for panels in ROWS.values() for panel in panels]
