"""Every combination of people, rules and recordings over sockets, compared with a simple reference model."""

from itertools import product
from pathlib import Path

import pytest

from gateway.model import Identity, IdentityKind
from gateway.recording_details import RecordingDetails
from gateway.rules import Rule, ValtNames
from gateway.sim.catalogue import Film, Recording
from tests.support.clock import ManualClock
from tests.support.configuration import table
from tests.support.gateway_fixture import running_stack
from tests.support.plain_rules import DAY, in_toml, plainly_fits

RULES = (
    Rule("named", "reviewer", subjects=frozenset({"anna"}), recordings=("r1?", "r2")),
    Rule("rooms", "reviewer", groups=frozenset({"rooms"}), rooms=("Room ?",)),
    Rule("authors", "trainee", groups=frozenset({"authors"}), authors=("m*", "nobody")),
    Rule("names", "trainee", groups=frozenset({"authors", "names"}), names=("Session *",)),
    Rule("course", "reviewer", groups=frozenset({"course"}), template={"Course": "PSY *", "Year": "2"}),
    Rule("fresh-there", "reviewer", groups=frozenset({"fresh"}), rooms=("*room",), created_within=90 * DAY),
    Rule("fresh", "trainee", groups=frozenset({"fresh"}), created_within=1 * DAY),
    Rule("own", "reviewer", subjects=frozenset({"*"}), author_is_me=True),
    Rule("shared", "trainee", subjects=frozenset({"*"}), shared_with_me=True),
    Rule("some", "reviewer", groups=frozenset({"some"}), recordings=("r?", "r1[0-5]")),
)
PEOPLE = ValtNames(users={"anna": "jsmith", "carl": 8, "dora": 7}, groups={"psychology": 4, "law": 5})
MAPPING = table("[valt.people]", **PEOPLE.users) + table("[valt.groups]", **PEOPLE.groups)
WHO = (
    ("anna", frozenset({"rooms"})),
    ("berta", frozenset({"authors"})),
    ("carl", frozenset({"names", "fresh"})),
    ("dora", frozenset({"law"})),
    ("emil", frozenset({"psychology", "course"})),
    ("mrossi", frozenset({"some"})),
    ("gerd", frozenset({"fresh", "rooms", "some"})),
    ("hanna", frozenset({"nothing"})),
)


def recordings(now: float) -> list[Recording]:
    films = [Film("film", "Ceiling", b"a film of little length")]
    rooms = ((37, "Room 1"), (38, "Interview room"))
    authors = ((7, "jsmith"), (8, "mrossi"))
    shared: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (((), ()), ((7,), (5,)), ((9,), (4,)))
    templates: tuple[dict[str, str], ...] = ({"Course": "PSY 512", "Year": "2"}, {"Course": "PSY 512"}, {})
    kinds = product(rooms, authors, (0.5, 10, 100), shared)
    return [
        Recording(
            f"r{number}",
            ("Session 1", "Interview 2")[number % 2],
            room=room,
            author=author,
            created=now - days * DAY,
            template=dict(templates[number % 3 if users else number % 2]),
            shared_users=users,
            shared_groups=groups,
            films=films,
        )
        for number, (room, author, days, (users, groups)) in enumerate(kinds)
    ]


def details_of(one: Recording) -> RecordingDetails:
    return RecordingDetails(
        one.recording,
        name=one.name,
        room=one.room[1],
        author=one.author[1],
        author_id=one.author[0],
        created=one.created,
        template=one.template,
        shared_users=frozenset(one.shared_users),
        shared_groups=frozenset(one.shared_groups),
    )


@pytest.mark.promise("rules-1", "rules-18")
async def test_every_decision_and_its_rule_equal_the_reference_models(tmp_path: Path) -> None:
    clock = ManualClock()
    async with running_stack(tmp_path, clock=clock, grants=in_toml(RULES), more=MAPPING) as stack:
        stack.valt.recordings[:] = recordings(clock.now())
        expected: list[tuple[str, str, str | None]] = []
        for subject, groups in WHO:
            who, headers = Identity(subject, "", "", IdentityKind.JWT, groups), stack.bearer(subject, *groups)
            for one in stack.valt.recordings:
                fits = (
                    rule.name
                    for rule in RULES
                    if plainly_fits(rule, who, one.recording, details_of(one), PEOPLE, clock.now())
                )
                expected.append((subject, one.recording, next(fits, None)))
                url = f"{stack.url}/recordings/{one.recording}/videos/film"
                async with stack.client.get(url, headers=headers) as answer:
                    await answer.read()
                    assert answer.status in (200, 403)
            seen = {recording for name, recording, rule in expected if name == subject and rule is not None}
            async with stack.client.post(f"{stack.url}/api/v3/records", headers=headers) as answer:
                assert {row["id"] for row in (await answer.json())["data"]["records"]} == seen
        await stack.ended()
        decided = [line for line in stack.audit() if line["event"] in ("open", "deny")]
        assert [(line["subject"], line["recording"], line["rule"]) for line in decided] == expected
        assert {rule for *_, rule in expected} == {None, *(rule.name for rule in RULES)}
