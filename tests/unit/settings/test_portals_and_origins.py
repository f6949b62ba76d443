"""Tickets, origins and names that let others than is meant in, each with the nearest ones that do not."""

from pathlib import Path

import pytest

from tests.unit.settings.broken import TICKET, server
from tests.unit.settings.configurations import GOOD, load_text, private
from tests.unit.settings.test_identity_doubts import HS256, SECRET, ticket

pytestmark = pytest.mark.promise("security-S16")

HOSTS = '[admin]\nhosts = ["recordings.example.edu"]\n'
OWN = "https://recordings.example.edu"
PORTAL = "https://portal.example.edu"
ON_THIS_MACHINE = ("http://localhost:3000", "https://127.0.0.1", "http://[::1]:8000", "https://portal.localhost")


def tickets(issuer: str = PORTAL, audience: str = OWN, more: str = "", table: str = TICKET) -> str:
    """A provider of tokens with *issuer* and *audience*, and one of tickets with *more*."""
    text = ticket(more, table=table)
    return text.replace("https://sso.example.edu", issuer).replace('"valt-gateway"', f'"{audience}"')


def origins(*lines: str, public: str = "recordings.example.edu") -> str:
    return server("\n".join(lines)).replace("recordings.example.edu", public)


def frames(origin: str) -> str:
    return f'[branding]\nframe_ancestors = ["{origin}"]\n'


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
    **{
        f"recordings for {origin}": (origins(f'cors_origins = ["{PORTAL}", "{origin}"]'), "server.cors_origins.1")
        for origin in ON_THIS_MACHINE
    },
    **{f"frames of {origin}": (GOOD + frames(origin), "branding.frame_ancestors.0") for origin in ON_THIS_MACHINE},
    "the public name at the admin listener": (GOOD + HOSTS, "admin.hosts"),
    "the public name among others": (
        GOOD + HOSTS.replace('["', '["gateway", "').replace("recordings", "Recordings"),
        "admin.hosts",
    ),
    "the public name at a unix socket": (GOOD + f'{HOSTS}listen = "unix:/run/admin.sock"\n', "admin.hosts"),
}
RIGHT = {
    "tickets of another audience": tickets(audience="valt-gateway"),
    "tickets of another issuer": tickets("https://sso.example.edu"),
    "tickets of an audience with a slash": tickets(audience=f"{OWN}/"),
    "tickets of an issuer with a slash": tickets(f"{PORTAL}/"),
    "tickets whose audience is written": tickets(more='audience = "urn:recordings"'),
    "tickets of another algorithm": tickets().replace('"jwt"\n', '"jwt"\nalgorithms = ["RS256"]\n'),
    "tickets by a secret": tickets(table=f'{HS256}secret = "{SECRET}"\n'),
    "a portal with the recordings": origins(f'cors_origins = ["{PORTAL}"]'),
    "a portal whose name begins like this machine's": origins(
        'cors_origins = ["https://localhost.example.edu", "https://mylocalhost"]'
    ),
    **{
        f"a gateway at {public}": origins('cors_origins = ["http://localhost:3000"]', public=public)
        + frames("http://localhost:3000")
        + HOSTS.replace("recordings.example.edu", public.partition(":")[0])
        for public in ("localhost:8443", "127.0.0.1:8443", "gateway.localhost")
    },
    "a frame of the portal": GOOD + frames(PORTAL),
    "another name at the admin listener": GOOD + HOSTS.replace("recordings", "gateway"),
    "the public name at the admin listener with a token": GOOD + f'{HOSTS}token_file = "token"\n',
    "the public address at the admin listener": (GOOD + HOSTS).replace("recordings.example.edu", "10.0.0.9"),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_what_lets_strangers_in_is_a_warning_with_its_line(tmp_path: Path, name: str) -> None:
    text, key = WARNINGS[name]
    loaded = load_text(tmp_path, text)
    assert loaded.faults == ()
    assert [warning.key for warning in loaded.warnings if warning.line is not None] == [key]
    assert "planted" not in repr(loaded.warnings)


@pytest.mark.parametrize("name", RIGHT)
def test_what_lets_the_portal_in_is_neither_fault_nor_warning(tmp_path: Path, name: str) -> None:
    private(tmp_path / "token", "planted-token-that-nobody-guesses\n")
    loaded = load_text(tmp_path, RIGHT[name])
    assert (loaded.faults, loaded.warnings) == ((), ())


def test_no_warning_recommends_to_let_a_viewers_own_machine_read_recordings(tmp_path: Path) -> None:
    for origin, remedy in (
        ("http://localhost:3000", "list the portal's own address"),
        ("https://portal.example.org", "add it to server.cors_origins"),
    ):
        (warning,) = load_text(tmp_path, ticket() + frames(origin)).warnings
        assert (warning.key, warning.remedy) == ("branding.frame_ancestors.0", remedy)


def test_a_gateway_for_development_still_hears_of_portals_on_another_site(tmp_path: Path) -> None:
    text = (ticket() + frames(PORTAL)).replace("recordings.example.edu", "localhost:8443")
    assert [warning.key for warning in load_text(tmp_path, text).warnings] == ["branding.frame_ancestors.0"]
