"""The examples that portals' developers copy: those that can be run here are run, and let in."""

import sys
from pathlib import Path

import pytest

from tests.support.harness import NAVIGATION, PORTAL, PUBLIC, House
from tests.support.programs import run

EXAMPLES = Path(__file__).parents[2] / "docs" / "tickets"
RUN = {"ticket.py": sys.executable, "ticket.mjs": "node", "ticket.php": "php"}


def test_every_example_that_can_be_run_is_run() -> None:
    assert {path.name for path in EXAMPLES.iterdir()} - {"Ticket.cs"} == set(RUN)


@pytest.mark.parametrize("example", RUN)
async def test_a_ticket_made_by_the_example_lets_in(home: House, tmp_path: Path, example: str) -> None:
    key = tmp_path / "portal.key"
    key.write_text(home.portal_key)
    recording = home.valt.recordings[0].recording
    made = await run(RUN[example], str(EXAMPLES / example), str(key), PUBLIC, PORTAL, "anna", recording)
    assert made.code == 0, made.err
    path = made.out.decode().strip().removeprefix(PUBLIC)
    async with home.client.get(home.url + path, headers=NAVIGATION, allow_redirects=False) as answer:
        assert answer.status == 303
        assert answer.headers["Location"] == f"/recordings/{recording}"
