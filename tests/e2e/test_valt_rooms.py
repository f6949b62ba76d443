"""A room of VALT's, and VALT's version, as the rules let a caller know them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.sim.catalogue import ACCENTS, INTERVIEW, SESSION, demo_recordings
from gateway.sim.responses import BAD_KEY, NO_KEY, NOT_FOUND
from gateway.sim.valt import ValtSimulator
from tests.support.clock import ManualClock
from tests.support.configuration import grant
from tests.support.gateway_fixture import GatewayStack, running_stack

GRANTS = "".join(
    (
        grant("barred", groups=["barred"], rooms=["Interview *"], allow=False),
        grant("all", groups=["all", "barred"]),
        grant("rooms", groups=["rooms"], rooms=["Room *"]),
        grant("one", groups=["one"], recordings=[INTERVIEW], account="trainee"),
        grant("mine", groups=["mine"], author_is_me=True),
    )
)


@pytest.fixture
async def stack(tmp_path: Path, clock: ManualClock) -> AsyncIterator[GatewayStack]:
    async with running_stack(tmp_path, clock=clock, grants=GRANTS) as built:
        yield built


async def call(stack: GatewayStack, path: str, headers: dict[str, str]) -> tuple[int, Any]:
    async with stack.client.get(f"{stack.url}/api/v3/{path}", headers=headers) as answer:
        return answer.status, await answer.json()


async def room(stack: GatewayStack, number: object, *groups: str, subject: str = "anna") -> Any:
    status, body = await call(stack, f"rooms/info/{number}", stack.bearer(subject, *groups))
    return body["data"] if status == 200 else (status, body)


@pytest.mark.promise("valt-V3")
async def test_a_room_is_one_that_a_rule_allows(stack: GatewayStack) -> None:
    idle = {"has_recording": False, "recording": None}
    assert await room(stack, 37, "all") == {"name": "Room 1", **idle}
    assert await room(stack, 37, "rooms") == {"name": "Room 1", **idle}
    assert await room(stack, 38, "rooms") == (404, NOT_FOUND)
    assert await room(stack, 38, "one") == {"name": "Interview room", **idle}
    assert await room(stack, 37, "one") == {"name": "Room 1", **idle}, "the rule has no rooms"
    assert await room(stack, 38, "barred") == (404, NOT_FOUND), "every recording of it is refused"
    assert await room(stack, 37, "barred") == {"name": "Room 1", **idle}
    assert await room(stack, 37, "others") == (404, NOT_FOUND)
    assert await room(stack, 99, "all") == (404, NOT_FOUND)


@pytest.mark.promise("valt-V3")
@pytest.mark.parametrize(
    ("groups", "subject", "recording", "is_visible"),
    [
        (["all"], "anna", INTERVIEW, True),
        (["one"], "anna", INTERVIEW, True),
        (["one"], "anna", SESSION, False),
        (["one", "rooms"], "anna", SESSION, True),
        (["mine"], "mrossi", INTERVIEW, True),
        (["mine"], "jsmith", INTERVIEW, False),
        (["all"], "anna", "614", True),
        (["one"], "anna", "unknown", False),
    ],
)
async def test_what_is_being_recorded_is_for_those_who_may_see_it(
    stack: GatewayStack, groups: list[str], subject: str, recording: str, is_visible: bool
) -> None:
    stack.valt.knobs.recording_now[38] = (recording, 61.5)
    running = {"id": int(recording) if recording.isdigit() else recording, "time": 61.5}
    assert await room(stack, 38, *groups, subject=subject) == {
        "name": "Interview room",
        "has_recording": is_visible,
        "recording": running if is_visible else None,
    }


@pytest.mark.promise("valt-V3")
async def test_what_a_rule_refuses_is_not_being_recorded(stack: GatewayStack) -> None:
    stack.valt.knobs.recording_now[37] = (INTERVIEW, 61.5)
    assert (await room(stack, 37, "all"))["has_recording"]
    assert await room(stack, 37, "barred") == {"name": "Room 1", "has_recording": False, "recording": None}


@pytest.mark.promise("valt-V3")
async def test_a_ticket_for_one_recording_reaches_no_room(stack: GatewayStack) -> None:
    async with stack.client.get(
        f"{stack.url}/api/v3/rooms/info/38?ticket={stack.ticket('anna', 'all', recording=INTERVIEW)}"
    ) as answer:
        assert answer.status in (401, 404)
    assert stack.valt.calls["rooms"] == 0


@pytest.mark.promise("valt-V3")
@pytest.mark.parametrize("number", ["037", "..%2F37", "37%3Fx", "a b", "37/status", "-" * 65])
async def test_an_id_that_is_none_is_404_before_valt_is_called(stack: GatewayStack, number: str) -> None:
    async with stack.client.get(f"{stack.url}/api/v3/rooms/info/{number}", headers=stack.bearer("anna", "all")) as got:
        assert (got.status, await got.json()) == (404, NOT_FOUND)
    assert not stack.valt.calls


@pytest.mark.promise("valt-V1", "valt-V3")
async def test_both_calls_need_credentials(stack: GatewayStack) -> None:
    for path in ("rooms/info/37", "admin/general"):
        assert await call(stack, path, {}) == (401, NO_KEY)
        assert await call(stack, path, {"Authorization": "Bearer rubbish"}) == (401, BAD_KEY)
    assert not stack.valt.calls


@pytest.mark.promise("valt-V3")
async def test_a_valt_that_is_down_is_503_for_a_room(stack: GatewayStack) -> None:
    stack.valt.knobs.refuse["rooms"] = 502
    status, body = await call(stack, "rooms/info/37", stack.bearer("anna", "all"))
    assert (status, body["error"]["code"]) == (503, 503)


async def version(stack: GatewayStack, *groups: str) -> Any:
    status, body = await call(stack, "admin/general", stack.bearer("anna", *(groups or ("all",))))
    return body["data"]["version"] if status == 200 and list(body["data"]) == ["version"] else (status, body)


@pytest.mark.promise("valt-V1")
async def test_the_version_is_valts_and_is_called_for_once_an_hour(stack: GatewayStack, clock: ManualClock) -> None:
    assert [await version(stack) for _ in range(3)] == ["6.5.1"] * 3
    assert stack.valt.calls["general"] == 1
    stack.valt.knobs.version = "6.6.0"
    clock.pass_(3590)
    assert await version(stack) == "6.5.1"
    clock.pass_(11)
    assert await version(stack) == "6.6.0"


@pytest.mark.promise("valt-V1")
@pytest.mark.parametrize("status", [401, 403, 404, 500])
async def test_an_undisclosed_version_is_the_configured_one(tmp_path: Path, clock: ManualClock, status: int) -> None:
    async with running_stack(tmp_path, clock=clock, grants=GRANTS, valt_more='version = "6.2.1"\n') as stack:
        stack.valt.knobs.refuse["general"] = status
        assert [await version(stack) for _ in range(3)] == ["6.2.1"] * 3
        assert stack.valt.calls["search"] == 0
        assert stack.valt.calls["login"] <= 2
        stack.valt.knobs.refuse.clear()
        clock.pass_(3601)
        assert await version(stack) == "6.5.1", "VALT discloses it now"


@pytest.mark.promise("valt-V1")
@pytest.mark.parametrize(("recording", "inferred"), [(SESSION, "6.0.0"), (ACCENTS, "5.0.0"), (None, "6.0.0")])
async def test_an_undisclosed_version_is_inferred_from_the_ids(
    tmp_path: Path, recording: str | None, inferred: str
) -> None:
    valt = ValtSimulator(recordings=[one for one in demo_recordings() if one.recording == recording])
    valt.knobs.refuse["general"] = 403
    async with running_stack(tmp_path, valt=valt, grants=GRANTS) as stack:
        assert await version(stack) == inferred
        assert valt.calls["search"] == 1


@pytest.mark.promise("valt-V1")
@pytest.mark.parametrize("value", ["", "six", "v6.1", "6" * 40, "6 <b>", "6\n"])
async def test_a_version_that_is_none_is_not_passed_on(stack: GatewayStack, value: str) -> None:
    stack.valt.knobs.version = value
    assert await version(stack) == "6.0.0"


@pytest.mark.promise("valt-V1")
async def test_the_last_version_is_reported_while_valt_is_down(stack: GatewayStack, clock: ManualClock) -> None:
    assert await version(stack) == "6.5.1"
    clock.pass_(3601)
    stack.valt.knobs.refuse["general"] = stack.valt.knobs.refuse["search"] = 502
    assert await version(stack) == "6.5.1"


@pytest.mark.promise("valt-V1")
async def test_a_version_that_cannot_be_learned_is_503(stack: GatewayStack) -> None:
    stack.valt.knobs.refuse["general"] = stack.valt.knobs.refuse["search"] = 502
    assert (await version(stack))[0] == 503


@pytest.mark.promise("valt-V1")
async def test_another_account_may_disclose_the_version(stack: GatewayStack) -> None:
    stack.valt.knobs.refuse["general"] = 403
    assert await version(stack, "all") == "6.0.0"
    stack.valt.knobs.refuse.clear()
    assert await version(stack, "all", "one") == "6.5.1"


@pytest.mark.promise("valt-V1")
async def test_who_has_no_rule_learns_nothing_of_valt(stack: GatewayStack) -> None:
    assert await version(stack, "others") == "6.0.0"
    assert not stack.valt.calls
