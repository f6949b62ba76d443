"""The examples that portals' developers copy: those that can be run here are run, and let in."""

import sys
from pathlib import Path

import pytest

from tests.support.gateway_fixture import NAVIGATION, PORTAL, PUBLIC, GatewayStack
from tests.support.programs import run

EXAMPLES = Path(__file__).parents[2] / "docs" / "tickets"
RUN = {"ticket.py": sys.executable, "ticket.mjs": "node", "ticket.php": "php"}


@pytest.mark.promise("sign-in-17")
def test_every_example_that_can_be_run_is_run() -> None:
    assert {path.name for path in EXAMPLES.iterdir()} - {"Ticket.cs"} == set(RUN)


@pytest.mark.promise("sign-in-17")
@pytest.mark.parametrize("example", RUN)
async def test_a_ticket_made_by_the_example_lets_in(stack: GatewayStack, tmp_path: Path, example: str) -> None:
    key = tmp_path / "portal.key"
    key.write_text(stack.portal_key)
    recording = stack.valt.recordings[0].recording
    made = await run(RUN[example], str(EXAMPLES / example), str(key), PUBLIC, PORTAL, "anna", recording)
    assert made.code == 0, made.err
    path = made.out.decode().strip().removeprefix(PUBLIC)
    async with stack.client.get(stack.url + path, headers=NAVIGATION, allow_redirects=False) as answer:
        assert answer.status == 303
        assert answer.headers["Location"] == f"/recordings/{recording}"
