"""What a reload does not change: the listeners stay as they are until a restart.

What protects a listener, a token or a secret, is applied at once. A file that moves or closes the listener and drops
its protection is safe as a whole, and would leave the open one without protection until the restart: it is refused.
"""

from collections.abc import Iterator, Mapping

from gateway.network import UNIX
from gateway.settings.addresses import is_loopback_host, split_listen
from gateway.settings.faults import Fault
from gateway.settings.identity import HeaderSettings
from gateway.settings.model import Settings
from gateway.settings.networks import overlap

_KEYS = (("server", "listen"), ("server", "socket_mode"), ("server", "workers"), ("admin", "listen"))
_TOKEN, _SECRETS, _BELIEVED, _TRUST = "admin.token", "identity.secret", "identity.from", "unix"
_OTHERS = 0o006
_REMEDY = "restart the gateway, or leave its protection until then"


def listener_values(settings: Settings) -> dict[str, str]:
    """Returns the values of the listeners, which a reload does not change, by dotted key."""
    return {f"{table}.{key}": str(getattr(getattr(settings, table), key)) for table, key in _KEYS}


def protections(settings: Settings) -> dict[str, str]:
    """Returns what protects the listeners of *settings*, without the secrets themselves: whether the admin listener has
    a token, the peers of fronts that have a secret and of those that have none, and whether who connects to a unix
    socket is trusted."""
    fronts = [one for one in settings.identity if isinstance(one, HeaderSettings)]
    return {
        _TOKEN: "yes" if settings.admin.token is not None else "",
        _SECRETS: " ".join(peer for one in fronts if one.secret is not None for peer in one.from_),
        _BELIEVED: " ".join(_believed(settings)),
        _TRUST: "yes" if UNIX in _trusted(settings) else "",
    }


def faults_until_restart(running: Mapping[str, str], new: Settings) -> Iterator[Fault]:
    """Yields a fault, without line, for each protection that *new* drops from a listener that stays open. *running* are
    `listener_values` and `protections` of the configuration with which the gateway was started; the latter may be
    missing, in an older supervisor."""
    values = listener_values(new)
    mode = "server.socket_mode"
    believed = set(_believed(new)) - set(running.get(_BELIEVED, "").split())
    for listener in ("admin.listen", "server.listen"):
        is_socket = running[listener].startswith("unix:")
        moved = next((key for key in (listener, mode)[: 1 + is_socket] if running[key] != values[key]), None)
        if moved is None:
            continue
        reason = f"needs a restart, and until then {running[listener]} stays open without its"
        if listener == "admin.listen":
            if running.get(_TOKEN) and new.admin.token is None and not _is_loopback(running[listener]):
                yield Fault(moved, None, f"{reason} token", _REMEDY)
        elif any(overlap(peer, one) for peer in running.get(_SECRETS, "").split() for one in believed):
            yield Fault(moved, None, f"{reason} front's secret", _REMEDY)
        elif running.get(_TRUST) == "" and UNIX in _trusted(new) and _is_for_all(running) and not _is_for_all(values):
            reason = f"needs a restart, and until then every user of the machine is trusted at {running[listener]}"
            yield Fault(moved, None, reason, _REMEDY)


def _believed(settings: Settings) -> list[str]:
    """Returns the peers that name people without a secret."""
    fronts = (one for one in settings.identity if isinstance(one, HeaderSettings) and one.secret is None)
    return [peer for one in fronts for peer in one.from_]


def _trusted(settings: Settings) -> list[str]:
    return [*settings.server.trusted_proxies, *_believed(settings)]


def _is_loopback(listen: str) -> bool:
    address = split_listen(listen)
    return address is not None and is_loopback_host(address[0])


def _is_for_all(values: Mapping[str, str]) -> bool:
    """Whether perhaps every user of the machine may connect to the public listener's unix socket: the mode of one that
    systemd opens is in its unit."""
    is_open = bool(int(values["server.socket_mode"], 8) & _OTHERS)
    return values["server.listen"].startswith("systemd:") or (values["server.listen"].startswith("unix:") and is_open)
