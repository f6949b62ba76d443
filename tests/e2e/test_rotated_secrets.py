"""Secrets that were changed are read again at a reload, and nothing that runs is cut by it."""

from base64 import b64encode
from pathlib import Path

import pytest

from tests.support.gateway_fixture import VIDEO_PATH, GatewayStack, running_stack, settings_of

CONFIDENTIAL = """
[[identity]]
type = "oidc"
name = "campus-login"
issuer = "{issuer}"
client_id = "gateway-client"
client_secret_file = "client-secret"
"""


async def status(stack: GatewayStack, path: str = VIDEO_PATH) -> int:
    async with stack.client.get(stack.url + path, headers=stack.bearer("anna")) as answer:
        await answer.read()
        return answer.status


@pytest.mark.promise("operation-passwords")
async def test_a_new_password_of_valt_counts_from_the_next_reload(stack: GatewayStack) -> None:
    stack.valt.add_video("long", "film", bytes(64 * 1024 * 1024))
    stack.valt.add_video("other", "film", bytes(1000))
    async with stack.client.get(f"{stack.url}/recordings/long/videos/film", headers=stack.bearer("anna")) as stream:
        await stream.content.readexactly(1000)
        stack.valt.users["svc-reviewer"] = "the new password"
        (stack.folder / "valt-reviewer").write_text("the new password\n")
        before = stack.valt.calls["login"]
        assert await stack.gateway.reload(settings_of(stack.config))
        assert await status(stack, "/recordings/other/videos/film") == 200
        assert stack.valt.calls["login"] == before + 1
        await stream.content.readexactly(1000)
        (stack.folder / "valt-reviewer").write_text("a wrong password\n")
        assert await stack.gateway.reload(settings_of(stack.config))
        assert await status(stack, "/recordings/other/videos/film?again") == 502
        await stream.content.readexactly(1000)


@pytest.mark.promise("operation-passwords")
async def test_a_new_client_secret_counts_from_the_next_reload(tmp_path: Path) -> None:
    (tmp_path / "client-secret").write_text("first")
    async with running_stack(tmp_path, more=CONFIDENTIAL) as stack:
        for secret in ("first", "second"):
            (tmp_path / "client-secret").write_text(secret)
            assert await stack.gateway.reload(settings_of(stack.config))
            assert await stack.sign_in()
            assert (
                stack.provider.authorizations[-1] == "Basic " + b64encode(f"gateway-client:{secret}".encode()).decode()
            )
