"""Headers of fronts that another provider reads as something else, or that clients send, each with safe ones."""

from pathlib import Path

import pytest

from gateway.settings.loading import load
from tests.unit.settings.configurations import load_text, private
from tests.unit.settings.test_identity_doubts import SECRET, front, fronts

pytestmark = pytest.mark.promise("security-S16")

LOCK = f'secret_header = "X-Lock"\nsecret = "{SECRET}"\n'
OTHER_LOCK = f'secret_header = "X-Other-Lock"\nsecret = "{SECRET[::-1]}"\n'
BOTH_LOCKED = f'secret_header = "X-Lock"\nsecret = "{SECRET[::-1]}"\n'
GROUPS = "[valt.groups]\nsupervisors = 7\n"


def two(one: str, other: str, peers: tuple[str, str] = ('"10.0.0.5"', '"10.0.0.5"')) -> str:
    """Two header providers that both name their headers, with *one* in the first and *other* in the second."""
    written = "".join(
        f'{key} = "{name}"\n'
        for key, name in (("subject_header", "X-Other-User"), ("groups_header", "X-Other-Groups"))
        if key not in other
    )
    return fronts(*peers, f"{one}|{other}{written}")


FAULTS = {
    "a secret as another front's person": (
        two(LOCK, 'subject_header = "x-lock"\n'),
        "identity.2.subject_header",
        "is front's secret_header too: a secret would be read as a name",
    ),
    "a secret as another front's groups": (two(LOCK, 'groups_header = "X-Lock"\n'), "identity.2.groups_header", ""),
    "another front's person as a secret": (
        two('subject_header = "X-Lock"\n', LOCK),
        "identity.2.secret_header",
        "is front's subject_header too: a secret would be read as a name",
    ),
    "another front's default as a secret": (
        two("", LOCK.replace("X-Lock", "X-Forwarded-Groups")),
        "identity.2.secret_header",
        "",
    ),
    "a later front's default as a secret": (
        fronts(
            '"10.0.0.5"',
            '"10.0.0.5"',
            f'subject_header = "X-User"\ngroups_header = "X-Groups"\n{LOCK.replace("X-Lock", "X-Forwarded-User")}|',
        ),
        "identity.1.secret_header",
        "",
    ),
    "a secret as the person of a wider network": (
        two(LOCK, 'subject_header = "X-Lock"\n', ('"10.0.0.5"', '"10.0.0.0/28"')),
        "identity.2.subject_header",
        "",
    ),
}
WARNINGS = {
    "a person as another front's groups": (
        two('groups_header = "X-Team"\n', 'subject_header = "X-Team"\n'),
        "identity.2.subject_header",
    ),
    "groups as another front's person": (
        two('subject_header = "X-Team"\ngroups_header = "X-Groups"\n', 'groups_header = "x-team"\n'),
        "identity.2.groups_header",
    ),
    "the default of groups as another front's person": (
        two("", 'subject_header = "X-Forwarded-Groups"\n'),
        "identity.2.subject_header",
    ),
    "groups as a person by the same secret": (
        two(f'groups_header = "X-Team"\n{LOCK}', f'subject_header = "X-Team"\n{LOCK}'),
        "identity.2.subject_header",
    ),
    "groups as a person on one unix socket": (
        two('groups_header = "X-Team"\n', 'subject_header = "X-Team"\n', ('"unix"', '"unix"')).replace(
            '"0.0.0.0:8080"', '"unix:/run/gateway.sock"\ntrusted_proxies = ["unix"]'
        ),
        "identity.2.subject_header",
    ),
    **{
        f"groups of clients beside {header}": (front(f'subject_header = "{header}"'), "identity.1.groups_header")
        for header in ("Remote-User", "X-Auth-Request-User", "X-Amzn-Oidc-Identity", "X-Jwt-Claim-Sub")
    },
    "groups of clients by which VALT shares": (
        front('subject_header = "Remote-User"').replace(
            'groups = ["supervisors"]', 'subjects = ["anna"]\nshared_with_me = true'
        )
        + GROUPS,
        "identity.1.groups_header",
    ),
    "groups of clients that a rule refuses": (
        front('subject_header = "Remote-User"').replace("[[grants]]\n", "[[grants]]\nallow = false\n"),
        "identity.1.groups_header",
    ),
    **{
        f"groups of clients of {peers} besides the proxy of {one}": (
            fronts(one, peers, '|subject_header = "Remote-User"\n'),
            "identity.2.groups_header",
        )
        for one, peers in (
            ('"10.0.0.5"', '"10.0.0.6"'),
            ('"10.0.0.5"', '"10.0.0.5", "10.0.0.6"'),
            ('"10.0.0.5"', '"10.0.0.4/30"'),
        )
    },
    "groups of clients besides another secret's proxy": (
        fronts('"10.0.0.0/24"', '"10.0.0.0/23"', f'{LOCK}|subject_header = "Remote-User"\n{OTHER_LOCK}'),
        "identity.2.groups_header",
    ),
}
RIGHT = {
    "a secret and a person of two proxies": two(LOCK, 'subject_header = "X-Lock"\n', ('"10.0.0.5"', '"10.0.0.6"')),
    "a secret and a person who needs another secret": two(LOCK, f'subject_header = "X-Lock"\n{OTHER_LOCK}'),
    "groups and a person of two proxies": two(
        'groups_header = "X-Team"\n', 'subject_header = "X-Team"\n', ('"10.0.0.5", "unix"', '"10.0.0.0/30"')
    ),
    "groups and a person who needs a secret": two('groups_header = "X-Team"\n', f'subject_header = "X-Team"\n{LOCK}'),
    "groups and a person of two secrets in one header": two(
        f'groups_header = "X-Team"\n{LOCK}', f'subject_header = "X-Team"\n{BOTH_LOCKED}'
    ),
    "one header of groups for two people": two(
        'groups_header = "X-Team"\n', 'subject_header = "X-Other"\ngroups_header = "X-Team"\n'
    ),
    "a front by default": front(),
    "a front whose default is written": front('subject_header = "x-forwarded-user"'),
    **{
        f"{header} of oauth2-proxy": front(f'subject_header = "{header}"')
        for header in ("X-Forwarded-Email", "X-Forwarded-Preferred-Username")
    },
    "a front with both headers": front('subject_header = "Remote-User"', 'groups_header = "Remote-Groups"'),
    "a front whose default of groups is written": front(
        'subject_header = "Remote-User"', 'groups_header = "X-Forwarded-Groups"'
    ),
    "a front with groups alone": front('groups_header = "X-Forwarded-Roles"'),
    "a front without rules by groups": front('subject_header = "Remote-User"').replace(
        'groups = ["supervisors"]', 'subjects = ["anna"]'
    ),
    "a front and what VALT shares with people": front('subject_header = "Remote-User"').replace(
        'groups = ["supervisors"]', 'subjects = ["anna"]\nshared_with_me = true'
    )
    + "[valt.people]\nanna = 7\n",
    **{
        f"a second provider of {peers} of the proxies of {one} that send the groups": fronts(
            one, peers, '|subject_header = "Remote-User"\n'
        )
        for one, peers in (
            ('"10.0.0.5"', '"10.0.0.5"'),
            ('"10.0.0.5", "10.0.0.6"', '"10.0.0.6"'),
            ('"10.0.0.4/30"', '"10.0.0.5", "10.0.0.6"'),
        )
    },
    "a second provider of more peers of one proxy by its secret": fronts(
        '"10.0.0.0/24"', '"10.0.0.0/23"', f'{LOCK}|subject_header = "Remote-User"\n{LOCK}'
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_header_of_a_secret_that_is_a_name_elsewhere_is_a_fault(tmp_path: Path, name: str) -> None:
    text, key, reason = FAULTS[name]
    loaded = load_text(tmp_path, text)
    assert [fault.key for fault in loaded.faults] == [key]
    assert all(fault.line and fault.remedy and reason in fault.reason for fault in loaded.faults)
    assert "planted" not in repr(loaded.faults)


@pytest.mark.parametrize("name", WARNINGS)
def test_a_header_by_which_others_are_named_is_a_warning_with_its_line(tmp_path: Path, name: str) -> None:
    text, key = WARNINGS[name]
    loaded = load_text(tmp_path, text)
    assert loaded.faults == ()
    assert {warning.key for warning in loaded.warnings if warning.line is not None} == {key}
    assert "planted" not in repr(loaded.warnings)


@pytest.mark.parametrize("name", RIGHT)
def test_a_header_with_one_meaning_is_neither_fault_nor_warning(tmp_path: Path, name: str) -> None:
    loaded = load_text(tmp_path, RIGHT[name])
    assert (loaded.faults, loaded.warnings) == ((), ())


def test_secrets_that_are_not_read_are_no_reason_for_a_warning(tmp_path: Path) -> None:
    lock = 'secret_header = "X-Lock"\nsecret_file = "{}"\n'
    text = two(f'groups_header = "X-Team"\n{lock.format("one")}', f'subject_header = "X-Team"\n{lock.format("other")}')
    private(tmp_path / "gateway.toml", text)
    loaded = load(tmp_path / "gateway.toml", {}, needed_secrets=())
    assert (loaded.faults, loaded.warnings) == ((), ())
