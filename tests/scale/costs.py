"""What the model is calibrated by: figures of docs/performance.md, docs/operations.md and the measurements here.

Measured on a virtual machine with 2 processors, except where it says "assumed". Seconds are of processor time.
"""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Costs:
    """What one request costs."""

    decision: float = 130e-6
    """A redirect: identity, rules, a cached link and the audit. performance.md: 79 to 129 µs."""
    range_start: float = 280e-6
    """What a range costs besides its bytes: about what 64 KiB over http do. performance.md: 262 to 279 µs."""
    byte: float = (MIB / 0.64e9 - 280e-6) / MIB
    """Of a range over https. performance.md: 0.64 GB per second of processor time in ranges of 1 MiB."""
    redis_operation: float = 15e-6
    """Of Redis, for a script that is sent in a pipeline. performance.md: 7.8 and 26 µs for a range of 1 MiB."""
    redis_round_trip: float = 0.5e-3
    """Seconds that pass. Assumed."""
    valt_call: float = 0.05
    """Seconds that pass until VALT answers. Assumed: no VALT server was at hand."""

    def range_of(self, size: int) -> float:
        """Returns the cost of a range of *size* bytes."""
        return self.range_start + size * self.byte


HTTPS = Costs()
HTTP = Costs(byte=(MIB / 1.79e9 - 280e-6) / MIB)
"""Over http from the media server: 1.79 GB per second of processor time."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What viewers do."""

    bitrate: float = 4e6
    """Bits per second of the film."""
    piece: int = MIB
    """Bytes of a range that a player requests."""
    watching: float = 2700.0
    """Seconds that a person watches."""
    arrival_window: float = 600.0
    """Seconds within which all of them come."""
    viewers_per_recording: int = 20

    @property
    def period(self) -> float:
        """Seconds between two ranges of a viewer."""
        return self.piece * 8 / self.bitrate
