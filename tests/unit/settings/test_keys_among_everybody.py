"""Rules for everybody, who are service keys too, after a rule that allows a key less."""

import hashlib
from pathlib import Path

import pytest

from tests.unit.settings.broken import JWT, SERVICE_KEY, TICKET
from tests.unit.settings.configurations import GOOD, load_text

pytestmark = pytest.mark.promise("security-S16")

KEY = SERVICE_KEY.format("archive").replace("0" * 64, hashlib.sha256(b"planted").hexdigest()) + 'groups = ["archive"]\n'
PROXY = '[server]\ntrusted_proxies = ["127.0.0.1"]\n'
PORTAL = TICKET + '[state]\ndir = "state"\n'


def rules(*tables: str, providers: str = JWT, more: str = KEY) -> str:
    text = GOOD.partition("[[identity]]")[0].replace("[server]\n", PROXY) + providers
    for number, lines in enumerate(tables):
        recordings = "" if "recordings" in lines else 'recordings = ["*"]\n'
        text += f'[[grants]]\nname = "rule{number}"\naccount = "reviewer"\n{recordings}{lines}\n'
    return text + more


OWN = 'groups = ["archive"]\nrooms = ["Room 1"]'
EVERYTHING = 'groups = ["archive"]'
EXPIRES = "expires = 2999-01-31\n"
ALL = 'subjects = ["*"]'
VIEW = f"{ALL}\ndownload = false"
REFUSAL = 'subjects = ["service_key#Archive"]\nallow = false'
TERM = "\nvalid_until = 2998-12-31"
CLINIC = '\nnetworks = ["10.0.0.0/8"]'
HALVES = '\nnetworks = ["10.0.0.0/9", "10.128.0.0/9"]'
HOST = '\nnetworks = ["192.0.2.7"]'
SCRIPT = KEY.replace('name = "archive"', 'name = "script"')
NEXT = "\nvalid_from = 2999-01-01"


@pytest.mark.parametrize(
    "text",
    [
        rules(OWN, VIEW, providers=PORTAL),
        rules(OWN, ALL),
        rules('subjects = ["service_key#archive"]\nrecordings = ["17"]', ALL),
        rules(f"{OWN}\ndownload = false", VIEW),
        rules(OWN, f'{ALL}\nnames = ["*"]'),
        rules(f"{EVERYTHING}\nvalid_until = 2998-12-31", VIEW, providers=PORTAL),
        rules(f"{EVERYTHING}\nvalid_from = 2999-01-01", VIEW, providers=PORTAL),
        rules(f"{EVERYTHING}\nvalid_until = 2998-12-31", f"{ALL}\nvalid_until = 2999-01-01"),
        rules(EVERYTHING + TERM, VIEW + TERM, VIEW + NEXT, providers=PORTAL),
        rules(EVERYTHING + TERM, ALL + TERM, ALL + NEXT),
        rules(OWN, REFUSAL + TERM, VIEW + TERM, VIEW + NEXT, providers=PORTAL),
        rules(EVERYTHING + TERM, OWN + NEXT, VIEW + TERM, VIEW + NEXT, providers=PORTAL),
        rules(VIEW + TERM, OWN, VIEW + NEXT, providers=PORTAL),
        rules(f"{VIEW}\nvalid_until = 2020-06-30", OWN, VIEW, providers=PORTAL),
        rules(OWN, VIEW + CLINIC, providers=PORTAL),
        rules(OWN, ALL + CLINIC),
        rules(OWN + CLINIC, ALL + CLINIC),
        rules(EVERYTHING + HOST, ALL + CLINIC),
        rules(OWN, REFUSAL + HOST, VIEW + CLINIC, providers=PORTAL),
        rules(OWN, REFUSAL + CLINIC + TERM, VIEW + CLINIC, providers=PORTAL),
        rules(
            OWN,
            REFUSAL + TERM + HALVES.replace(', "10.128.0.0/9"', ""),
            REFUSAL + HALVES.replace('"10.0.0.0/9", ', ""),
            VIEW + CLINIC,
            providers=PORTAL,
        ),
        rules(EVERYTHING + CLINIC, VIEW, providers=PORTAL),
        rules(EVERYTHING + CLINIC, f"{ALL}\nallow = false" + HOST + TERM, VIEW + HOST, providers=PORTAL),
        rules(OWN, 'groups = ["script"]\nallow = false', VIEW, providers=PORTAL, more=SCRIPT),
    ],
)
def test_a_rule_for_everybody_that_gives_a_key_more_than_its_own_is_a_warning(tmp_path: Path, text: str) -> None:
    loaded = load_text(tmp_path, text)
    assert loaded.faults == ()
    (warning,) = (one for one in loaded.warnings if one.key.endswith(".subjects"))
    assert (warning.key, warning.line is None) == (f"grants.{text.count('[[grants]]') - 1}.subjects", False)
    assert "service_key#" in warning.remedy


