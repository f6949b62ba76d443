"""Warnings about the origins and names by which pages in browsers reach the gateway: portals whose frames get no
session, origins of each viewer's own machine, and the public name at the admin listener."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from gateway.network import parse_address
from gateway.settings.addresses import is_loopback_host
from gateway.settings.faults import Fault
from gateway.settings.identity import STATEFUL_TABLES, HeaderSettings, JwtSettings, RemoteProvider
from gateway.settings.model import Settings

_OPENED = (("server", "cors_origins", "read recordings"), ("branding", "frame_ancestors", "embed the watch page"))
"""Tables and keys with origins, and what their pages may do."""


def origin_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields the warnings, without lines."""
    yield from _frames(settings)
    own = urlsplit(settings.server.public_url).hostname or ""
    if _is_own_machine(own):
        return  # a gateway for development, or a demo
    for table, key, what in _OPENED:
        for number, origin in enumerate(getattr(getattr(settings, table), key)):
            if _is_own_machine(urlsplit(origin).hostname or ""):
                reason = f"is each viewer's own machine, any program or user of which may then {what} in their browser"
                yield Fault(f"{table}.{key}.{number}", None, reason, "list the portal's own address")
    is_address = parse_address(own) is not None  # which Host may be, listed or not
    if own in settings.admin.hosts and settings.admin.token is None and not is_address:
        reason = (
            "has the host of server.public_url: whoever reaches the admin listener by it, as through the proxy, "
            "may read metrics and streams without a token"
        )
        yield Fault("admin.hosts", None, reason, "remove it, or give token_file")


def _is_own_machine(host: str) -> bool:
    """Whether every browser looks for *host* on the machine that it runs on (RFC 6761, section 6.3)."""
    return is_loopback_host(host) or host.endswith(".localhost")


def _frames(settings: Settings) -> Iterator[Fault]:
    """Yields a warning if a portal on another site may embed pages whose session cookie is not sent there: cookies are
    SameSite=Lax without cors_origins. A front's headers, or a token in one, need no cookie of the gateway."""
    public = urlsplit(settings.server.public_url)
    needs_cookie = any(isinstance(one, STATEFUL_TABLES) for one in settings.identity) and not any(
        isinstance(one, HeaderSettings) or (isinstance(one, RemoteProvider) and _is_set_by_front(one))
        for one in settings.identity
    )
    if public.scheme != "https" or settings.server.cors_origins or not needs_cookie:
        return
    for number, origin in enumerate(settings.branding.frame_ancestors):
        own, host = public.hostname or "", urlsplit(origin).hostname or ""
        if _is_other_site(own, host) and (_is_own_machine(own) or not _is_own_machine(host)):
            reason = "is on another site, in whose frames browsers send no session cookie"
            remedy = "add it to server.cors_origins"
            yield Fault(f"branding.frame_ancestors.{number}", None, reason, remedy)


def _is_set_by_front(provider: RemoteProvider) -> bool:
    return isinstance(provider, JwtSettings) and provider.header.lower() != "authorization"


def _is_other_site(one: str, other: str) -> bool:
    """Whether two hosts are certainly of two sites: their last two labels differ, of which every site has both."""
    return one != other and one.split(".")[-2:] != other.split(".")[-2:]
