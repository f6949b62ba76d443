"""The app in force, and the replaced ones that still have requests."""

import asyncio

from gateway.app import App
from gateway.web.dispatcher import Dispatcher

_CLOSE_TIMEOUT = 2.0
"""Seconds that `close` waits for the requests of replaced apps, which have been cancelled by then."""


class CurrentApp:
    """Directs the requests of *dispatcher* to *app* until it is replaced."""

    def __init__(self, app: App, dispatcher: Dispatcher) -> None:
        self.app = app
        self._dispatcher = dispatcher
        self._closing: set[asyncio.Task[None]] = set()
        """Each waits for the last request of a replaced app, and then closes it."""

    def __repr__(self) -> str:
        return f"<CurrentApp {self.app.settings.server.public_url} closing={len(self._closing)}>"

    def replace(self, new: App) -> None:
        """Directs requests to *new* from now on, and closes the previous app after the last of its requests."""
        old, wait_idle = self.app, self._dispatcher.replace_handlers(new.handlers)
        self.app = new

        async def close_when_idle() -> None:
            await wait_idle()
            await old.close()

        task = asyncio.create_task(close_when_idle(), name="closing the replaced configuration")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Closes every app. The requests must have ended or been cancelled."""
        if self._closing:
            await asyncio.wait(self._closing, timeout=_CLOSE_TIMEOUT)
        await self.app.close()
