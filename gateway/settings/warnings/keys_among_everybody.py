"""Warnings about rules for everybody that give a service key more than the rules of its own: "*" is for keys too.

A rule for everybody is one that allows "*" every recording, always or on some days, from everywhere or from some
networks, and does not name the key itself. The first of them is a warning that decides any request of the key, on any
day from today to its last one, if a rule before it allows the key something by name or group. Unless all people come
with tickets, there is none if such a rule before gives more in another respect: another account or delivery, or the
download. Conditions that nearly everything meets, as ``names = ["*"]``, count as none. Rules for everybody with other
conditions are not compared, and of later rules nothing counts.
"""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from functools import lru_cache

from gateway.settings.faults import Fault
from gateway.settings.grants import GrantSettings
from gateway.settings.identity import TicketSettings
from gateway.settings.model import ServiceKeySettings, Settings
from gateway.settings.networks import networks_without
from gateway.settings.rule_order import names_every_recording, without_wide_conditions
from gateway.validity import SERVICE_KEY_PROVIDER

_ANYWHERE = ("0.0.0.0/0", "::/0")


def everybody_key_warnings(settings: Settings, today: date) -> Iterator[Fault]:
    """Yields the warning for each key, from *today*, which is in ``server.timezone``. A ticket may name a recording, as
    no key does: where all have tickets, a rule for everybody with fewer rights is no sign that keys are meant."""
    grants = [without_wide_conditions(grant) for grant in settings.grants]
    only_tickets = all(isinstance(provider, TicketSettings) for provider in settings.identity)
    for key in settings.service_keys if settings.identity else ():
        own: list[GrantSettings] = []
        deciding: list[GrantSettings] = []
        """Those before that decide whatever recording the key requests, on their days and in their networks."""
        for number, grant in enumerate(grants):
            is_own = _names_key(grant, key)
            is_for_everybody = "*" in grant.subjects and names_every_recording(grant)
            is_compared = own and (only_tickets or _gives_no_more(own, grant)) and not is_own
            if is_for_everybody and grant.allow and is_compared and not _is_decided(deciding, grant, key, today):
                reason = f'has "*", which is for the service key {key.name} too: {own[0].name} allows it less'
                remedy = (
                    f'refuse "{SERVICE_KEY_PROVIDER}#{key.name}" by a rule before this one, or list people and groups'
                )
                yield Fault(f"grants.{number}.subjects", None, reason, remedy)
                break
            own += [grant] if is_own and grant.allow else []
            deciding += [grant] if is_for_everybody or (is_own and names_every_recording(grant)) else []


def _is_decided(
    deciding: Iterable[GrantSettings], everybody: GrantSettings, key: ServiceKeySettings, today: date
) -> bool:
    """Whether *deciding* leave nothing to *everybody* on any day from *today* on which it counts and *key* is valid.
    The key's days are those of UTC, so that its last one may end some hours later."""
    day = max(today, everybody.valid_from or date.min)
    last = min(everybody.valid_until or date.max, key.expires or date.max)
    while day <= last:
        now = [one for one in deciding if (one.valid_from or date.min) <= day <= (one.valid_until or date.max)]
        everywhere = [one for one in now if not one.networks]
        networks = frozenset(network for one in now for network in one.networks)
        if not everywhere and not _contain(networks, everybody.networks or _ANYWHERE):
            return False
        ends = [one.valid_until or date.max for one in everywhere or now]
        end = max(ends) if everywhere else min(ends)
        if end >= last:
            return True
        day = end + timedelta(days=1)
    return True


@lru_cache(maxsize=1_000)  # many keys may have the same rules before the same ones
def _contain(networks: frozenset[str], others: tuple[str, ...]) -> bool:
    """Whether each address of *others* is in one of *networks*."""
    return not networks_without(others, networks)


def _names_key(grant: GrantSettings, key: ServiceKeySettings) -> bool:
    """Whether *grant* names *key* or one of its groups. ``"*"`` names nobody."""
    subjects = (key.name, f"{SERVICE_KEY_PROVIDER}#{key.name}")
    return any(
        not set(map(grant.folded, theirs)).isdisjoint(map(grant.folded, names))
        for theirs, names in ((key.groups, grant.groups), (subjects, grant.subjects))
    )


def _gives_no_more(own: list[GrantSettings], everybody: GrantSettings) -> bool:
    """Whether none of *own* has another account or delivery than *everybody*, or the download alone."""
    return all(
        (one.account, one.delivery) == (everybody.account, everybody.delivery) and one.download <= everybody.download
        for one in own
    )
