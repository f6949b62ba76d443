"""Warnings about rules for everybody that give a service key more than the rules of its own: "*" is for keys too."""

from collections.abc import Iterable, Iterator
from datetime import date

from gateway.model import fold_name
from gateway.settings.faults import Fault
from gateway.settings.grants import GrantSettings
from gateway.settings.identity import TicketSettings
from gateway.settings.model import ServiceKeySettings, Settings
from gateway.settings.rule_order import is_for_everything, names_everything, without_wide_conditions
from gateway.validity import SERVICE_KEY_PROVIDER


def everybody_key_warnings(settings: Settings, today: date) -> Iterator[Fault]:
    """Yields a warning for the first rule that allows everybody everything, and so a key that an earlier rule allows
    less, or on fewer days from *today*, which is in ``server.timezone``. Rules for everybody before it decide on the
    days that they name. Where all have tickets, these may name a recording, as no key does; elsewhere the earlier rule
    must give no more in another respect, or it is right. A refusal of some recordings, days or networks leaves a key
    the others."""
    grants = [without_wide_conditions(grant) for grant in settings.grants]
    only_tickets = all(isinstance(provider, TicketSettings) for provider in settings.identity)
    for key in settings.service_keys if settings.identity else ():
        before: list[GrantSettings] = []
        for number, grant in enumerate(grants):
            if not (grant.allow and is_for_everything(grant)):
                is_for_key = _names_key(grant, key) or (not grant.allow and "*" in grant.subjects)
                before += [grant] if is_for_key else []
                continue
            own = [one for one in before if one.allow and not is_for_everything(one)]
            is_decided = _count_while(filter(names_everything, before), grant, key, today)
            if own and not is_decided and (only_tickets or _gives_no_more(own, grant)):
                reason = f'has "*", which is for the service key {key.name} too: {own[0].name} allows it less'
                remedy = (
                    f'refuse "{SERVICE_KEY_PROVIDER}#{key.name}" by a rule before this one, or list people and groups'
                )
                yield Fault(f"grants.{number}.subjects", None, reason, remedy)
                break
            before.append(grant)


def _count_while(
    grants: Iterable[GrantSettings], everybody: GrantSettings, key: ServiceKeySettings, today: date
) -> bool:
    """Whether one of *grants* counts on each day from *today* on which *everybody* counts and *key* is valid. The key's
    days are those of UTC, so that its last one may end some hours later."""
    day = max(today, everybody.valid_from or date.min).toordinal()
    last = min(everybody.valid_until or date.max, key.expires or date.max).toordinal()
    for grant in sorted(grants, key=lambda one: one.valid_from or date.min):
        if (grant.valid_from or date.min).toordinal() <= day:
            if grant.valid_until is None:
                return True
            day = max(day, grant.valid_until.toordinal() + 1)
    return last < day


def _names_key(grant: GrantSettings, key: ServiceKeySettings) -> bool:
    subjects = (key.name, f"{SERVICE_KEY_PROVIDER}#{key.name}")
    if grant.allow:
        return not set(grant.groups).isdisjoint(key.groups) or not set(grant.subjects).isdisjoint(subjects)
    folded = {fold_name(name) for name in (*key.groups, *subjects)}
    return any(fold_name(name) in folded for name in (*grant.groups, *grant.subjects))


def _gives_no_more(own: list[GrantSettings], everybody: GrantSettings) -> bool:
    """Whether none of *own* has another account or delivery than *everybody*, or the download alone."""
    return all(
        (one.account, one.delivery) == (everybody.account, everybody.delivery) and one.download <= everybody.download
        for one in own
    )
