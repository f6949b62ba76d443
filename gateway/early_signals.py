"""Records the signals that arrive while `serve` starts. Both entry modules import this module before any other.

Without it a SIGHUP or SIGTERM in the first half second, while the libraries are loaded, would end the process: systemd
counts both as a clean end, and does not start the service again. What is recorded is acted on once the gateway is ready
(`take`). Other commands end by these signals as programs do.
"""

import signal
import sys
from types import FrameType

_ENDING = (signal.SIGTERM, signal.SIGINT)
_RECORDED = {"serve": (*_ENDING, signal.SIGHUP), "worker": (signal.SIGTERM,)}
_IGNORED = {"worker": (signal.SIGINT, signal.SIGHUP)}
"""By the command. The supervisor says to its workers what these signals mean."""

_received: list[signal.Signals] = []


def take() -> list[signal.Signals]:
    """Returns the signals that were recorded since the last call, each once, in their order."""
    taken = _received.copy()
    _received.clear()
    return taken


def _record(number: int, _frame: FrameType | None) -> None:
    if number in _ENDING and any(earlier in _ENDING for earlier in _received):
        for ending in _ENDING:
            signal.signal(ending, signal.SIG_IGN)  # a third one would interrupt the end, or decide the exit status
        sys.exit(0)  # the second one ends the process now; nothing has been delivered or audited yet
    if number not in _received:
        _received.append(signal.Signals(number))


def _install(command: str) -> None:
    for number in _RECORDED.get(command, ()):
        signal.signal(number, _record)
    for number in _IGNORED.get(command, ()):
        signal.signal(number, signal.SIG_IGN)


_install(sys.argv[1] if len(sys.argv) > 1 else "")
