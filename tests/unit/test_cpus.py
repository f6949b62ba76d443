"""``workers = "auto"``: CPUs of the affinity mask and quotas of control groups."""

import os
from pathlib import Path

import pytest

from gateway.cpus import worker_count


@pytest.fixture
def eight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)))


def system(root: Path, groups: str, files: dict[str, str]) -> Path:
    """Writes /proc/self/cgroup with *groups*, and *files* below /sys/fs/cgroup."""
    for name, text in {"proc/self/cgroup": groups, **{f"sys/fs/cgroup/{name}": files[name] for name in files}}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_configured_number_is_used_as_it_is(tmp_path: Path) -> None:
    assert worker_count(3, tmp_path) == 3


@pytest.mark.usefixtures("eight")
def test_without_control_groups_the_affinity_mask_decides(tmp_path: Path) -> None:
    assert worker_count("auto", tmp_path) == 8


@pytest.mark.usefixtures("eight")
@pytest.mark.parametrize(
    ("quota", "workers"), [("max 100000", 8), ("150000 100000", 2), ("50000 100000", 1), ("900000 100000", 8)]
)
def test_a_quota_is_rounded_up(tmp_path: Path, quota: str, workers: int) -> None:
    assert worker_count("auto", system(tmp_path, "0::/a/b\n", {"a/b/cpu.max": quota})) == workers


@pytest.mark.usefixtures("eight")
def test_the_least_quota_of_the_groups_above_counts(tmp_path: Path) -> None:
    files = {"a/cpu.max": "200000 100000", "a/b/cpu.max": "400000 100000", "cpu.max": "max 100000"}
    assert worker_count("auto", system(tmp_path, "0::/a/b\n", files)) == 2


@pytest.mark.usefixtures("eight")
def test_in_a_container_the_group_at_the_mount_counts(tmp_path: Path) -> None:
    assert worker_count("auto", system(tmp_path, "0::/\n", {"cpu.max": "300000 100000"})) == 3
    assert worker_count("auto", system(tmp_path, "0::/of/the/host\n", {"cpu.max": "300000 100000"})) == 3


@pytest.mark.usefixtures("eight")
def test_a_quota_of_version_1_counts(tmp_path: Path) -> None:
    files = {"cpu/a/cpu.cfs_quota_us": "250000\n", "cpu/a/cpu.cfs_period_us": "100000\n"}
    assert worker_count("auto", system(tmp_path, "4:cpu,cpuacct:/a\n3:memory:/a\n", files)) == 3
    unlimited = {"cpu/a/cpu.cfs_quota_us": "-1\n", "cpu/a/cpu.cfs_period_us": "100000\n"}
    assert worker_count("auto", system(tmp_path, "4:cpu,cpuacct:/a\n", unlimited)) == 8


def test_a_large_machine_has_32_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(128)))
    assert worker_count("auto", tmp_path) == 32
