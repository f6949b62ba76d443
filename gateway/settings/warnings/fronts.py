"""Warnings about values that compare the client's address where the gateway sees that of a front (a proxy) alone."""

import re
from collections.abc import Iterator
from ipaddress import ip_network
from typing import NamedTuple

from gateway.network import UNIX
from gateway.settings.addresses import is_loopback_host, split_listen
from gateway.settings.faults import Fault
from gateway.settings.grants import GrantSettings
from gateway.settings.identity import STATEFUL_TABLES, HeaderSettings, IdentitySettings, JwtSettings
from gateway.settings.model import Settings
from gateway.settings.named_people import NamedPeople
from gateway.settings.networks import NetworkIndex, contains_everybody
from gateway.validity import SERVICE_KEY_PROVIDER

_REMEDY = "list the proxy in server.trusted_proxies"
_OF_FRONTS = re.compile(
    r"cf-access-jwt-assertion|x-(pomerium|goog-iap)-jwt-assertion|x-amzn-oidc-(data|accesstoken)"
    r"|x-(forwarded|auth-request)-access-token|x-ms-token-aad-(id|access)-token",
    re.IGNORECASE,
)
"""Headers in which a proxy alone sends tokens."""
_OF_AN_ADDRESS = ("streams_per_address", "refusals_per_minute")
"""Limits of an address: a smaller one than the default is for a single client."""


class Front(NamedTuple):
    """A proxy that connects to the gateway and is not trusted: what a warning calls it, its addresses as far as they
    are written, and the providers whose people come through it; None if everybody does."""

    name: str
    addresses: tuple[str, ...] = ()
    providers: frozenset[str] | None = None


def front_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields the warnings, without lines."""
    yield from _rooms_of_proxies(settings)
    front = _unlisted_front(settings)
    if front is None:
        return
    own = NetworkIndex(front.addresses)
    inside = NetworkIndex(network for grant in settings.grants for network in grant.networks)
    around = {network for address in front.addresses for network in inside.containing(address)}
    for number, grant in enumerate(settings.grants):
        # Networks that are the front's own addresses are meant as "through the front".
        others = [network for network in grant.networks if not own.containing(network)]
        if front.addresses and grant.allow and not _only_fronts_connect(settings):
            others = [network for network in others if network in around]
        if others and _is_for_people_of(front, grant, settings):
            reason = f"compares the address of {front.name} with it, not the client's"
            yield Fault(f"grants.{number}.networks", None, reason, _REMEDY)
    for key in _OF_AN_ADDRESS if front.providers is None else ():
        limit, default = getattr(settings.limits, key), type(settings.limits).model_fields[key].default
        if 0 < limit < default and limit <= settings.limits.streams:  # values.py warns of a larger one
            reason = f"is a limit for all clients together: their address is that of {front.name}"
            yield Fault(f"limits.{key}", None, reason, f"{_REMEDY}, or leave this limit out")


def _rooms_of_proxies(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each network of trusted proxies, or of the peers of a provider without a secret, in which a
    rule says that there are clients: each is believed whatever address or name it states. A rule that allows all of the
    proxies' network, or more, gives them nothing by another address."""
    wide = NetworkIndex(one for one in settings.server.trusted_proxies if _has_several(one))
    rooms: list[str] = []
    for number, grant in enumerate(settings.grants):
        rooms += [] if contains_everybody(grant.networks) else grant.networks
        own = [one for one in grant.networks if one in settings.server.trusted_proxies and _is_remote(one)]
        if own and (not grant.allow or len(own) == len(grant.networks)) and not _is_for_service_key(settings, grant):
            reason = f"has {own[0]}, of server.trusted_proxies: whoever comes through it has an address of their own"
            yield Fault(f"grants.{number}.networks", None, reason, "list the clients' networks")
        inside = [(room, one) for room in grant.networks for one in wide.containing(room)]
        common = next((one for room, one in inside if room != one or not grant.allow), None)
        if common is not None:
            reason = f"has clients in {common}, of server.trusted_proxies, each of which may state any address"
            remedy = "list the addresses of the proxies alone in server.trusted_proxies"
            yield Fault(f"grants.{number}.networks", None, reason, remedy)
    for number, provider in enumerate(settings.identity):
        peers = provider.from_ if isinstance(provider, HeaderSettings) and not provider.secret_header else ()
        index = NetworkIndex(one for one in peers if _has_several(one))
        around = {one for room in dict.fromkeys(rooms) for one in index.containing(room)}
        for place, one in enumerate(peers):
            if one in around:
                reason = f"contains clients of rules by networks ({one}), each of which may name any person"
                remedy = "list single addresses, or use secret_header"
                yield Fault(f"identity.{number}.from.{place}", None, reason, remedy)


