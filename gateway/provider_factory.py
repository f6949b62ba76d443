"""Builds an authenticator or a sign-in provider from one ``[[identity]]`` table.

To add a type of ``[[identity]]``, write its authenticator in gateway/identity, list its table in `IdentitySettings` of
gateway/settings/identity.py, and add its builder to `_BUILDERS`.
"""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from gateway.context import ProcessContext
from gateway.identity.claims import TokenRequirements
from gateway.identity.discovery import EndpointsClient, open_session
from gateway.identity.header import HeaderAuthenticator
from gateway.identity.ignored_groups import IgnoredGroups
from gateway.identity.jwks import JwksClient
from gateway.identity.jwt import JwtAuthenticator
from gateway.identity.negotiate import GssapiAcceptor, NegotiateAuthenticator
from gateway.identity.oidc import OidcProvider
from gateway.identity.ticket import TicketAuthenticator
from gateway.identity.token_endpoint import Client, TokenEndpoint
from gateway.ports import Authenticator
from gateway.settings.identity import (
    HeaderSettings,
    IdentitySettings,
    JwtSettings,
    NegotiateSettings,
    OidcSettings,
    TicketSettings,
)

_EXCHANGES = 100
"""Connections for exchanges of codes with one provider. Each may wait for seconds, of people and of strangers, and the
timeout counts from when it waits for a connection."""
_TICKET_LEEWAY = 5.0
"""Seconds by which a portal's clock may be ahead of this server's."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What the builders of providers may use."""

    context: ProcessContext
    public_url: str
    sessions: list[aiohttp.ClientSession] = field(default_factory=list)
    """The HTTP clients that the builders have opened, for the caller to close."""
    _authorities: dict[Path | None, ssl.SSLContext] = field(default_factory=dict)
    """By the CA's file; None is the system's. To read it takes a tenth of a second."""

    def open_session(self, table: JwtSettings | OidcSettings, *, limit: int = 8) -> aiohttp.ClientSession:
        """Returns an HTTP client for the provider of *table*, with at most *limit* connections. Raises OSError if its
        CA cannot be read."""
        context = self._authorities.get(table.ca_file) or ssl.create_default_context(cafile=table.ca_file)
        self._authorities[table.ca_file] = context
        session = open_session(table.ca_file, table.proxy_url, limit=limit, context=context)
        self.sessions.append(session)
        return session


@dataclass(frozen=True, slots=True)
class Provider:
    """What one ``[[identity]]`` table contributes."""

    authenticator: Authenticator | None = None
    oidc: OidcProvider | None = None
    header_names: tuple[str, ...] = ()
    jwks: JwksClient | None = None
    endpoints: EndpointsClient | None = None

    def take_over(self, previous: "Provider") -> None:
        """Uses what *previous*, the provider of that name that a reload replaces, has fetched."""
        if self.jwks is not None and previous.jwks is not None:
            self.jwks.take_over(previous.jwks)
        if self.endpoints is not None and previous.endpoints is not None:
            self.endpoints.take_over(previous.endpoints)


def build_provider(table: IdentitySettings, resources: Resources) -> Provider:
    """Returns what *table* contributes."""
    return _BUILDERS[type(table)](table, resources)


def _build_jwt(table: JwtSettings, resources: Resources) -> Provider:
    clock, observer = resources.context.clock, resources.context.observer
    session = resources.open_session(table)
    jwks = JwksClient(table.name, table.issuer, table.jwks_url, session, clock, observer, table.discovery_url)
    requirements = _token_requirements(table, table.audience, table.leeway)
    authenticator = JwtAuthenticator(table.name, table.header, requirements, jwks, clock, observer)
    return Provider(authenticator, header_names=(table.header,), jwks=jwks)


def _build_header(table: HeaderSettings, resources: Resources) -> Provider:
    authenticator = HeaderAuthenticator(
        table.name,
        *(table.subject_header, table.groups_header, table.groups_separator, table.from_),
        *(table.secret_header, table.secret),
        ignored_groups=IgnoredGroups(table.name, resources.context.clock, resources.context.observer),
    )
    return Provider(authenticator, header_names=(table.subject_header, table.groups_header, table.secret_header))


def _build_ticket(table: TicketSettings, resources: Resources) -> Provider:
    context = resources.context
    return Provider(
        TicketAuthenticator(
            table.name,
            _token_requirements(table, table.audience or resources.public_url, _TICKET_LEEWAY),
            table.keys,
            context.clock,
            context.store,
            max_age=table.max_age,
            started_at=context.started_at,
        )
    )


def _build_oidc(table: OidcSettings, resources: Resources) -> Provider:
    clock, observer = resources.context.clock, resources.context.observer
    # Apart from the exchanges, which strangers can make wait: keys and endpoints are needed for everybody.
    session, exchanges = resources.open_session(table), resources.open_session(table, limit=_EXCHANGES)
    client = Client(
        table.client_id,
        table.client_auth,
        table.client_secret,
        table.private_key,
        tuple(table.scopes),
        f"{resources.public_url}/oauth2/callback",
    )
    jwks = JwksClient(table.name, table.issuer, "", session, clock, observer, table.discovery_url)
    requirements = _token_requirements(table, table.client_id, table.leeway)
    endpoints = EndpointsClient(table.issuer, session, clock, table.discovery_url)
    tokens = TokenEndpoint(table.name, client, exchanges, clock, observer)
    oidc = OidcProvider(table.name, requirements, tokens, endpoints, jwks, clock)
    return Provider(oidc=oidc, jwks=jwks, endpoints=endpoints)


def _build_negotiate(table: NegotiateSettings, resources: Resources) -> Provider:
    clock, store = resources.context.clock, resources.context.store
    acceptor = GssapiAcceptor(table.keytab_file, table.service)
    return Provider(
        NegotiateAuthenticator(table.name, acceptor, table.realms, clock, store, strip_realm=table.strip_realm)
    )


def _token_requirements(
    table: JwtSettings | TicketSettings | OidcSettings, audience: str, leeway: float
) -> TokenRequirements:
    return TokenRequirements(
        table.issuer,
        audience,
        tuple(table.algorithms),
        leeway,
        table.subject_claim,
        table.groups_claim,
        table.require_verified_email,
        table.max_lifetime if isinstance(table, JwtSettings) else None,
    )


_BUILDERS: Mapping[type, Callable[[Any, Resources], Provider]] = {
    JwtSettings: _build_jwt,
    HeaderSettings: _build_header,
    TicketSettings: _build_ticket,
    OidcSettings: _build_oidc,
    NegotiateSettings: _build_negotiate,
}
