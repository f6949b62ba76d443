"""Rules by networks behind a trusted proxy, in decisions and in lists."""

from pathlib import Path

import pytest

from tests.support.configuration import grant
from tests.support.gateway_fixture import VIDEO_PATH, running_stack

PROXY = 'trusted_proxies = ["127.0.0.1/32"]'
RULES = grant("inside", groups=["supervisors"], networks=["127.0.0.0/8", "fd00::/8"])


@pytest.mark.promise("identity-I12")
async def test_the_clients_own_address_decides_in_every_form(tmp_path: Path) -> None:
    async with running_stack(tmp_path, grants=RULES, server=PROXY) as stack:
        for forwarded, inside in (
            ("127.0.0.9", True),
            ("127.0.0.9:4711, 127.0.0.1", True),
            ('"[fd00::7]:4711"', True),
            ("::ffff:127.0.0.9", True),
            ("203.0.113.7", False),
            ("127.0.0.9, 203.0.113.7:80", False),
            ("unknown", False),
            ("127.0.0.9 x", False),
            ("x, 127.0.0.1", False),
        ):
            headers = stack.bearer() | {"X-Forwarded-For": forwarded}
            async with stack.client.get(stack.url + VIDEO_PATH, headers=headers) as answer:
                assert answer.status == (200 if inside else 403), forwarded
            async with stack.client.get(f"{stack.url}/recordings", headers=headers) as answer:
                assert bool((await answer.json())["total"]) is inside, forwarded
            async with stack.client.get(f"{stack.url}/oauth2/auth", headers=headers) as answer:
                assert answer.status == 202, forwarded
            path = {"X-Original-URI": VIDEO_PATH}
            async with stack.client.get(f"{stack.url}/oauth2/auth", headers=headers | path) as answer:
                assert answer.status == (202 if inside else 403), forwarded
