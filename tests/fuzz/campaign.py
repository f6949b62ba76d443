"""Runs each target for its share of the time, with atheris where it is installed, and counts."""

import importlib.util
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.mutation import mutate
from tests.fuzz.target import Target

_GRACE = 300.0
"""Seconds after its share in which a process must have ended: starting takes some, and one input up to two minutes."""


@dataclass(frozen=True)
class Result:
    """What came of one target. *inputs* were read; *edges* of the gateway's code were reached, and *units* inputs
    reached new ones (both None without atheris); *finding* is the error, and the input that caused it."""

    name: str
    inputs: int
    edges: int | None = None
    units: int | None = None
    finding: str = ""

    def row(self) -> str:
        """Returns the line of the table."""
        numbers = [
            f"{value:>10}" if value is not None else f"{'-':>10}" for value in (self.inputs, self.edges, self.units)
        ]
        return f"{self.name:<24}{''.join(numbers)}  {self.finding.splitlines()[0] if self.finding else 'none'}"


HEADING = f"{'target':<24}{'inputs':>10}{'edges':>10}{'new units':>10}  findings"


def is_guided() -> bool:
    """Whether atheris is installed."""
    return importlib.util.find_spec("atheris") is not None


def run(
    targets: tuple[Target, ...], seconds: float, seed: int, folder: Path, report: Callable[[str], None]
) -> list[Result]:
    """Returns the results of *targets*, which share *seconds* equally. *report* is called with a line for each."""
    until, results = time.monotonic() + seconds, []
    for number, target in enumerate(targets):
        share = max(1.0, (until - time.monotonic()) / (len(targets) - number))
        with_atheris = is_guided()
        result = guided(target, share, seed, folder / str(number)) if with_atheris else unguided(target, share, seed)
        results.append(result)
        report(f"{number + 1}/{len(targets)} {result.row()}")
    return results


def unguided(target: Target, seconds: float, seed: int) -> Result:
    """Runs random changes of the seeds until *seconds* have passed, or there is a finding."""
    choices, until, inputs = random.Random(f"{seed} {target.name}"), time.monotonic() + seconds, 0
    while time.monotonic() < until:
        data = mutate(target.seeds, choices)
        inputs += 1
        try:
            target.run(data)
        except Exception as error:
            return Result(target.name, inputs, finding=f"{type(error).__name__}: {error}\n{data!r}")
    return Result(target.name, inputs)


def guided(target: Target, seconds: float, seed: int, folder: Path) -> Result:
    """Runs *target* under atheris in a process of its own."""
    arguments = (target.name, str(seed % 2**31), str(max(1, round(seconds))), str(folder))
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.guided", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds + _GRACE,
        check=False,
        # libFuzzer ends the process at once, so that its temporary files have to be among those of the campaign.
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(folder.parent)},
    )
    output = done.stdout.decode(errors="replace")
    finding = ""
    if done.returncode:
        inputs = [repr(path.read_bytes()) for path in folder.iterdir() if path.is_file()]
        trace = output[output.find("Uncaught Python exception") :].partition("==")[0][:4000]
        finding = "\n".join([_reason(output), *inputs, trace])
    edges = re.findall(r"\bcov: (\d+)", output)
    return Result(
        target.name,
        _number(r"stat::number_of_executed_units:\s*(\d+)", output),
        int(edges[-1]) if edges else None,
        _number(r"stat::new_units_added:\s*(\d+)", output),
        finding,
    )


def _number(pattern: str, output: str) -> int:
    matched = re.findall(pattern, output)
    return int(matched[-1]) if matched else 0


def _reason(output: str) -> str:
    """Returns the last line of the exception, or what libFuzzer says."""
    lines = output.splitlines()
    for mark in ("Uncaught Python exception", "ERROR: libFuzzer"):
        at = next((number for number, line in enumerate(lines) if mark in line), None)
        if at is not None:
            return next((line for line in lines[at + 1 :] if line.strip() and not line.startswith("Traceback")), mark)
    return lines[-1] if lines else "no output"