def _is_for_service_key(settings: Settings, grant: GrantSettings) -> bool:
    """Whether *grant* has names of service keys alone: a program on the proxy's own machine may use one. A rule that
    refuses is for people too if they may have these names: it would refuse none of them."""
    if not grant.allow:
        people = NamedPeople(settings)
        names = [(table, name) for table in ("groups", "subjects") for name in getattr(grant, table)]
        return all(person.is_key for name in names for person in people.persons(grant, name))
    return _has_names_of_keys_alone(settings, grant)


def _has_names_of_keys_alone(settings: Settings, grant: GrantSettings) -> bool:
    groups = {group for key in settings.service_keys for group in key.groups}
    subjects = {name for key in settings.service_keys for name in (key.name, f"{SERVICE_KEY_PROVIDER}#{key.name}")}
    return groups.issuperset(grant.groups) and subjects.issuperset(grant.subjects)


def _is_for_people_of(front: Front, grant: GrantSettings, settings: Settings) -> bool:
    """Whether *grant* is certainly for people who come through *front*. A group may be one of service keys, or of the
    people of another provider."""
    if front.providers is None:
        return True
    if front.providers.issuperset(provider.name for provider in settings.identity):
        return not _has_names_of_keys_alone(settings, grant)
    return any(name == "*" or name.partition("#")[0] in front.providers for name in grant.subjects)


def _is_remote(network: str) -> bool:
    """Whether *network* is one address, and not of this machine, where programs connect without a proxy too."""
    return network != UNIX and not _has_several(network) and not ip_network(network).is_loopback


def _has_several(network: str) -> bool:
    return network != UNIX and ip_network(network).num_addresses > 1


def _only_fronts_connect(settings: Settings) -> bool:
    """Whether people are known by the headers of proxies alone. Else a rule may be for those who connect themselves."""
    return all(isinstance(one, HeaderSettings) for one in settings.identity) and not settings.service_keys


def _unlisted_front(settings: Settings) -> Front | None:
    """Returns the gateway's front; None if none is certain, or if it is a trusted proxy. Nobody but a front connects to
    loopback or a unix socket, or sends the header of one; and cookies of an https address come over TLS alone."""
    listen, trusted = settings.server.listen, settings.server.trusted_proxies
    if listen.startswith("systemd:"):
        is_local = False  # its address is in the socket unit
    else:
        address = split_listen(listen)
        is_local = address is None or is_loopback_host(address[0])
    if is_local:
        return None if trusted else Front("the proxy in front of server.listen")
    listed = NetworkIndex(trusted)
    for provider in settings.identity:
        if isinstance(provider, HeaderSettings):
            unlisted = [one for one in provider.from_ if not listed.overlaps(one)]
            if unlisted and UNIX not in unlisted:
                return Front(f"{provider.name}'s proxy ({unlisted[0]})", provider.from_)
    is_https = settings.server.public_url.startswith("https:") and settings.server.tls_cert_file is None
    tokens = [one for one in settings.identity if _is_token_of_front(one)]
    browsers = [one for one in settings.identity if is_https and isinstance(one, STATEFUL_TABLES)]
    if trusted or not (tokens or browsers):
        return None
    name = "the proxy that speaks TLS for public_url" if browsers else f"{tokens[0].name}'s proxy"
    is_for_all = len(tokens) + len(browsers) == len(settings.identity) and not settings.service_keys
    return Front(name, (), None if is_for_all else frozenset(one.name for one in (*tokens, *browsers)))


def _is_token_of_front(provider: IdentitySettings) -> bool:
    return isinstance(provider, JwtSettings) and _OF_FRONTS.fullmatch(provider.header) is not None
