"""Runs the examples for portals in docs/tickets, and presents their tickets to a gateway."""

import sys
from pathlib import Path

import pytest

from tests.support.gateway_fixture import NAVIGATION, PORTAL, PUBLIC, GatewayStack
from tests.support.programs import run

EXAMPLES = Path(__file__).parents[2] / "docs" / "tickets"
RUN = {"ticket.py": sys.executable, "ticket.mjs": "node", "ticket.php": "php", "Ticket.java": "java"}


@pytest.mark.promise("sign-in-17")
def test_every_example_but_the_one_in_c_sharp_is_run() -> None:
    assert {path.name for path in EXAMPLES.iterdir()} - {"Ticket.cs"} == set(RUN)


@pytest.mark.promise("sign-in-17")
@pytest.mark.parametrize("example", RUN)
async def test_the_gateway_accepts_the_tickets_of_examples(stack: GatewayStack, tmp_path: Path, example: str) -> None:
    key = tmp_path / "portal.key"
    key.write_text(stack.portal_key)
    recording = stack.valt.recordings[0].recording
    minted = await run(RUN[example], str(EXAMPLES / example), str(key), PUBLIC, PORTAL, "anna", recording)
    assert minted.code == 0, minted.err
    path = minted.out.decode().strip().removeprefix(PUBLIC)
    async with stack.client.get(stack.url + path, headers=NAVIGATION, allow_redirects=False) as response:
        assert response.status == 303
        assert response.headers["Location"] == f"/recordings/{recording}"
