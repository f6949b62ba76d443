"""The composition root: builds an `App`, everything that one configuration decides, from its settings.

The one module that imports every package. A reload replaces the `App`; `ProcessContext` outlives it, and so does the
`ValtBackend` with its caches if VALT's settings stay the same.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.access import Access
from gateway.context import ProcessContext, WorkerContext
from gateway.delivery.proxy import ProxyDelivery
from gateway.events import LogEvent
from gateway.identity_factory import IdentityServices, build_identity_services, provider_names, service_key_expiries
from gateway.listeners import certificate_expiry
from gateway.observe.audit import AuditLog
from gateway.observe.audit_chain import read_chain_key
from gateway.observe.observers import Observers
from gateway.policy import Rules
from gateway.ports import Clock, Observer
from gateway.recording_search import RecordingSearch
from gateway.redis_url import parse_redis_url
from gateway.rule_factory import rules_of, valt_names_of
from gateway.settings.identity import OidcSettings
from gateway.settings.model import Settings
from gateway.settings.outputs import AuditSettings
from gateway.store.memory import MemoryStore
from gateway.store.sqlite import SqliteStore
from gateway.validity import Validity
from gateway.valt.allowed_hosts import AllowedHosts
from gateway.valt_backend import ValtBackend
from gateway.web.cors import Cors
from gateway.web.credentials import CredentialsReader, TrustedProxies
from gateway.web.errors import ErrorRenderer
from gateway.web.handlers.api_docs import ApiDocsHandlers
from gateway.web.handlers.assets import Assets
from gateway.web.handlers.forward_auth import ForwardAuthHandlers
from gateway.web.handlers.kerberos_challenge import KerberosChallenge
from gateway.web.handlers.listing import ListingHandlers
from gateway.web.handlers.login import SignInHandlers, return_path, sign_in_path
from gateway.web.handlers.recording_access import RecordingAccess
from gateway.web.handlers.recordings import RecordingHandlers
from gateway.web.handlers.switch import SwitchHandlers
from gateway.web.handlers.text_tracks import TextTrackHandlers
from gateway.web.handlers.userinfo import UserinfoHandlers
from gateway.web.handlers.valt_api import ValtApiHandlers
from gateway.web.handlers.valt_rooms import ValtRoomHandlers
from gateway.web.pages.branding import Branding
from gateway.web.pages.render import Pages
from gateway.web.request_validation import RequestValidator
from gateway.web.routes import Handlers
from gateway.web.session_cookies import SessionCookies

if TYPE_CHECKING:
    from gateway.store.redis import RedisStore


def store_of(
    settings: Settings, clock: Clock, observer: Observer, worker: WorkerContext | None = None
) -> "MemoryStore | SqliteStore | RedisStore":
    """Returns the store that is configured, or one in memory if there is none. A *worker* shares its state with the
    others."""
    if settings.state.url is not None:
        from gateway.store.redis import RedisStore  # an optional extra

        url, state = parse_redis_url(settings.state.url), settings.state
        return RedisStore(url, state.prefix, clock, observer, secret=state.secret)
    if settings.state.dir is None:
        return MemoryStore(clock)
    path = Path(settings.state.dir) / "state.sqlite3"
    if worker is None:
        return SqliteStore(path, clock, observer=observer)
    return SqliteStore(path, clock, observer=observer, durable=worker.is_durable, share=worker.share)


def audit_log_of(settings: AuditSettings, clock: Clock, metrics: Observer, logs: Observer) -> AuditLog:
    """Returns the audit. Raises OSError if the key of its chain cannot be read."""
    observer = Observers(metrics, logs, event_types={logs: (LogEvent,)})
    key = None if settings.chain_key_file is None else read_chain_key(settings.chain_key_file)
    return AuditLog(
        settings.file, clock, observer, key=key, fsync=settings.fsync, head_interval=settings.chain_head_log
    )


@dataclass(frozen=True, slots=True, eq=False)
class App:
    """Everything that one configuration decides."""

    settings: Settings
    handlers: Handlers
    policy: Rules
    valt: ValtBackend
    identity: IdentityServices

    @property
    def checks(self) -> tuple[Validity, Rules]:
        """The checks by which running streams end."""
        return self.identity.validity, self.policy

    def dependencies(self) -> dict[str, Any]:
        """The state of each account's login, of VALT's circuit breaker and of each provider's keys."""
        return {
            "valt": {name: self.valt.tokens.login_state(name) for name in self.valt.accounts},
            "breakers": {self.settings.valt.base_url: self.valt.breaker.state.name.lower()},
            "identity": {name: keys.state for name, keys in self.identity.jwks.items()},
        }

    def label_values(self) -> dict[str, Any]:
        """The names in this configuration that label metrics, and when what they name expires, as the arguments of
        `Metrics.prepare`."""
        expiry = certificate_expiry(self.settings)
        return {
            "providers": provider_names(self.settings),
            "rules": [grant.name for grant in self.settings.grants],
            "accounts": list(self.settings.valt.accounts),
            "jwks_providers": list(self.identity.jwks),
            "service_keys": service_key_expiries(self.settings),
            "certificates": {} if expiry is None else {"server": expiry},
        }

    async def close(self) -> None:
        """Closes everything but a `ValtBackend` that another `App` uses too."""
        await self.identity.close()
        self.valt.references -= 1
        if not self.valt.references:
            await self.valt.close()


