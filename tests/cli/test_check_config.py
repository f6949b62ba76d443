"""``check-config``: what it tells of a configuration that can be read."""

from pathlib import Path

from tests.cli.conftest import PASSWORD, Type

EXAMPLE = """
[[examples]]
subject = "anna"
groups = [{groups}]
recording = "614"
allowed = {allowed}
"""


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


def test_an_example_that_the_rules_do_not_bear_out_is_a_fault_at_its_line(run: Type, config: Path) -> None:
    good = config.read_text() + EXAMPLE.format(groups='"supervisors"', allowed="true")
    config.write_text(good + EXAMPLE.format(groups='"supervisors"', allowed="false"))
    line = good.count("\n") + 2
    checked = run("check-config", "--config", config)
    assert checked.exit_code == 78
    assert checked.stderr.startswith(f"fault: examples.1 (line {line}): is not to be allowed and is")


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
