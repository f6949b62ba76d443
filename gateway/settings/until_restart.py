"""What a reload does not change: the listeners stay as they are until a restart.

What protects a listener, a token or a secret, is applied at once. A file that closes the listener and drops its
protection is safe as a whole, and would leave the open one without protection until the restart: it is refused.
"""

from collections.abc import Iterator, Mapping
from datetime import date

from gateway.settings.checks import warnings_of
from gateway.settings.faults import Fault
from gateway.settings.model import Settings

_KEYS = (("server", "listen"), ("server", "socket_mode"), ("server", "workers"), ("admin", "listen"))


def listener_values(settings: Settings) -> dict[str, str]:
    """Returns the values of the listeners, which a reload does not change, by dotted key."""
    return {f"{table}.{key}": str(getattr(getattr(settings, table), key)) for table, key in _KEYS}


def faults_until_restart(listeners: Mapping[str, str], new: Settings, today: date) -> Iterator[Fault]:
    """Yields a fault, without line, for each warning about the running *listeners*, of the form of `listener_values`,
    that *new* does not have with its own ones. *today* as for `warnings_of`."""
    changed = {key for key, value in listener_values(new).items() if listeners[key] != value} - {"server.workers"}
    if not changed:
        return
    running = new
    for key in changed:
        table, _, name = key.partition(".")
        values = getattr(running, table).model_copy(update={name: listeners[key]})
        running = running.model_copy(update={table: values})
    accepted = {(warning.key, warning.reason) for warning in warnings_of(new, today)}
    for warning in warnings_of(running, today):
        if warning.key in changed and (warning.key, warning.reason) not in accepted:
            reason = f"needs a restart, and until then {listeners[warning.key]} {warning.reason}"
            yield Fault(warning.key, None, reason, "restart the gateway, or leave its protection until then")
