"""Warnings about service keys that the rules give nothing, or nothing by their groups, which are perhaps misspelt."""

from collections.abc import Iterable, Iterator

from gateway.model import fold_name
from gateway.settings.faults import Fault
from gateway.settings.grants import GrantSettings
from gateway.settings.model import ServiceKeySettings, Settings, ValtSettings
from gateway.validity import SERVICE_KEY_PROVIDER

Name = tuple[str, str]
"""Table, groups or subjects, and the name."""


def service_key_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each service key that no rule allows anything; and, where rules name groups or keys, for
    each with groups of which no rule has one, and that only rules for everybody allow something."""
    allowing = [grant for grant in settings.grants if grant.allow]
    allowed, refused = _names(allowing), _names(grant for grant in settings.grants if not grant.allow)
    name_some = any(table == "groups" or f"{SERVICE_KEY_PROVIDER}#" in name for table, name in allowed | refused)
    for number, key in enumerate(settings.service_keys):
        own_name = f"{SERVICE_KEY_PROVIDER}#{key.name}"
        own = {("subjects", key.name), ("subjects", own_name), *(("groups", group) for group in key.groups)}
        is_refused = not refused.isdisjoint((table, fold_name(name)) for table, name in own)
        everybody = [one for one in allowing if "*" in one.subjects and _may_match(one, key, settings.valt)]
        if not allowed.isdisjoint(own):
            continue
        if not everybody:
            reason = f"may see nothing: no rule allows one of its groups, or {own_name}, anything"
            yield Fault(f"service_keys.{number}.groups", None, reason, "correct the groups, or add a rule")
        elif key.groups and name_some and not is_refused and not any(one.shared_with_me for one in everybody):
            reason = f'have no effect: no rule has one of them, or {own_name}, and only "*" allows the key anything'
            yield Fault(f"service_keys.{number}.groups", None, reason, "correct the groups, or remove them")


def _names(grants: Iterable[GrantSettings]) -> set[Name]:
    """Returns the names of *grants*, as they compare them."""
    tables = ("groups", "subjects")
    return {(table, grant.folded(name)) for grant in grants for table in tables for name in getattr(grant, table)}


def _may_match(grant: GrantSettings, key: ServiceKeySettings, valt: ValtSettings) -> bool:
    """Whether *grant*, for everybody, matches *key* for some recording, as far as the file says it: a user of VALT with
    the key's own name, who records, is not looked for. What VALT shares is compared by ids alone."""
    user = valt.people.get(key.name)
    is_shared = isinstance(user, int) or not valt.groups.keys().isdisjoint(key.groups)
    return (user is not None or not grant.author_is_me) and (is_shared or not grant.shared_with_me)
