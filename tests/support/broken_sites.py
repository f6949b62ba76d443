"""The ways in which a site is broken for the command ``doctor``, each with what it must say."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.doctor_lab import REDIRECT, Lab, not_good, running_lab

Break = Callable[[Lab], object]
"""Breaks a site. What it returns is not used."""


@dataclass(frozen=True)
class Site:
    """*check* is the one that must have *result*, with *detail* and *remedy* as parts of its texts. *besides* are the
    other checks that are not good, because the fault shows there too or they could not be tried."""

    name: str
    check: str
    result: str
    detail: str
    remedy: str
    breaks: Break
    besides: frozenset[str] = frozenset()
    days: Mapping[str, float] = field(default_factory=dict)
    """How long the certificates of ``valt`` and ``front`` are valid."""


async def assert_named(site: Site, folder: Path) -> None:
    """Raises AssertionError unless the doctor names the fault of *site*, and nothing that works."""
    async with running_lab(folder, days=site.days) as lab:
        site.breaks(lab)
        checks = {check.name: check for check in await lab.examine()}
        named = checks[site.check]
        assert named.result == site.result, named
        assert site.detail in named.detail, named
        assert site.remedy in named.remedy, named
        others = {check.name for check in not_good(checks.values())} - {site.check}
        assert others == site.besides - {site.check}, [checks[name] for name in others]
        for check in checks.values():
            assert [secret for secret in lab.secrets if secret in f"{check.detail} {check.remedy}"] == []


NO_LINK = frozenset(
    {
        *("media_range", "media_if_range", "media_head", "link_clock"),
        *("link_opens_other_recording", "link_outlives_exp"),
    }
)
NO_VIDEO = NO_LINK | {"valt_link"}
NO_RECORD = NO_VIDEO | {"valt_record"}
NO_SEARCH = NO_RECORD | {"valt_search"}
NO_LOGIN = NO_SEARCH | {"valt_login:reviewer", "valt_login:trainee"}
NO_MEDIA = frozenset({"media_if_range", "media_head", "link_opens_other_recording", "link_outlives_exp"})


def knobs(**values: object) -> Break:
    """Returns what sets knobs of VALT's simulator."""

    def set_knobs(lab: Lab) -> None:
        for name, value in values.items():
            assert hasattr(lab.valt.knobs, name)
            setattr(lab.valt.knobs, name, value)

    return set_knobs


def redirected(**values: object) -> Break:
    """Returns what sets knobs, and lets the rule redirect."""

    def set_both(lab: Lab) -> None:
        knobs(**values)(lab)
        lab.edit(REDIRECT)

    return set_both


def front(**values: object) -> Break:
    """Returns what sets attributes of the front."""

    def set_attributes(lab: Lab) -> None:
        for name, value in values.items():
            assert hasattr(lab.front, name)
            setattr(lab.front, name, value)

    return set_attributes


def edited(old: str, new: str) -> Break:
    """Returns what changes the configuration."""
    return lambda lab: lab.edit((old, new))


def with_url(key: str, url: str) -> Break:
    """Returns what gives *key* of the configuration another URL."""

    def replace(lab: Lab) -> None:
        lines = lab.config.read_text().splitlines(keepends=True)
        (old,) = (line for line in lines if line.startswith(f"{key} = "))
        lab.edit((old, f'{key} = "{url}"\n'))

    return replace
