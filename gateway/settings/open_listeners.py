"""What is open to whoever may connect to a listener: a warning at the start, and what a reload must not add before the
restart."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from gateway.network import UNIX, parse_address
from gateway.settings.addresses import EVERY_ADDRESS, is_loopback_host, split_listen
from gateway.settings.faults import Fault
from gateway.settings.identity import HeaderSettings
from gateway.settings.model import Settings
from gateway.settings.networks import NetworkIndex
from gateway.sockets import Places

ADMIN, NAMES, ADDRESSES, REFUSED, ALLOWED = "admin", "names", "addresses", "refused", "allowed"
"""What is open: the admin listener without a token; the name of any person; the address of any client; what rules
refuse to clients by their networks, because they have the address of a proxy; what rules allow to that address."""
_LOOPBACK = {4: "127.0.0.0/8", 6: "::1/128"}
_EVERY_USER = 0o002
"""Who connects to a unix socket needs the right to write."""

Opening = tuple[str, str]
"""What is open, and to whom: every user of the machine (``unix``), or whoever reaches an address."""


@dataclass(frozen=True, slots=True)
class OpenListener:
    """*warning* is about what is open at *listen*."""

    opening: Opening
    listen: str
    warning: Fault


def open_listeners(settings: Settings, public: Places, admin: Places) -> Iterator[OpenListener]:
    """Yields what *settings* leave open if their listeners are at *public* and *admin*."""
    for listen, mode in admin if settings.admin.token is None else ():
        address = split_listen(listen)
        if address is not None and not is_loopback_host(address[0]):
            reason = "is reachable from other machines, which may read metrics and readiness without a token"
            warning = Fault("admin.listen", None, reason, "listen on loopback, or give token_file")
            yield OpenListener((ADMIN, address[0]), listen, warning)
        elif _is_for_every_user(listen, mode):
            reason = f"lets every user of the machine see and cut streams at {listen}"
            warning = Fault("server.socket_mode", None, reason, 'write "0660", or give admin.token_file')
            yield OpenListener((ADMIN, UNIX), listen, warning)
    for listen, mode in public:
        if _is_for_every_user(listen, mode):
            for what, reason, remedy in _of_every_user(settings):
                yield OpenListener((what, UNIX), listen, Fault("server.socket_mode", None, reason, remedy))
        for what, whose in open_to_clients_of(settings, _unlisted_proxies(settings, listen)):
            reason = f"gives {whose} the proxy's address, not the client's"
            warning = Fault("grants", None, reason, "list the proxy in server.trusted_proxies")
            yield OpenListener((what, UNIX), listen, warning)


def open_listener_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields the warnings, without lines. Of proxies that are not trusted fronts.py and values.py warn."""
    public, admin = places_in(settings)
    opened = [one for one in open_listeners(settings, public, admin) if one.opening[0] not in (REFUSED, ALLOWED)]
    names = any(one.opening[0] == NAMES for one in opened)  # whoever may name anybody needs no address
    yield from (one.warning for one in opened if not (names and one.opening[0] == ADDRESSES))


def open_to_clients_of(settings: Settings, proxies: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yields what is open to the clients of *proxies*, networks that are not trusted, because rules compare the proxy's
    address instead of theirs; and the name of these rules in a warning."""
    rules = [grant for grant in settings.grants if grant.networks]
    if proxies and not all(grant.allow for grant in rules):
        yield REFUSED, "rules that refuse by networks"
    allowed = NetworkIndex(network for grant in rules if grant.allow for network in grant.networks)
    if any(allowed.overlaps(proxy) for proxy in proxies):
        yield ALLOWED, "rules that allow by networks"


def places_in(settings: Settings) -> tuple[Places, Places]:
    """Returns where the public and the admin listener are, as far as *settings* say it."""
    mode = int(settings.server.socket_mode, 8)
    return ((settings.server.listen, mode),), ((settings.admin.listen, mode),)


def is_open_in(opening: Opening, others: Collection[Opening]) -> bool:
    """Whether one of *others* is the same for those to whom *opening* is open, or for more."""
    what, whom = opening
    return any(other == what and (whom == UNIX or who in (whom, *EVERY_ADDRESS)) for other, who in others)


def _is_for_every_user(listen: str, mode: int) -> bool:
    """Whether every user of the machine may connect. The mode of a socket that systemd opens is in its unit."""
    return listen.startswith("unix:") and bool(mode & _EVERY_USER)


def local_peers(listen: str) -> Collection[str]:
    """Returns the networks of whoever connects to a listener at *listen*; none if other machines do. Only IPv6 connects
    to an IPv6 address, and a name such as "localhost" may have addresses of both."""
    place = split_listen(listen)
    if place is None:
        return (UNIX,) if listen.startswith("unix:") else ()
    if not is_loopback_host(place[0]):
        return ()
    address = parse_address(place[0])
    return tuple(_LOOPBACK.values()) if address is None else (_LOOPBACK[address.version],)


def _unlisted_proxies(settings: Settings, listen: str) -> Collection[str]:
    """Returns the networks of the proxy that certainly connects to the public listener at *listen*; none if one that is
    trusted can. Where other machines connect, clients may do so themselves."""
    trusted, peers = NetworkIndex(settings.server.trusted_proxies), local_peers(listen)
    return () if any(trusted.overlaps(network) for network in peers) else peers


def _of_every_user(settings: Settings) -> Iterable[tuple[str, str, str]]:
    """Yields what is open to whoever connects to the public listener's unix socket, with a reason and a remedy."""
    fronts = (one for one in settings.identity if isinstance(one, HeaderSettings))
    trusting = next((one for one in fronts if UNIX in one.from_ and not one.secret_header), None)
    if trusting is not None:
        reason = f"lets every user of the machine connect, and {trusting.name} trusts whoever connects"
        yield NAMES, reason, 'write "0660", or use secret_header'
    if UNIX in settings.server.trusted_proxies and any(grant.networks for grant in settings.grants):
        reason = "lets every user of the machine connect and state any client's address, which rules compare"
        yield ADDRESSES, reason, 'write "0660"'
