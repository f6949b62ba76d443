"""The types of IP networks, and what the checks ask of them. ``unix`` in a list of networks is every unix socket."""

import ipaddress
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

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


def overlap(one: str, other: str) -> bool:
    """Whether two networks have an address in common."""
    if "unix" in (one, other):
        return one == other
    return ipaddress.ip_network(one).overlaps(ipaddress.ip_network(other))


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
