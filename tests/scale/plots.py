"""The model's plots, as PNG files."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

from tests.scale.costs import Costs, Workload
from tests.scale.sizing import VALT_EGRESS, need_of

Curve = tuple[str, Sequence[int], Sequence[float], Sequence[float]]
"""Label, viewers per core, and median and late response in seconds."""


def plot_responses(curves: Sequence[Curve], path: Path) -> None:
    """Draws response times over the number of viewers of one core."""
    figure, axes = plt.subplots(figsize=(8, 5))
    for index, (label, viewers, medians, late) in enumerate(curves):
        axes.plot(viewers, [value * 1000 for value in late], "-o", color=f"C{index}", label=f"{label}, 99 % within")
        axes.plot(viewers, [value * 1000 for value in medians], "--", color=f"C{index}", label=f"{label}, median")
    axes.axhline(100, color="gray", linewidth=0.8)
    axes.set(xlabel="viewers per core, 4 Mbit/s each, in ranges of 1 MiB", ylabel="response in ms", yscale="log")
    axes.legend()
    axes.grid(visible=True, alpha=0.3)
    figure.savefig(path, dpi=100, bbox_inches="tight")
    plt.close(figure)


def plot_needs(costs: Costs, workload: Workload, path: Path) -> None:
    """Draws what the numbers of viewers need, relative to what one of each thing can do."""
    numbers = [10**exponent for exponent in range(2, 8)]
    proxied = [need_of(number, costs, workload, proxied=True) for number in numbers]
    redirected = [need_of(number, costs, workload, proxied=False) for number in numbers]
    figure, axes = plt.subplots(figsize=(8, 5))
    axes.plot(numbers, [need.egress / VALT_EGRESS for need in proxied], "-o", label="VALT servers (10 Gbit/s each)")
    axes.plot(numbers, [need.cores for need in proxied], "-o", label="cores, proxy")
    axes.plot(numbers, [need.cores for need in redirected], "-o", label="cores, redirect")
    axes.plot(numbers, [need.redis_cores for need in proxied], "-o", label="Redis servers (one core each), proxy")
    axes.axhline(1, color="gray", linewidth=0.8)
    axes.set(xlabel="viewers at once", ylabel="needed", xscale="log", yscale="log")
    axes.legend()
    axes.grid(visible=True, alpha=0.3)
    figure.savefig(path, dpi=100, bbox_inches="tight")
    plt.close(figure)
