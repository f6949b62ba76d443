"""What a reload is compared with: the configuration in force, and the listeners, which do not change until a restart.

What protects a listener, a token or a narrower trust, is applied at once. A file that moves or closes a listener and
drops its protection is safe as a whole, and would leave the running one open until the restart: it is refused. So is
one that trusts the next listener's proxy alone, while the present one sends requests to the running listener, and one
that begins to trust what that one's clients send by headers which it never had to remove.

How it works: the checks by which a start warns of open listeners look at the new settings with the running listeners.
What they find is a fault, if neither the new file has it by itself nor the configuration in force.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gateway.network import UNIX
from gateway.redis_url import parse_redis_url
from gateway.settings.faults import Fault
from gateway.settings.files import audit_faults, certificate_faults, socket_faults
from gateway.settings.identity import HeaderSettings, IdentitySettings
from gateway.settings.model import Settings, StateSettings
from gateway.settings.networks import NetworkIndex, contains_everybody, networks_without
from gateway.settings.open_listeners import (
    ADDRESSES,
    ADMIN,
    NAMES,
    Opening,
    is_open_in,
    local_peers,
    open_listeners,
    open_to_clients_of,
)
from gateway.settings.restart_keys import (
    TLS_KEYS,
    decode_values,
    encode_values,
    keys_needing_restart,
    restart_values,
    with_restart_values,
)
from gateway.settings.state_checks import parse_address
from gateway.settings.state_files import STATE_FILE, state_faults
from gateway.sockets import PassedSockets, Places, places_of

_FILES: tuple[tuple[Callable[[Settings], Iterator[Fault]], set[str]], ...] = (
    (lambda settings: state_faults(settings.state.dir), {"state.dir"}),
    (audit_faults, {"audit.file", "state.dir", "server.workers"}),
    (socket_faults, {"server.listen", "admin.listen"}),
)
"""The checks of what a running gateway has opened, each with the keys that it looks at."""
_MOVES = ("server.listen", TLS_KEYS[0])
"""The keys by which the proxies of the public listener are others after the restart."""
_REMEDY = "restart the gateway, or leave its protection until then"
_REMEDY_OF_PROXIES = "restart the gateway, or leave the proxy in server.trusted_proxies until then"
_REMEDY_OF_TRUST = "restart the gateway, or leave the proxy out of server.trusted_proxies until then"
_REMEDY_OF_FRONTS = "restart the gateway, or until then leave this provider as it was, or out if it is new"

TrustedHeader = tuple[str, str]
"""The name of a header, in lower case, and the network of a proxy by which it names a person or their groups."""


def _trusted_headers(provider: HeaderSettings) -> list[TrustedHeader]:
    names = (provider.subject_header.lower(), provider.groups_header.lower())
    return [(name, network) for name in names for network in provider.from_]


@dataclass(frozen=True, slots=True)
class InForce:
    """The configuration in force, without what no reload is compared with."""

    values: Mapping[str, Any]
    """Its `restart_values`."""
    public: Places
    """Where the running public listener is."""
    admin: Places
    """Where the running admin listener is."""
    openings: frozenset[Opening]
    """What it leaves open there."""
    proxies: tuple[str, ...] = ()
    """The trusted proxies of the running public listener: a reload that moves it states those of the next one."""
    headers: tuple[TrustedHeader, ...] = ()
    """What people are known by at the running public listener: its proxies remove that from their clients' requests."""

    @classmethod
    def at_start(cls, settings: Settings, passed: PassedSockets) -> "InForce":
        """Returns what is in force after a start with *settings* and the sockets that were *passed*."""
        mode = int(settings.server.socket_mode, 8)
        public, admin = (places_of(table.listen, mode, passed) for table in (settings.server, settings.admin))
        return cls({}, public, admin, frozenset()).after_reload(settings)

    @classmethod
    def decode(cls, message: Mapping[str, Any]) -> "InForce":
        """Returns what `encode` has returned as *message*. If that is empty, because a supervisor of an earlier version
        has sent none, a reload is compared with nothing."""
        public, admin = (tuple((listen, mode) for listen, mode in message.get(key, ())) for key in ("public", "admin"))
        openings = frozenset((what, whom) for what, whom in message.get("openings", ()))
        proxies = tuple(message.get("proxies", ()))
        headers = tuple((name, network) for name, network in message.get("headers", ()))
        return cls(decode_values(message.get("values", {})), public, admin, openings, proxies, headers)

    def encode(self) -> dict[str, Any]:
        """Returns this as JSON has it, with the secrets: for the connection to a worker, and for nothing else."""
        return {
            "values": encode_values(self.values),
            "public": self.public,
            "admin": self.admin,
            "openings": sorted(self.openings),
            "proxies": self.proxies,
            "headers": self.headers,
        }

    def after_reload(self, new: Settings) -> "InForce":
        """Returns what is in force after a reload of *new*."""
        opened = open_listeners(new, self.public, self.admin)
        values = restart_values(with_restart_values(new, self.values))
        in_force = replace(self, values=values, openings=frozenset(one.opening for one in opened))
        if self._move(new):
            return in_force
        fronts = [one for one in new.identity if isinstance(one, HeaderSettings)]
        headers = tuple(header for front in fronts for header in _trusted_headers(front))
        return replace(in_force, proxies=new.server.trusted_proxies, headers=headers)

    def faults_of_reload(self, new: Settings) -> Iterator[Fault]:
        """Yields a fault, without line, for each running listener that a reload of *new* would open."""
        own = self._places(new, "server", self.public), self._places(new, "admin", self.admin)
        others = {one.opening for one in open_listeners(new, *own)} | self.openings
        of_proxies = dict(self._faults_of_proxies(new))
        yield from of_proxies.values()
        for one in open_listeners(new, self.public, self.admin):
            if one.opening[0] not in of_proxies and not is_open_in(one.opening, others):
                key = "admin.listen" if one.opening[0] == ADMIN else "server.listen"
                is_moved = self.values.get(key) != restart_values(new)[key]
                reason = f"needs a restart, and until then the running one, {one.listen}, {one.warning.reason}"
                yield Fault(key if is_moved else "server.socket_mode", None, reason, _REMEDY)

    def warnings_of_reload(self, new: Settings) -> Iterator[Fault]:
        """Yields a warning, without line, if the restart that *new* needs begins with another state than the running
        gateway has in its directory, or may have in Redis."""
        folder, url, state = self.values.get("state.dir"), self.values.get("state.url"), new.state
        if url is not None:
            lost, present = "that only the present url and prefix have", "the present url and prefix"
        elif folder is not None and (folder / STATE_FILE).exists():
            lost, present = f"in {folder}", f"dir = {folder}"
        else:
            return
        key = self._key_of_another_state(state)
        remedy = f"revoke there before it what `valt-gateway revoke --list` shows with {present}"
        if new.session is not None:
            remedy += "; it shows no sign-outs at the gateway: another session.secret ends those and all other sessions"
        if key == "state":
            remedy = f"write {present} again"
        elif key == "state.dir" and url is None:
            remedy = f"stop the gateway, move {folder} there, and start it"
        if key:
            yield Fault(key, None, f"needs a restart, which loses the revocations and sign-outs {lost}", remedy)

    def _key_of_another_state(self, state: StateSettings) -> str:
        """Returns the key by which *state* is another one than that of the running gateway, empty if it is the same."""
        folder, url = self.values.get("state.dir"), self.values.get("state.url")
        if state.dir is not None:
            return "" if folder is not None and state.dir.resolve() == folder.resolve() else "state.dir"
        if state.url is None:
            return "state"
        address = parse_address(state)
        if address is None:
            return ""  # its file could not be read, which is a fault already
        if url is None or not parse_redis_url(url).has_database_of(address):
            return "state.url"
        return "" if self.values.get("state.prefix") == state.prefix else "state.prefix"

    def faults_of_other_files(self, new: Settings) -> Iterator[Fault]:
        """Yields the faults, without lines, of the state, the audit and the sockets by *new* that the running gateway
        has not opened, and that the restart needs."""
        changed = keys_needing_restart(self.values, new)
        for find_faults, keys in _FILES:
            if not keys.isdisjoint(changed):
                yield from find_faults(new)

    def faults_of_certificate(self, new: Settings) -> Iterator[Fault]:
        """Yields the faults, without lines, of the certificate that a new worker needs although *new* names none."""
        if new.server.tls_cert_file is None:
            for fault in certificate_faults(with_restart_values(new, self.values)):
                yield replace(fault, reason=f"needs a restart, and until then it {fault.reason}")

    def _faults_of_proxies(self, new: Settings) -> Iterator[tuple[str, Fault]]:
        """Yields what is open to the clients of proxies that still connect to the running public listener, each with
        its fault: because *new* no longer trusts them, or begins to. In place either is meant for this listener."""
        key, listen = self._move(new), ", ".join(listen for listen, _ in self.public)
        if not key:
            return
        peers = [local_peers(place) for place, _ in self.public]
        local = [peer for networks in peers for peer in networks]
        connecting = [one for one in self.proxies if one != UNIX or "unix:" in listen]
        proxies = networks_without(connecting, new.server.trusted_proxies)
        for what, whose in open_to_clients_of(new, proxies):
            network = NetworkIndex(connecting).containing(proxies[0])[0]
            reason = f"and until then {network} sends requests to {listen}: {whose} would compare its address"
            yield what, Fault(key, None, f"needs a restart, {reason}, not the client's", _REMEDY_OF_PROXIES)
        # A proxy of another machine, before one of this machine, connects to no listener on loopback. Where a front is
        # that may have any address, as one with a secret may, is not known.
        fronts = [one for _, one in self.headers if one != UNIX and not contains_everybody([one])]
        direct = local if all(peers) else [*connecting, *fronts, *local]
        begins = f"needs a restart, and until then the present proxy of {listen} would be believed"
        trusted = NetworkIndex(networks_without(new.server.trusted_proxies, self.proxies))
        if any(grant.networks for grant in new.grants) and any(map(trusted.overlaps, direct)):
            reason = f"{begins} about the addresses of its clients, which rules compare"
            yield ADDRESSES, Fault(key, None, reason, _REMEDY_OF_TRUST)
        front = next((one for one in new.identity if self._names_by_new_headers(one, direct)), None)
        if front is not None:
            reason = f"{begins} by {front.name} about the names of its clients, and may pass on what they send"
            yield NAMES, Fault(key, None, reason, _REMEDY_OF_FRONTS)

    def _names_by_new_headers(self, provider: IdentitySettings, proxies: list[str]) -> bool:
        """Whether *provider* trusts, without a secret, a header of one of *proxies* by which nobody was known yet: that
        proxy may pass it on from its clients."""
        if not isinstance(provider, HeaderSettings) or provider.secret_header:
            return False
        is_open = is_open_in((NAMES, UNIX), self.openings)
        peers = {proxy for proxy in proxies if not (is_open and proxy == UNIX)}

        def is_new_at_a_peer(name: str) -> bool:
            present = [network for other, network in self.headers if other == name]
            return any(map(NetworkIndex(networks_without(provider.from_, present)).overlaps, peers))

        return any(map(is_new_at_a_peer, {name for name, _ in _trusted_headers(provider)}))

    def _move(self, new: Settings) -> str:
        """Returns the key by which *new* moves the public listener at the restart, empty if none does."""
        return next((key for key in keys_needing_restart(self.values, new) if key in _MOVES), "")

    def _places(self, new: Settings, table: str, running: Places) -> Places:
        """Returns where the listener of *table* is by *new*; where the *running* one is if *new* leaves it there."""
        listen, mode = getattr(new, table).listen, new.server.socket_mode
        has_mode = listen.startswith("unix:")
        stays = listen == self.values.get(f"{table}.listen")
        if stays and not (has_mode and mode != self.values.get("server.socket_mode")):
            return running
        return ((listen, int(mode, 8)),)
