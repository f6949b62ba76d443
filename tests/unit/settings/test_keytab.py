"""Faults of Kerberos providers: the keytab, the package, and what the provider needs besides."""

import builtins
import struct
from pathlib import Path
from typing import Any

import pytest

from gateway.settings.keytab import keytab_fault, read_principals
from gateway.settings.loading import load
from tests.unit.settings.broken import KERBEROS
from tests.unit.settings.configurations import GOOD, keytab_of, write_keytab

PROVIDER = f"""
[state]
dir = "state"
{KERBEROS}
[session]
secret = "planted secret of more than 32 bytes"
"""
SERVICE = "HTTP/recordings.example.edu@EXAMPLE.EDU"


def faults(folder: Path, provider: str = PROVIDER) -> list[str]:
    """Returns the faults and warnings of a configuration with *provider*."""
    file = folder / "gateway.toml"
    file.touch(mode=0o600)
    file.write_text(GOOD + provider)
    loaded = load(file, {}, check_files=True)
    return [str(one) for one in (*loaded.faults, *loaded.warnings)]


def line_of(key: str) -> int:
    return (GOOD + PROVIDER).splitlines().index(next(li for li in PROVIDER.splitlines() if li.startswith(key))) + 1


@pytest.mark.promise("kerberos-6")
def test_a_keytab_with_a_key_of_the_service_is_no_fault(tmp_path: Path) -> None:
    write_keytab(tmp_path, "host/recordings.example.edu@EXAMPLE.EDU", SERVICE)
    assert faults(tmp_path) == []


@pytest.mark.promise("kerberos-6")
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read: No such file or directory. Create it with ktpass, msktutil or kadmin"),
        (b"", "is not a keytab"),
        (b"rubbish", "is not a keytab"),
        (b"\x05\x02\x00\x00\x00\x09\x00\x01\xff\xff", "is not a keytab"),
        (b"\x05\x02", "has no key of HTTP/recordings.example.edu, but of none at all"),
        (
            keytab_of("HTTP/other.example.edu@EXAMPLE.EDU"),
            "has no key of HTTP/recordings.example.edu, but of HTTP/other.example.edu@EXAMPLE.EDU.",
        ),
    ],
    ids=["missing", "empty", "rubbish", "cut", "no key", "another service"],
)
def test_a_keytab_that_cannot_work_is_a_fault(tmp_path: Path, content: bytes | None, reason: str) -> None:
    if content is not None:
        (tmp_path / "http.keytab").write_bytes(content)
    (fault,) = faults(tmp_path)
    assert fault.startswith(
        f"identity.1.keytab_file (line {line_of('keytab_file')}): names {tmp_path}/http.keytab, which "
    )
    assert reason in fault


@pytest.mark.promise("kerberos-6")
def test_a_keytab_that_may_not_be_read_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "keytab").mkdir()
    reason, remedy = keytab_fault(tmp_path / "keytab", "HTTP@localhost") or ("", "")
    assert "cannot be read: Is a directory" in reason
    assert remedy


@pytest.mark.promise("kerberos-6")
def test_without_the_package_the_type_is_a_fault_with_the_command_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_keytab(tmp_path, SERVICE)
    real = builtins.__import__

    def without_gssapi(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "gssapi":
            raise ModuleNotFoundError("No module named 'gssapi'")
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without_gssapi)
    (fault,) = faults(tmp_path)
    assert fault == (
        f"identity.1.type (line {line_of('type')}): needs the package gssapi and the system's Kerberos library: "
        "No module named 'gssapi'. Pip install \"valt-gateway[kerberos]\"."
    )


@pytest.mark.promise("kerberos-6")
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (PROVIDER[PROVIDER.index("[session]") :], "", 'needs a session: a provider of type "negotiate" starts one'),
        ('service = "HTTP@recordings.example.edu"\n', "", "identity.1.service (line"),
        ('realms = ["EXAMPLE.EDU"]\n', "realms = []\n", "is empty"),
        ("HTTP@recordings", "HTTP/recordings", "has characters that are not allowed"),
        ('["EXAMPLE.EDU"]', '["EXAMPLE.EDU", "PARTNER.EDU"]', "a name that two of them have is one person"),
    ],
)
def test_what_a_kerberos_provider_lacks_is_reported(tmp_path: Path, old: str, new: str, expected: str) -> None:
    write_keytab(tmp_path, SERVICE)
    (fault,) = faults(tmp_path, PROVIDER.replace(old, new))
    assert expected in fault


def test_a_service_of_another_host_than_public_urls_is_warned_about(tmp_path: Path) -> None:
    write_keytab(tmp_path, "HTTP/gw01.example.edu@EXAMPLE.EDU")
    (warning,) = faults(tmp_path, PROVIDER.replace("recordings.example", "gw01.example"))
    assert "identity.1.service (line" in warning
    assert "is not HTTP@recordings.example.edu: browsers ask for a ticket for the host of public_url" in warning


def test_a_keytab_cut_anywhere_raises_only_what_the_check_expects() -> None:
    whole = keytab_of(SERVICE, "host/recordings.example.edu@EXAMPLE.EDU")
    assert list(read_principals(whole)) == [SERVICE, "host/recordings.example.edu@EXAMPLE.EDU"]
    for end in range(len(whole)):
        try:
            names = list(read_principals(whole[:end]))
        except (ValueError, struct.error):
            continue
        assert set(names) <= {SERVICE, "host/recordings.example.edu@EXAMPLE.EDU"}


def test_a_deleted_entry_of_a_keytab_is_skipped() -> None:
    deleted = struct.pack(">i", -8) + bytes(8)
    whole = keytab_of(SERVICE)
    assert list(read_principals(whole[:2] + deleted + whole[2:])) == [SERVICE]


RULE = '\n[[grants]]\nname = "{name}"\nrecordings = ["*"]\naccount = "reviewer"\n{who}\n'


@pytest.mark.promise("kerberos-6", "rules-refusals")
@pytest.mark.parametrize(
    ("refused", "later", "warned"),
    [
        ('groups = ["students"]\nallow = false', 'subjects = ["*"]', True),
        ('groups = ["students"]\nsubjects = ["ben"]\nallow = false', 'subjects = ["anna"]', False),
        ('groups = ["students"]\nallow = false', 'subjects = ["anna"]', True),
        ('groups = ["students"]\nallow = false', 'subjects = ["campus#anna"]', False),
        ('subjects = ["ben"]\nallow = false', 'subjects = ["*"]', False),
        ('groups = ["students"]\nallow = false', 'groups = ["staff"]', False),
        ('groups = ["students"]', 'subjects = ["*"]', False),
    ],
)
def test_a_refusal_of_groups_warns_that_kerberos_names_none(
    tmp_path: Path, refused: str, later: str, warned: bool
) -> None:
    write_keytab(tmp_path, SERVICE)
    rules = RULE.format(name="no-students", who=refused) + RULE.format(name="others", who=later)
    reported = faults(tmp_path, PROVIDER + rules)
    reason = "refuses nobody who signs in by domain: Kerberos names no groups. List these people in subjects too."
    assert [one.partition(": ")[2] for one in reported] == [reason] * warned
