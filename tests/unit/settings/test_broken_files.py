"""Broken files of many kinds, each with the faults that are reported."""

from pathlib import Path

import pytest

from gateway.settings.faults import Fault
from gateway.settings.loading import load
from tests.unit.settings.broken import BROKEN, OIDC, SESSION, changed, grant, server
from tests.unit.settings.configurations import GOOD, load_text

EXPECTED = {
    name: faults.splitlines()
    for part in Path(__file__).with_name("expected_faults.txt").read_text().removeprefix("# ").rstrip().split("\n\n# ")
    for name, _, faults in [part.partition("\n")]
}


@pytest.mark.promise("rules-11", "security-S16", "operation-O5")
@pytest.mark.parametrize("name", BROKEN)
def test_a_fault_has_key_line_reason_and_remedy(tmp_path: Path, name: str) -> None:
    loaded = load_text(tmp_path, BROKEN[name])

    assert loaded.settings is None
    assert [str(fault) for fault in loaded.faults] == EXPECTED[name]


@pytest.mark.parametrize("name", BROKEN)
def test_a_fault_never_contains_a_secret(tmp_path: Path, name: str) -> None:
    assert "planted" not in repr(load_text(tmp_path, BROKEN[name]))


def test_the_base_file_has_no_fault_or_warning(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, GOOD)

    assert loaded.faults == ()
    assert loaded.warnings == ()


def test_all_faults_are_reported_at_once_in_file_order(tmp_path: Path) -> None:
    text = GOOD.replace("https://recordings", "http://recordings")  # line 2
    text = text.replace('"https://valt.example.edu"\n', '"https://valt.example.edu"\ntoken_tll = "6h"\n')  # line 6
    text = text.replace('audience = "valt-gateway"\n', "")  # the entry of line 12
    text = text.replace('account = "reviewer"', 'account = "nobody"')  # line 21
    text += '\n[[grants]]\nname = "none"\nrecordings = []\naccount = "reviewer"\n'  # lines 23 and 25

    loaded = load_text(tmp_path, text)

    assert [(fault.key, fault.line) for fault in loaded.faults] == [
        ("server.public_url", 2),
        ("valt.token_tll", 6),
        ("identity.0.audience", 12),
        ("grants.0.account", 21),
        ("grants.1", 23),
        ("grants.1.recordings", 25),
    ]


def test_an_entry_keeps_its_number_after_an_invalid_one(tmp_path: Path) -> None:
    grant = '[[grants]]\nname = "{}"\ngroups = ["a"]\nrecordings = ["*"]\naccount = "{}"\n'
    text = GOOD + grant.format("second", "reviewer").replace('groups = ["a"]\n', "").replace('recordings = ["*"]\n', "")
    text += grant.format("third", "nobody")

    loaded = load_text(tmp_path, text)

    assert [fault.key for fault in loaded.faults] == ["grants.1.recordings", "grants.2.account"]


RULE = '\n[[grants]]\nname = "{}"\ngroups = ["supervisors"]\nrecordings = ["*"]\naccount = "reviewer"\n'
PAIR = changed('groups = ["supervisors"]', 'groups = ["supervisors"]\n{}') + RULE.format("later")
INTERN = GOOD + RULE.format("intern").replace("reviewer", "trainee").replace("supervisors", "interns")
FOLLOW_UPS = {
    "a list that is no list": (changed('["supervisors"]', '"supervisors"'), ["grants.0.groups"]),
    **{
        f"a rule after one with {line}": (PAIR.replace("{}", line), [f"grants.0.{line.partition(' ')[0]}"])
        for line in (
            *('room = ["A"]', 'rooms = "A"', 'networks = "10.0.0.0/8"', 'created_within = "3 days"'),
            *('valid_until = "June"', "template = 1", 'allow = "no"'),
        )
    },
    "a rule with a misspelt condition after another": (PAIR.replace("\n{}", "") + "room = []", ["grants.1.room"]),
    "a rule after a right one and one that is left out": (
        changed("[[grants]]", f'[[grants]]\nname = "none"\naccount = "reviewer"\n{RULE.format("first")}[[grants]]'),
        ["grants.0.recordings", "grants.2"],
    ),
    "an account with an invalid name": (
        f'{INTERN}[valt.accounts."on leave"]\nusername = "a"\npassword = "planted"\n',
        ["valt.accounts.on leave"],
    ),
    "accounts in a misspelt table": (
        f'{INTERN}[valt.accountz.trainee]\nusername = "a"\npassword = "planted"\n',
        ["valt.accountz"],
    ),
    "an account that is no table": (f'{INTERN}[valt.accounts]\ntrainee = "a"\n', ["valt.accounts.trainee"]),
    "accounts without VALT": (
        f'{INTERN}[accounts.trainee]\nusername = "a"\npassword = "planted"\n',
        ["accounts"],
    ),
    "people in a misspelt table": (grant("shared_with_me = true") + "[valt.peopel]\nanna = 7\n", ["valt.peopel"]),
    "a session that is no table": (f"session = 1\n{GOOD}{OIDC[OIDC.index('[[') :]}", ["session"]),
    "a session by a misspelt name": (GOOD + OIDC.replace("[session]", "[sesion]"), ["sesion"]),
    "an idle time beside a misspelt lifetime": (
        GOOD + SESSION + 'lifetim = "12h"\nidle = "10h"\n',
        ["session.lifetim"],
    ),
    "a certificate beside a misspelt key": (
        server('tls_cert_file = "cert.pem"\ntls_keyfile = "key.pem"'),
        ["server.tls_keyfile"],
    ),
}


@pytest.mark.parametrize("name", FOLLOW_UPS)
def test_a_fault_that_follows_from_another_is_not_reported(tmp_path: Path, name: str) -> None:
    text, keys = FOLLOW_UPS[name]
    faults = load_text(tmp_path, text).faults
    assert sorted(fault.key for fault in faults) == sorted(keys)
    assert not any("can never decide" in one.reason and "first matches" not in one.reason for one in faults)


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    loaded = load(tmp_path / "none.toml", {})

    assert loaded.faults == (
        Fault("none.toml", None, "cannot be read: No such file or directory", "name a file with --config"),
    )


def test_a_file_that_is_not_text_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_bytes(b"\xff\xfe")

    loaded = load(tmp_path / "gateway.toml", {})

    assert [fault.reason for fault in loaded.faults] == ["cannot be read: it is not UTF-8"]