@pytest.mark.parametrize("who", [ALL, 'subjects = ["service_key#archive"]', 'groups = ["archive"]'])
@pytest.mark.parametrize(
    "some",
    [
        'names = ["*confidential*"]',
        'recordings = ["17"]',
        'networks = ["10.9.0.0/16"]',
        "valid_from = 2999-02-01\nvalid_until = 2999-02-14",
        "valid_from = 2999-02-01",
        'template = { course = "private" }',
    ],
)
def test_a_refusal_of_some_recordings_days_or_networks_leaves_the_warning(tmp_path: Path, who: str, some: str) -> None:
    for tables in ((OWN, f"{who}\nallow = false\n{some}", VIEW), (f"{who}\nallow = false\n{some}", OWN, VIEW)):
        loaded = load_text(tmp_path, rules(*tables, providers=PORTAL))
        assert loaded.faults == ()
        assert "grants.2.subjects" in [one.key for one in loaded.warnings]


@pytest.mark.parametrize(
    "text",
    [
        rules(OWN, f'{REFUSAL}\nnames = ["*"]', ALL, providers=PORTAL),
        rules('groups = ["archive"]\nnames = ["*"]', ALL, providers=PORTAL),
        rules(OWN, VIEW),
        rules(OWN, f'{ALL}\nrecordings = ["[1-9]*"]'),
        rules(OWN, REFUSAL, ALL, providers=PORTAL),
        rules(OWN, 'groups = ["Archive"]\nallow = false', ALL, providers=PORTAL),
        rules(OWN, f"{ALL}\nauthor_is_me = true"),
        rules(OWN, f"{ALL}\nshared_with_me = true", more=f"{KEY}[valt.groups]\nstaff = 7\n"),
        rules(OWN, 'groups = ["supervisors"]'),
        rules(ALL, providers=PORTAL),
        rules(OWN, f"{REFUSAL}\nvalid_from = 2020-01-01", VIEW, providers=PORTAL),
        rules(OWN, f"{REFUSAL}\nvalid_until = 2999-01-31", VIEW, providers=PORTAL, more=f"{KEY}{EXPIRES}"),
        rules(f"{EVERYTHING}\nvalid_until = 2999-01-31", VIEW, providers=PORTAL, more=f"{KEY}{EXPIRES}"),
        rules(f"{EVERYTHING}\nvalid_until = 2999-01-31", f"{VIEW}\nvalid_until = 2999-01-31", providers=PORTAL),
        rules(
            f"{EVERYTHING}\nvalid_from = 2999-02-01",
            f"{EVERYTHING}\nvalid_until = 2999-01-31\ndownload = false",
            VIEW,
            providers=PORTAL,
        ),
        rules(EVERYTHING + TERM, VIEW + TERM, REFUSAL, VIEW + NEXT, providers=PORTAL),
        rules(EVERYTHING, VIEW + TERM, VIEW + NEXT, providers=PORTAL),
        rules(OWN, VIEW + CLINIC),
        rules(OWN, REFUSAL + CLINIC, VIEW + CLINIC, providers=PORTAL),
        rules(OWN, REFUSAL + HALVES, VIEW + CLINIC, providers=PORTAL),
        rules(EVERYTHING + CLINIC, f'{ALL}\nnetworks = ["10.9.0.7/32"]', providers=PORTAL),
        rules(OWN, f'{ALL}\nnames = ["?*"]' + CLINIC, providers=PORTAL),
        rules(OWN, ALL, providers=""),
        rules(OWN, ALL, more=""),
    ],
)
def test_a_rule_for_everybody_that_gives_keys_what_is_meant_is_no_warning(tmp_path: Path, text: str) -> None:
    loaded = load_text(tmp_path, text)
    assert (loaded.faults, loaded.warnings) == ((), ())


