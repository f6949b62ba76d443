"""Broken files of many kinds, each with the faults that are reported."""

from pathlib import Path

import pytest

from gateway.settings.faults import Fault
from gateway.settings.loading import load
from tests.unit.settings.broken import BROKEN
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


def test_a_fault_that_follows_from_another_is_not_reported(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, GOOD.replace('groups = ["supervisors"]', 'groups = "supervisors"'))

    assert [fault.key for fault in loaded.faults] == ["grants.0.groups"]


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    loaded = load(tmp_path / "none.toml", {})

    assert loaded.faults == (
        Fault("none.toml", None, "cannot be read: No such file or directory", "name a file with --config"),
    )


def test_a_file_that_is_not_text_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_bytes(b"\xff\xfe")

    loaded = load(tmp_path / "gateway.toml", {})

    assert [fault.reason for fault in loaded.faults] == ["cannot be read: it is not UTF-8"]
