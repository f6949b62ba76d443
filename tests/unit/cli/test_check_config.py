"""``check-config``: what it tells of a configuration that can be read."""

from pathlib import Path

import pytest

from tests.unit.cli.conftest import PASSWORD, Type

EXAMPLE = """
[[examples]]
subject = "anna"
groups = [{groups}]
recording = "614"
allowed = {allowed}
"""


@pytest.mark.promise("rules-12")
def test_examples_that_hold_are_counted(run: Type, config: Path) -> None:
    stated = 'room = "Room 3 (north)"\n'
    config.write_text(
        config.read_text()
        + EXAMPLE.format(groups='"supervisors"', allowed="true")
        + EXAMPLE.format(groups='"staff"', allowed="true")
        + stated
        + EXAMPLE.format(groups='"staff"', allowed="false")
        + EXAMPLE.format(groups="", allowed="false")
    )
    checked = run("check-config", "--config", config)
    assert checked.exit_code == 0
    assert "4 example(s) tried" in checked.stderr


@pytest.mark.promise("rules-12")
def test_an_example_that_the_rules_do_not_bear_out_is_a_fault_at_its_line(run: Type, config: Path) -> None:
    good = config.read_text() + EXAMPLE.format(groups='"supervisors"', allowed="true")
    config.write_text(good + EXAMPLE.format(groups='"supervisors"', allowed="false"))
    line = good.count("\n") + 2
    checked = run("check-config", "--config", config)
    assert checked.exit_code == 78
    assert checked.stderr.startswith(f"fault: examples.1 (line {line}): is not to be allowed and is")


current_identity = """
[[grants]]
name = "asking"
groups = ["asking"]
recordings = ["*"]
{condition}
account = "reviewer"

[valt.people]
anna = "asmith"
carl = 7

[valt.groups]
asking = 4
"""


@pytest.mark.promise("rules-12")
@pytest.mark.parametrize(
    ("condition", "meets", "misses"),
    [
        ('rooms = ["Room 7*"]', 'room = "Room 71"', 'room = "Room 3"'),
        ('authors = ["jsmith"]', 'author = "jsmith"', 'author = "bjones"'),
        ('names = ["Session *"]', 'name = "Session 4"', 'name = "Interview"'),
        ('template = { course = "PSY *" }', 'template = { course = "PSY 512" }', 'template = { year = "PSY 512" }'),
        ('created_within = "90d"', 'age = "89d"', 'age = "91d"'),
        ("author_is_me = true", 'author = "asmith"', 'author = "anna"'),
        ("shared_with_me = true", "shared_groups = [4]", "shared_groups = [5]"),
    ],
    ids=["room", "author", "name", "template", "age", "own", "shared"],
)
def test_an_example_states_what_a_rule_asks_for(
    run: Type, config: Path, condition: str, meets: str, misses: str
) -> None:
    asking = EXAMPLE.format(groups='"asking"', allowed="{allowed}")
    examples = [
        asking.format(allowed="true") + meets,
        asking.format(allowed="false") + misses,
        asking.format(allowed="false"),
    ]
    config.write_text("\n".join([config.read_text() + current_identity.format(condition=condition), *examples, ""]))
    checked = run("check-config", "--config", config)
    assert checked.exit_code == 0, checked.stderr
    assert "3 example(s) tried" in checked.stderr


@pytest.mark.parametrize(
    ("condition", "stated"), [("author_is_me = true", "author = 7"), ("shared_with_me = true", "shared_users = [7]")]
)
def test_an_example_of_somebody_whom_valt_numbers_states_the_number(
    run: Type, config: Path, condition: str, stated: str
) -> None:
    carl = EXAMPLE.format(groups='"asking"', allowed="true").replace("anna", "carl") + stated
    config.write_text(config.read_text() + current_identity.format(condition=condition) + carl)
    assert run("check-config", "--config", config).exit_code == 0


def test_a_warning_is_told_and_does_not_fail(run: Type, config: Path) -> None:
    config.write_text(config.read_text() + 'delivery = "redirect"\n')
    checked = run("check-config", "--config", config)
    assert checked.exit_code == 0
    assert checked.stderr.startswith("warning: grants.1.delivery")


def test_a_fault_beside_a_secret_does_not_tell_it(run: Type, config: Path) -> None:
    config.write_text(config.read_text().replace("password =", "passwort ="))
    checked = run("check-config", "--config", config)
    assert checked.exit_code == 78
    assert "valt.accounts.reviewer.passwort" in checked.stderr
    assert PASSWORD not in checked.output