@pytest.mark.parametrize(
    "text",
    [
        rules(f"{EVERYTHING}\nvalid_until = 2020-08-31", f"{VIEW}\nvalid_until = 2020-08-31", providers=PORTAL),
        rules(OWN, f"{VIEW}\nvalid_until = 2020-08-31", providers=PORTAL),
        rules(OWN, VIEW, providers=PORTAL, more=f"{KEY}expires = 2020-08-31\n"),
        rules(OWN, f"{VIEW}\nvalid_from = 2999-02-01", providers=PORTAL, more=f"{KEY}{EXPIRES}"),
    ],
)
def test_a_rule_for_everybody_on_none_of_the_days_of_a_key_gives_it_nothing(tmp_path: Path, text: str) -> None:
    loaded = load_text(tmp_path, text)
    assert loaded.faults == ()
    assert "grants.1.subjects" not in [one.key for one in loaded.warnings]


ARCHIVES = KEY.replace('["archive"]', '["archives"]')
PERSONAL = f"{ALL}\nauthor_is_me = true"
SHARED = f"{ALL}\nshared_with_me = true"
MAPPED = f'{KEY}[valt.people]\narchive = "svc-archive"\n'
SUPERVISORS = 'groups = ["supervisors"]'


@pytest.mark.parametrize(
    "text",
    [
        rules(OWN, VIEW, providers=PORTAL, more=ARCHIVES),
        rules(OWN, VIEW, providers=PORTAL, more=KEY.replace('["archive"]', '["Archive", "robots"]')),
        rules(f"{EVERYTHING}\nallow = false", ALL, more=ARCHIVES),
        rules('subjects = ["service_key#robot"]', ALL, more=KEY + SERVICE_KEY.format("robot")),
        rules(SUPERVISORS, ALL + CLINIC),
        rules(SUPERVISORS, PERSONAL),
        rules(SUPERVISORS, SHARED, more=f"{KEY}[valt.groups]\nsupervisors = 7\n"),
        rules(SUPERVISORS, SHARED, more=f"{MAPPED}[valt.groups]\nsupervisors = 7\n"),
        rules(SUPERVISORS, PERSONAL, more=KEY.replace('groups = ["archive"]\n', "")),
        rules(EVERYTHING, ALL + CLINIC, PERSONAL, more=ARCHIVES),
    ],
)
def test_a_key_whose_groups_no_rule_has_is_a_warning_whatever_everybody_may(tmp_path: Path, text: str) -> None:
    loaded = load_text(tmp_path, text)
    assert loaded.faults == ()
    (warning,) = (one for one in loaded.warnings if one.key.startswith("service_keys."))
    assert (warning.key, warning.line is None) == ("service_keys.0.groups", False)


@pytest.mark.parametrize(
    "text",
    [
        rules(ALL),
        rules(SUPERVISORS, ALL, more=KEY.replace('groups = ["archive"]\n', "")),
        rules(SUPERVISORS, PERSONAL, more=MAPPED.replace('groups = ["archive"]\n', "")),
        rules(SUPERVISORS, SHARED, more=f"{KEY}[valt.groups]\narchive = 7\n"),
        rules(SUPERVISORS, SHARED, ALL, more=f"{KEY}[valt.groups]\narchive = 7\n"),
        rules(SUPERVISORS, SHARED, more=f"{KEY}[valt.people]\narchive = 7\n"),
        rules('subjects = ["service_key#archive"]\nauthor_is_me = true'),
        rules('groups = ["Archive"]\nallow = false\nrooms = ["Room 1"]', ALL),
        rules(f'{REFUSAL}\nrooms = ["Room 1"]', SUPERVISORS, ALL),
    ],
)
def test_a_key_that_its_rules_or_everybodys_allow_something_is_no_warning(tmp_path: Path, text: str) -> None:
    loaded = load_text(tmp_path, text)
    assert loaded.faults == ()
    assert [one.key for one in loaded.warnings if one.key.startswith("service_keys.")] == []
