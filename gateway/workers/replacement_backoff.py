"""How long the supervisor waits before it replaces a worker that has ended by itself.

A worker that ends once is replaced almost at once. Where each new worker ends too, the cause is one for all of them (a
file that cannot be opened, code that is not whole on the disk), and starting processes without a pause would take the
processor time that the other workers need.
"""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0
"""Seconds."""
_DOUBLINGS = 10
"""More of them would exceed the longest pause in any case."""
_STABLE = 60.0
"""A worker that has run for so many seconds did not end for the reason that ended those before it."""


class ReplacementBackoff:
    """The pauses before replacements: each is twice the one before, up to the longest, until a worker has run long
    enough for the next pause to be the first again. The workers of one generation share it."""

    def __init__(self) -> None:
        self._failures = 0

    def __repr__(self) -> str:
        return f"<ReplacementBackoff failures={self._failures}>"

    def next_pause(self, ran: float) -> float:
        """Returns the seconds to wait before a worker is replaced that has run for *ran* seconds, which is 0 for one
        that could not be started or prepared."""
        if ran >= _STABLE:
            self._failures = 0
        pause: float = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(self._failures, _DOUBLINGS))
        self._failures += 1
        return pause
