"""IP addresses and networks: one parser and one membership test, for socket peers and for addresses in headers."""

import re
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

UNKNOWN = "unknown"
"""Instead of a client's address that a trusted proxy states in no readable form (RFC 7239, section 6). It is in no
network."""
_ZONE, _PORT = r"(?:%[0-9A-Za-z._~-]{1,32})?", r"(?::(?:[0-9]{1,5}|_[0-9A-Za-z._-]+))?"
_HOP = re.compile(
    rf'"?(?:(?:\[(?P<bracketed>[0-9A-Fa-f:.]+){_ZONE}\]|(?P<v4>[0-9.]+)){_PORT}|(?P<v6>[0-9A-Fa-f:.]+){_ZONE})"?'
)

UNIX = "unix"
"""In a list of networks: every peer on a unix socket."""


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Returns the address, or None if *text* is not one. An IPv4-mapped IPv6 address (RFC 4291, section 2.5.5.2) is
    returned as IPv4, so that a network matches its hosts on a dual-stack listener too."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def parse_hop(text: str) -> str | None:
    """Returns the address in one entry of X-Forwarded-For in its one spelling, without port, brackets and zone, or None
    if it has none: some balancers append the port (RFC 7239, section 6)."""
    match = _HOP.fullmatch(text.strip(" \t"))
    address = None if match is None else parse_address(match["bracketed"] or match["v4"] or match["v6"])
    return None if address is None else str(address)


def contains_network(networks: Collection[str], network: str) -> bool:
    """Whether one of *networks* contains *network*, or both are unix sockets."""
    if network == UNIX:
        return UNIX in networks
    inner = ip_network(network)
    outer = [ip_network(other) for other in networks if other != UNIX]
    return any(inner[0] in other and inner[-1] in other for other in outer)


class TrustedNetworks:
    """A list of IP networks in CIDR notation, in which ``"unix"`` stands for unix sockets. False if the list is empty.

    Raises ValueError if a network is not valid.
    """

    def __init__(self, networks: Collection[str]) -> None:
        self._networks = tuple(ip_network(network) for network in networks if network != UNIX)
        self._unix = UNIX in networks

    def __bool__(self) -> bool:
        return self._unix or bool(self._networks)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TrustedNetworks):
            return NotImplemented
        return (self._networks, self._unix) == (other._networks, other._unix)

    def __hash__(self) -> int:
        return hash((self._networks, self._unix))

    def __contains__(self, peer: str | None) -> bool:
        """Whether *peer* is in one of the networks. None is a peer on a unix socket; text that is no address is in
        none."""
        if peer is None:
            return self._unix
        address = parse_address(peer)
        return address is not None and any(address in network for network in self._networks)

    def __repr__(self) -> str:
        networks = [str(network) for network in self._networks] + [UNIX] * self._unix
        return f"<TrustedNetworks {' '.join(networks)}>"
