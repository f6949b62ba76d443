"""An exception in any function on the way of a decision never becomes a permission."""

import asyncio
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import gateway
from tests.support.client import connect, request
from tests.support.gateway_fixture import VIDEO_PATH, GatewayStack

ROOT = str(Path(gateway.__file__).parent)
SIMULATOR = str(Path(ROOT, "sim"))


class InjectedError(Exception):
    """The fault that is raised in place of a call."""


class FaultAtCall:
    """Raises InjectedError at the *number*-th call of one of the gateway's functions, counted from 1 at the arrival of
    the first bytes: a fault before that has no request."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.calls = 0

    def __enter__(self) -> "FaultAtCall":
        sys.settrace(self._on_call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _on_call(self, frame: FrameType, _event: str, _argument: Any) -> None:
        file = frame.f_code.co_filename
        if not self.calls and frame.f_code.co_name != "data_received":
            return
        if file.startswith(ROOT) and not file.startswith(SIMULATOR):
            self.calls += 1
            if self.calls == self._number:
                raise InjectedError


def refused(stack: GatewayStack, who: str) -> bytes:
    """Returns the request of somebody who may not see the video."""
    headers = {
        "nobody": {},
        "a stranger": stack.bearer("carl", "strangers"),
        "a forged token": {"Authorization": stack.bearer()["Authorization"][:-6] + "AAAAAA"},
        "a ticket for another recording": {},
    }[who]
    path = f"{VIDEO_PATH}?ticket={stack.ticket(recording='7')}" if who.startswith("a ticket") else VIDEO_PATH
    return request("GET", path, headers | {"Connection": "close"})


async def responses(stack: GatewayStack, sent: bytes) -> bytes:
    """Sends the request, and returns everything that is received until the connection ends, or nothing."""
    async with connect(stack.url) as connection:
        await connection.send(sent)
        try:
            async with asyncio.timeout(1):
                received, _ = await connection.read_until_reset()
        except TimeoutError:
            return b""
    return received


@pytest.mark.parametrize("who", ["nobody", "a stranger", "a forged token", "a ticket for another recording"])
async def test_a_fault_in_any_function_is_never_a_permission(stack: GatewayStack, who: str) -> None:
    with FaultAtCall(0) as counted:
        received = await responses(stack, refused(stack, who))
    assert received.startswith((b"HTTP/1.1 401", b"HTTP/1.1 403"))
    assert counted.calls > 20
    for number in range(1, counted.calls + 1):
        sent = refused(stack, who)
        with FaultAtCall(number):
            received = await responses(stack, sent)
        status = received.split(b" ", 2)[1] if received else b""
        assert status[:1] in (b"", b"4", b"5"), (number, received[:200])
    assert not stack.valt.media_requests
