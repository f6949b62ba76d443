"""Clients as the vendor's modules are: what works against VALT works through the gateway, with the same results."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.sim.catalogue import ACCENTS, ACCENTS_FILM, CAMERA_A, INTERVIEW, INTERVIEW_FILM, SESSION
from gateway.sim.valt import USERS
from tests.support.clock import ManualClock
from tests.support.configuration import grant
from tests.support.gateway_fixture import GatewayStack, running_stack, settings_of
from tests.support.service_keys import service_key
from tests.support.vendor_client import RETRY, VendorClient

SECRET = "vgk_planted-vendor-key"
GRANTS = grant("archive", groups=["archive"]) + grant("rooms", groups=["rooms"], rooms=["Room *"])
KEYS = service_key("archive", SECRET, "archive")
MANNERS = (2, 3, 4)


@pytest.fixture
async def stack(tmp_path: Path, clock: ManualClock) -> AsyncIterator[GatewayStack]:
    """A gateway whose public_url is its real address, so that the links in responses work."""
    async with running_stack(tmp_path, clock=clock, grants=GRANTS, more=KEYS) as stack:
        text = stack.config.read_text().replace('"http://localhost:8080"', f'"{stack.url}"')
        stack.config.write_text(text)
        assert await stack.gateway.reload(settings_of(stack.config))
        yield stack


def through_the_gateway(stack: GatewayStack, manner: int) -> VendorClient:
    return VendorClient(stack.url, "archive", SECRET, manner)


def against_valt(stack: GatewayStack, manner: int) -> VendorClient:
    return VendorClient(stack.valt.base_url, "svc-reviewer", USERS["svc-reviewer"], manner)


def work(client: VendorClient, recording: str, video: str) -> dict[str, Any]:
    """Does what the modules do in the course of a day."""
    client.log_in()
    return {
        "version": client.version,
        "search": client.search(search="e"),
        "since": client.search(start_date="01-01-2020"),
        "both": client.search(search="e", start_date="01-01-2020"),
        "nothing": client.search(search="no such recording"),
        "remarks": client.remarks(recording),
        "room": client.room(37),
        "rooms": client.call("GET", "rooms/info"),
        "film": client.download(recording, video),
        "errors": client.errors,
        "alive": client.is_alive,
    }


@pytest.mark.promise("valt-V1", "valt-V2", "valt-V3")
@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize(
    ("version", "recording", "video"),
    [("6.5.1", INTERVIEW, INTERVIEW_FILM), ("5.7.2", ACCENTS, ACCENTS_FILM), ("6.4", SESSION, CAMERA_A)],
)
async def test_a_client_gets_through_the_gateway_what_it_gets_from_valt(
    stack: GatewayStack, manner: int, version: str, recording: str, video: str
) -> None:
    stack.valt.knobs.version = version
    stack.valt.knobs.recording_now[37] = (SESSION, 12.5)
    direct = await asyncio.to_thread(work, against_valt(stack, manner), recording, video)
    through = await asyncio.to_thread(work, through_the_gateway(stack, manner), recording, video)
    assert through == direct
    assert through["version"] == version
    assert (through["errors"], through["alive"]) == ([], True)
    assert through["room"] == ("Room 1", SESSION)


@pytest.mark.promise("valt-V1")
@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("status", [401, 403, 404, 500])
async def test_a_client_survives_an_account_to_which_valt_refuses_its_version(
    stack: GatewayStack, manner: int, status: int
) -> None:
    stack.valt.knobs.refuse["general"] = status
    client = through_the_gateway(stack, manner)
    await asyncio.to_thread(client.log_in)
    assert (client.version, client.errors) == ("6.0.0", [])
    assert await asyncio.to_thread(client.search, search="interview") == ["Interview 12"]


@pytest.mark.promise("valt-V1")
@pytest.mark.parametrize("manner", MANNERS)
async def test_calls_that_are_not_offered_are_valts_404(stack: GatewayStack, manner: int) -> None:
    client = through_the_gateway(stack, manner)
    assert await asyncio.to_thread(client.call, "GET", "rooms/37/status") is None
    assert client.errors == [404]
    # The older modules do nothing more after that until their next login, also with VALT itself.
    assert client.is_alive is (manner == 4)


@pytest.mark.parametrize("manner", MANNERS)
async def test_a_client_without_permission_recovers_at_its_next_login(stack: GatewayStack, manner: int) -> None:
    client = through_the_gateway(stack, manner)
    client.password = "wrong"
    await asyncio.to_thread(client.log_in)
    assert client.errors == [401]
    assert not client.is_alive
    client.password, client.now = SECRET, client.now + RETRY
    assert await asyncio.to_thread(client.search, search="interview") == ["Interview 12"]
    assert client.errors == [401]
