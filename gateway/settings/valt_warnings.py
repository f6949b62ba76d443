"""Warnings about ``[valt]``: keys of another table, two accounts that are one, and the gateway's own address."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from gateway.settings.addresses import is_loopback
from gateway.settings.faults import Fault
from gateway.settings.model import Settings, ValtSettings

_DELIVERIES = ("proxy", "redirect")


def valt_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields the warnings, without lines."""
    valt = settings.valt
    first: dict[str, str] = {}
    for name, account in valt.accounts.items():
        other = first.setdefault(account.username.casefold(), name)
        if other != name:
            reason = f"is that of {other} too, so that both accounts see the same"
            yield Fault(f"valt.accounts.{name}.username", None, reason, "correct it, or use one account")
    for name in valt.people:
        if name in ValtSettings.model_fields:
            reason = "is taken for a person's name: it stands below [valt.people]"
            yield Fault(
                f"valt.people.{name}", None, reason, "move it above the tables [valt.…], if it is the key of [valt]"
            )
    for number, grant in enumerate(settings.grants):
        if grant.template.get("delivery") in _DELIVERIES:
            reason = "is taken for a field of VALT's template: it stands below [grants.template]"
            yield Fault(f"grants.{number}.template.delivery", None, reason, "move it above, if it is the rule's key")
    yield from _own_address(settings)


def _own_address(settings: Settings) -> Iterator[Fault]:
    """Yields a warning if VALT's address is the gateway's. A front may have VALT below a path of the same host."""
    own, split = settings.server.public_url, urlsplit(settings.valt.base_url)
    default = ":443" if split.scheme == "https" else ":80"
    origin = f"{split.scheme}://{split.netloc.lower().removesuffix(default)}"
    is_same = urlsplit(own).netloc == split.netloc.lower() or origin == own
    if is_same and split.path in ("", "/") and not is_loopback(own):
        reason = "is the gateway's own address: it would ask itself"
        yield Fault("valt.base_url", None, reason, "name VALT's server")
