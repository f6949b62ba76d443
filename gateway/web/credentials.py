"""Reads the credentials of a request, and the client's address behind trusted proxies."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from aiohttp import hdrs
from multidict import CIMultiDictProxy

from gateway.model import Credentials, Secret
from gateway.network import UNKNOWN, TrustedNetworks, parse_hop
from gateway.web.request import Request

_MAX_HOPS = 32
"""Entries of X-Forwarded-For that are read, the last ones."""
_MAX_REQUEST_ID = 200
"""Characters of a proxy's X-Request-ID."""


class CredentialsReader:
    """*header_names* are the headers that identity providers read; *read_sessions* returns the session cookies in raw
    ``Cookie`` headers, by name.

    Header names are compared as a whole, so that an alias with ``_`` instead of ``-`` is never read.
    """

    def __init__(
        self, header_names: Iterable[str], read_sessions: Callable[[Sequence[str]], Mapping[str, Secret]]
    ) -> None:
        self._names = tuple(dict.fromkeys(name.lower() for name in ["authorization", *header_names]))
        self._read_sessions = read_sessions

    def read(
        self, request: Request, *, access_token: bool = False, video_token_only: bool = False, with_query: bool = True
    ) -> Credentials:
        """Returns the credentials. *access_token*: whether this address accepts VALT's query parameter of that name;
        *video_token_only*: whether it must then be a token for a single video; *with_query*: whether a ticket or token
        in the query is read at all."""
        headers = request.headers
        values: dict[str, str] = {}
        for name in self._names:
            if name in headers:
                values[name] = headers[name]
        cookies = headers.getall(hdrs.COOKIE) if hdrs.COOKIE in headers else ()
        sessions = self._read_sessions(cookies) if cookies else {}
        query = request.query if with_query and request.has_query else {}
        ticket, token = query.get("ticket"), query.get("access_token") if access_token else None
        return Credentials(
            headers=values,
            ticket=None if ticket is None else Secret(ticket),
            sessions=sessions,
            cookies=cookies,
            access_token=None if token is None else Secret(token),
            video_token_only=video_token_only,
            peer=request.peer,
            consume_ticket=request.method != "HEAD",
        )


class TrustedProxies:
    """Finds the client's address behind trusted proxies, which are recognised by the address of the socket's peer.

    *trusted* is a list of networks, as TrustedNetworks takes it.
    """

    def __init__(self, trusted: Collection[str]) -> None:
        self._trusted = TrustedNetworks(trusted)

    def request_id(self, peer: str | None, headers: CIMultiDictProxy[str]) -> str | None:
        """Returns the X-Request-ID if *peer* is a trusted proxy, else None; at most 200 characters of it."""
        if peer not in self._trusted:
            return None
        value = headers.get("X-Request-ID")
        return value and value[:_MAX_REQUEST_ID]

    def trusts(self, peer: str | None) -> bool:
        """Whether *peer*, the socket's own, is a trusted proxy."""
        return peer in self._trusted

    def client(self, peer: str | None, headers: CIMultiDictProxy[str]) -> str | None:
        """Returns the right-most address of X-Forwarded-For that is not a trusted proxy's, or the left-most one if all
        are, or *peer*, the socket's, if there is none.

        "unknown" if a trusted proxy states something else than an address: the proxy's own address would have the
        proxy's rights in `networks`.
        """
        client = peer
        if peer in self._trusted:
            hops = [hop for value in headers.getall(hdrs.X_FORWARDED_FOR, []) for hop in value.split(",")]
            for hop in reversed(hops[-_MAX_HOPS:]):
                if hop.strip(" \t"):
                    client = parse_hop(hop) or UNKNOWN
                    if client not in self._trusted:
                        break
        return client
