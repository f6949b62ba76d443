"""CORS headers for the origins that are listed, and for no other."""

from pathlib import Path

from tests.support.gateway_fixture import NAVIGATION, VIDEO_PATH, running_stack

PUBLIC = "https://recordings.example.edu"
LISTED = "https://portal.elsewhere.example"
SERVER = f'cors_origins = ["{LISTED}"]\n'
PREFLIGHT = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "range"}


async def test_a_listed_origin_may_read_the_response(tmp_path: Path) -> None:
    async with running_stack(tmp_path, server=SERVER, public=PUBLIC) as stack:
        headers = stack.bearer() | {"Origin": LISTED}
        async with stack.client.get(stack.url + VIDEO_PATH, headers=headers) as response:
            await response.read()
    assert response.headers["Access-Control-Allow-Origin"] == LISTED
    assert response.headers["Access-Control-Allow-Credentials"] == "true"
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "Origin" in response.headers["Vary"]


async def test_a_listed_origin_reads_addresses_of_recordings_and_no_other(tmp_path: Path) -> None:
    recording, _, _ = VIDEO_PATH.partition("/videos/")
    readable = (VIDEO_PATH, recording, "/recordings", f"{recording}/captions.vtt", "/recordings/a_b/videos/c")
    others = ("/", "/oauth2/userinfo", "/oauth2/sign_out", "/oauth2/auth", "/docs", "/openapi.json", "/nothing")
    api = tuple(
        VIDEO_PATH.replace("/recordings", f"/api/v3/records{more}").replace("/videos", "") for more in ("/download", "")
    )
    async with running_stack(tmp_path, server=SERVER, public=PUBLIC) as stack:
        for path in (*readable, *others, *api):
            async with stack.client.get(stack.url + path, headers=stack.bearer() | {"Origin": LISTED}) as response:
                await response.read()
            assert ("Access-Control-Allow-Origin" in response.headers) == (path in readable), path
            assert "Origin" in response.headers.getall("Vary"), path


async def test_an_origin_that_is_not_listed_gets_no_cors_headers(tmp_path: Path) -> None:
    async with running_stack(tmp_path, server=SERVER, public=PUBLIC) as stack:
        headers = stack.bearer() | {"Origin": "https://evil.test"}
        async with stack.client.get(stack.url + VIDEO_PATH, headers=headers) as response:
            await response.read()
        async with stack.client.options(stack.url + VIDEO_PATH, headers=PREFLIGHT | {"Origin": "null"}) as refused:
            assert refused.status == 405
    assert "Access-Control-Allow-Origin" not in response.headers


async def test_without_the_setting_there_are_no_cors_headers(tmp_path: Path) -> None:
    async with running_stack(tmp_path) as stack:
        headers = stack.bearer() | {"Origin": LISTED}
        async with stack.client.get(stack.url + VIDEO_PATH, headers=headers) as response:
            await response.read()
    assert "Access-Control-Allow-Origin" not in response.headers
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-site"


async def test_a_preflight_allows_range_without_authentication(tmp_path: Path) -> None:
    async with running_stack(tmp_path, server=SERVER, public=PUBLIC) as stack:
        async with stack.client.options(stack.url + VIDEO_PATH, headers=PREFLIGHT | {"Origin": LISTED}) as response:
            assert response.status == 204
        assert "Range" in response.headers["Access-Control-Allow-Headers"]
        assert response.headers["Access-Control-Allow-Origin"] == LISTED
        assert not stack.valt.calls


async def test_sessions_for_an_embedded_player_are_partitioned(tmp_path: Path) -> None:
    async with running_stack(tmp_path, server=SERVER, public=PUBLIC) as stack:
        path = f"{VIDEO_PATH}?ticket={stack.ticket(audience=PUBLIC)}"
        async with stack.client.get(stack.url + path, headers=NAVIGATION, allow_redirects=False) as response:
            attributes = response.headers["Set-Cookie"].split("; ")
    assert {"SameSite=None", "Partitioned", "Secure"} <= set(attributes)