def build_app(
    settings: Settings,
    context: ProcessContext,
    valt: ValtBackend | None = None,
    identity: IdentityServices | None = None,
) -> App:
    """Returns the app of *settings*. *valt* is the previous app's backend if its settings are the same, and *identity*
    the previous app's services.

    Whatever is raised, for an invalid key or CA file, leaves nothing open and *valt* as it was.
    """
    backend = valt or ValtBackend(settings, context.clock, context.observer, context.store.loads)
    try:
        app = _wire(settings, context, backend, build_identity_services(settings, context, identity))
    except BaseException:
        if valt is None:
            backend.discard()
        raise
    backend.references += 1
    return app


def _wire(settings: Settings, context: ProcessContext, valt: ValtBackend, identity: IdentityServices) -> App:
    clock, observer = context.clock, context.observer
    sessions = identity.sessions
    policy = Rules(rules_of(settings), valt.recordings, valt_names_of(settings), clock, observer)
    access = Access(identity.chain, context.rates, policy, valt.links, clock, min_life=settings.links.min_life)
    assets = Assets(settings.branding.logo_file)
    pages = Pages(
        assets,
        branding=Branding(**settings.branding.model_dump(exclude={"logo_file"})),
        media=AllowedHosts.of(settings.valt.base_url, settings.valt.media_hosts).csp_sources(),
        provider_titles={one.name: one.title for one in settings.identity if isinstance(one, OidcSettings)},
        kerberos=settings.has_kerberos,
        zone=settings.server.zone,
    )
    reader = CredentialsReader(
        identity.header_names, lambda headers: {} if sessions is None else sessions.read(headers)
    )
    session_cookies = SessionCookies(access, sessions, identity.person_switch, pages, context.audit)
    search = RecordingSearch(policy, valt.search)
    proxy = ProxyDelivery(
        valt.media,
        valt.links,
        context.audit,
        context.streams,
        clock,
        observer,
        resume_tries=settings.streams.resume_tries,
        upstream_idle=settings.streams.upstream_idle,
        viewer_idle=settings.streams.viewer_idle,
        films=valt.films if context.film_indexes else None,
    )
    proxies = TrustedProxies(settings.server.trusted_proxies)
    recording_access = RecordingAccess(
        access, valt.recordings, valt.comments, reader, session_cookies, context.audit, clock
    )
    public_url = settings.server.public_url
    challenge = reopen = None
    if settings.has_kerberos:
        reopen = return_path
        others = () if identity.sign_in is None else identity.sign_in.providers
        challenge = KerberosChallenge(pages, others, secure=public_url.startswith("https://")).response
    handlers = Handlers(
        access=access,
        recordings=RecordingHandlers(
            access, proxy, recording_access, reader, session_cookies, pages, context.audit, public_url=public_url
        ),
        text_tracks=TextTrackHandlers(recording_access),
        listing=ListingHandlers(
            access,
            search,
            reader,
            session_cookies,
            pages,
            context.audit,
            public_url=public_url,
            zone=settings.server.zone,
        ),
        valt_api=ValtApiHandlers(
            access,
            search,
            valt.recordings,
            valt.comments,
            identity.service_keys,
            reader,
            context.audit,
            clock,
            public_url=public_url,
        ),
        valt_rooms=ValtRoomHandlers(access, policy, valt.search, valt.versions, reader, context.audit),
        userinfo=UserinfoHandlers(access, reader, pages),
        forward_auth=ForwardAuthHandlers(access, reader, proxies, observer.reporter(LogEvent)),
        api_docs=ApiDocsHandlers(pages, public_url=public_url),
        sign_in=SignInHandlers(
            access,
            identity.sign_in,
            sessions,
            reader,
            pages,
            context.audit,
            public_url=public_url,
        ),
        switch=SwitchHandlers(sessions, identity.person_switch, reader, context.audit, public_url=public_url),
        assets=assets,
        errors=ErrorRenderer(
            pages,
            None if identity.sign_in is None else sign_in_path,
            challenge,
            reopen,
            None if sessions is None else sessions.clear_narrowed,
        ),
        request_validator=RequestValidator(identity.header_names, public_url),
        proxies=proxies if settings.server.trusted_proxies else None,
        cors=Cors(settings.server.cors_origins),
        use_session=context.streams.use,
    )
    return App(settings, handlers, policy, valt, identity)
