"""promtool accepts deploy/prometheus.yml; the alerts use series that the gateway has, and fire in their cases."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.settings.schema import documented_keys
from tests.support import tables

DEPLOY = Path(__file__).parents[3] / "deploy"
RULES = Path(__file__).with_name("alerts.test.yml")
RUNBOOKS = DEPLOY.parent / "docs" / "runbooks.md"


def promtool(*arguments: str, where: Path = DEPLOY) -> str:
    done = subprocess.run(["promtool", *arguments], cwd=where, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_accepts_the_configuration_with_its_rules() -> None:
    assert "1 rule files found" in promtool("check", "config", "--lint-fatal", "prometheus.yml")


@pytest.mark.promise("operation-alerts")
def test_the_alerts_use_only_series_that_exist() -> None:
    exposed = set(re.findall(r"valt_gateway_\w+", tables.exposition()))
    spoken_of = set(re.findall(r"valt_gateway_\w+", (DEPLOY / "alerts.yml").read_text()))
    assert len(spoken_of) > 10
    assert spoken_of <= exposed
    process = set(re.findall(r"process_\w+", (DEPLOY / "alerts.yml").read_text()))
    assert process <= set(re.findall(r"^process_\w+", tables.exposition(), re.M))


@pytest.mark.promise("operation-alerts")
def test_the_alerts_fire_in_their_cases_only(tmp_path: Path) -> None:
    for file in (DEPLOY / "alerts.yml", RULES):
        shutil.copy(file, tmp_path)
    promtool("test", "rules", RULES.name, where=tmp_path)


def test_every_alert_has_a_case_in_which_it_fires() -> None:
    alerts = re.findall(r"alert: (\w+)", (DEPLOY / "alerts.yml").read_text())
    tried = re.findall(r"alertname: (\w+)\n\s+exp_alerts:\n", RULES.read_text())
    assert sorted(set(alerts) - set(tried)) == []


@pytest.mark.promise("operation-alerts")
def test_every_alert_is_quiet_for_a_gateway_in_order() -> None:
    alerts = [rule["alert"] for rule in alert_rules()]
    quiet = yaml.safe_load(RULES.read_text())["tests"][-1]
    assert quiet["name"].startswith("a gateway in order")
    assert [test["alertname"] for test in quiet["alert_rule_test"]] == alerts
    assert [test for test in quiet["alert_rule_test"] if "exp_alerts" in test] == []
    given = " ".join(one["series"] for one in quiet["input_series"])
    for rule in alert_rules():
        assert [name for name in re.findall(r"\b(?:valt_gateway|process)_\w+", rule["expr"]) if name not in given] == []


@pytest.mark.promise("operation-alerts")
def test_every_alert_has_a_runbook_with_its_severity_and_no_other_exists() -> None:
    sections = re.split(r"^### ", RUNBOOKS.read_text(), flags=re.M)[1:]
    by_alert = {section.partition("\n")[0]: section for section in sections}
    rules = {rule["alert"]: rule for rule in alert_rules()}
    assert sorted(by_alert) == sorted(rules)
    for name, rule in rules.items():
        assert rule["annotations"]["runbook"] == f"docs/runbooks.md#{name.lower()}"
        assert f"**{rule['labels']['severity'].capitalize()}.**" in by_alert[name]
        assert "- Look" in by_alert[name]
        assert "do: " in by_alert[name].lower()


def test_the_runbooks_name_series_keys_and_files_that_exist() -> None:
    text = RUNBOOKS.read_text()
    assert set(re.findall(r"(?:valt_gateway|process)_\w+", text)) <= set(re.findall(r"\w+", tables.exposition()))
    sections = {heading.lower() for heading in re.findall(r"^###? (.+)$", text, re.M)}
    for file, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", text):
        target = RUNBOOKS.parent / file
        assert target.exists(), file
        if anchor and file:
            headings = re.findall(r"^#+ (.+)$", target.read_text(), re.M)
            assert anchor in {heading.lower().replace(" ", "-") for heading in headings}
        elif anchor:
            assert anchor in sections
    keys = {f"{row.section.strip('[]')}.{row.key}" for row in documented_keys()}
    named = set(re.findall(r"`((?:server|admin|limits|state|audit|tracing)\.[a-z_]+)`", text))
    assert named
    assert named <= keys


def alert_rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules
