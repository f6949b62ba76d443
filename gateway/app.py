"""The composition root: settings in, a gateway out. The one module that knows every room, and it only introduces them.

What a reload replaces is a Road; what outlives it (listeners, store, streams, the caches while VALT's settings stay the
same) belongs to the Gateway.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import aiohttp

from gateway.access import Access
from gateway.context import ProcessContext
from gateway.delivery.proxy import ProxyDelivery
from gateway.delivery.redirect import RedirectDelivery
from gateway.identity.chain import Chain
from gateway.identity.jwks import JwksClient
from gateway.identity.sign_in import SignIn
from gateway.identity_factory import authenticator, service_keys_of, sessions_of, sign_in_of
from gateway.model import Delivery
from gateway.policy import Rule, Rules, ValtNames
from gateway.ports import Authenticator, Clock
from gateway.recording_search import RecordingSearch
from gateway.settings.model import GrantSettings, Settings
from gateway.store.memory import MemoryStore
from gateway.store.sqlite import SqliteStore
from gateway.valt.allowed_hosts import AllowedHosts
from gateway.valt_backend import ValtBackend, client_session
from gateway.web.cors import Cors
from gateway.web.credentials import CredentialsReader, TrustedProxies
from gateway.web.errors import ErrorAnswers
from gateway.web.handlers.api_docs import ApiDocsHandlers
from gateway.web.handlers.assets import Assets
from gateway.web.handlers.listing import ListingHandlers
from gateway.web.handlers.login import SignInHandlers, sign_in_path
from gateway.web.handlers.recordings import MediaDelivery, RecordingHandlers
from gateway.web.handlers.userinfo import UserinfoHandlers
from gateway.web.handlers.valt_api import ValtApiHandlers
from gateway.web.pages.render import Pages
from gateway.web.request_validation import RequestValidator
from gateway.web.routes import Handlers
from gateway.web.session_cookies import SessionCookies

VERSION = version("valt-gateway")


def rules_of(grants: "tuple[GrantSettings, ...]") -> tuple[Rule, ...]:
    """The rules as the configuration states them."""
    return tuple(
        Rule(
            name=grant.name,
            account=grant.account,
            groups=frozenset(grant.groups),
            subjects=frozenset(grant.subjects),
            recordings=tuple(grant.recordings),
            delivery=Delivery(grant.delivery),
            download=grant.download,
            rooms=tuple(grant.rooms),
            authors=tuple(grant.authors),
            names=tuple(grant.names),
            template=dict(grant.template),
            created_within=grant.created_within,
            author_is_me=grant.author_is_me,
            shared_with_me=grant.shared_with_me,
        )
        for grant in grants
    )


def valt_names_of(settings: Settings) -> ValtNames:
    """VALT's names for the identity provider's, as the configuration states them."""
    return ValtNames(dict(settings.valt.people), dict(settings.valt.groups))


def store_of(settings: Settings, clock: Clock) -> MemoryStore | SqliteStore:
    if settings.state.dir is None:
        return MemoryStore(clock)
    return SqliteStore(Path(settings.state.dir) / "state.sqlite3", clock)


@dataclass(frozen=True, slots=True, eq=False)
class App:
    """Everything that one configuration decides."""

    settings: Settings
    handlers: Handlers
    policy: Rules
    valt: ValtBackend
    keys: Mapping[str, JwksClient]
    sign_in: SignIn | None
    identity_session: aiohttp.ClientSession

    async def close(self) -> None:
        """Close what is this road's alone, and VALT's room if no other road leads there."""
        for keys in self.keys.values():
            await keys.close()
        if self.sign_in is not None:
            await self.sign_in.close()
        await self.identity_session.close()
        self.valt.references -= 1
        if not self.valt.references:
            await self.valt.close()


def build_app(settings: Settings, context: ProcessContext, kept: ValtBackend | None = None) -> App:
    """Introduce everybody. *kept* is the road before's room, where its settings are the same.

    Whatever is raised, a key that is none or a CA file that is rubbish, leaves nothing open and *kept* as it was.
    """
    valt = kept or ValtBackend(settings, context.clock, context.observer)
    identity_session = client_session(ssl.create_default_context(), limit=8, total=5.0, connect=5.0)
    try:
        app = _wire(settings, context, valt, identity_session)
    except BaseException:
        identity_session.detach()
        if kept is None:
            valt.discard()
        raise
    valt.references += 1
    return app


def _wire(
    settings: Settings, context: ProcessContext, valt: ValtBackend, identity_session: aiohttp.ClientSession
) -> App:
    clock, observer = context.clock, context.observer
    keys: dict[str, JwksClient] = {}
    authenticators: list[Authenticator] = []
    header_names: list[str] = []
    for provider in settings.identity:
        made = authenticator(provider, context, identity_session, keys, header_names, settings.server.public_url)
        if made is not None:
            authenticators.append(made)
    sessions = sessions_of(settings, context)
    if sessions is not None:
        authenticators.append(sessions)
    sign_in = sign_in_of(settings, context, identity_session, keys)
    service_keys = service_keys_of(settings, context)
    authenticators.append(service_keys)
    chain = Chain(authenticators, context.store, observer)
    policy = Rules(rules_of(settings.grants), valt.recordings, valt_names_of(settings), clock, observer)
    access = Access(chain, context.rates, policy, valt.links, min_life=settings.links.min_life)
    assets = Assets(settings.branding.logo_file)
    pages = Pages(
        assets,
        brand=settings.branding.name,
        help_url=settings.branding.help_url,
        frame_ancestors=settings.branding.frame_ancestors,
        media=AllowedHosts.of(settings.valt.base_url, settings.valt.media_hosts).csp_sources(),
        signs_in=sign_in is not None,
    )
    reader = CredentialsReader(header_names, lambda headers: None if sessions is None else sessions.read(headers))
    session_cookies = SessionCookies(access, sessions, context.audit)
    search = RecordingSearch(policy, valt.search)
    deliveries: dict[Delivery, MediaDelivery] = {
        Delivery.REDIRECT: RedirectDelivery(context.audit),
        Delivery.PROXY: ProxyDelivery(
            valt.media,
            valt.links,
            context.audit,
            context.streams,
            clock,
            observer,
            resume_tries=settings.streams.resume_tries,
            upstream_idle=settings.streams.upstream_idle,
            viewer_idle=settings.streams.viewer_idle,
        ),
    }
    handlers = Handlers(
        recordings=RecordingHandlers(
            access,
            deliveries,
            valt.recordings,
            reader,
            session_cookies,
            pages,
            context.audit,
            clock,
            public_url=settings.server.public_url,
        ),
        listing=ListingHandlers(access, search, reader, session_cookies, pages, public_url=settings.server.public_url),
        valt_api=ValtApiHandlers(
            access,
            search,
            policy,
            valt.search,
            valt.recordings,
            service_keys,
            reader,
            clock,
            public_url=settings.server.public_url,
        ),
        userinfo=UserinfoHandlers(access, reader, pages),
        api_docs=ApiDocsHandlers(pages),
        sign_in=SignInHandlers(
            access,
            sign_in,
            sessions,
            context.store,
            reader,
            pages,
            context.audit,
            clock,
            public_url=settings.server.public_url,
        ),
        assets=assets,
        answers=ErrorAnswers(pages, None if sign_in is None else sign_in_path),
        request_validator=RequestValidator(header_names),
        forwarded=TrustedProxies(settings.server.trusted_proxies),
        cors=Cors(settings.server.cors_origins),
    )
    return App(settings, handlers, policy, valt, keys, sign_in, identity_session)
