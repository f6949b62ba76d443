"""``make scale``: runs the model, prints the tables of docs/scale.md, and writes the plots to scale/."""

from dataclasses import replace
from pathlib import Path

from tests.scale.costs import HTTP, HTTPS, Costs, Workload
from tests.scale.model import simulate_viewers
from tests.scale.plots import Curve, plot_needs, plot_responses
from tests.scale.sizing import decisions_per_core, need_of, per_viewer, viewers_per_core

FOLDER = Path("scale")
_SHARES = (0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
_SECONDS = 90.0


def curve(label: str, costs: Costs, workload: Workload) -> Curve:
    """Simulates one core at several loads, and prints a line for each."""
    soon = replace(workload, arrival_window=20.0)
    viewers, medians, late = [], [], []
    for share in _SHARES:
        count = int(share / per_viewer(costs, workload))
        measured = simulate_viewers(count, 1, costs, soon, seconds=_SECONDS)
        viewers.append(count)
        medians.append(measured.quantile(0.5))
        late.append(measured.quantile(0.99))
        print(
            f"| {label} | {count} | {share:.0%} | {medians[-1] * 1000:.1f} | {late[-1] * 1000:.1f} | "
            f"{max(measured.first_bytes) * 1000:.0f} |"
        )
    return label, viewers, medians, late


def main() -> None:
    """Prints the tables and writes the plots."""
    workload = Workload()
    FOLDER.mkdir(exist_ok=True)
    print("| media server | viewers of a core | load | median ms | 99 % within ms | longest first byte ms |")
    print("|---|--:|--:|--:|--:|--:|")
    plot_responses([curve("https", HTTPS, workload), curve("http", HTTP, workload)], FOLDER / "responses.png")
    plot_needs(HTTPS, workload, FOLDER / "needs.png")
    carried = [viewers_per_core(costs, workload) for costs in (HTTPS, HTTP)]
    print(f"\nviewers per core: {carried[0]:.0f} https, {carried[1]:.0f} http")
    print(f"decisions per core and second: {decisions_per_core(HTTPS):.0f}\n")
    print("| viewers | delivery | Gbit/s | VALT servers | cores | replicas | GB | decisions/s | Redis/s | links/s |")
    print("|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    for viewers in (1_000, 100_000, 10_000_000):
        for proxied in (True, False):
            need = need_of(viewers, HTTPS, workload, proxied=proxied)
            name = "proxy" if proxied else "redirect"
            print(
                f"| {viewers:,} | {name} | {need.egress / 1e9:,.0f} | {need.valt_servers:,} | {_short(need.cores)} | "
                f"{need.replicas:,} | {_short(need.memory / 1e9)} | {_short(need.decisions)} | "
                f"{_short(need.redis_operations)} | {_short(need.valt_calls)} |"
            )


def _short(number: float) -> str:
    """Returns *number* with two significant digits at least."""
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


if __name__ == "__main__":
    main()
