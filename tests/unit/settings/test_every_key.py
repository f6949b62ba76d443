"""Every key of the settings with a value of every wrong type and of every class that no setting means."""

from pathlib import Path

import pytest

from gateway.settings.loading import Loaded, load
from tests.unit.settings.configurations import private, write_keytab
from tests.unit.settings.every_key import TABLES, keys_of, types_of, with_value

pytestmark = pytest.mark.promise("security-S16")

OF_TYPES = {
    "boolean": "true",
    "integer": "7",
    "number": "1.5",
    "string": '"text"',
    "array": '["text"]',
    "object": '{ key = "text" }',
    "date": "2027-01-01",
}
OF_CLASSES = {
    "negative": "-1",
    "negative zero": "-0.0",
    "infinite": "inf",
    "no number": "nan",
    "too large": "1" + "0" * 400,
    "beyond a double": "1e400",
    "empty": '""',
    "a space": '" "',
    "a line end": '"a\\nb"',
    "NUL": '"a\\u0000b"',
    "a change of direction": '"a\\u202eb"',
    "digits of another script": '"١٢٣"',
    "very long": '"' + "x" * 70_000 + '"',
    "empty list": "[]",
    "a list of nothing": '[""]',
    "a list of lists": "[[]]",
    "a list of numbers": "[1]",
    "a list of tables": "[{}]",
    "empty table": "{}",
    "a key of nothing": '{ "" = "x" }',
    "a time": "10:00:00",
    "a date with a time": "2027-01-01T10:00:00Z",
    "a device": '"/dev/zero"',
    "a directory": '"/"',
    "a script": '"javascript:alert(1)"',
    "a broken glob": '["["]',
    "a broken address": '"https://[x"',
    "a broken address in a list": '["https://[x"]',
    "a host in brackets": '"https://[::g]/"',
    "a percent sign": '"%"',
}
MISPLACED = ('"https://user:planted@host/planted"', '"-----BEGIN PRIVATE KEY-----\\nplanted\\n"')
NAMES = {"groups", "subjects", "subject", "recordings", "account"}
"""Keys of names, which findings repeat."""


def loaded_with(folder: Path, table: str, key: str, value: str) -> Loaded:
    path = folder / "gateway.toml"
    private(path, with_value(table, key, value))
    return load(path, {}, check_files=True)


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    write_keytab(tmp_path, "HTTP/recordings.example.edu@EXAMPLE.EDU")
    return tmp_path


def test_the_configuration_with_every_table_has_no_finding(folder: Path) -> None:
    loaded = loaded_with(folder, "log", "level", '"info"')
    assert (loaded.faults, loaded.warnings) == ((), ())


@pytest.mark.parametrize("table", TABLES)
def test_a_value_of_a_wrong_type_is_a_fault_at_every_key(folder: Path, table: str) -> None:
    for key in keys_of(table):
        allowed = types_of(table, key)
        wrong = {name: value for name, value in OF_TYPES.items() if name not in allowed}
        if "number" in allowed:
            wrong.pop("integer")
        if (table, key) == ("valt", "accounts"):
            wrong = {}  # the accounts themselves follow in their own table
        for name, value in wrong.items():
            faults = loaded_with(folder, table, key, value).faults
            assert faults, (key, name)
            assert all(fault.line and fault.reason and fault.remedy for fault in faults), (key, name, faults)


@pytest.mark.parametrize("table", TABLES)
def test_no_class_of_values_crashes_or_has_a_finding_without_a_line(folder: Path, table: str) -> None:
    for key in keys_of(table):
        for name, value in OF_CLASSES.items():
            loaded = loaded_with(folder, table, key, value)
            for finding in (*loaded.faults, *loaded.warnings):
                assert finding.key, (key, name)
                assert finding.line, (key, name, finding)
                assert finding.reason != "is not valid", (key, name, finding)
                assert finding.remedy, (key, name, finding)
            assert "planted" not in repr(loaded), (key, name)


@pytest.mark.parametrize("table", TABLES)
def test_a_url_with_a_password_or_a_private_key_is_never_repeated(folder: Path, table: str) -> None:
    for key in set(keys_of(table)) - NAMES:
        for value in (*MISPLACED, *(f"[{one}]" for one in MISPLACED)):
            loaded = loaded_with(folder, table, key, value)
            assert "planted" not in repr((loaded.faults, loaded.warnings)), (key, loaded.faults, loaded.warnings)
