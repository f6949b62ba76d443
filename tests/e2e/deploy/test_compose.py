"""compose.yaml: read by podman-compose, complete as `init` writes it, and consistent with the files beside it."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.cli.situations import SITUATIONS, files_of
from gateway.settings.loading import load
from gateway.settings.model import Settings
from tests.support.fronts import DEPLOY
from tests.support.measures import ROOT
from tests.support.programs import run

Service = dict[str, Any]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """Returns the directory into which `init compose` has written."""
    for target, file in files_of(SITUATIONS["compose"]):
        (tmp_path / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, tmp_path / target)
    return tmp_path


@pytest.fixture
def services(written: Path) -> dict[str, Service]:
    parsed: dict[str, dict[str, Service]] = yaml.safe_load((written / "compose.yaml").read_text())
    return parsed["services"]


@pytest.fixture
def settings() -> Settings:
    loaded = load(ROOT / "config/compose.toml", {}, needed_secrets=(), check_files=False)
    assert loaded.settings is not None, loaded.faults
    return loaded.settings


@pytest.mark.promise("operation-compose")
def test_podman_compose_accepts_the_file(written: Path) -> None:
    program = Path(sys.executable).with_name("podman-compose")
    done = subprocess.run(
        [program, "--file", "compose.yaml", "config"],
        cwd=written,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert set(yaml.safe_load(done.stdout)["services"]) == {"gateway", "caddy", "redis", "prometheus"}


def test_every_file_that_is_mounted_is_written_by_init(services: dict[str, Service], written: Path) -> None:
    mounts = [volume.split(":")[0] for service in services.values() for volume in service.get("volumes", [])]
    files = [mount for mount in mounts if mount.startswith("./")]
    assert len(files) == 4
    assert [file for file in files if not (written / file).is_file()] == []


def test_the_configuration_names_services_networks_and_secrets(
    services: dict[str, Service], settings: Settings
) -> None:
    network = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["networks"]["front"]
    (trusted,) = settings.server.trusted_proxies
    address = services["caddy"]["networks"]["front"]["ipv4_address"]
    assert str(trusted) == f"{address}/32"
    assert address.rsplit(".", 1)[0] == network["ipam"]["config"][0]["subnet"].rsplit(".", 1)[0]
    text = (ROOT / "config/compose.toml").read_text()
    assert set(re.findall(r'"/run/secrets/(.+)"', text)) == set(services["gateway"]["secrets"])
    assert re.findall(r'"redis://(\w+):6379"', text) == ["redis"]
    assert services["redis"]["networks"] == ["state"]
    assert "state" in services["gateway"]["networks"]


def test_the_gateway_is_stopped_after_its_drain_only(services: dict[str, Service], settings: Settings) -> None:
    seconds = int(services["gateway"]["stop_grace_period"].removesuffix("s"))
    assert seconds > settings.server.drain_timeout + settings.server.shutdown_delay


@pytest.mark.promise("operation-compose")
def test_no_service_can_gain_rights_and_the_gateway_has_none(services: dict[str, Service]) -> None:
    assert {name for name, one in services.items() if one.get("security_opt") != ["no-new-privileges:true"]} == set()
    assert (services["gateway"]["cap_drop"], services["gateway"]["read_only"]) == (["ALL"], True)
    assert not any("privileged" in one or "docker.sock" in str(one) for one in services.values())


def test_only_caddy_has_public_ports(services: dict[str, Service]) -> None:
    public = {name for name, one in services.items() for port in one.get("ports", []) if not port.startswith("127.")}
    assert public == {"caddy"}


def test_the_health_check_is_that_of_the_container(services: dict[str, Service]) -> None:
    containerfile = (DEPLOY / "Containerfile").read_text()
    (command,) = re.findall(r"HEALTHCHECK .*\\\n\s+CMD (\[.*\])", containerfile)
    assert services["gateway"]["healthcheck"]["test"] == ["CMD", *json.loads(command)]
    user = services["gateway"]["user"]
    assert f"\nUSER {user}\n" in containerfile
    assert "--format docker" in containerfile


def removed_headers(caddyfile: Path) -> list[str]:
    return re.findall(r"header_up (-\S+)", caddyfile.read_text())


async def test_caddy_accepts_its_file_and_removes_what_the_other_one_removes(written: Path) -> None:
    caddyfile = written / "compose/Caddyfile"
    done = await run(
        str(Path(sys.executable).with_name("caddy")), "adapt", "--config", str(caddyfile), "--adapter", "caddyfile"
    )
    assert done.code == 0, done.err.decode()
    assert b"gateway:8080" in done.out
    assert removed_headers(caddyfile)
    assert removed_headers(caddyfile) == removed_headers(DEPLOY / "Caddyfile")


async def test_prometheus_accepts_its_file_and_scrapes_the_gateway(written: Path, settings: Settings) -> None:
    token = written / "admin-token"
    token.write_text("planted")
    text = (written / "compose/prometheus.yml").read_text()
    (written / "prometheus.yml").write_text(text.replace("/run/secrets/admin-token", str(token)))
    done = await run("promtool", "check", "config", "--lint-fatal", str(written / "prometheus.yml"))
    assert done.code == 0, done.err.decode()
    (job,) = yaml.safe_load(text)["scrape_configs"]
    assert job["authorization"] == {"credentials_file": "/run/secrets/admin-token"}
    assert job["job_name"] == "valt-gateway"
    assert job["static_configs"][0]["targets"] == [f"gateway:{settings.admin.listen.rsplit(':', 1)[1]}"]
    assert "gateway" in settings.admin.hosts
