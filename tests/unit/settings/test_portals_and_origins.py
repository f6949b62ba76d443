"""Tickets that are tokens too, each with the nearest ones that are none."""

from pathlib import Path

import pytest

from tests.unit.settings.broken import TICKET
from tests.unit.settings.configurations import load_text
from tests.unit.settings.test_identity_doubts import HS256, SECRET, ticket

pytestmark = pytest.mark.promise("security-S16")

OWN = "https://recordings.example.edu"
PORTAL = "https://portal.example.edu"


def tickets(issuer: str = PORTAL, audience: str = OWN, more: str = "", table: str = TICKET) -> str:
    """A provider of tokens with *issuer* and *audience*, and one of tickets with *more*."""
    text = ticket(more, table=table)
    return text.replace("https://sso.example.edu", issuer).replace('"valt-gateway"', f'"{audience}"')


WARNINGS = {
    **{
        f"tickets as tokens, {what}": (text, "identity.0.audience")
        for what, text in (
            ("by the default audience", tickets()),
            ("by an audience that is written", tickets(audience="urn:recordings", more='audience = "urn:recordings"')),
            ("by an issuer with a slash", tickets(f"{PORTAL}/").replace(f'"{PORTAL}"', f'"{PORTAL}/"')),
            ("in a header of their own", tickets().replace('"jwt"\n', '"jwt"\nheader = "X-Portal-Token"\n')),
            ("by one algorithm", tickets().replace('"jwt"\n', '"jwt"\nalgorithms = ["EdDSA", "RS256"]\n')),
        )
    },
}
RIGHT = {
    "tickets of another audience": tickets(audience="valt-gateway"),
    "tickets of another issuer": tickets("https://sso.example.edu"),
    "tickets of an audience with a slash": tickets(audience=f"{OWN}/"),
    "tickets of an issuer with a slash": tickets(f"{PORTAL}/"),
    "tickets whose audience is written": tickets(more='audience = "urn:recordings"'),
    "tickets of another algorithm": tickets().replace('"jwt"\n', '"jwt"\nalgorithms = ["RS256"]\n'),
    "tickets by a secret": tickets(table=f'{HS256}secret = "{SECRET}"\n'),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_tickets_that_are_tokens_too_are_a_warning_with_its_line(tmp_path: Path, name: str) -> None:
    text, key = WARNINGS[name]
    loaded = load_text(tmp_path, text)
    assert loaded.faults == ()
    assert [warning.key for warning in loaded.warnings if warning.line is not None] == [key]
    assert "planted" not in repr(loaded.warnings)


@pytest.mark.parametrize("name", RIGHT)
def test_tickets_that_are_no_tokens_are_neither_fault_nor_warning(tmp_path: Path, name: str) -> None:
    loaded = load_text(tmp_path, RIGHT[name])
    assert (loaded.faults, loaded.warnings) == ((), ())
