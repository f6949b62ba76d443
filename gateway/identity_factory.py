"""Who vouches for people: ``[[identity]]``, ``[session]`` and ``[[service_keys]]`` made into what can be asked."""

from typing import Any

import aiohttp

from gateway.context import ProcessContext
from gateway.identity.access_token import AccessTokens
from gateway.identity.claims import TokenRequirements
from gateway.identity.discovery import EndpointsClient
from gateway.identity.header import HeaderAuthenticator
from gateway.identity.jwks import JwksClient
from gateway.identity.jwt import JwtAuthenticator
from gateway.identity.login_state import LoginStateCookie
from gateway.identity.oidc import Client, OidcProvider
from gateway.identity.service_key import ISSUER, ServiceKey, ServiceKeys
from gateway.identity.session import Sessions
from gateway.identity.sign_in import SignIn
from gateway.identity.ticket import TicketAuthenticator
from gateway.model import Identity, IdentityKind
from gateway.ports import Authenticator
from gateway.settings.identity import HeaderSettings, JwtSettings, OidcSettings, TicketSettings
from gateway.settings.model import Settings

_TICKET_LEEWAY = 5.0
"""Seconds by which a portal's clock may be ahead of ours."""


def authenticator(
    provider: Any,
    context: ProcessContext,
    session: aiohttp.ClientSession,
    keys: dict[str, JwksClient],
    header_names: list[str],
    public_url: str,
) -> Authenticator | None:
    """One ``[[identity]]``. *header_names* collects the headers it reads."""
    clock, store = context.clock, context.store
    match provider:
        case JwtSettings():
            header_names.append(provider.header)
            keys[provider.name] = JwksClient(
                provider.name, provider.issuer, provider.jwks_url, session, clock, context.observer
            )
            expected = _expected(provider, provider.audience, provider.leeway)
            return JwtAuthenticator(
                provider.name, provider.header, expected, keys[provider.name], clock, context.observer
            )
        case HeaderSettings():
            names = [provider.subject_header, provider.groups_header, provider.secret_header]
            header_names.extend(name for name in names if name)
            return HeaderAuthenticator(
                provider.name,
                provider.subject_header,
                provider.groups_header,
                provider.groups_separator,
                tuple(provider.from_),
                provider.secret_header,
                provider.secret,
            )
        case TicketSettings():
            return TicketAuthenticator(
                provider.name,
                _expected(provider, provider.audience or public_url, _TICKET_LEEWAY),
                provider.key,
                clock,
                store,
                max_age=provider.max_age,
                started_at=context.started_at,
            )
        case _:
            return None


def _expected(provider: JwtSettings | TicketSettings | OidcSettings, audience: str, leeway: float) -> TokenRequirements:
    return TokenRequirements(
        provider.issuer,
        audience,
        tuple(provider.algorithms),
        leeway,
        provider.subject_claim,
        provider.groups_claim,
    )


def sessions_of(settings: Settings, context: ProcessContext) -> Sessions | None:
    if settings.session is None:
        return None
    return Sessions(
        settings.session.secrets,
        settings.session.lifetime,
        settings.session.idle,
        context.clock,
        context.store,
        secure=settings.server.public_url.startswith("https://"),
        keep_groups=_named_groups(settings),
        cross_site=bool(settings.server.cors_origins),
        used_at=context.streams.used_at,
    )


def sign_in_of(
    settings: Settings, context: ProcessContext, session: aiohttp.ClientSession, keys: dict[str, JwksClient]
) -> SignIn | None:
    """Browser sign-in, where there is an ``oidc`` provider. *keys* collects their keys."""
    public_url = settings.server.public_url
    flows = [
        _flow(provider, context, session, keys, f"{public_url}/oauth2/callback")
        for provider in settings.identity
        if isinstance(provider, OidcSettings)
    ]
    if not flows or settings.session is None:
        return None
    cookie = LoginStateCookie(settings.session.secrets, secure=public_url.startswith("https://"))
    return SignIn(flows, cookie, context.clock, context.observer, context.store, settings.session.lifetime)


def _flow(
    provider: OidcSettings,
    context: ProcessContext,
    session: aiohttp.ClientSession,
    keys: dict[str, JwksClient],
    redirect_uri: str,
) -> OidcProvider:
    client = Client(
        provider.client_id,
        provider.client_auth,
        provider.client_secret,
        provider.private_key,
        tuple(provider.scopes),
        redirect_uri,
    )
    keys[provider.name] = JwksClient(provider.name, provider.issuer, "", session, context.clock, context.observer)
    return OidcProvider(
        provider.name,
        _expected(provider, provider.client_id, provider.leeway),
        client,
        EndpointsClient(provider.issuer, session, context.clock),
        keys[provider.name],
        session,
        context.clock,
    )


def service_keys_of(settings: Settings, context: ProcessContext) -> ServiceKeys:
    """Tokens are sealed by the session's key where there is one, so that they outlive a restart."""
    keys = [
        ServiceKey.with_last_day(key.expires, key.name, key.secret_sha256, key.groups) for key in settings.service_keys
    ]
    seals = (context.seal,) if settings.session is None else tuple(settings.session.secrets)
    return ServiceKeys(keys, AccessTokens(seals, keep_groups=_named_groups(settings)), context.clock, context.store)


def provider_names(settings: Settings) -> list[str]:
    """Who tells who somebody is, by the names that metrics have for them."""
    ours = ((Sessions.name, settings.session), (ServiceKeys.name, settings.service_keys))
    return [provider.name for provider in settings.identity] + [name for name, configured in ours if configured]


def identity_still_valid(settings: Settings, identity: Identity) -> bool:
    """Whether *settings* still hold who vouched for *identity*."""
    if (identity.issuer, identity.provider) == (ISSUER, ServiceKeys.name):
        return any(key.name == identity.subject for key in settings.service_keys)
    if identity.kind is IdentityKind.SESSION and settings.session is None:
        return False
    return any(provider.name == identity.provider for provider in settings.identity)


def _named_groups(settings: Settings) -> frozenset[str]:
    """Those that some rule names or that VALT shares with: no others need to be kept."""
    return frozenset(settings.valt.groups).union(*(grant.groups for grant in settings.grants))
