"""Every warning about the settings themselves: a new one is a module beside this one, and a line here."""

from collections.abc import Callable, Iterable
from datetime import datetime

from gateway.settings.claim_checks import claim_warnings
from gateway.settings.faults import Fault
from gateway.settings.identity_checks import identity_warnings
from gateway.settings.model import Settings
from gateway.settings.rule_order import RuleOrder
from gateway.settings.state_checks import state_warnings
from gateway.settings.warnings.fronts import front_warnings
from gateway.settings.warnings.groups_of_nobody import groups_of_nobody
from gateway.settings.warnings.header_meanings import header_meaning_warnings
from gateway.settings.warnings.kerberos_names import kerberos_name_warnings
from gateway.settings.warnings.keys_among_everybody import everybody_key_warnings
from gateway.settings.warnings.names import name_warnings
from gateway.settings.warnings.notations import notation_warnings
from gateway.settings.warnings.origins import origin_warnings
from gateway.settings.warnings.ports import listener_warnings, port_warnings
from gateway.settings.warnings.providers import provider_warnings
from gateway.settings.warnings.public_issuers import public_warnings
from gateway.settings.warnings.rules import (
    address_warnings,
    everybody_warnings,
    expired_warnings,
    glob_warnings,
    refusal_warnings,
    rule_warnings,
)
from gateway.settings.warnings.scopes import scope_warnings
from gateway.settings.warnings.secrets import secret_warnings
from gateway.settings.warnings.service_keys import service_key_warnings
from gateway.settings.warnings.template_fields import template_field_warnings
from gateway.settings.warnings.texts import text_warnings
from gateway.settings.warnings.valt import valt_warnings
from gateway.settings.warnings.values import value_warnings

WARNINGS: tuple[Callable[[Settings], Iterable[Fault]], ...] = (
    listener_warnings,
    identity_warnings,
    front_warnings,
    refusal_warnings,
    name_warnings,
    service_key_warnings,
    glob_warnings,
    everybody_warnings,
    address_warnings,
    notation_warnings,
    public_warnings,
    state_warnings,
    value_warnings,
    text_warnings,
    secret_warnings,
    claim_warnings,
    provider_warnings,
    scope_warnings,
    kerberos_name_warnings,
    origin_warnings,
    header_meaning_warnings,
    port_warnings,
    valt_warnings,
    template_field_warnings,
    groups_of_nobody,
    rule_warnings,
)


def warnings_of(settings: Settings, now: datetime, order: RuleOrder) -> list[Fault]:
    """Returns what is allowed and risky, or has expired before *now*, which is in ``server.timezone``, without lines,
    given the rules' *order*."""
    warnings = [warning for check in WARNINGS for warning in check(settings)]
    warnings += everybody_key_warnings(settings, now.date())
    return [*warnings, *order.warnings, *expired_warnings(settings, now)]
