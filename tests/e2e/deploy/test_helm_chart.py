"""The Helm chart with Helm itself: linted, rendered, validated against Kubernetes' schemas, and consistent."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.settings.loading import Loaded, load
from tests.support.fronts import DEPLOY
from tests.support.helm import helm
from tests.support.measures import ROOT
from tests.support.programs import program

CHART = DEPLOY / "helm/valt-gateway"
CASES = sorted((CHART / "ci").glob("*-values.yaml"))
CONFIG = ("--set-file", f"config={ROOT / 'config/kubernetes.toml'}")
EACH = pytest.mark.parametrize("values", CASES, ids=[path.stem for path in CASES])

Manifest = dict[str, Any]

CUSTOM = {"HTTPRoute", "ServiceMonitor", "PrometheusRule"}
"""Kinds of other projects, whose schemas kubernetes-validate does not have: @kubernetes-models does."""


def template(values: Path, *options: str) -> str:
    return helm("template", "recordings", CHART, *CONFIG, "--values", values, *options).stdout


def rendered(case: str, *options: str) -> dict[tuple[str, str], Manifest]:
    """Returns the manifests that the chart renders with the values of *case*, by kind and name."""
    manifests = list(yaml.safe_load_all(template(CHART / f"ci/{case}-values.yaml", *options)))
    return {(one["kind"], one["metadata"]["name"]): one for one in manifests}


def pod_of(manifests: dict[tuple[str, str], Manifest]) -> Manifest:
    pod: Manifest = manifests["Deployment", "recordings-valt-gateway"]["spec"]["template"]["spec"]
    return pod


@EACH
def test_helm_finds_no_fault(values: Path) -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", CHART, *CONFIG, "--values", values).stdout


@pytest.mark.promise("operation-chart")
@EACH
def test_kubernetes_accepts_what_is_rendered(tmp_path: Path, values: Path) -> None:
    file = tmp_path / "rendered.yaml"
    file.write_text(template(values))
    validator = Path(sys.executable).with_name("kubernetes-validate")
    done = subprocess.run([validator, "--strict", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    kinds = [one["kind"] for one in yaml.safe_load_all(file.read_text())]
    unchecked = [line for line in done.stdout.splitlines() if line.startswith("WARN")]
    assert len([line for line in done.stdout.splitlines() if " passed for " in line]) == len(kinds) - len(unchecked)
    assert len(unchecked) == len(CUSTOM & set(kinds))
    assert all(any(f"kind {kind} " in line for kind in CUSTOM) for line in unchecked)


def faults_of(manifests: list[Manifest]) -> list[str | None]:
    """Returns what the schemas of their projects find wrong with each of *manifests*, None if that is nothing."""
    script = ROOT / "tests/validate-manifests.mjs"
    text = json.dumps(manifests)
    done = subprocess.run([program("node"), script], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"run npm ci in tests/: {done.stderr}"
    faults: list[str | None] = json.loads(done.stdout)
    return faults


@pytest.mark.promise("operation-chart")
def test_other_projects_accept_what_is_rendered_of_their_kinds() -> None:
    rendered_kinds = [one for path in CASES for one in yaml.safe_load_all(template(path)) if one["kind"] in CUSTOM]
    assert {one["kind"] for one in rendered_kinds} == CUSTOM
    assert faults_of(rendered_kinds) == [None] * len(rendered_kinds)
    damaged = [one | {"spec": dict.fromkeys(one["spec"], 3)} for one in rendered_kinds]
    assert None not in faults_of(damaged)


def test_the_cases_render_every_kind() -> None:
    kinds = {kind for path in CASES for kind, _ in rendered(path.stem.removesuffix("-values"))}
    ours = {"Deployment", "Service", "ConfigMap", "ServiceAccount", "Ingress", "NetworkPolicy", "PodDisruptionBudget"}
    assert kinds == ours | CUSTOM | {"HorizontalPodAutoscaler"}


@pytest.mark.parametrize(
    "option",
    [
        "replicas=two",
        "replica=2",
        "image.pullPolicy=Sometimes",
        "image.digest=latest",
        "service.port=70000",
        "ingress.host=recordings_example",
        "podDisruptionBudget.maxUnavailable=half",
        "drainTimeoutSeconds=0",
        "terminationMarginSeconds=0",
        "secretPath=secrets",
        "httpRoute.enabled=true",
        "serviceMonitor.interval=often",
        "networkPolicy.metricsFrom=monitoring",
        "autoscaling.streams=5",
    ],
)
def test_a_wrong_value_is_refused(option: str) -> None:
    done = helm("template", "x", CHART, *CONFIG, "--set", option, check=False)
    assert done.returncode != 0
    assert "values don't meet the specifications of the schema" in done.stderr
    assert option.split(".", maxsplit=1)[0].split("=", maxsplit=1)[0] in done.stderr


def test_the_schema_has_every_value_and_every_value_has_a_default() -> None:
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    def compare(schema: Manifest, values: Manifest, where: str) -> None:
        if "properties" in schema:
            assert schema["additionalProperties"] is False, where
            assert schema["properties"].keys() - {"global"} == values.keys(), where
            for name, value in values.items():
                compare(schema["properties"][name], value, f"{where}.{name}")

    compare(schema, values, "")


def test_an_empty_configuration_is_refused() -> None:
    done = helm("template", "x", CHART, check=False)
    assert done.returncode != 0
    assert "config is empty: --set-file config=gateway.toml" in done.stderr


def effective(manifests: dict[tuple[str, str], Manifest], folder: Path) -> Loaded:
    """Returns what the gateway reads in the rendered pod, without its secrets."""
    config = folder / "gateway.toml"
    config.write_text(manifests["ConfigMap", "recordings-valt-gateway"]["data"]["gateway.toml"])
    environ = {one["name"]: one["value"] for one in pod_of(manifests)["containers"][0]["env"]}
    return load(config, environ, needed_secrets=(), check_files=False)


@pytest.mark.promise("operation-chart")
def test_a_pod_is_killed_only_after_its_drain(tmp_path: Path) -> None:
    for seconds in (60, 600):
        manifests = rendered("full", "--set", f"drainTimeoutSeconds={seconds},shutdownDelaySeconds=30")
        loaded = effective(manifests, tmp_path)
        assert loaded.settings is not None, loaded.faults
        server = loaded.settings.server
        assert (server.drain_timeout, server.shutdown_delay) == (seconds, 30)
        assert pod_of(manifests)["terminationGracePeriodSeconds"] > server.drain_timeout + server.shutdown_delay


def test_the_gateway_listens_where_the_pod_says(tmp_path: Path) -> None:
    manifests = rendered("minimal")
    loaded = effective(manifests, tmp_path)
    assert loaded.settings is not None, loaded.faults
    ports = {port["name"]: port["containerPort"] for port in pod_of(manifests)["containers"][0]["ports"]}
    assert loaded.settings.server.listen == f"0.0.0.0:{ports['http']}"
    assert loaded.settings.admin.listen == f"0.0.0.0:{ports['admin']}"


def test_the_probes_tell_alive_from_ready() -> None:
    container = pod_of(rendered("minimal"))["containers"][0]
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {name: probe["path"] for name, probe in probes.items()} == {
        "startup": "/healthz",
        "liveness": "/healthz",
        "readiness": "/readyz",
    }
    assert {probe["port"] for probe in probes.values()} == {"admin"}


def test_the_pod_has_no_rights_that_it_does_not_need() -> None:
    pod = pod_of(rendered("full"))
    container = pod["containers"][0]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    containerfile = (DEPLOY / "Containerfile").read_text()
    user = pod["securityContext"]["runAsUser"]
    assert f"USER {user}:{pod['securityContext']['runAsGroup']}\n" in containerfile


def test_the_admin_port_is_in_no_public_object() -> None:
    for case in ("full", "gateway-api"):
        manifests = rendered(case)
        public = [one for (kind, _), one in manifests.items() if kind in ("Ingress", "HTTPRoute")]
        assert public
        assert not any("admin" in str(one) or "9464" in str(one) for one in public)
        assert [port["name"] for port in manifests["Service", "recordings-valt-gateway"]["spec"]["ports"]] == ["http"]


def test_the_selectors_match_the_labels_of_the_pods() -> None:
    manifests = rendered("full")
    labels = manifests["Deployment", "recordings-valt-gateway"]["spec"]["template"]["metadata"]["labels"]
    selectors = [
        manifests["Deployment", "recordings-valt-gateway"]["spec"]["selector"]["matchLabels"],
        manifests["Service", "recordings-valt-gateway"]["spec"]["selector"],
        manifests["Service", "recordings-valt-gateway-admin"]["spec"]["selector"],
        manifests["PodDisruptionBudget", "recordings-valt-gateway"]["spec"]["selector"]["matchLabels"],
        manifests["NetworkPolicy", "recordings-valt-gateway"]["spec"]["podSelector"]["matchLabels"],
    ]
    assert all(selector and selector.items() <= labels.items() for selector in selectors)


def test_the_monitor_scrapes_the_admin_service_as_the_job_of_the_alerts() -> None:
    manifests = rendered("full")
    monitor = manifests["ServiceMonitor", "recordings-valt-gateway"]["spec"]
    matching = [
        one["metadata"]
        for (kind, _), one in manifests.items()
        if kind == "Service" and monitor["selector"]["matchLabels"].items() <= one["metadata"]["labels"].items()
    ]
    assert [one["name"] for one in matching] == ["recordings-valt-gateway-admin"]
    assert [endpoint["port"] for endpoint in monitor["endpoints"]] == ["admin"]
    assert monitor["endpoints"][0]["authorization"]["credentials"] == {"name": "valt-gateway", "key": "admin-token"}
    job = matching[0]["labels"][monitor["jobLabel"]]
    assert f'job="{job}"' in (DEPLOY / "alerts.yml").read_text()


def test_the_rule_has_the_alerts_and_prometheus_accepts_them(tmp_path: Path) -> None:
    spec = rendered("full")["PrometheusRule", "recordings-valt-gateway"]["spec"]
    assert spec == yaml.safe_load((DEPLOY / "alerts.yml").read_text())
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(spec))
    subprocess.run(["promtool", "check", "rules", str(tmp_path / "rules.yml")], check=True, capture_output=True)


def test_the_autoscaler_replaces_the_number_of_replicas() -> None:
    manifests = rendered("full")
    assert "replicas" not in manifests["Deployment", "recordings-valt-gateway"]["spec"]
    scaler = manifests["HorizontalPodAutoscaler", "recordings-valt-gateway"]["spec"]
    assert scaler["metrics"][0]["pods"]["metric"]["name"] == "valt_gateway_streams_active"


def test_the_chart_is_packaged_with_the_alerts(tmp_path: Path) -> None:
    helm("package", CHART, "--destination", tmp_path)
    (archive,) = tmp_path.glob("*.tgz")
    manifests = helm("template", "recordings", archive, *CONFIG, "--set", "prometheusRule.enabled=true").stdout
    assert "ValtGatewayDown" in manifests


def test_the_chart_has_the_version_of_the_project() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert f'\nversion = "{chart["appVersion"]}"\n' in (ROOT / "pyproject.toml").read_text()
