"""Builds the authenticators, sessions and sign-in from ``[[identity]]``, ``[session]`` and ``[[service_keys]]``."""

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from gateway.context import ProcessContext
from gateway.group_selection import GroupSelection
from gateway.identity.access_token import AccessTokens
from gateway.identity.chain import Chain
from gateway.identity.jwks import JwksClient
from gateway.identity.login_state import LoginStates
from gateway.identity.oidc import OidcProvider
from gateway.identity.service_key import ServiceKey, ServiceKeys
from gateway.identity.session import Sessions
from gateway.identity.sign_in import SignIn
from gateway.identity.switch import PersonSwitch
from gateway.model import Secret
from gateway.provider_factory import Provider, Resources, build_provider
from gateway.sealed import secret_id
from gateway.settings.identity import JwtSettings
from gateway.settings.model import Settings
from gateway.validity import Validity
from gateway.web.http_server import MAX_FIELD, MAX_FIELD_WITH_TICKETS

_CLOCK_DIFFERENCE = 5.0
"""Seconds by which the clocks of replicas may differ: see docs/scale.md."""


@dataclass(frozen=True, slots=True)
class IdentityServices:
    """Everything of one configuration that identifies people."""

    chain: Chain
    validity: Validity
    sessions: Sessions | None
    person_switch: PersonSwitch | None
    sign_in: SignIn | None
    service_keys: ServiceKeys
    header_names: tuple[str, ...]
    """The request headers that the authenticators read, besides ``Authorization``."""
    providers: Mapping[str, Provider]
    """By the name of the ``[[identity]]`` table."""
    http_sessions: tuple[aiohttp.ClientSession, ...]

    @property
    def jwks(self) -> Mapping[str, JwksClient]:
        """The keys of the providers that have some, by the provider's name."""
        return {name: provider.jwks for name, provider in self.providers.items() if provider.jwks is not None}

    async def close(self) -> None:
        """Cancel running requests to the identity providers."""
        for keys in self.jwks.values():
            await keys.close()
        if self.sign_in is not None:
            await self.sign_in.close()
        for session in self.http_sessions:
            await session.close()


def build_identity_services(
    settings: Settings, context: ProcessContext, previous: IdentityServices | None = None
) -> IdentityServices:
    """Returns the services of *settings*, which use what the *previous* ones have fetched from the same providers, and
    share with them which cookies were deleted.

    Whatever is raised, for an invalid key or CA file, leaves nothing open.
    """
    resources = Resources(context, settings.server.public_url)
    try:
        services = _build_services(settings, context, resources)
    except BaseException:
        for session in resources.sessions:
            session.detach()
        raise
    if previous is None:
        return services
    for name, provider in services.providers.items():
        if name in previous.providers:
            provider.take_over(previous.providers[name])
    if services.sessions is not None and previous.sessions is not None:
        services.sessions.take_over(previous.sessions)
    return services


def _build_services(settings: Settings, context: ProcessContext, resources: Resources) -> IdentityServices:
    providers = {table.name: build_provider(table, resources) for table in settings.identity}
    validity = _build_validity(settings, context)
    sessions, service_keys = _build_sessions(settings, context, validity), _build_service_keys(settings, context)
    authenticators = [provider.authenticator for provider in providers.values() if provider.authenticator is not None]
    token_headers = [table.header.lower() for table in settings.identity if isinstance(table, JwtSettings)]
    return IdentityServices(
        chain=Chain(authenticators, sessions, service_keys, validity, context.observer, token_headers),
        validity=validity,
        sessions=sessions,
        person_switch=_build_person_switch(settings, context),
        sign_in=_build_sign_in(settings, context, [p.oidc for p in providers.values() if p.oidc is not None]),
        service_keys=service_keys,
        header_names=tuple(name for provider in providers.values() for name in provider.header_names if name),
        providers=providers,
        http_sessions=tuple(resources.sessions),
    )


def provider_names(settings: Settings) -> list[str]:
    """Returns the values of the metric label ``provider``: the ``[[identity]]`` tables, session and service_key."""
    own = ((Sessions.name, settings.session), (ServiceKeys.name, settings.service_keys))
    return [provider.name for provider in settings.identity] + [name for name, configured in own if configured]


def _build_validity(settings: Settings, context: ProcessContext) -> Validity:
    return Validity(
        [(getattr(table, "issuer", table.name), table.name) for table in settings.identity],
        {(key.name, key.secret_sha256): (key.groups, key.expires_at) for key in _service_keys(settings)},
        context.store,
        context.clock,
        lifetime=None if settings.session is None else settings.session.lifetime,
        secrets=[secret_id(secret) for secret in _access_token_secrets(settings, context)],
        selection=_group_selection(settings),
        clock_difference=_CLOCK_DIFFERENCE if settings.state.url is not None else 0.0,
    )


def _build_sessions(settings: Settings, context: ProcessContext, validity: Validity) -> Sessions | None:
    if settings.session is None:
        return None
    return Sessions(
        settings.session.secrets,
        settings.session.lifetime,
        settings.session.idle,
        context.clock,
        context.store,
        validity,
        secure=settings.server.public_url.startswith("https://"),
        keep_groups=_group_selection(settings),
        cross_site=bool(settings.server.cors_origins),
        max_header=MAX_FIELD_WITH_TICKETS if settings.has_kerberos else MAX_FIELD,
        used_at=context.streams.used_at,
        on_issue=context.issued.add,
    )


def _build_person_switch(settings: Settings, context: ProcessContext) -> PersonSwitch | None:
    if settings.session is None:
        return None
    return PersonSwitch(
        settings.session.secrets,
        context.clock,
        context.store,
        started_at=context.started_at,
        keep_groups=_group_selection(settings),
    )


def _build_sign_in(settings: Settings, context: ProcessContext, providers: list[OidcProvider]) -> SignIn | None:
    if not providers or settings.session is None:
        return None
    states = LoginStates(settings.session.secrets, secure=settings.server.public_url.startswith("https://"))
    return SignIn(providers, states, context.clock, context.observer, context.store, settings.longest_proof)


def _service_keys(settings: Settings) -> list[ServiceKey]:
    return [
        ServiceKey.with_last_day(key.expires, key.name, key.secret_sha256, key.groups) for key in settings.service_keys
    ]


def service_key_expiries(settings: Settings) -> dict[str, float]:
    """Returns from which Unix time on each service key that has a last day is no longer valid, by its name."""
    return {key.name: key.expires_at for key in _service_keys(settings) if key.expires_at is not None}


def _build_service_keys(settings: Settings, context: ProcessContext) -> ServiceKeys:
    access_tokens = AccessTokens(
        _access_token_secrets(settings, context), keep_groups=_group_selection(settings), on_issue=context.issued.add
    )
    return ServiceKeys(_service_keys(settings), access_tokens, context.clock)


def _access_token_secrets(settings: Settings, context: ProcessContext) -> tuple[Secret, ...]:
    """Returns the session secrets, if configured, so that access tokens survive a restart, or that of the replicas."""
    own = settings.state.secret or context.seal
    return (own,) if settings.session is None else tuple(settings.session.secrets)


def _group_selection(settings: Settings) -> GroupSelection:
    """Returns the groups that sessions and access tokens store."""
    refusals = [grant for grant in settings.grants if not grant.allow]
    shared = frozenset(settings.valt.groups)
    named = shared.union(*(grant.groups for grant in settings.grants))
    refused = frozenset[str]().union(*(grant.groups for grant in refusals))
    return GroupSelection(named, refused | shared if any(one.shared_with_me for one in refusals) else refused)
