"""Builds the rules from ``[[grants]]``, and the names of people and groups in VALT."""

from datetime import date, datetime, time, timedelta, tzinfo

from gateway.identity_factory import provider_names
from gateway.model import Delivery
from gateway.network import TrustedNetworks
from gateway.rules import Rule, ValtNames
from gateway.settings.model import Settings


def rules_of(settings: Settings) -> tuple[Rule, ...]:
    """Returns the rules of ``[[grants]]``, in their order. Their days begin and end in ``server.timezone``."""
    providers, zone = set(provider_names(settings)), settings.server.zone

    def provider_subject(text: str) -> tuple[str, str] | None:
        provider, separator, subject = text.partition("#")
        return (provider, subject) if separator and provider in providers else None

    return tuple(
        Rule(
            name=grant.name,
            account=grant.account,
            groups=frozenset(grant.groups),
            # A person whom another provider calls "campus#anna" is not anna of the provider campus.
            subjects=frozenset(text for text in grant.subjects if provider_subject(text) is None),
            provider_subjects=frozenset(filter(None, map(provider_subject, grant.subjects))),
            allow=grant.allow,
            networks=TrustedNetworks(grant.networks) if grant.networks else None,
            valid_from=None if grant.valid_from is None else midnight(grant.valid_from, zone),
            valid_until=None if grant.valid_until in (None, date.max) else midnight_after(grant.valid_until, zone),
            recordings=tuple(grant.recordings),
            delivery=Delivery(grant.delivery),
            download=grant.download,
            rooms=tuple(grant.rooms),
            authors=tuple(grant.authors),
            names=tuple(grant.names),
            template=dict(grant.template),
            created_within=grant.created_within,
            author_is_me=grant.author_is_me,
            shared_with_me=grant.shared_with_me,
        )
        for grant in settings.grants
    )


def midnight(day: date, zone: tzinfo | None) -> float:
    """Returns the Unix time at which *day* begins in *zone*; None is the machine's time zone."""
    return datetime.combine(day, time(), zone).timestamp()


def midnight_after(day: date, zone: tzinfo | None) -> float:
    """Returns the Unix time at which *day* ends in *zone*. Raises OverflowError for the last day of the calendar."""
    return midnight(day + timedelta(days=1), zone)


def valt_names_of(settings: Settings) -> ValtNames:
    """Returns the mapping of subjects, groups and accounts to VALT's user and group names."""
    valt = settings.valt
    logins = {name: account.username for name, account in valt.accounts.items()}
    return ValtNames(dict(valt.people), dict(valt.groups), valt.base_url, logins)
