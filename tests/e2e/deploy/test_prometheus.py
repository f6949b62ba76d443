"""promtool accepts deploy/prometheus.yml; the alerts use series that the gateway has, and fire in their cases."""

import re
import shutil
import subprocess
from pathlib import Path

from gateway.observe.metrics import Metrics

DEPLOY = Path(__file__).parents[3] / "deploy"
RULES = Path(__file__).with_name("alerts.test.yml")


def promtool(*arguments: str, where: Path = DEPLOY) -> str:
    done = subprocess.run(["promtool", *arguments], cwd=where, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_accepts_the_configuration_with_its_rules() -> None:
    assert "1 rule files found" in promtool("check", "config", "--lint-fatal", "prometheus.yml")


def test_the_alerts_use_only_series_that_exist() -> None:
    metrics = Metrics(version="0")
    metrics.prepare(routes=["/"], providers=["p"], rules=["r"], accounts=["a"], jwks_providers=["i"])
    metrics.watch_breaker("s", lambda: 0)
    exposed = set(re.findall(r"valt_gateway_\w+", metrics.render()[0].decode()))
    spoken_of = set(re.findall(r"valt_gateway_\w+", (DEPLOY / "alerts.yml").read_text()))
    assert len(spoken_of) > 10
    assert spoken_of <= exposed


def test_the_alerts_fire_in_their_cases_only(tmp_path: Path) -> None:
    for file in (DEPLOY / "alerts.yml", RULES):
        shutil.copy(file, tmp_path)
    promtool("test", "rules", RULES.name, where=tmp_path)


def test_every_alert_has_a_case_in_which_it_fires() -> None:
    alerts = re.findall(r"alert: (\w+)", (DEPLOY / "alerts.yml").read_text())
    tried = re.findall(r"alertname: (\w+)\n\s+exp_alerts:\n", RULES.read_text())
    assert sorted(set(alerts) - set(tried)) == []
