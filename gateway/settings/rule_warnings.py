"""Warnings about rules that decide by less than it seems: by a proxy's address, or by what an account does not see."""

import re
from collections.abc import Iterator

from gateway.settings.addresses import is_loopback_host, overlap, split_listen
from gateway.settings.faults import Fault
from gateway.settings.identity import HeaderSettings
from gateway.settings.model import Settings

_EXPRESSION = re.compile(r"\^.*|\.[*+].*|.*(\{[^{}]*,[^{}]*\}|\\[dws][+{]|(\\[dws]){2}|\[\^).*")
"""What begins regular expressions or stands in them, and in no name: "Dr.*" and `CAMPUS\\dave` are right."""
_GLOBS = ("recordings", "rooms", "authors", "names")
CONDITIONS = ("rooms", "authors", "names", "template", "created_within", "author_is_me", "shared_with_me")


def network_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each rule by networks that sees a proxy's address only: that of nobody on this machine."""
    if _only_fronts_connect(settings):
        yield from _proxy_networks(settings)
        return
    listen = split_listen(settings.server.listen)
    if settings.server.trusted_proxies or (listen is not None and not is_loopback_host(listen[0])):
        return
    if settings.server.listen.startswith("systemd:"):
        return  # its address is in the socket unit
    yield from _proxy_networks(settings)


def _only_fronts_connect(settings: Settings) -> bool:
    """Whether people are known by the headers of proxies alone, none of which is in server.trusted_proxies."""
    fronts = [one for one in settings.identity if isinstance(one, HeaderSettings)]
    peers = {peer for one in fronts for peer in one.from_}
    trusted = settings.server.trusted_proxies
    is_trusted = any(overlap(peer, proxy) for peer in peers for proxy in trusted)
    return bool(fronts) and len(fronts) == len(settings.identity) and not settings.service_keys and not is_trusted


def _proxy_networks(settings: Settings) -> Iterator[Fault]:
    for number, grant in enumerate(settings.grants):
        if grant.networks:
            reason = "compares the address of the proxy in front of server.listen with it, not the client's"
            yield Fault(f"grants.{number}.networks", None, reason, "list the proxy in server.trusted_proxies")


def glob_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each glob that looks like a regular expression, or has alternatives in braces."""
    for number, grant in enumerate(settings.grants):
        globs = {name: getattr(grant, name) for name in _GLOBS}
        globs |= {f"template.{field}": (glob,) for field, glob in grant.template.items()}
        for name, texts in globs.items():
            if any(_EXPRESSION.fullmatch(text) for text in texts):
                reason = "looks like a regular expression, and is a glob: only *, ?, [] and [!] have a meaning"
                yield Fault(
                    f"grants.{number}.{name}", None, reason, 'write it as "Room 3*", and each alternative alone'
                )


def refusal_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each rule that refuses by details and asks VALT as another account than a later rule: what
    VALT does not show to its account it does not refuse."""
    for number, grant in enumerate(settings.grants):
        if grant.allow or not any(getattr(grant, name) for name in CONDITIONS):
            continue
        others = sorted({later.account for later in settings.grants[number:] if later.allow} - {grant.account})
        if others:
            reason = f"may see less in VALT than {', '.join(others)}: what VALT does not show to it is not refused"
            yield Fault(f"grants.{number}.account", None, reason, "use an account that sees all that is to be refused")
