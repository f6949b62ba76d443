"""Runs the examples for portals in docs/tickets as docs/portal.md says, and presents their tickets to a gateway."""

import sys
from pathlib import Path

import pytest

from tests.support import documents
from tests.support.gateway_fixture import NAVIGATION, PORTAL, PUBLIC, GatewayStack
from tests.support.programs import run

COMMANDS = {line.split()[0]: line.split() for line in documents.block("docs/portal.md", "tickets").splitlines()}


@pytest.mark.promise("sign-in-17")
def test_every_example_but_the_one_in_c_sharp_is_run() -> None:
    examples = {path.relative_to(documents.ROOT).as_posix() for path in (documents.ROOT / "docs/tickets").iterdir()}
    assert examples - {"docs/tickets/Ticket.cs"} == {words[1] for words in COMMANDS.values()}


@pytest.mark.promise("sign-in-17")
@pytest.mark.parametrize("language", COMMANDS)
async def test_the_gateway_accepts_the_ticket_of_an_example_once(
    stack: GatewayStack, tmp_path: Path, language: str
) -> None:
    key = tmp_path / "portal.key"
    key.write_text(stack.portal_key)
    recording = stack.valt.recordings[0].recording
    values = {"python": sys.executable, "portal.key": str(key), "$GATEWAY": PUBLIC, "$PORTAL": PORTAL}
    values |= {COMMANDS[language][1]: str(documents.ROOT / COMMANDS[language][1]), "$RECORDING": recording}
    minted = await run(*(values.get(word, word) for word in COMMANDS[language]))
    assert minted.code == 0, minted.err
    path = minted.out.decode().strip().removeprefix(PUBLIC)
    async with stack.client.get(stack.url + path, headers=NAVIGATION, allow_redirects=False) as response:
        assert response.status == 303
        assert response.headers["Location"] == f"/recordings/{recording}"
    async with stack.client.get(stack.url + path, headers={"Accept": "application/json"}) as response:
        assert (response.status, (await response.json(content_type=None))["code"]) == (401, "credentials_invalid")
