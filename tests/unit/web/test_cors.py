"""Portals on another site, as far as they are listed."""

from pathlib import Path

from tests.support.gateway_fixture import NAVIGATION, VIDEO_PATH, running_stack

PUBLIC = "https://recordings.example.edu"
LISTED = "https://portal.elsewhere.example"
SERVER = f'cors_origins = ["{LISTED}"]\n'
PREFLIGHT = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "range"}


async def test_a_listed_origin_may_read_and_is_named(tmp_path: Path) -> None:
    async with running_stack(tmp_path, server=SERVER, public=PUBLIC) as stack:
        headers = stack.bearer() | {"Origin": LISTED}
        async with stack.client.get(stack.url + VIDEO_PATH, headers=headers) as answer:
            await answer.read()
    assert answer.headers["Access-Control-Allow-Origin"] == LISTED
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "Origin" in answer.headers["Vary"]


async def test_a_stranger_is_told_nothing(tmp_path: Path) -> None:
    async with running_stack(tmp_path, server=SERVER, public=PUBLIC) as stack:
        headers = stack.bearer() | {"Origin": "https://evil.test"}
        async with stack.client.get(stack.url + VIDEO_PATH, headers=headers) as answer:
            await answer.read()
        async with stack.client.options(stack.url + VIDEO_PATH, headers=PREFLIGHT | {"Origin": "null"}) as refused:
            assert refused.status == 405
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_without_the_setting_no_origin_is_spoken_of(tmp_path: Path) -> None:
    async with running_stack(tmp_path) as stack:
        headers = stack.bearer() | {"Origin": LISTED}
        async with stack.client.get(stack.url + VIDEO_PATH, headers=headers) as answer:
            await answer.read()
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-site"


async def test_a_preflight_allows_a_range_without_asking_who_it_is(tmp_path: Path) -> None:
    async with running_stack(tmp_path, server=SERVER, public=PUBLIC) as stack:
        async with stack.client.options(stack.url + VIDEO_PATH, headers=PREFLIGHT | {"Origin": LISTED}) as answer:
            assert answer.status == 204
        assert "Range" in answer.headers["Access-Control-Allow-Headers"]
        assert answer.headers["Access-Control-Allow-Origin"] == LISTED
        assert not stack.valt.calls


async def test_sessions_for_an_embedded_player_are_partitioned(tmp_path: Path) -> None:
    async with running_stack(tmp_path, server=SERVER, public=PUBLIC) as stack:
        path = f"{VIDEO_PATH}?ticket={stack.ticket(audience=PUBLIC)}"
        async with stack.client.get(stack.url + path, headers=NAVIGATION, allow_redirects=False) as answer:
            attributes = answer.headers["Set-Cookie"].split("; ")
    assert {"SameSite=None", "Partitioned", "Secure"} <= set(attributes)
