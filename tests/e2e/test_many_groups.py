"""People in many groups: as many as Entra ID lists in a token, and more than a cookie has room for."""

import asyncio
import uuid
from pathlib import Path

import pytest

from tests.e2e.test_sign_out_at_the_provider import WITH_STATE
from tests.support.gateway_fixture import GRANTS, NAVIGATION, VIDEO_PATH, running_stack

GROUPS = [str(uuid.uuid5(uuid.NAMESPACE_DNS, f"group {number}")) for number in range(200)]
"""As many as Entra ID lists in a JWT (Microsoft, Configure group claims for applications)."""
RULE = '[[grants]]\nname = "courses"\ngroups = {groups!r}\nrecordings = ["*"]\naccount = "reviewer"\n\n'


@pytest.mark.promise("identity-I7")
async def test_an_id_token_with_two_hundred_groups_signs_the_person_in(tmp_path: Path) -> None:
    grants = RULE.format(groups=GROUPS[150:152]) + GRANTS
    async with running_stack(tmp_path, grants=grants, more=WITH_STATE) as stack:
        assert len(stack.provider.sign({"groups": GROUPS})) > 10_000
        cookie = await stack.sign_in("ben", *GROUPS)
        async with stack.client.get(stack.url + VIDEO_PATH, headers=cookie) as answer:
            assert answer.status == 200
        assert stack.audit()[-1]["groups"] == sorted(GROUPS[150:152])


async def test_who_is_in_too_many_groups_of_the_rules_is_403_with_a_page(tmp_path: Path) -> None:
    async with running_stack(tmp_path, grants=RULE.format(groups=GROUPS) + GRANTS, more=WITH_STATE) as stack:
        cookie = await stack.sign_in("ben", *GROUPS[:100])
        async with stack.client.get(stack.url + VIDEO_PATH, headers=cookie) as answer:
            assert answer.status == 200
        assert await stack.sign_in("ben", *GROUPS) == {}
        async with asyncio.timeout(20):
            while "do not fit into a session cookie" not in stack.log.getvalue():
                await asyncio.sleep(0.02)
        metrics = await stack.metrics()
        assert metrics['valt_gateway_requests_total{method="GET",route="/oauth2/callback",status="403"}'] == 1
        proof = stack.front("ben", ",".join(GROUPS)) | NAVIGATION
        async with stack.client.get(stack.url + VIDEO_PATH, headers=proof) as answer:
            assert answer.status == 200, "a proof of every request needs no room"
