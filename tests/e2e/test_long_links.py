"""Tickets and codes as long as providers make them."""

from pathlib import Path

import pytest

from tests.e2e.deploy.test_fronts import MANY_GROUPS
from tests.e2e.test_sign_out_at_the_provider import WITH_STATE
from tests.support.gateway_fixture import NAVIGATION, VIDEO_PATH, running_stack


@pytest.mark.promise("identity-I7")
async def test_a_ticket_with_many_groups_and_a_long_code_sign_people_in(tmp_path: Path) -> None:
    async with running_stack(tmp_path, more=WITH_STATE) as stack:
        cookie = await stack.sign_in("ben", *MANY_GROUPS, "supervisors", code="c" * 4_100)
        async with stack.client.get(stack.url + VIDEO_PATH, headers=cookie) as response:
            assert response.status == 200
        ticket = stack.ticket("anna", "supervisors", *MANY_GROUPS)
        assert len(ticket) > 4_500
        address = f"{stack.url}{VIDEO_PATH}?ticket={ticket}"
        async with stack.client.get(address, headers=NAVIGATION, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, VIDEO_PATH)
