"""Whether each identity provider can be used from here: discovery, keys and clock; networks; keytab."""

from collections.abc import Iterator

import aiohttp

from gateway.doctor.check import Check, Result, broken, doubtful, good
from gateway.doctor.remote_server import describe_offset, is_timely, offset, parse_date, remedy_for
from gateway.errors import IdentityProviderError
from gateway.identity.discovery import Endpoints, ProviderMetadata, fetch_json, fetch_metadata, open_session
from gateway.identity.jwks import parse_key_set
from gateway.network import UNIX, TrustedNetworks
from gateway.ports import Clock
from gateway.settings.addresses import is_loopback_host, split_listen
from gateway.settings.identity import (
    HeaderSettings,
    IdentitySettings,
    JwtSettings,
    NegotiateSettings,
    OidcSettings,
    TicketSettings,
)
from gateway.settings.keytab import keytab_fault
from gateway.settings.model import Settings
from gateway.settings.networks import is_wide

_LOOPBACK = ("127.0.0.1", "::1")


async def check_provider(table: IdentitySettings, settings: Settings, clock: Clock) -> Check:
    """Returns whether the provider of *table* can be used."""
    name = f"provider:{table.name}"
    match table:
        case JwtSettings() | OidcSettings():
            return await _remote(name, table, settings, clock)
        case HeaderSettings():
            return _header(name, table, settings)
        case NegotiateSettings():
            fault = keytab_fault(table.keytab_file, table.service)
            if fault is not None:
                return broken(name, f"keytab_file {fault[0]}", fault[1])
            return good(name, f"the keytab has a key of {table.service}")
        case TicketSettings():
            return good(name, f"{len(table.keys)} key(s); it is asked nothing, and its clock must be right")


async def _remote(name: str, table: JwtSettings | OidcSettings, settings: Settings, clock: Clock) -> Check:
    """Returns whether discovery document and keys can be fetched, and whether the provider's clock is right."""
    try:
        session = open_session(table.ca_file, table.proxy_url)
    except OSError as error:
        return broken(name, f"ca_file {table.ca_file} cannot be used: {error.strerror}", "name a PEM file")
    doubts: list[tuple[str, str]] = []
    async with session:
        try:
            jwks_url = table.jwks_url if isinstance(table, JwtSettings) else ""
            if not jwks_url:
                metadata = await fetch_metadata(session, table.issuer, table.discovery_url)
                if isinstance(table, OidcSettings):
                    names_issuer = Endpoints.from_metadata(metadata).announces_iss
                    doubts = [*_unlisted_scopes(table, metadata)]
                    doubts += [] if names_issuer else _unnamed_issuer(table, settings)
                jwks_url = metadata.required_url("jwks_uri")
            keys = parse_key_set(await fetch_json(session, jwks_url))
        except IdentityProviderError as error:
            otherwise = "compare issuer, discovery_url and jwks_url with the provider's documentation"
            remedy = remedy_for(str(error), ca="ca_file of this [[identity]]", otherwise=otherwise)
            return broken(name, str(error), remedy)
        ahead = await _clock_ahead(session, jwks_url, clock)
    usable = sum(any(key.fits(algorithm) for algorithm in table.algorithms) for key in keys)
    if not usable:
        detail = f"none of its {len(keys)} keys is for {', '.join(table.algorithms)}"
        return broken(name, detail, "add the algorithm that the provider signs with to algorithms")
    check = _judge_clock(name, f"discovery and {usable} key(s) can be fetched", ahead, table.leeway)
    if doubts and check.result is Result.GOOD:
        details, remedies = zip(*doubts, strict=True)
        return doubtful(name, "; ".join(details), "; ".join(remedies))
    return check


def _unlisted_scopes(table: OidcSettings, metadata: ProviderMetadata) -> Iterator[tuple[str, str]]:
    """Yields a doubt, with its remedy, about scopes that the provider does not list (OpenID Connect Discovery 1.0,
    section 3), without those of a resource, as AD FS and Entra ID have them. It may accept them all the same."""
    listed = metadata.document.get("scopes_supported")
    if not isinstance(listed, list) or not listed:
        return
    unlisted = [scope for scope in table.scopes if scope not in listed and "/" not in scope]
    if unlisted:
        detail = f"its scopes_supported lack {', '.join(unlisted)}: it may refuse every sign-in with invalid_scope"
        yield detail, "take them out of scopes, or define them at the provider"


def _unnamed_issuer(table: OidcSettings, settings: Settings) -> Iterator[tuple[str, str]]:
    """Yields a doubt, with its remedy, about a provider that does not name its issuer in sign-in responses, if there
    are providers of other issuers (RFC 9700, section 4.4)."""
    others = [one.name for one in settings.identity if isinstance(one, OidcSettings) and one.issuer != table.issuer]
    if others:
        detail = f"its responses do not name their issuer (RFC 9207): {', '.join(others)} could obtain its codes"
        yield detail, "switch that on at the provider, or run a gateway of its own for each operator of providers"


def _judge_clock(name: str, detail: str, ahead: float | None, leeway: float) -> Check:
    """Returns the check, given by how many seconds the provider's clock is *ahead*; None is not stated."""
    if ahead is None:
        return good(name, f"{detail}; it states no time")
    if is_timely(ahead):
        return good(name, f"{detail}; its clock is right")
    stated = f"{describe_offset(ahead)} this machine's"
    remedy = "synchronise the clocks of this machine and of the provider by NTP"
    if abs(ahead) > leeway:
        detail = f"its clock is {stated}, more than leeway, {leeway:.0f} s: new tokens are refused"
        return broken(name, detail, remedy)
    return doubtful(name, f"its clock is {stated}", remedy)


async def _clock_ahead(session: aiohttp.ClientSession, url: str, clock: Clock) -> float | None:
    """Returns by how many seconds the clock of the server of *url* is ahead, from the Date of a response; None if that
    has none."""
    before = clock.now()
    try:
        async with session.get(url, allow_redirects=False) as response:
            date = parse_date(response.headers)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        return None
    return None if date is None else offset(date, before, clock.now())


def _header(name: str, table: HeaderSettings, settings: Settings) -> Check:
    """Returns whether the networks of a header provider are plausible: nothing can be asked of it."""
    listen = split_listen(settings.server.listen)
    detail = f"its headers are accepted from {', '.join(table.from_)}"
    wide = [network for network in table.from_ if is_wide(network)]
    if wide and table.secret is None:
        remedy = "list the front's own addresses alone, or add secret_header and secret_file"
        return doubtful(name, f"{detail}: each of many machines may name any person", remedy)
    if settings.server.listen.startswith("unix:") and UNIX not in table.from_:
        remedy = 'add "unix" to from'
        return broken(name, f"{detail}, and the public listener is a unix socket, which has no address", remedy)
    if listen is not None and is_loopback_host(listen[0]):
        networks = TrustedNetworks(table.from_)
        if not any(address in networks for address in _LOOPBACK):
            remedy = "add 127.0.0.1/32 to from, if the front runs on this machine"
            return broken(name, f"{detail}, and the public listener accepts connections of this machine alone", remedy)
    return good(name, detail)
