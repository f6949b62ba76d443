"""Reloads that must not be applied: they would open a listener that runs, or their check fails unexpectedly."""

from pathlib import Path

import pytest

from gateway.cli.serve import apply_reload
from gateway.settings.loading import Loaded
from tests.support.gateway_fixture import GatewayStack
from tests.support.served import serving
from tests.support.worker_requests import WORKERS

pytestmark = pytest.mark.timeout(300)

TOKEN = 'token = "planted-token-that-nobody-guesses"\n'


@pytest.mark.promise("security-S16")
@pytest.mark.parametrize("workers", [1, 2])
async def test_the_token_of_a_listener_that_is_still_open_is_not_dropped(tmp_path: Path, workers: int) -> None:
    admin = f'listen = "0.0.0.0:0"\n{TOKEN}'
    async with serving(tmp_path, server=WORKERS if workers == 2 else "", admin=admin) as gateway:
        text = gateway.config.read_text()
        closed = text.replace('"0.0.0.0:0"', '"127.0.0.1:0"')
        gateway.config.write_text(closed.replace(TOKEN, ""))
        await gateway.reload("the old configuration stays in force")
        assert "fault: admin.listen" in gateway.log.read_text()
        async with gateway.client.get(f"{gateway.admin}/metrics") as answer:
            assert answer.status == 401
        gateway.config.write_text(closed)
        await gateway.reload()
        assert "admin.listen needs a restart" in gateway.log.read_text()


async def test_a_check_that_fails_unexpectedly_is_a_reload_that_failed(stack: GatewayStack) -> None:
    def read_again() -> Loaded:
        raise RuntimeError("planted")

    await apply_reload(stack.gateway, read_again)
    assert "RuntimeError: planted" in stack.log.getvalue()
    assert "the old configuration stays in force" in stack.log.getvalue()
    assert (await stack.metrics())['valt_gateway_config_reloads_total{outcome="failed"}'] == 1.0
