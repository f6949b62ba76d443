"""Builds the README's tables from the code. ``python -m tests.support.tables`` writes them into the README."""

import os
import re
from http import HTTPStatus
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from gateway.observe.metrics import Metrics
from gateway.observe.worker_metrics import WorkerCollector
from gateway.settings.schema import documented_keys
from gateway.web.handlers.api_docs import error_table

README = Path(__file__).parents[2] / "README.md"


def settings() -> str:
    """Returns every key of the settings, section by section."""
    lines = []
    section = None
    for row in documented_keys():
        if row.section != section:
            section = row.section
            lines += ["", f"**`{section}`**", "", "| key | default | |", "|---|---|---|"]
        default = "required" if row.default == "required" else f"`{row.default}`"
        lines.append(f"| `{row.key}` | {default} | {row.description} |")
    return "\n".join(lines).strip()


def exposition() -> str:
    """Returns the metrics of a gateway and of a supervisor, in Prometheus' text format."""
    recorded = Metrics(version="x")
    recorded.prepare(
        providers=["x"],
        rules=["x"],
        accounts=["x"],
        jwks_providers=["x"],
        service_keys={"x": 0},
        certificates={"server": 0},
    )
    recorded.watch_breaker("x", lambda: 0)
    registry = CollectorRegistry()
    registry.register(WorkerCollector(lambda: {1: os.getpid()}, lambda: {"running": 1}, lambda: {"ended": 1}))
    return recorded.render()[0].decode() + generate_latest(registry).decode()


def metrics() -> str:
    """Returns every time series with its labels."""
    text = exposition()
    labels: dict[str, set[str]] = {}
    for name, given in re.findall(r"^(valt_gateway_\w+?)(?:_bucket|_sum|_count)?(?:\{([^}]*)\})? ", text, re.M):
        labels.setdefault(name, set()).update(re.findall(r'(\w+)="', given))
    lines = ["| series | kind | labels | |", "|---|---|---|---|"]
    for name, kind in re.findall(r"^# TYPE (\S+) (\w+)$", text, re.M):
        help_ = re.search(rf"^# HELP {name} (.*)$", text, re.M)
        label_names = ", ".join(f"`{label}`" for label in sorted(labels.get(name, set()) - {"le"}))
        lines.append(f"| `{name}` | {kind} | {label_names} | {help_[1] if help_ else ''} |")
    return "\n".join(lines)


def codes() -> str:
    """Every status and code with what a person is told."""
    lines = ["| status | code | what a person is told |", "|---|---|---|"]
    lines += [
        f"| {status} {HTTPStatus(status).phrase} | `{code}` | {detail} |" for status, code, detail in error_table()
    ]
    return "\n".join(lines)


def filled(text: str) -> str:
    """*text* with each table between its markers as the code has it now."""
    for name, table in (("settings", settings()), ("metrics", metrics()), ("codes", codes())):
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        head, _, rest = text.partition(begin)
        _, _, tail = rest.partition(end)
        text = f"{head}{begin}\n{table}\n{end}{tail}"
    return text


if __name__ == "__main__":
    README.write_text(filled(README.read_text(encoding="utf-8")), encoding="utf-8")
