"""The figures of a soak, and the check that they are those of a steady gateway."""

import asyncio
import gc
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_POOLED_PIPES = 2 * (32 + 64)
"""Descriptors of the pipes that the gateway's pool may hold at the end."""
_FLAT = 24 * 1024 * 1024
"""Bytes by which memory may grow in a steady state, because of socket buffers and the allocator."""


@dataclass(frozen=True)
class Resources:
    """The resources of this process at one time. *memory* is the resident set in bytes."""

    memory: int
    tasks: int
    sockets: int
    pipes: int
    others: int

    @classmethod
    def now(cls) -> "Resources":
        gc.collect()
        kinds: Counter[str] = Counter()
        for descriptor in Path("/proc/self/fd").iterdir():
            try:
                target = str(descriptor.readlink())
            except OSError:
                continue
            kinds[target.partition(":")[0] if target.startswith(("socket:", "pipe:")) else "other"] += 1
        memory = int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
        return cls(memory, len(asyncio.all_tasks()), kinds["socket"], kinds["pipe"], kinds["other"])


@dataclass
class Figures:
    """*before* and *after* are measured without a gateway; *settled* after a third of the time; *ended* when the last
    viewer has left."""

    seconds: float = 0.0
    bytes: int = 0
    bodies: Counter[str] = field(default_factory=Counter)
    """Responses by result: whole, left (by the viewer), failed (with an error for the viewer) or wrong."""
    faults: Counter[str] = field(default_factory=Counter)
    """Injected faults of the media server and of VALT, by kind."""
    resumes: dict[str, float] = field(default_factory=dict)
    running_at_end: int = 0
    before: Resources | None = None
    settled: Resources | None = None
    ended: Resources | None = None
    after: Resources | None = None

    def wrong(self) -> list[str]:
        """Returns a text for each figure that a steady gateway would not have."""
        failures = []
        if self.bodies["wrong"]:
            failures.append(f"{self.bodies['wrong']} bodies had wrong bytes, or ended early without an error")
        if self.bodies["whole"] < 9 * self.bodies["failed"]:
            failures.append(f"{self.bodies['failed']} bodies failed, and only {self.bodies['whole']} came whole")
        if self.running_at_end:
            failures.append(f"{self.running_at_end} streams are running after the last viewer has left")
        if self.before is None or self.settled is None or self.ended is None or self.after is None:
            return [*failures, "the soak did not end"]
        if self.ended.memory - self.settled.memory > _FLAT:
            failures.append(f"memory grew by {mebibytes(self.ended.memory - self.settled.memory)}")
        for kind, allowed in (("tasks", 0), ("sockets", 0), ("pipes", _POOLED_PIPES), ("others", 0)):
            more = getattr(self.after, kind) - getattr(self.before, kind)
            if more > allowed:
                failures.append(f"{more} {kind} are left over")
        return failures

    def lines(self) -> list[str]:
        """Returns the figures as text, for people."""
        lines = [
            f"{self.seconds:.0f} s, {mebibytes(self.bytes)} delivered",
            f"bodies:  {_listed(self.bodies)}",
            f"faults:  {_listed(self.faults)}",
            f"resumes: {_listed(self.resumes)}",
        ]
        for name in ("before", "settled", "ended", "after"):
            resources: Resources | None = getattr(self, name)
            if resources is not None:
                lines.append(
                    f"{name + ':':<9}{mebibytes(resources.memory)}, {resources.tasks} tasks, "
                    f"{resources.sockets} sockets, {resources.pipes} pipes, {resources.others} other descriptors"
                )
        return lines


def mebibytes(count: int) -> str:
    return f"{count / 1024 / 1024:.1f} MiB"


def _listed(counts: "Counter[str] | dict[str, float]") -> str:
    return ", ".join(f"{name} {count:.0f}" for name, count in sorted(counts.items())) or "none"
