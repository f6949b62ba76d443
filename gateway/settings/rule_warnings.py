"""Warnings about rules that decide by less than it seems: by a proxy's address, or by what an account does not see."""

from collections.abc import Iterator

from gateway.settings.addresses import is_loopback_host, split_listen
from gateway.settings.faults import Fault
from gateway.settings.model import Settings

CONDITIONS = ("rooms", "authors", "names", "template", "created_within", "author_is_me", "shared_with_me")


def network_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each rule by networks that sees a proxy's address only: that of nobody on this machine."""
    listen = split_listen(settings.server.listen)
    if settings.server.trusted_proxies or (listen is not None and not is_loopback_host(listen[0])):
        return
    if settings.server.listen.startswith("systemd:"):
        return  # its address is in the socket unit
    for number, grant in enumerate(settings.grants):
        if grant.networks:
            reason = "compares the address of the proxy in front of server.listen with it, not the client's"
            yield Fault(f"grants.{number}.networks", None, reason, "list the proxy in server.trusted_proxies")


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
