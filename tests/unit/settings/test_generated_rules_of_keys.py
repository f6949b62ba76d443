"""What the check of rules for everybody reports, compared with the decisions of random short lists of rules.

The model is plain: it decides for a few recordings, days and addresses as the service key. One recording has what no
condition but "*" names, and there is an address of each part of the networks, and a day of each part of the year.
"""

from datetime import date, datetime, time, timedelta
from itertools import product
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

from gateway.errors import AccessDeniedError
from gateway.model import Identity, IdentityKind
from gateway.policy import Rules
from gateway.recording_details import RecordingDetails
from gateway.rule_factory import rules_of, valt_names_of
from gateway.settings.grants import GrantSettings
from gateway.settings.model import Settings
from gateway.settings.warnings.keys_among_everybody import everybody_key_warnings
from gateway.validity import SERVICE_KEY_PROVIDER
from tests.support.clock import ManualClock
from tests.support.generated import sequences
from tests.support.recorder import Recorder
from tests.unit.settings.broken import JWT
from tests.unit.settings.configurations import load_text
from tests.unit.settings.test_keys_among_everybody import ALL, PORTAL, rules

pytestmark = pytest.mark.promise("security-S16")

TODAY = date(2026, 11, 30)
BEGINNINGS = [date(2026, 7, 1), date(2027, 1, 1), date(2027, 7, 1)]
LAST_DAYS = [day - timedelta(days=1) for day in BEGINNINGS]
DAYS = [TODAY, *(day for pair in zip(LAST_DAYS[1:], BEGINNINGS[1:], strict=True) for day in pair)]
ADDRESSES = ["10.1.2.3", "10.2.0.1", "10.200.0.1", "192.168.1.7", "203.0.113.9", "2001:db8::1"]
NETWORKS = [
    *(("10.0.0.0/8",), ("10.1.0.0/16",), ("10.0.0.0/9",), ("10.128.0.0/9",), ("10.0.0.0/9", "10.128.0.0/9")),
    *(("192.168.0.0/16",), ("10.0.0.0/8", "192.168.0.0/16"), ("0.0.0.0/0",), ("::/0",), ("0.0.0.0/0", "::/0")),
]
DETAILS = {
    "17": RecordingDetails("17", name="private", room="Room 1", author="script", created=0.0),
    "18": RecordingDetails("18", name="lecture", room="Room 2", author="anna", created=0.0),
    "19": RecordingDetails("19", name="x", room="x", author="x", created=0.0),
}
KEY = Identity("script", "", SERVICE_KEY_PROVIDER, IdentityKind.SERVICE_KEY, frozenset({"archive"}))
NAMES_OF_KEY: list[dict[str, Any]] = [
    {"groups": ("archive",)},
    {"groups": ("staff", "archive")},
    {"subjects": ("script",)},
    {"subjects": ("service_key#script",)},
    {"subjects": ("*", "service_key#script")},
]
SPELLINGS_OF_KEY: list[dict[str, Any]] = [{"groups": ("Archive",)}, {"subjects": ("service_key#SCRIPT",)}]
NAMES_OF_OTHERS: list[dict[str, Any]] = [
    {"groups": ("staff",)},
    {"groups": ("script",)},
    {"subjects": ("archive",)},
    {"subjects": ("campus#script",)},
]
EVERYBODY: dict[str, Any] = {"subjects": ("*",)}
SOME_RECORDINGS: list[dict[str, Any]] = [
    {"recordings": ("17",)},
    {"rooms": ("Room 1",)},
    {"rooms": ("Room *",)},
    {"names": ("*private*",)},
    {"author_is_me": True},
    {"shared_with_me": True},
    {"created_within": 7_776_000.0},
    {"template": {"course": "private"}},
]
ALL_RECORDINGS: list[dict[str, Any]] = [{}, {}, {}, {"names": ("*",)}, {"rooms": ("*",), "authors": ("*",)}]
RIGHTS: list[dict[str, Any]] = [
    {},
    {},
    {"download": False},
    {"download": False},
    {"account": "b"},
    {"delivery": "redirect"},
]


class GeneratedRule(NamedTuple):
    """A rule, and what the generator knows of it."""

    grant: GrantSettings
    allows_key: bool
    """Whether it allows the key something by a name of its own."""
    is_for_everybody: bool
    """Whether it allows everybody every recording, and the key by no name of its own."""


