"""No file of deploy/ is without a test that uses it, and the README says which recipes run against the real program."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.deploy import test_apache_sign_in as signed_in
from tests.e2e.deploy import test_compose as compose
from tests.e2e.deploy import test_dashboard as dashboards
from tests.e2e.deploy import test_forged_headers as forged
from tests.e2e.deploy import test_forward_auth_fronts as forward_auth
from tests.e2e.deploy import test_helm_chart as chart
from tests.e2e.deploy import test_prometheus as alerts
from tests.e2e.deploy import test_prometheus_scrapes_the_demo as scraping
from tests.e2e.deploy import test_service as service
from tests.e2e.deploy import test_systemd_files as systemd_files
from tests.support import apache, apache_sign_in, dashboard, prometheus, tables
from tests.support.fronts import DEPLOY
from tests.unit.settings.configurations import CONFIG

USES: dict[str, tuple[Callable[..., Any], Any]] = {
    "apache-no-identity-headers.conf": (signed_in.test_a_person_signs_in_watches_and_signs_out, apache),
    "apache-mellon.conf": (signed_in.test_a_person_signs_in_watches_and_signs_out, apache_sign_in),
    "apache-openidc.conf": (signed_in.test_a_person_signs_in_watches_and_signs_out, apache_sign_in),
    "apache-shib.conf": (signed_in.test_a_person_signs_in_watches_and_signs_out, apache_sign_in),
    "alerts.yml": (alerts.test_the_alerts_fire_in_their_cases_only, alerts),
    "prometheus.yml": (scraping.test_a_request_is_counted, prometheus),
    "grafana/valt-gateway.json": (dashboards.test_the_dashboard_is_what_its_panels_say, dashboard),
    "Containerfile": (service.test_the_container_is_built_from_files_that_are_there, service),
    "valt-gateway.service": (service.test_systemd_accepts_the_unit_without_a_message, service),
    "valt-gateway.socket": (service.test_systemd_accepts_the_socket_of_the_unit, service),
    "compose.yaml": (compose.test_podman_compose_accepts_the_file, compose),
    "compose/Caddyfile": (compose.test_caddy_accepts_its_file_and_removes_what_the_other_one_removes, compose),
    "compose/prometheus.yml": (compose.test_prometheus_accepts_its_file_and_scrapes_the_gateway, compose),
    "valt-gateway.sysusers": (systemd_files.test_sysusers_creates_the_user_of_the_unit, systemd_files),
    "valt-gateway.tmpfiles": (
        systemd_files.test_tmpfiles_creates_the_directories_of_the_configuration,
        systemd_files,
    ),
    "valt-gateway.logrotate": (
        systemd_files.test_the_shipped_rotation_loses_no_line_of_the_audit,
        systemd_files,
    ),
    "valt-gateway.service.d/notify-reload.conf": (
        service.test_systemd_accepts_the_unit_with_its_drop_in_for_later_versions,
        service,
    ),
}
"""Files that are no front's: a test, and the module that reads the file for it."""


def test_a_test_uses_every_file_of_deploy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: set[str] = set()
    original = Path.read_text

    def read_text(path: Path, *arguments: Any, **options: Any) -> str:
        if path.is_relative_to(DEPLOY):
            read.add(path.relative_to(DEPLOY).as_posix())
        return original(path, *arguments, **options)

    monkeypatch.setattr(Path, "read_text", read_text)
    for front in forged.FRONTS.values():
        front(tmp_path, 1, "127.0.0.1:2")
    for asking in forward_auth.FRONTS.values():
        asking(tmp_path, 1, "127.0.0.1:2", "127.0.0.1:3")
    fronts = {"nginx.conf", "haproxy.cfg", "Caddyfile", "traefik.yml", "traefik-valt-gateway.yml", "envoy.yaml"}
    assert read == fronts | {f"forward-auth/{name}" for name in fronts - {"haproxy.cfg", "traefik-valt-gateway.yml"}}
    for name, (test, module) in USES.items():
        assert test.__name__.startswith("test_")
        assert Path(name).suffix in inspect.getsource(module)
        assert Path(name).stem.partition(".")[0] in inspect.getsource(module)
    shipped = {path.relative_to(DEPLOY).as_posix() for path in DEPLOY.rglob("*") if path.is_file()}
    # Helm reads every file of the chart.
    shipped -= {name for name in shipped if (DEPLOY / name).is_relative_to(chart.CHART)}
    assert shipped == read | set(USES)


IN_THE_TESTS = {"the program itself", "a stand-in"}


def test_the_readme_says_which_recipes_run_with_the_program_itself() -> None:
    text = tables.README.read_text(encoding="utf-8")
    recipes = re.search(r"\n\| provider \|.*\| in the tests \|\n\|[-|]+\n((?:\|.*\n)+)", text)
    assert recipes is not None
    rows = {row.split(" | ")[0].strip("| "): row.rstrip("| ").rsplit(" | ", 1)[1] for row in recipes[1].splitlines()}
    itself = {name for name, means in rows.items() if means.startswith("the program itself")}
    assert itself == {"mod_shib in front", "mod_auth_mellon in front", "mod_auth_openidc in front", "Kerberos"}
    assert {name for name, means in rows.items() if not means.startswith("a stand-in")} == itself
    linked = set(re.findall(r"\(config/([\w-]+\.toml)\)", text))
    assert linked == {path.name for path in CONFIG.glob("*.toml")}
