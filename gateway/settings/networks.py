"""The types of IP networks, and what the checks ask of them. ``unix`` in a list of networks is every unix socket."""

import ipaddress
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from gateway.network import UNIX
from gateway.settings.values import fault

_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


def contains_everybody(networks: Iterable[str]) -> bool:
    """Whether *networks* together contain every IPv4 or every IPv6 address."""
    parsed = [ipaddress.ip_network(network) for network in networks if network != "unix"]
    v4 = [network for network in parsed if isinstance(network, ipaddress.IPv4Network)]
    v6 = [network for network in parsed if isinstance(network, ipaddress.IPv6Network)]
    everybody_v4 = any(network.prefixlen == 0 for network in ipaddress.collapse_addresses(v4))
    return everybody_v4 or any(network.prefixlen == 0 for network in ipaddress.collapse_addresses(v6))


def is_wide(network: str) -> bool:
    """Whether *network* has more addresses than an IPv4 /24 or an IPv6 /64. Loopback is one machine."""
    if network == "unix":
        return False
    parsed = ipaddress.ip_network(network)
    return not parsed.is_loopback and parsed.prefixlen < (24 if parsed.version == 4 else 64)


class NetworkIndex:
    """A list of networks, which finds those around another one in a time that hardly grows with the list: of two
    networks with an address in common, one contains the other."""

    def __init__(self, networks: Iterable[str]) -> None:
        networks = tuple(networks)
        self._unix = UNIX in networks
        self._texts = {ipaddress.ip_network(network): network for network in networks if network != UNIX}
        self._lengths = sorted({(network.version, network.prefixlen) for network in self._texts})
        self._starts = sorted((network.version, int(network.network_address)) for network in self._texts)

    def containing(self, network: str) -> list[str]:
        """Returns the networks of the list that contain *network*, or are the same, the widest first."""
        if network == UNIX:
            return [UNIX] if self._unix else []
        inner = ipaddress.ip_network(network)
        lengths = [length for version, length in self._lengths if version == inner.version]
        around = (inner.supernet(new_prefix=length) for length in lengths if length <= inner.prefixlen)
        return [self._texts[one] for one in around if one in self._texts]

    def overlaps(self, network: str) -> bool:
        """Whether a network of the list has an address in common with *network*."""
        if network == UNIX or self.containing(network):
            return network != UNIX or self._unix
        outer = ipaddress.ip_network(network)
        first = bisect_left(self._starts, (outer.version, int(outer.network_address)))
        return first < len(self._starts) and self._starts[first] <= (outer.version, int(outer.broadcast_address))


def networks_without(networks: Iterable[str], others: Iterable[str]) -> list[str]:
    """Returns networks that together have the addresses of *networks* which are in none of *others*."""
    excluded = NetworkIndex(others)

    def rest_of(network: str) -> Iterator[str]:
        if not excluded.overlaps(network):
            yield network
        elif not excluded.containing(network):
            for half in ipaddress.ip_network(network).subnets():
                yield from rest_of(str(half))

    return [rest for network in networks for rest in rest_of(network)]


def _network(value: Any) -> str:
    if value == "unix":
        return "unix"
    try:
        # Of a number, and so of true, ipaddress makes the address with that number.
        network = ipaddress.ip_network(value if isinstance(value, str) and "%" not in value else "")
    except ValueError:
        raise fault("is not an address or network", 'write it as "10.0.0.5/32" (no host bits), or "unix"') from None
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        raise fault("is an IPv4-mapped network, which no address is compared with", "write it as an IPv4 network")
    if network.num_addresses == 1 and (network.network_address.is_unspecified or network.is_multicast):
        raise fault("is an address that nobody connects from", "write the peer's own address, or a network")
    return str(network)


def _proxy_network(value: Any) -> str:
    network = _network(value)
    if contains_everybody([network]):
        raise fault("contains every address", "list only the addresses of your own proxies")
    return network


Network = Annotated[str, BeforeValidator(_network), WithJsonSchema({"type": "string"})]
ProxyNetwork = Annotated[str, BeforeValidator(_proxy_network), WithJsonSchema({"type": "string"})]
"""A network that does not contain every address."""
