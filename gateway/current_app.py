"""The app in force, and the replaced ones that still have requests."""

import asyncio

from gateway.app import App, build_app
from gateway.completion import wait_completed
from gateway.context import ProcessContext
from gateway.events import LogEvent
from gateway.listeners import certificate_of
from gateway.settings.model import Settings
from gateway.settings.restart_keys import restart_values, with_restart_values
from gateway.valt_backend import backend_origin
from gateway.web.dispatcher import Dispatcher
from gateway.web.listener import Listener

_CLOSE_TIMEOUT = 2.0
"""Seconds that `close` waits for the requests of replaced apps, which have been cancelled by then."""
_COMPLETION_TIMEOUT = 8.0
"""Seconds that `close` waits for sign-outs. Other workers and a locked state take seven, a disk that does not respond
ten, of which some have passed."""


class CurrentApp:
    """Directs the requests of *dispatcher* to *app* until it is replaced."""

    def __init__(self, app: App, dispatcher: Dispatcher) -> None:
        self.app = app
        self._dispatcher = dispatcher
        self._closing: set[asyncio.Task[None]] = set()
        """Each waits for the last request of a replaced app, and then closes it."""

    def __repr__(self) -> str:
        return f"<CurrentApp {self.app.settings.server.public_url} closing={len(self._closing)}>"

    async def build(self, settings: Settings, context: ProcessContext, listener: Listener) -> App | None:
        """Returns the app of *settings*, with the values in force of the keys that need a restart, and loads their
        certificate for *listener*. None, with nothing changed, if that fails, which is logged."""
        lasting = with_restart_values(settings, restart_values(self.app.settings))
        try:
            same_valt = self.app.valt.origin == backend_origin(lasting)
            app = build_app(lasting, context, self.app.valt if same_valt else None, self.app.identity)
        except Exception as error:
            message = f"the configuration cannot be applied: {_reason(error)}"
            context.observer.on_event(LogEvent("error", message))
            return None
        try:
            # Not that of *lasting*: where the new file names none, the old files may be gone.
            listener.reload_certificate(certificate_of(settings))
        except OSError as error:
            message = f"the certificate cannot be read: {_reason(error)}"
            context.observer.on_event(LogEvent("error", message))
            await app.close()
            return None
        return app

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
        """Closes every app. The requests must have ended or been cancelled: what they have begun to store is waited
        for, because its audit lines are written then."""
        await wait_completed(_COMPLETION_TIMEOUT)
        if self._closing:
            await asyncio.wait(self._closing, timeout=_CLOSE_TIMEOUT)
        await self.app.close()


def _reason(error: Exception) -> str:
    """Returns the error's class and, of an OSError, the reason and the file: other texts may hold a secret."""
    reason = error.strerror if isinstance(error, OSError) else None
    file = f" ({error.filename})" if isinstance(error, OSError) and error.filename else ""
    return type(error).__name__ + (f": {reason}{file}" if reason else "")
