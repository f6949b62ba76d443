"""How many questions may wait for VALT's API at once. People who ask the same thing share one question."""

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.errors import BusyError
from gateway.events import LimitReached
from gateway.ports import Listener


class Queue:
    """*most* places; whoever finds none is told so at once and costs VALT nothing."""

    def __init__(self, listener: Listener, *, most: int) -> None:
        self._listener = listener
        self._most = most
        self._waiting = 0

    def limit(self, most: int) -> None:
        """Another number of places, from the next question on."""
        self._most = most

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place while VALT is asked. BusyError where there is none."""
        if self._waiting >= self._most:
            self._listener.happened(LimitReached("waiting_for_valt"))
            raise BusyError("limits.waiting_for_valt is reached")
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
