"""What a logout token ends, and whom it names, by claims that providers send for "none"."""

from typing import Any

import pytest

from gateway.errors import InvalidCredentialsError
from gateway.identity.claims import TokenRequirements
from gateway.identity.logout import Logout, read_logout, session_revocation_keys
from tests.support.provider import Provider, signing_key

ISSUER, NOW = "https://sso.example.edu", 1_000.0
KEY = signing_key("EdDSA")
EVENTS: dict[str, Any] = {"http://schemas.openid.net/event/backchannel-logout": {}}


def logout(subject_claim: str = "sub", **claims: Any) -> Logout:
    """Returns what a logout token of *claims* ends."""
    usual = {"iss": ISSUER, "aud": "client", "iat": int(NOW), "exp": int(NOW) + 60, "jti": "one", "events": EVENTS}
    expected = TokenRequirements(ISSUER, "client", ("EdDSA",), 30.0, subject_claim)
    header = {"alg": "EdDSA", "typ": "logout+jwt"}
    token = Provider(issuer=ISSUER, keys=[KEY]).sign({**usual, **claims}, headers=header)
    return read_logout(token, header, KEY.private.public_key(), expected, NOW)


@pytest.mark.parametrize("sid", [{}, {"sid": None}, {"sid": ""}], ids=str)
def test_a_session_whose_sid_is_no_text_ends_with_every_logout_of_the_person(sid: dict[str, Any]) -> None:
    session = set(session_revocation_keys(ISSUER, {"sub": "anna", **sid}))
    for claims in ({"sub": "anna"}, {"sub": "anna", "sid": "S"}, {"sub": "anna", **sid}):
        assert session & set(logout(**claims).revocation_keys), claims
    assert not session & set(logout(sid="S").revocation_keys)
    assert not session & set(logout(sub="ben", sid="S").revocation_keys)
    with pytest.raises(InvalidCredentialsError):
        logout(**sid)


def test_a_logout_names_the_person_by_the_configured_claim_alone() -> None:
    assert logout(sub="u-1").subject == "u-1"
    assert logout("preferred_username", sub="u-1", preferred_username="anna").subject == "anna"
    assert logout("preferred_username", sub="u-1").subject is None
