"""When a Redis that is away must not be missed: by the settings, and by what was issued before."""

from collections.abc import Mapping

import pytest

from gateway.group_selection import GroupSelection
from gateway.identity.access_token import AccessTokens
from gateway.model import Identity, IdentityKind, Secret, Video
from gateway.readiness_faults import IssuedProofs, admits_by_state_alone, required_fault
from gateway.settings.model import Settings

JWT = {"type": "jwt", "name": "campus", "issuer": "https://idp.example.edu", "audience": "valt-gateway"}
HEADER = {"type": "header", "name": "front", "from": ["10.0.0.1"]}
TICKET = {"type": "ticket", "name": "portal", "issuer": "https://portal.example.edu", "public_key": "a key"}
OIDC = {"type": "oidc", "name": "login", "issuer": "https://idp.example.edu", "client_id": "gateway"}
KERBEROS = {
    "type": "negotiate",
    "name": "domain",
    "keytab_file": "http.keytab",
    "service": "HTTP@recordings.example.edu",
    "realms": ["EXAMPLE.EDU"],
}
KEY = {"name": "archive", "secret_sha256": "0" * 64}


def settings_with(*identity: Mapping[str, object], service_keys: tuple[Mapping[str, str], ...] = ()) -> Settings:
    return Settings.model_validate(
        {
            "server": {"listen": "127.0.0.1:8080", "public_url": "https://recordings.example.edu"},
            "valt": {"base_url": "https://valt.example.edu", "accounts": {"a": {"username": "a", "password": "b"}}},
            "identity": list(identity),
            "service_keys": list(service_keys),
        }
    )


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        ((TICKET,), True),
        ((OIDC,), True),
        ((KERBEROS,), True),
        ((TICKET, OIDC, KERBEROS), True),
        ((JWT,), False),
        ((HEADER,), False),
        ((TICKET, JWT), False),
        ((TICKET, HEADER), False),
        ((), False),
    ],
)
def test_redis_is_needed_where_everybody_presents_what_is_accepted_once(
    identity: tuple[Mapping[str, object], ...], expected: bool
) -> None:
    assert admits_by_state_alone(settings_with(*identity)) == expected


def test_a_service_key_needs_no_redis() -> None:
    assert not admits_by_state_alone(settings_with(TICKET, service_keys=(KEY,)))


@pytest.mark.parametrize(
    ("fault", "now", "expected"),
    [
        (None, 2000.0, None),
        ("Redis is away", 999.9, None),
        (
            "Redis is away",
            1000.0,
            "Redis is away: without it nobody can be admitted, and nobody has a session or link in use",
        ),
    ],
)
def test_it_must_not_be_missed_once_nothing_issued_before_is_valid(
    fault: str | None, now: float, expected: str | None
) -> None:
    assert required_fault(settings_with(TICKET), fault, 1000.0, now) == expected
    assert required_fault(settings_with(TICKET, JWT), fault, 1000.0, now) is None


def test_the_longest_of_what_was_issued_counts() -> None:
    issued = IssuedProofs()
    tokens = AccessTokens([Secret("s" * 32)], keep_groups=GroupSelection(), on_issue=issued.add)
    person = Identity("anna", "https://portal.example.edu", "portal", IdentityKind.TICKET)
    tokens.issue_for_video(person, Video("recording", "video"), 500.0, identified_at=500.0)
    issued.add(700.0)
    assert issued.valid_until == 500.0 + 3600.0
