"""Everything that is built from [valt], [links] and [recordings], shared by reloads that do not change them."""

import ssl
from functools import partial

import aiohttp

from gateway.delivery.film_indexes import FilmIndexes
from gateway.delivery.media_server import MediaServer
from gateway.model import Account
from gateway.ports import Clock, Observer
from gateway.settings.model import Settings
from gateway.shared_loads import LocalLoads, SharedLoads
from gateway.valt.allowed_hosts import AllowedHosts, parse_link
from gateway.valt.client import ValtClient
from gateway.valt.comments import ValtComments
from gateway.valt.concurrency_limit import ConcurrencyLimit
from gateway.valt.links import ValtLinks
from gateway.valt.recordings import ValtRecordings, ValtSearch
from gateway.valt.tokens import ValtTokens
from gateway.valt.transport import CONNECTIONS, Transport, send_traceparent, trace_used_connections
from gateway.valt.versions import ValtVersions


def backend_origin(settings: Settings) -> tuple[object, ...]:
    """Returns the settings that a backend is built from, with the content of the CA's file. Raises OSError if that
    cannot be read."""
    authority = None if settings.valt.ca_file is None else settings.valt.ca_file.read_bytes()
    return settings.valt, settings.links, settings.recordings, authority


class ValtBackend:
    """The client of VALT's API with its caches of tokens, links and details, and the connections to media servers."""

    def __init__(self, settings: Settings, clock: Clock, observer: Observer, loads: SharedLoads | None = None) -> None:
        valt = settings.valt
        context = ssl.create_default_context(cafile=valt.ca_file or None)
        self.origin = backend_origin(settings)
        """What it was built from: a reload that leaves it equal keeps the backend."""
        self.references = 0
        """The number of Apps that use it; it is closed with the last of them."""
        self.api_session = client_session(
            context,
            limit=CONNECTIONS,
            total=valt.read_timeout,
            connect=valt.connect_timeout,
            trace_configs=[trace_used_connections(), *([send_traceparent()] if settings.tracing.otlp_endpoint else [])],
        )
        self.media_session = client_session(context, limit=0, force_close=True)
        accounts = {name: Account(name, a.username, a.password) for name, a in valt.accounts.items()}
        self.accounts = tuple(accounts)
        transport = Transport(self.api_session, valt.base_url, clock, observer, read_timeout=valt.read_timeout)
        self.breaker = transport.breaker
        self.client = ValtClient(transport, valt.base_url, accounts, tuple(valt.media_hosts), clock, observer)
        self.concurrency_limit = ConcurrencyLimit(
            observer,
            maximum=settings.limits.waiting_for_valt,
            connections=CONNECTIONS,
            timeout=valt.read_timeout,
        )
        loads = loads or LocalLoads()
        self.tokens = ValtTokens(self.client, clock, observer, self.concurrency_limit, loads, token_ttl=valt.token_ttl)
        self.links = ValtLinks(
            self.client,
            self.tokens,
            clock,
            observer,
            loads,
            margin=settings.links.margin,
            negative_ttl=settings.links.negative_ttl,
            max_entries=settings.links.max_entries,
        )
        self.recordings = ValtRecordings(self.client, self.tokens, clock, observer, ttl=settings.recordings.ttl)
        self.comments = ValtComments(self.client, self.tokens, clock, observer, ttl=settings.recordings.ttl)
        self.search = ValtSearch(self.client, self.tokens)
        self.versions = ValtVersions(self.client, self.tokens, self.search, clock, configured=valt.version)
        self.media = MediaServer(
            self.media_session,
            context,
            partial(
                parse_link, allowed_hosts=AllowedHosts.of(valt.base_url, valt.media_hosts), fetched_at=clock.monotonic()
            ),
            connect_timeout=valt.connect_timeout,
            read_timeout=valt.read_timeout,
        )

        self.films = FilmIndexes(self.media.read_range, self.links, observer)

    def discard(self) -> None:
        """Closes it without waiting. Allowed only while no request has been made through it."""
        self.media.close()
        self.api_session.detach()
        self.media_session.detach()

    async def close(self) -> None:
        """Cancels the running loads and closes the connections."""
        loaders = (self.films, self.versions, self.search, self.comments, self.recordings, self.links, self.tokens)
        for loader in loaders:
            await loader.close()
        self.media.close()
        await self.api_session.close()
        await self.media_session.close()


def client_session(
    context: ssl.SSLContext,
    *,
    limit: int,
    total: float | None = None,
    connect: float | None = None,
    force_close: bool = False,
    trace_configs: list[aiohttp.TraceConfig] | None = None,
) -> aiohttp.ClientSession:
    """Returns an HTTP client with a connection pool of its own, without cookies and without proxy settings of the
    environment. *limit* is connections, 0 for no limit; *total* and *connect* are timeouts in seconds. With
    *force_close* no connection serves a second request."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=limit, ssl=context, ttl_dns_cache=10, force_close=force_close),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=total, sock_connect=connect),
        auto_decompress=False,
        headers={"Accept-Encoding": "identity", "User-Agent": "valt-gateway"},
        trust_env=False,
        trace_configs=trace_configs,
    )
