"""Headers of fronts that name not one person, or no groups, and how products list groups, each with right ones."""

from pathlib import Path

import pytest

from tests.unit.settings.configurations import load_text
from tests.unit.settings.test_identity_doubts import front

pytestmark = pytest.mark.promise("security-S16")

SUBJECTS = (
    *("X-authentik-name", "Remote-Name", "X-Forwarded-Name", "displayName", "givenName", "X-WEBAUTH-NAME", "sn"),
    *("Oidc-Claim-Name", "Oidc-Claim-Family-Name", "Remote-Groups", "X-Forwarded-Roles", "memberOf"),
    *("X-MS-CLIENT-PRINCIPAL-IDP", "X-Oidc-Claim-Hd", "X-SSL-Client-Verify", "X-Client-Cert-Issuer", "X-Tenant"),
)
GROUPS = (
    *("Remote-Email", "Remote-User", "X-Forwarded-Preferred-Username", "X-Forwarded-User", "X-authentik-name"),
    *("Remote-Name", "mail", "eppn", "X-Auth-Request-Email"),
)
RIGHT = {
    **{
        f"{subject} and {groups}": (f'subject_header = "{subject}"', f'groups_header = "{groups}"')
        for subject, groups in (
            ("Remote-User", "Remote-Groups"),
            ("X-User-Name", "X-User-Groups"),
            ("X-WEBAUTH-USER", "X-WEBAUTH-ROLE"),
            ("X-MS-Client-Principal-Name", "X-Roles"),
            ("X-Goog-Authenticated-User-Email", "X-Teams"),
            ("X-SSL-Client-S-DN", "X-Client-Groups"),
            ("X-SSL-Client-CN", "X-Campus-Roles"),
            ("eppn", "X-Entitlements-Of-Names"),
            ("X-Account-Name", "X-Membership"),
            ("X-Logon-Name", "X-Group-Name"),
            ("X-Unique-Name", "X-Role-Name"),
            ("X-Remote-User-Name", "X-Team-Name"),
        )
    },
    "authentik with its separator": (
        'subject_header = "X-authentik-username"',
        'groups_header = "X-authentik-groups"',
        'groups_separator = "|"',
    ),
    "mod_shib with its separator": (
        'subject_header = "eppn"',
        'groups_header = "isMemberOf"',
        'groups_separator = ";"',
    ),
    "mod_shib with a delimiter of the site": (
        'subject_header = "eppn"',
        'groups_header = "isMemberOf"',
        'groups_separator = ","',
    ),
}
SEPARATORS = {
    "authentik by default": ("X-authentik-groups",),
    "authentik with a comma": ("X-authentik-groups", 'groups_separator = ","'),
    "mod_shib by default": ("isMemberOf",),
    "mod_auth_mellon by default": ("Mellon-Groups",),
}


@pytest.mark.parametrize("header", SUBJECTS)
def test_a_header_that_names_no_single_account_is_a_warning_as_the_subject(tmp_path: Path, header: str) -> None:
    loaded = load_text(tmp_path, front(f'subject_header = "{header}"', 'groups_header = "X-Team"'))
    assert loaded.faults == ()
    assert [one.key for one in loaded.warnings if one.line is not None] == ["identity.1.subject_header"]


@pytest.mark.parametrize("header", GROUPS)
def test_a_header_that_names_the_person_is_a_warning_as_the_groups(tmp_path: Path, header: str) -> None:
    loaded = load_text(tmp_path, front('subject_header = "X-Account"', f'groups_header = "{header}"'))
    assert loaded.faults == ()
    assert [one.key for one in loaded.warnings if one.line is not None] == ["identity.1.groups_header"]


@pytest.mark.parametrize("name", SEPARATORS)
def test_groups_that_a_product_separates_otherwise_are_a_warning(tmp_path: Path, name: str) -> None:
    header, *more = SEPARATORS[name]
    loaded = load_text(tmp_path, front('subject_header = "X-Account"', f'groups_header = "{header}"', *more))
    assert loaded.faults == ()
    assert [one.key for one in loaded.warnings if one.line is not None] == ["identity.1.groups_header"]


@pytest.mark.parametrize("name", RIGHT)
def test_a_header_of_an_account_and_one_of_groups_are_no_warning(tmp_path: Path, name: str) -> None:
    loaded = load_text(tmp_path, front(*RIGHT[name]))
    assert (loaded.faults, loaded.warnings) == ((), ())
