"""A portal changes its key while people follow its links."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from gateway.sim.demo_configuration import make_portal_key
from tests.support.gateway_fixture import NAVIGATION, VIDEO_PATH, GatewayStack, running_stack, settings_of


async def use_keys(stack: GatewayStack, names: Iterable[str]) -> None:
    """Makes the gateway accept the keys in the files *names*."""
    lines = stack.config.read_text().splitlines()
    remaining = [line for line in lines if not line.startswith("public_key")]
    at = remaining.index('type = "ticket"') + 1
    remaining.insert(at, f"public_key_files = [{', '.join(map(repr, names))}]".replace("'", '"'))
    stack.config.write_text("\n".join(remaining) + "\n")
    await stack.gateway.reload(settings_of(stack.config))


@pytest.mark.promise("identity-keys")
async def test_old_and_new_tickets_work_while_the_key_changes_and_each_is_used_once(tmp_path: Path) -> None:
    async with running_stack(tmp_path) as stack:
        keys = {"old.pub": stack.portal_key}
        (tmp_path / "portal.pub").rename(tmp_path / "old.pub")
        for name in ("new.pub", "strange.pub"):
            keys[name] = make_portal_key(tmp_path)
            (tmp_path / "portal.pub").rename(tmp_path / name)

        async def status(key: str, ticket: str = "", **more: str) -> int:
            stack.portal_key = keys[key]
            address = f"{stack.url}{VIDEO_PATH}?ticket={ticket or stack.ticket()}"
            async with stack.client.get(address, headers=more, allow_redirects=False) as answer:
                await answer.read()
                return answer.status

        for accepted in (["old.pub"], ["old.pub", "new.pub"], ["new.pub", "old.pub"], ["new.pub"]):
            await use_keys(stack, accepted)
            for key in keys:
                assert await status(key) == (200 if key in accepted else 401), (accepted, key)

        await use_keys(stack, ["old.pub", "new.pub"])
        ticket = stack.ticket()
        assert await status("old.pub", ticket) == 401, "it is signed with the strange key"
        for key in ("old.pub", "new.pub"):
            stack.portal_key = keys[key]
            ticket = stack.ticket()
            assert await status(key, ticket) == 200
            assert await status(key, ticket) == 401


@pytest.mark.promise("identity-keys")
async def test_a_session_of_a_ticket_goes_on_after_its_key_has_been_removed(tmp_path: Path) -> None:
    async with running_stack(tmp_path) as stack:
        address = f"{stack.url}{VIDEO_PATH}?ticket={stack.ticket()}"
        async with stack.client.get(address, headers=NAVIGATION, allow_redirects=False) as answer:
            cookie = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
        stack.portal_key = make_portal_key(tmp_path)
        (tmp_path / "portal.pub").rename(tmp_path / "new.pub")
        await use_keys(stack, ["new.pub"])
        async with stack.client.get(stack.url + VIDEO_PATH, headers=cookie) as answer:
            assert answer.status == 200
