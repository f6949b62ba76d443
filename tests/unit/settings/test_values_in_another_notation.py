"""Globs, paths, secrets and tables written as another program wants them; each has a neighbour that is right."""

from pathlib import Path

import pytest

from tests.unit.settings.broken import HEADER, TICKET, grant
from tests.unit.settings.configurations import GOOD, PORTAL_KEY, load_text

pytestmark = pytest.mark.promise("security-S16")

SECRET = "planted-0a1b2c3d4e5f6g7h8i9j0k-planted"
WARNINGS = {
    "a password in quotes": (
        GOOD.replace('"planted-password"', """'"planted-password"'"""),
        "valt.accounts.reviewer.password",
    ),
    **{
        f"a secret that begins with {begin}": (GOOD + f'[admin]\ntoken = "{begin}{SECRET}"\n', "admin.token")
        for begin in ("Bearer ", "ADMIN_TOKEN=", "export valt_password = ")
    },
    **{
        f"a path with {part}": (GOOD + f'[audit]\nfile = "audit-{part}.jsonl"\n', "audit.file")
        for part in ("%Y-%m-%d", "{worker}", "{}")
    },
    **{
        f"{glob} as a glob of {key}": (grant(f"{key} = ['{glob}']"), f"grants.0.{key}")
        for key, glob in (
            *(("rooms", "^Room 3"), ("rooms", ".*Room"), ("rooms", "Room [^0-9]*")),
            *(("names", ".+"), ("names", r"S\d+"), ("names", r"\d\d.05"), ("authors", "{anna,carl}")),
        )
    },
    "ids that begin otherwise": (GOOD.replace('["*"]', '["[^1]*"]'), "grants.0.recordings"),
    "an expression as a template's glob": (grant("template = { course = '^PSY' }"), "grants.0.template.course"),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_a_value_in_another_notation_is_a_warning_with_its_line(tmp_path: Path, name: str) -> None:
    text, key = WARNINGS[name]
    loaded = load_text(tmp_path, text)
    assert loaded.faults == ()
    assert [warning.key for warning in loaded.warnings if warning.line is not None] == [key]
    assert "planted" not in repr(loaded)


@pytest.mark.parametrize(
    "text",
    [
        grant('rooms = ["Room 3*", "Room [A-C]", "Room [!0-9]*", "a.b (c) $5", "{x}", "Dr.*", "1.?"]'),
        grant("authors = ['CAMPUS\\dave', 'CAMPUS\\s*']\ntemplate = { course = '6.*' }"),
        GOOD.replace('["*"]', '["[!1]*"]'),
        GOOD + '[audit]\nfile = "100% M%C3%BCller {3F25-04E0}.jsonl"\n',
        GOOD + HEADER + f'secret_header = "Authorization"\nsecret = "Bearer {SECRET}"\n',
        GOOD.replace("planted-password", "Monkey=1x"),
        GOOD.replace("planted-password", "ABC123=="),
        GOOD.replace("planted-password", "it's 'planted'!"),
    ],
)
def test_a_text_that_is_meant_as_it_stands_is_no_warning(tmp_path: Path, text: str) -> None:
    loaded = load_text(tmp_path, text)
    assert (loaded.faults, loaded.warnings) == ((), ())


def test_a_text_before_a_portals_key_is_no_warning(tmp_path: Path) -> None:
    (tmp_path / "portal.pub").write_text(f"The portal's key\n{PORTAL_KEY}")
    portal = TICKET.replace("public_key = ", "public_key_file = 'portal.pub' # ") + '\n[state]\ndir = "state"\n'
    loaded = load_text(tmp_path, GOOD + portal)
    assert (loaded.faults, loaded.warnings) == ((), ())


@pytest.mark.parametrize(
    ("text", "key", "table"),
    [
        (f"workers = 2\n{GOOD}", "workers", "server"),
        (f'{GOOD}[people]\nanna = "asmith"\n', "people", "valt"),
        (f'{GOOD}[accounts.trainee]\nusername = "t"\npassword = "planted"\n', "accounts", "valt"),
    ],
    ids=["key", "table", "tables"],
)
def test_a_key_outside_its_table_is_a_fault_that_names_the_table(
    tmp_path: Path, text: str, key: str, table: str
) -> None:
    (fault,) = load_text(tmp_path, text).faults
    assert (fault.key, fault.remedy) == (key, f"does it belong in [{table}]?")
    assert "planted" not in str(fault)
