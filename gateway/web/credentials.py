"""What a request offers as proof, gathered from where proofs may stand."""

from collections.abc import Callable, Collection, Iterable, Sequence

from multidict import CIMultiDictProxy

from gateway.model import Credentials, Secret
from gateway.network import TrustedNetworks, parse_address
from gateway.web.request import Request


class CredentialsReader:
    """*header_names* are what the identity providers read; nothing else of the headers is looked at.

    A name is matched as a whole, so that an alias with ``_`` for ``-`` is never read.
    """

    def __init__(self, header_names: Iterable[str], read_session: Callable[[Sequence[str]], str | None]) -> None:
        self._names = tuple(dict.fromkeys(name.lower() for name in ["authorization", *header_names]))
        self._read_session = read_session

    def read(self, request: Request, *, access_token: bool = False, video_token_only: bool = False) -> Credentials:
        """*access_token*: whether VALT's own query parameter is proof at this address. *one_video*: whether only one
        that is for a single video is."""
        headers = request.headers
        offered = {name: headers[name] for name in self._names if name in headers}
        session = self._read_session(headers.getall("Cookie")) if "Cookie" in headers else None
        query = request.query if request.has_query else {}
        ticket, token = query.get("ticket"), query.get("access_token") if access_token else None
        return Credentials(
            headers=offered,
            ticket=None if ticket is None else Secret(ticket),
            session=None if session is None else Secret(session),
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

    def client(self, peer: str | None, headers: CIMultiDictProxy[str]) -> str | None:
        """Returns the right-most address of X-Forwarded-For that is not a trusted proxy's, or *peer*, the socket's."""
        if not self._trusted:
            return peer
        hops = [peer or ""]
        if peer in self._trusted:
            for value in reversed(headers.getall("X-Forwarded-For", [])):
                hops += [hop.strip() for hop in reversed(value.split(","))]
        for hop in hops[:32]:
            address = None if hop == "" and peer is None else hop
            if address not in self._trusted:
                return peer if parse_address(hop) is None else hop
        return peer
