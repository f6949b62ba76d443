"""What a soak has seen, and what of it is wrong."""

import asyncio
import gc
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_KEPT_PIPES = 2 * (32 + 64)
"""Descriptors of the pipes that the gateway keeps to use again."""
_FLAT = 24 * 1024 * 1024
"""Bytes by which memory may differ between two moments of a steady state: sockets' and allocators' breathing."""


@dataclass(frozen=True)
class Held:
    """What the process holds at a moment. *memory* is resident bytes."""

    memory: int
    tasks: int
    sockets: int
    pipes: int
    others: int

    @classmethod
    def now(cls) -> "Held":
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
    """*before* and *after* are without a gateway, *settled* and *ended* with one: a third of the way, and when the last
    viewer has gone."""

    seconds: float = 0.0
    bytes: int = 0
    bodies: Counter[str] = field(default_factory=Counter)
    """whole, left (by the viewer), failed (and shown to be) or wrong."""
    faults: Counter[str] = field(default_factory=Counter)
    """Of the media server and of VALT, by kind."""
    resumes: dict[str, float] = field(default_factory=dict)
    running_at_end: int = 0
    before: Held | None = None
    settled: Held | None = None
    ended: Held | None = None
    after: Held | None = None

    def wrong(self) -> list[str]:
        """What a gateway that is steady would not have shown."""
        told = []
        if self.bodies["wrong"]:
            told.append(f"{self.bodies['wrong']} bodies were neither the same bytes nor shown to have failed")
        if self.bodies["whole"] < 9 * self.bodies["failed"]:
            told.append(f"{self.bodies['failed']} bodies failed where {self.bodies['whole']} came whole")
        if self.running_at_end:
            told.append(f"{self.running_at_end} streams run though nobody is there")
        if self.before is None or self.settled is None or self.ended is None or self.after is None:
            return [*told, "it did not come to its end"]
        if self.ended.memory - self.settled.memory > _FLAT:
            told.append(f"memory grew by {mebibytes(self.ended.memory - self.settled.memory)}")
        for kind, allowed in (("tasks", 0), ("sockets", 0), ("pipes", _KEPT_PIPES), ("others", 0)):
            more = getattr(self.after, kind) - getattr(self.before, kind)
            if more > allowed:
                told.append(f"{more} {kind} are left over")
        return told

    def lines(self) -> list[str]:
        """For a person to read."""
        told = [
            f"{self.seconds:.0f} s, {mebibytes(self.bytes)} delivered",
            f"bodies:  {_listed(self.bodies)}",
            f"faults:  {_listed(self.faults)}",
            f"resumes: {_listed(self.resumes)}",
        ]
        for name in ("before", "settled", "ended", "after"):
            held: Held | None = getattr(self, name)
            if held is not None:
                told.append(
                    f"{name + ':':<9}{mebibytes(held.memory)}, {held.tasks} tasks, "
                    f"{held.sockets} sockets, {held.pipes} pipes, {held.others} other descriptors"
                )
        return told


def mebibytes(count: int) -> str:
    return f"{count / 1024 / 1024:.1f} MiB"


def _listed(counts: "Counter[str] | dict[str, float]") -> str:
    return ", ".join(f"{name} {count:.0f}" for name, count in sorted(counts.items())) or "none"
