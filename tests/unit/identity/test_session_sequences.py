"""Sessions, links and streams through generated sequences, compared with a plain model.

SEQUENCES is the number of sequences, 500 by default. A failure names the seed of its sequence and its actions.
"""

import os

import pytest

from tests.support.plain_sessions import LIFETIME
from tests.support.session_world import PROVIDERS, Browser, Mismatch, World

SEQUENCES = int(os.environ.get("SEQUENCES", "500"))
ACTIONS = 16
_CHOICES = {
    "ticket": 8,
    "another ticket": 2,
    "sign-in": 2,
    "confirm": 3,
    "sign-out": 1,
    "revoke": 1,
    "reload": 2,
    "bearer": 2,
    "copy": 2,
    "leave": 1,
    "time": 7,
    "clock": 1,
}


async def act(world: World, action: str) -> None:
    """Does one action to the gateway and the model."""
    choose = world.random.choice
    browser = choose(world.browsers)
    match action:
        case "ticket":
            world.tickets.append(world.new_ticket())
            await world.follow(browser, *world.tickets[-1])
        case "another ticket" if world.tickets:
            await world.follow(browser, *choose(world.tickets))
        case "sign-in":
            subject, group = choose(["anna", "anna", "mallory"]), choose(["supervisors", "students"])
            await world.sign_in(browser, subject, frozenset({group}))
        case "confirm" if world.offers:
            await world.confirm(browser, choose(world.offers))
        case "sign-out":
            await world.sign_out(browser)
        case "revoke":
            await world.revoke(choose(["anna", "mallory", "portal#anna", "login#anna", "campus#anna"]))
        case "reload":
            everything = {(issuer, name) for name, issuer in PROVIDERS.items()}
            missing = {choose(sorted(everything))} if world.random.random() < 0.6 else set()
            refused = choose([frozenset[str]()] * 3 + [frozenset({"guests"}), frozenset({"guests", "banned"})])
            has_sessions = world.random.random() < 0.9
            world.reload(
                providers=everything - missing,
                has_sessions=has_sessions,
                refused=refused,
                lifetime=choose([LIFETIME, LIFETIME, 2 * 3600.0, 24 * 3600.0]),
            )
        case "bearer":
            world.new_bearer()
        case "copy":
            world.browsers.append(browser.copy())
        case "leave" if world.streams:
            world.end_stream(choose(world.streams))
        case "time":
            world.pass_time(choose([1, 30, 61, 299, 600, 1800, 3599, 3600, 3 * 3600, 8 * 3600]))
        case "clock":
            world.step_clock(choose([-7200, -60, -2, 2, 60, 7200]))
        case _:
            pass  # the action has nothing to act on


async def run(seed: int) -> World:
    """Runs one sequence. Raises Mismatch with its actions."""
    world, actions = World(seed), list[str]()
    try:
        for _ in range(ACTIONS):
            actions += world.random.choices(list(_CHOICES), list(_CHOICES.values()))
            await act(world, actions[-1])
            world.check_streams()
            for browser in world.random.choices(world.browsers, k=2):
                await world.request(browser)
            if world.bearers:
                await world.request_with_bearer(world.random.choice(world.bearers))
        await world.list_recordings(world.random.choice(world.browsers))
    except Mismatch as mismatch:
        raise Mismatch(f"sequence {seed}, after {', '.join(actions)}: {mismatch}") from None
    return world


@pytest.mark.promise("security-S1")
@pytest.mark.timeout(0)
async def test_no_request_is_allowed_what_no_single_valid_proof_allows() -> None:
    allowed = denied = streams = cut = 0
    for seed in range(SEQUENCES):
        world = await run(seed)
        allowed, denied = allowed + world.allowed, denied + world.denied
        streams, cut = streams + world.opened, cut + world.cut
    print(f"{SEQUENCES} sequences: {allowed} requests allowed, {denied} refused, {streams} streams, {cut} cut")
    assert allowed > SEQUENCES
    assert denied > SEQUENCES
    assert streams > SEQUENCES / 2


async def test_the_sequences_are_the_same_in_every_run() -> None:
    first, second = await run(1), await run(1)
    assert (first.allowed, first.denied) == (second.allowed, second.denied)
    assert isinstance(first.browsers[0], Browser)
