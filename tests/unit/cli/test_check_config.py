"""``check-config``: faults, warnings and examples of a configuration that can be read."""

from pathlib import Path

import pytest

from tests.unit.cli.conftest import PASSWORD, Run

EXAMPLE = """
[[examples]]
subject = "anna"
groups = [{groups}]
recording = "614"
allowed = {allowed}
"""


@pytest.mark.promise("rules-12")
def test_the_number_of_examples_that_hold_is_printed(run: Run, config: Path) -> None:
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
def test_an_example_that_does_not_hold_is_a_fault_with_its_line(run: Run, config: Path) -> None:
    good = config.read_text() + EXAMPLE.format(groups='"supervisors"', allowed="true")
    config.write_text(good + EXAMPLE.format(groups='"supervisors"', allowed="false"))
    line = good.count("\n") + 2
    checked = run("check-config", "--config", config)
    assert checked.exit_code == 78
    assert checked.stderr.startswith(f"fault: examples.1 (line {line}): must be denied and is allowed")


@pytest.mark.promise("rules-12", "security-S14")
@pytest.mark.parametrize(("subject", "allowed"), [("campus#anna", "true"), ("anna", "true"), ("campus#ben", "false")])
def test_an_example_may_name_a_person_of_one_provider(run: Run, config: Path, subject: str, allowed: str) -> None:
    text = config.read_text().replace('groups = ["supervisors"]', 'subjects = ["campus#anna"]')
    config.write_text(text + EXAMPLE.format(groups="", allowed=allowed).replace('"anna"', f'"{subject}"'))
    checked = run("check-config", "--config", config)
    assert checked.exit_code == 0, checked.stderr


OTHER = """
[[identity]]
type = "jwt"
name = "login"
issuer = "https://login.example.edu"
audience = "valt-gateway"
"""


@pytest.mark.promise("rules-12")
@pytest.mark.parametrize("allowed", ["true", "false"])
def test_an_example_without_provider_must_hold_at_each(run: Run, config: Path, allowed: str) -> None:
    text = config.read_text().replace('groups = ["supervisors"]', 'subjects = ["campus#anna"]')
    config.write_text(text + OTHER + EXAMPLE.format(groups="", allowed=allowed))
    reason = {
        "true": "must be allowed and is denied as login#anna",
        "false": "must be denied and is allowed as campus#anna",
    }
    assert f"): {reason[allowed]}: " in run("check-config", "--config", config).stderr


@pytest.mark.promise("rules-12")
@pytest.mark.parametrize(
    ("subject", "groups", "allowed"),
    [
        ("service_key#archive", "", "true"),
        ("service_key#archive", '"staff"', "true"),
        ("service_key#batch", '"supervisors"', "false"),
    ],
)
def test_an_example_of_a_service_key_has_its_groups_of_the_file(
    run: Run, config: Path, subject: str, groups: str, allowed: str
) -> None:
    text = config.read_text()
    for number, name in enumerate(("archive", "batch")):
        text += f'[[service_keys]]\nname = "{name}"\nsecret_sha256 = "{str(number) * 64}"\n'
        text += 'groups = ["supervisors"]\n' if name == "archive" else 'groups = ["robots"]\n'
    config.write_text(text + EXAMPLE.format(groups=groups, allowed=allowed).replace('"anna"', f'"{subject}"'))
    checked = run("check-config", "--config", config)
    assert checked.exit_code == 0, checked.stderr


CONDITIONAL = """
[[grants]]
name = "conditional"
groups = ["members"]
recordings = ["*"]
{condition}
account = "reviewer"

[valt.people]
anna = "asmith"
carl = 7

[valt.groups]
members = 4
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
def test_an_example_states_the_facts_that_a_rule_needs(
    run: Run, config: Path, condition: str, meets: str, misses: str
) -> None:
    member = EXAMPLE.format(groups='"members"', allowed="{allowed}")
    examples = [
        member.format(allowed="true") + meets,
        member.format(allowed="false") + misses,
        member.format(allowed="false"),
    ]
    config.write_text("\n".join([config.read_text() + CONDITIONAL.format(condition=condition), *examples, ""]))
    checked = run("check-config", "--config", config)
    assert checked.exit_code == 0, checked.stderr
    assert "3 example(s) tried" in checked.stderr


@pytest.mark.parametrize(
    ("condition", "stated"), [("author_is_me = true", "author = 7"), ("shared_with_me = true", "shared_users = [7]")]
)
def test_an_example_of_a_person_with_a_valt_id_states_the_id(
    run: Run, config: Path, condition: str, stated: str
) -> None:
    carl = EXAMPLE.format(groups='"members"', allowed="true").replace("anna", "carl") + stated
    config.write_text(config.read_text() + CONDITIONAL.format(condition=condition) + carl)
    assert run("check-config", "--config", config).exit_code == 0


def test_a_warning_is_printed_and_does_not_fail(run: Run, config: Path) -> None:
    config.write_text(config.read_text() + 'delivery = "redirect"\n')
    checked = run("check-config", "--config", config)
    assert checked.exit_code == 0
    assert checked.stderr.startswith("warning: grants.1.delivery")


def test_a_fault_beside_a_secret_does_not_print_it(run: Run, config: Path) -> None:
    config.write_text(config.read_text().replace("password =", "passwort ="))
    checked = run("check-config", "--config", config)
    assert checked.exit_code == 78
    assert "valt.accounts.reviewer.passwort" in checked.stderr
    assert PASSWORD not in checked.output
