"""VALT as one set of accounts sees it: its API, its media servers, and what is remembered of both."""

import ssl

import aiohttp

from gateway.delivery.media_server import MediaServer
from gateway.model import Account
from gateway.ports import Clock, Observer
from gateway.settings.model import Settings
from gateway.valt.calls import Calls
from gateway.valt.catalogue import ValtCatalogue
from gateway.valt.client import ValtClient
from gateway.valt.concurrency_limit import Queue
from gateway.valt.links import ValtLinks
from gateway.valt.recordings import ValtRecordings
from gateway.valt.tokens import Tokens


class ValtBackend:
    """VALT as one set of accounts sees it: a pool for its API, a pool for media, tokens, links, details."""

    def __init__(self, settings: Settings, clock: Clock, observer: Observer) -> None:
        valt = settings.valt
        context = ssl.create_default_context(cafile=valt.ca_file or None)
        self.settings = (valt, settings.links, settings.recordings)
        self.references = 0
        """How many lead here; it is closed with the last."""
        self.api_session = client_session(context, limit=32, total=valt.read_timeout, connect=valt.connect_timeout)
        self.media_session = client_session(context, limit=0)
        accounts = {name: Account(name, a.username, a.password) for name, a in valt.accounts.items()}
        self.calls = Calls(self.api_session, valt.base_url, clock, observer, read_timeout=valt.read_timeout)
        client = ValtClient(self.calls, valt.base_url, accounts, tuple(valt.media_hosts), clock, observer)
        self.client = client
        self.accounts = tuple(accounts)
        self.queue = Queue(observer, most=settings.limits.waiting_for_valt)
        self.tokens = Tokens(client, clock, observer, self.queue, token_ttl=valt.token_ttl)
        self.links = ValtLinks(
            client,
            self.tokens,
            clock,
            observer,
            margin=settings.links.margin,
            negative_ttl=settings.links.negative_ttl,
            max_entries=settings.links.max_entries,
        )
        self.catalogue = ValtCatalogue(client, self.tokens)
        self.recordings = ValtRecordings(client, self.tokens, clock, observer, ttl=settings.recordings.ttl)
        self.media = MediaServer(
            self.media_session, context, connect_timeout=valt.connect_timeout, read_timeout=valt.read_timeout
        )

    def leave(self) -> None:
        """Close a room that nobody has been in."""
        self.media.close()
        self.api_session.detach()
        self.media_session.detach()

    async def close(self) -> None:
        for loading in (self.catalogue, self.recordings, self.links, self.tokens):
            await loading.close()
        self.media.close()
        await self.api_session.close()
        await self.media_session.close()


def client_session(
    context: ssl.SSLContext, *, limit: int, total: float | None = None, connect: float | None = None
) -> aiohttp.ClientSession:
    """A client that keeps no cookies, follows no environment and shares its pool with no other purpose."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=limit, ssl=context, ttl_dns_cache=10),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=total, sock_connect=connect),
        auto_decompress=False,
        headers={"Accept-Encoding": "identity", "User-Agent": "valt-gateway"},
        trust_env=False,
    )
