"""The curves of a bench, as PNG files."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.bench.curves import Curves


def plot(curves: Curves, folder: Path) -> list[Path]:
    """Draws *curves* into *folder*. Returns the files."""
    return [_viewers(curves, folder), _in_process(curves, folder), _slow_disk(curves, folder)]


def _viewers(curves: Curves, folder: Path) -> Path:
    figure, (share, wait) = plt.subplots(1, 2, figsize=(11, 4.5))
    for color, kind in (("C0", "http"), ("C1", "https")):
        numbers, shares, _, medians, late = zip(*curves[f"viewers, {kind}"], strict=True)
        share.plot(numbers, shares, "-o", color=color, label=f"{kind} from the media server")
        wait.plot(numbers, late, "-o", color=color, label=f"{kind}, 99 % within")
        wait.plot(numbers, medians, "--", color=color, label=f"{kind}, median")
    share.set(ylabel="processor time in % of a core", yscale="log")
    wait.set(ylabel="first byte of a range after ms", yscale="log")
    for axes in (share, wait):
        axes.set(xlabel="viewers, each with a range of 64 KiB every 4 s", xscale="log")
        _finish(axes)
    return _saved(figure, folder / "viewers.png")


def _in_process(curves: Curves, folder: Path) -> Path:
    figure, axes = plt.subplots(figsize=(8, 4.5))
    for name, label in (
        ("rules", "decision, by rules of which one names the person"),
        ("links", "look-up of a link, by cached links"),
        ("tokens", "look-up of a token, by verified tokens"),
    ):
        numbers, micros, _ = zip(*curves[name], strict=True)
        axes.plot(numbers, micros, "-o", label=label)
    axes.set(xlabel="rules, links or tokens", ylabel="processor time in µs", xscale="log", ylim=(0, None))
    _finish(axes)
    return _saved(figure, folder / "entries.png")


def _slow_disk(curves: Curves, folder: Path) -> Path:
    figure, (rate, wait) = plt.subplots(1, 2, figsize=(11, 4.5))
    disk, rates, medians, late = zip(*curves["slow disk"], strict=True)
    rate.plot(disk, rates, "-o", label="redirects a second")
    rate.set(ylabel="redirects a second over 32 connections", ylim=(0, None))
    wait.plot(disk, medians, "-o", label="median")
    wait.plot(disk, late, "-o", label="99 % within")
    wait.set(ylabel="first byte after ms", ylim=(0, None))
    for axes in (rate, wait):
        axes.set(xlabel='what fsync(2) takes longer, in ms (audit.fsync = "always")')
        _finish(axes)
    return _saved(figure, folder / "slow-disk.png")


def _finish(axes: Axes) -> None:
    axes.grid(visible=True, alpha=0.3)
    axes.legend()


def _saved(figure: Figure, path: Path) -> Path:
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    plt.close(figure)
    return path
