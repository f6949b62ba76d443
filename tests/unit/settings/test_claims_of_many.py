"""Claims by which many people would be one, and claims of one person that are read as groups."""

from pathlib import Path

import pytest

from tests.unit.settings.broken import OIDC, TICKET, identity
from tests.unit.settings.configurations import GOOD, load_text

pytestmark = pytest.mark.promise("security-S16")

TABLES = {"oidc": OIDC, "ticket": TICKET}
OF_MANY = ("appid", "tid", "hd", "idp", "org_id", "org_name", "tenant_id", "locale", "scope", "scp", "country")
WARNINGS = (
    *((kind, claim) for kind in ("jwt", "oidc") for claim in OF_MANY),
    *(("jwt", "azp"), ("oidc", "client_id"), ("oidc", "clientId")),
)
OF_ONE = ("name", "email", "nickname", "preferred_username", "upn")
RIGHT = (
    *(("jwt", claim) for claim in ("client_id", "clientId", "cid", "uid", "upn", "oid", "https://example.edu/tid")),
    *(("oidc", claim) for claim in ("cid", "uid", "upn", "oid", "eppn")),
    *(("ticket", claim) for claim in ("tid", "client_id", "idp")),
)


def subject_claim(kind: str, claim: str) -> str:
    line = f'subject_claim = "{claim}"'
    return identity(line) if kind == "jwt" else f'{GOOD}{TABLES[kind]}{line}\n[state]\ndir = "state"\n'


@pytest.mark.parametrize(("kind", "claim"), WARNINGS)
def test_a_claim_that_many_people_have_is_a_warning_with_its_line(tmp_path: Path, kind: str, claim: str) -> None:
    loaded = load_text(tmp_path, subject_claim(kind, claim))
    assert loaded.faults == ()
    key = f"identity.{int(kind != 'jwt')}.subject_claim"
    assert [warning.key for warning in loaded.warnings if warning.line is not None] == [key]


@pytest.mark.parametrize(("kind", "claim"), RIGHT)
def test_a_claim_of_a_person_or_a_program_is_no_warning(tmp_path: Path, kind: str, claim: str) -> None:
    loaded = load_text(tmp_path, subject_claim(kind, claim))
    assert (loaded.faults, loaded.warnings) == ((), ())


@pytest.mark.parametrize(("kind", "claim"), [(kind, claim) for kind in ("jwt", "oidc") for claim in OF_ONE])
def test_a_persons_own_claim_as_the_groups_is_a_warning_with_its_line(tmp_path: Path, kind: str, claim: str) -> None:
    loaded = load_text(
        tmp_path, subject_claim(kind, "sub").replace('subject_claim = "sub"', f'groups_claim = "{claim}"')
    )
    assert loaded.faults == ()
    key = f"identity.{int(kind != 'jwt')}.groups_claim"
    assert [warning.key for warning in loaded.warnings if warning.line is not None] == [key]


@pytest.mark.parametrize("kind", TABLES)
def test_the_party_that_the_token_is_for_as_the_person_is_a_fault(tmp_path: Path, kind: str) -> None:
    loaded = load_text(tmp_path, subject_claim(kind, "azp"))
    assert [(fault.key, fault.line is not None) for fault in loaded.faults] == [("identity.1.subject_claim", True)]