class StatedDetails:
    """Implements ports.Recordings: each account sees each recording."""

    async def get(self, account: str, recording: str) -> RecordingDetails:
        return DETAILS[recording]


def generated_rule(random: Random, number: int) -> GeneratedRule:
    kind = random.choices(["own", "everybody", "refusal", "others"], [4, 5, 4, 1])[0]
    of_all = random.random() < {"own": 0.3, "everybody": 0.85, "refusal": 0.6, "others": 0.5}[kind]
    names = {
        "own": NAMES_OF_KEY,
        "everybody": [EVERYBODY],
        "refusal": [*NAMES_OF_KEY, *SPELLINGS_OF_KEY, EVERYBODY, *NAMES_OF_OTHERS],
        "others": [*NAMES_OF_OTHERS, *SPELLINGS_OF_KEY],
    }[kind]
    values = random.choice(names) | random.choice(ALL_RECORDINGS if of_all else SOME_RECORDINGS) | random.choice(RIGHTS)
    values["networks"] = random.choice(NETWORKS) if random.random() < 0.35 else ()
    values["valid_from"] = random.choice(BEGINNINGS) if random.random() < 0.3 else None
    values["valid_until"] = random.choice(LAST_DAYS) if random.random() < 0.3 else None
    values = {"account": "a", "recordings": ("*",)} | values | {"allow": kind != "refusal"}
    if values["valid_from"] and values["valid_until"] and values["valid_from"] > values["valid_until"]:
        values["valid_until"] = None
    grant = GrantSettings.model_construct(name=f"rule{number}", **values)
    return GeneratedRule(grant, kind == "own", kind == "everybody" and of_all)


class Model:
    """Decides as the key by the rules of *settings*, on each of the days from TODAY to the key's last one."""

    def __init__(self, settings: Settings, generated: list[GeneratedRule]) -> None:
        self._generated = generated
        self._clock = ManualClock()
        self._only_tickets = settings.identity[0].type == "ticket"
        self._policy = Rules(rules_of(settings), StatedDetails(), valt_names_of(settings), self._clock, Recorder())
        expires = settings.service_keys[0].expires
        days = [day for day in DAYS if expires is None or day <= expires]
        noons = [datetime.combine(day, time(12), settings.server.zone).timestamp() for day in days]
        self._requests = list(product(noons, DETAILS, ADDRESSES))

    async def warnings(self) -> list[str]:
        """Returns the key of the warning that is due, if one is."""
        for number, rule in enumerate(self._generated):
            own = [one.grant for one in self._generated[:number] if one.allows_key]
            is_compared = own and (self._only_tickets or not gives_other_rights(own, rule.grant))
            if rule.is_for_everybody and is_compared and await self._decides(rule.grant.name):
                return [f"grants.{number}.subjects"]
        return []

    async def _decides(self, rule: str) -> bool:
        """Whether *rule* allows the key one of the requests."""
        for noon, recording, address in self._requests:
            self._clock.wall = noon
            try:
                grant = await self._policy.decide(KEY, recording, client=address)
            except AccessDeniedError:
                continue
            if grant.rule == rule:
                return True
        return False


def gives_other_rights(own: list[GrantSettings], everybody: GrantSettings) -> bool:
    return any(
        one.account != everybody.account
        or one.delivery != everybody.delivery
        or (one.download and not everybody.download)
        for one in own
    )


async def test_a_warning_is_due_exactly_if_a_rule_for_everybody_gives_a_key_more(tmp_path: Path) -> None:
    bases = [load_text(tmp_path, rules(ALL, providers=providers)).settings for providers in (PORTAL, JWT)]
    reported = 0
    for seed in range(sequences(500)):
        random = Random(seed)
        base = random.choice(bases)
        assert base is not None
        generated = [generated_rule(random, number) for number in range(random.randint(2, 6))]
        expires = random.choice([None, None, LAST_DAYS[0], LAST_DAYS[1], date(2027, 3, 31)])
        key = base.service_keys[0].model_copy(update={"name": "script", "expires": expires})
        grants = tuple(rule.grant for rule in generated)
        settings = base.model_copy(update={"grants": grants, "service_keys": (key,)})
        warnings = [warning.key for warning in everybody_key_warnings(settings, TODAY)]
        assert warnings == await Model(settings, generated).warnings(), (seed, key.expires, grants)
        reported += len(warnings)
    assert reported > sequences(500) / 10
